"""By what a partner signs the webhooks that it sends: the part ``credentials.webhook``."""

import re
from pathlib import Path
from typing import Final

from adapters.partners.delivering import secret_file
from adapters.partners.rotations import successor
from adapters.partners.values import matching
from adapters.webhooks.verifiers import STANDARD, maker, names
from hub.domain.signed import Verifier
from hub.errors import Misconfigured
from hub.positioned import Value
from hub.secrets import read_secret

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_LIVE: Final = 2


def read_signed(value: Value, config_dir: Path) -> Verifier:
    """Return the verifier that a profile describes; every fault has its place."""
    told = value.mapping("verifier", "secret_files")
    named, listed = told.get("verifier"), told.need("secret_files")
    name = STANDARD if named is None else matching(named, _NAME, "the name of a verifier")
    make = maker(name)
    if make is None:
        (named or value).error(f"is not installed; there are: {', '.join(names())}")
    keys = []
    for item in listed.sequence():
        path = secret_file(item, config_dir)
        try:
            keys.append(read_secret(path))
        except Misconfigured as wrong:
            item.error(wrong.detail)
        following = successor(path)
        if following.exists():
            try:
                keys.append(read_secret(following))
            except Misconfigured as wrong:
                item.error(wrong.detail)
        if len(keys) > _LIVE:
            item.error("at most two keys, so that one can replace the other")
    if not keys:
        listed.error("name at least one file")
    try:
        return make(keys)
    except ValueError as wrong:
        listed.error(str(wrong))
