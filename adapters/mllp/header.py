"""The few fields by which a message is known before anybody reads it, and an answer's segments.

Not a parser of HL7 v2: content is read by the mapping (`mappings.formats.hl7v2_read`), strictly.
What stands here never raises, looks at a bounded part of any bytes, and tells nothing but texts of
known shape; a field that says anything else says nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 4_096
"""Bytes of a message in which its MSH must end to be looked at."""
MOST_SEGMENTS: Final = 200
CONTROL_ID: Final = re.compile(r"[A-Za-z0-9 !\"#$%'()*+,\-./:;<=>?@\[\]_`{}]{1,199}", re.ASCII)
"""What an MSH-10 may look like, so that it can be said again in any message: 199 visible characters
(2.7; earlier versions have 20), none of which separates anything."""
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}", re.ASCII)
_CONDITION: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_VERSION: Final = re.compile(r"2\.[0-9](?:\.[0-9])?", re.ASCII)
_LINES: Final = re.compile(rb"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says: names of the sender (first components of MSH-3 and -4), type and event
    (MSH-9), id (-10), processing id (-11), version (-12), and which answers it asks for (-15, -16).
    *seen*: there is an MSH at all; *component* is what it separates components by.
    """

    application: str = ""
    facility: str = ""
    kind: str = ""
    event: str = ""
    control_id: str = ""
    processing: str = ""
    version: str = ""
    accept: str = ""
    answer: str = ""
    seen: bool = False
    component: str = "^"

    @property
    def enhanced(self) -> bool:
        """Whether the sender says which answers it wants (enhanced mode)."""
        return bool(self.accept or self.answer)


def read_header(raw: bytes) -> Header:
    r"""Return what the MSH at the beginning of *raw* says.

    >>> read_header(b"MSH|^~\\&|PAS|RXX01|||20260101||ADT^A04|7|P|2.4").control_id
    '7'
    >>> read_header(b"GET / HTTP/1.1") == Header()
    True
    """
    line = _LINES.split(raw[:LONGEST], maxsplit=1)[0].decode("latin-1")
    if not line.startswith("MSH") or len(line) < 8:
        return Header()
    parts = line.split(line[3])
    component = line[4]

    def first(number: int, at: int = 0) -> str:
        """Return component *at* of field *number*; MSH-1 is the separator itself."""
        field = parts[number - 1] if number <= len(parts) else ""
        inner = field.split(component)
        return inner[at] if at < len(inner) else ""

    return Header(
        application=first(3),
        facility=first(4),
        kind=_shaped(_NAME, first(9)),
        event=_shaped(_NAME, first(9, 1)),
        control_id=_shaped(CONTROL_ID, parts[9] if len(parts) > 9 else ""),
        processing=first(11),
        version=_shaped(_VERSION, first(12)),
        accept=_shaped(_CONDITION, first(15)),
        answer=_shaped(_CONDITION, first(16)),
        seen=True,
        component=component,
    )


def _shaped(shape: re.Pattern[str], text: str) -> str:
    return text if shape.fullmatch(text) else ""


def messages_in(raw: bytes) -> int:
    """Return how many messages stand in *raw*: segments that begin with MSH."""
    return len(re.findall(rb"(?:^|[\r\n])MSH", raw))


def apart(raw: bytes) -> Sequence[bytes]:
    r"""Return the messages of *raw* by themselves, as they stand.

    >>> apart(b"MSH|1\rPID|\rMSH|2\r")
    [b'MSH|1\rPID|\r', b'MSH|2\r']
    """
    return [one for one in re.split(rb"(?<=[\r\n])(?=MSH)", raw) if one]


def segments(raw: bytes) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield name and fields of each segment, fields counted as the standard does: MSH-1 is the
    separator.  Stops where there are more than an answer has.
    """
    separator = raw[3:4].decode("latin-1") or "|"
    for number, line in enumerate(_LINES.split(raw, maxsplit=MOST_SEGMENTS)):
        if number == MOST_SEGMENTS:
            return
        if line:
            name, *fields = line.decode("latin-1").split(separator)
            yield name, [name, *([separator] if name == "MSH" else []), *fields]
