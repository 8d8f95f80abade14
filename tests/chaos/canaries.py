"""Values that belong to nobody and appear nowhere else, and the search for them in every disguise.

A family whose names, addresses, numbers and words are canaries is submitted; whatever a run leaves
behind is then searched for them as they are, lower case, escaped for URLs, HTML and JSON, in
base64 at each of its three alignments, hex, UTF-16, backwards and, for the numbers, as bare hashes
(`reliability.md` P29, P31: a bare hash of an NHS number counts as personal data).
"""

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

NUMBERS: Final = {"NHS number": "9990417040", "child id": "A7731904"}
"""Short enough to be guessed from a hash; the NHS number is of the range for tests."""
CANARIES: Final[Mapping[str, str]] = NUMBERS | {
    "given name": "Quorvéth",
    "second name": "Ysolbexa",
    "previous name": "Plimvetha Sample",
    "street": "17 Vexqua Rise",
    "town": "Wyzzlethorpe",
    "postcode": "ZZ99 7QX",
    "telephone": "0113 496 0977",
    "e-mail": "quorveth@family.example",
    "mother": "Brixolda Example",
    "brother": "Dravnock Example",
    "grandmother": "Ombrelline Sample",
    "home": "Ghastnebbing at home",
    "commentary": "Zephtalmick mornings",
}
WITHHELD: Final = "Mouldovane damp in the bedroom"
"""Said in the one section that the health visitor is not to see."""
ALL: Final[Mapping[str, str]] = {**CANARIES, "withheld commentary": WITHHELD}


@cache
def forms(value: str, *, number: bool) -> Mapping[str, bytes]:
    """Return how *value* may look, by the name of the disguise; lower case unless exactness counts.

    What is shorter than six bytes in a form is left out: it would be found everywhere.
    """
    text = value.lower()
    raw = value.encode()
    found = {
        "as it is": text.encode(),
        "in capitals": value.upper().encode().lower(),
        "as JSON": json.dumps(text)[1:-1].encode(),
        "in a URL": quote(text).lower().encode(),
        "in a form": quote_plus(text).lower().encode(),
        "in HTML": html.escape(text).encode("ascii", "xmlcharrefreplace"),
        "in Latin-1": text.encode("latin-1"),
        "backwards": text[::-1].encode(),
        "as hex": raw.hex().encode(),
        "as UTF-16, little": text.encode("utf-16-le"),
        "as UTF-16, big": text.encode("utf-16-be"),
    }
    if number:
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, raw, usedforsecurity=False)
            found[f"as {name}"] = digest.hexdigest().encode()
    return {name: form for name, form in found.items() if len(form) >= 6}


@cache
def exact_forms(value: str, *, number: bool) -> Mapping[str, bytes]:
    """Return the forms in which capitals count."""
    found = {}
    for shift in range(3):
        # The characters at both ends depend on what stands beside it, so they are cut off.
        code = base64.b64encode(bytes(shift) + value.encode())
        found[f"in base64, shifted by {shift}"] = code.rstrip(b"=")[(0, 2, 3)[shift] : -1]
    if number:
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, value.encode(), usedforsecurity=False)
            found[f"as the bytes of {name}"] = digest.digest()
            found[f"as {name} in base64"] = base64.b64encode(digest.digest()).rstrip(b"=")[:-1]
    return found


def search(data: bytes, canaries: Mapping[str, str] = ALL) -> Iterator[str]:
    """Yield every canary that is in *data*, with its disguise: ``street: as hex``."""
    lower = data.lower()
    for name, value in canaries.items():
        number = name in NUMBERS
        for said, form in forms(value, number=number).items():
            if form in lower:
                yield f"{name}: {said}"
        for said, form in exact_forms(value, number=number).items():
            if form in data:
                yield f"{name}: {said}"


def left_in(folders: Iterable[Path], canaries: Mapping[str, str] = ALL) -> list[str]:
    """Return what is found in the files below *folders* and in their names, with the places."""
    found = []
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            data = str(file.relative_to(folder)).encode() + b"\n"
            if file.is_file() and not file.is_symlink():
                data += file.read_bytes()
            found += [f"{file}: {what}" for what in search(data, canaries)]
    return found
