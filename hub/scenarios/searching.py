"""Looking for texts in received bytes, however they are written: plain, escaped, encoded."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def forms(text: str) -> set[bytes]:
    """Return the byte strings by which *text* could travel.

    UTF-8, JSON with escapes, HTML and URL escapes, UTF-16, hexadecimal, and base64 in all three
    alignments.  An identifier in digits also with the usual blanks, a date also without hyphens.
    """
    found = {text}
    digits = text.replace(" ", "")
    if digits.isdigit() and len(digits) == 10:  # an NHS number as people write it
        found |= {digits, f"{digits[:3]} {digits[3:6]} {digits[6:]}"}
        found.add(f"{digits[:3]}-{digits[3:6]}-{digits[6:]}")
    if DATE.fullmatch(text):  # as HL7 v2 and XML's compact forms write it
        found.add(text.replace("-", ""))
    result: set[bytes] = set()
    for one in found:
        raw = one.encode()
        result |= {raw, json.dumps(one)[1:-1].encode(), quote(one).encode()}
        result.add(one.replace("&", "&amp;").replace("<", "&lt;").encode())
        result |= {one.encode("utf-16-le"), one.encode("utf-16-be")}
        result |= {raw.hex().encode(), raw.hex().upper().encode()}
        result |= set(_base64(raw))
    return {form for form in result if form}


def _base64(raw: bytes) -> Iterator[bytes]:
    for shift in range(3):
        # Only the letters that depend on nothing before or after the text itself.
        encoded = base64.b64encode(b"\0" * shift + raw)
        first = -(-shift * 8 // 6)
        last = (shift + len(raw)) * 8 // 6
        part = encoded[first:last]
        if len(part) >= 6:
            yield part
            yield part.replace(b"+", b"-").replace(b"/", b"_")


def trace(texts: Iterable[str], data: bytes) -> str | None:
    """Return the first of *texts* that is in *data* in any form."""
    for text in texts:
        if any(form in data for form in forms(text)):
            return text
    return None


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file below *folder* with its bytes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()
