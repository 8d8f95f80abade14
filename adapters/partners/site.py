"""A site's folder, made in one go: `ecaf keys init`.

Keys, certificates and secrets (`adapters.partners.keys`), the vault key, ``hub.yaml``, and for each
partner a profile made from the example of that name, with credentials for its system to use.
Source: `design.md` section 3 (configuration of a site).  Nothing that exists is changed, so it is
safe to run again, with more partners or after an interruption.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from adapters.database.vault import FileVault
from adapters.partners.keys import Keys, create_certificate, create_keys
from adapters.partners.profiles import load_registry
from hub.errors import Code, Fault, Misconfigured
from hub.settings import is_loopback

INDEX: Final = "IDX"
"""The child index is the hub's own and belongs to every site."""

_ACCREDITED: Final = timedelta(days=3 * 365)
"""How long a profile made here holds: from today, for the days of an example would run out."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where everything is; the maps are by partner name.  *made* is what was not there before."""

    folder: Path
    keys: Keys
    vault_key: Path
    profiles: Mapping[str, Path]
    credentials: Mapping[str, Path]
    certificates: Mapping[str, tuple[Path, Path]]
    made: tuple[Path, ...]


def init_site(
    folder: Path, *, hub_name: str, host: str, partners: Mapping[str, str | None]
) -> Site:
    """Make in *folder* what a hub called *hub_name*, reached as *host*, needs; return where it is.

    *partners* gives for each example partner the address of its webhook; without one it keeps the
    channel of its example, or fetches (`pull`) where that was a webhook.  An ``https://`` address
    gets a certificate for its host, signed by the site's authority.  Raises `Misconfigured` for a
    partner that has no example, an address that no profile may have, or files that are left of an
    incomplete folder.
    """
    examples = {name: _example(name) for name in (*partners, INDEX)}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = _files(folder)
    keys = create_keys(folder, names=[host], partners=sorted(partners))
    vault_key = folder / "secrets/vault.key"
    if not vault_key.exists():
        FileVault.create(vault_key)
    certificates = {
        name: create_certificate(keys, f"partner-{name.lower()}", [urlsplit(url).hostname or ""])
        for name, url in partners.items()
        if url and urlsplit(url).scheme == "https"
    }
    _keep(folder / "hub.yaml", _yaml(_hub(hub_name, examples)))
    profiles = {name: folder / f"partners/{name}.yaml" for name in examples}
    for name, path in profiles.items():
        _keep(path, _yaml(_profile(examples[name], partners.get(name))))
    credentials = {name: folder / f"credentials/{name.lower()}.json" for name in partners}
    for name, path in credentials.items():
        _keep(path, _credentials(name, keys))
    load_registry(folder)  # what we wrote must be what the hub will read
    made = tuple(sorted(_files(folder) - before))
    return Site(folder, keys, vault_key, profiles, credentials, certificates, made)


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def _example(name: str) -> dict[str, Any]:
    shipped = resources.files("adapters.partners").joinpath("examples")
    known = sorted(Path(one.name).stem for one in shipped.iterdir() if one.name.endswith(".yaml"))
    if name not in known:
        fault = Fault(
            Code.CONFIGURATION, path=f"--partner={name}", remedy="give the name of an example",
            allowed=tuple(known),
        )  # fmt: skip
        raise Misconfigured(Code.CONFIGURATION, f"there is no example profile {name}", [fault])
    example: dict[str, Any] = yaml.safe_load(shipped.joinpath(f"{name}.yaml").read_text("utf-8"))
    return example


def _profile(example: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    """Return the profile of a partner at *url*; formats and operations are the example's."""
    name = str(example["partner"]).lower()
    was = example["deliver"]
    deliver = {
        key: was[key] for key in ("channel", "body", "content", "notification") if key in was
    }
    if url is not None:
        deliver = {"body": "full", **deliver, "channel": "webhook", "url": url}
        deliver["secret_file"] = f"secrets/{name}.webhook"
        if urlsplit(url).scheme == "https":
            deliver["ca_file"] = "tls/ca.pem"
        if _inside(urlsplit(url).hostname or ""):
            deliver["reach"] = "private"
    elif deliver["channel"] == "webhook":
        deliver["channel"] = "pull"
    today = datetime.now(UTC).date()
    # A date of its own in each place: YAML would write the same object as an anchor.
    accredited = {**example["accredited"], "from": today, "until": today + _ACCREDITED}
    if "protocols" in accredited:
        accredited["protocols"] = [
            {**one, "expires": today + _ACCREDITED} for one in accredited["protocols"]
        ]
    else:
        accredited["protocol_expires"] = today + _ACCREDITED
    return {**example, "accredited": accredited, "deliver": deliver}


def _inside(host: str) -> bool:
    """Return whether *host* can only be inside a private network: a name of one label, as of a
    compose service, or a private address; loopback needs no leave.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host and not is_loopback(host)
    return address.is_private and not address.is_loopback


def _hub(hub_name: str, examples: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    authorities = {
        str(example["organisation"]["authority"])
        for example in examples.values()
        if "authority" in example["organisation"]
    }
    return {
        "hub": hub_name,
        "support_contact": "support@hub.example",
        "coordinators": {
            authority: {"name": "CAF co-ordinator", "organisation": f"LA-{authority}"}
            for authority in sorted(authorities)
        },
    }


def _credentials(name: str, keys: Keys) -> str:
    """Return what the partner's own system needs to prove who it is; paths relative to the file."""
    key_id = json.loads(keys.jwks[name].read_bytes())["keys"][0]["kid"]
    told = {
        "client_id": name,
        "key_file": f"../keys/{keys.partner_keys[name].name}",
        "key_id": key_id,
        "ca_file": "../tls/ca.pem",
    }
    return json.dumps(told, indent=2) + "\n"


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)


def _keep(path: Path, text: str) -> None:
    """Write a new file that only its owner may read; an existing one stays as it is."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
