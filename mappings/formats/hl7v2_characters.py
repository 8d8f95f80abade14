r"""Delimiters, escape sequences, control characters and character sets of HL7 v2.

Our own, because libraries disagree here: python-hl7 writes a newline as ``\X a\`` (`standards.md`
section 5).  Outward a newline is ``\.br\``; inward every sequence of chapter 2.9 is understood,
named, or refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hub.errors import Code

CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""What is never let in or out: framing characters, NUL and every other control but tab, CR, LF."""

_BYTES: Final = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
_C1: Final = re.compile(rb"\xc2[\x80-\x9f]")

NULL: Final = '""'
"""What asks a receiver to delete a value."""

CHARSETS: Final[Mapping[str, str]] = {
    "": "utf-8",
    "ASCII": "ascii",
    "ISO IR6": "ascii",
    "8859/1": "iso-8859-1",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
}
"""Names of MSH-18 (table 0211).  Without one, ASCII is meant; UTF-8 reads it and cannot guess."""
CHARSET: Final = "UNICODE UTF-8"


class Wrong(Exception):
    """Something wrong at one place; *steps* grow outward as it is told: component, repetition."""

    def __init__(self, code: Code, remedy: str) -> None:
        """Keep code and remedy."""
        super().__init__(remedy)
        self.code = code
        self.remedy = remedy
        self.steps: list[str] = []

    def at(self, step: str) -> "Wrong":
        """Return it as it is seen from one level further out."""
        self.steps.insert(0, step)
        return self


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The characters of one message: field, component, repetition, escape, subcomponent.

    One that the message does not declare is empty, and then nothing means it.
    """

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    @property
    def inner(self) -> str:
        """Return the characters that mean something inside a field."""
        return self.component + self.repetition + self.escape + self.subcomponent


STANDARD: Final = Delimiters("|", "^", "~", "\\", "&")
_LAWFUL: Final = re.compile(r"[!-/:-@\[-`{-~]{3,6}")


def declared(line: str) -> Delimiters:
    """Return the delimiters that the MSH segment *line* declares; raises `Wrong`.

    MSH-2 has two to five characters: those at its end that the message does not use may be left
    out, and from 2.7 a fifth says how cut values are marked (which nothing here depends on).
    """
    field = line[3:4]
    characters = line[4:].partition(field)[0] if field else ""
    if not _LAWFUL.fullmatch(field + characters):
        raise Wrong(Code.SYNTAX, "MSH-1 and MSH-2 declare three to six signs, such as |^~\\&")
    if len({field, *characters}) <= len(characters):
        raise Wrong(Code.SYNTAX, "MSH-1 and MSH-2 declare one character for two things")
    component, repetition, escape, subcomponent = list((characters + "  ")[:4])
    return Delimiters(field, component, repetition, escape.strip(), subcomponent.strip())


def controlled(raw: bytes, codec: str) -> bool:
    """Tell whether *raw* may hold a control character; never wrong with "no"."""
    if len(raw.translate(None, _BYTES)) != len(raw):
        return True
    return codec == "iso-8859-1" or (b"\xc2" in raw and _C1.search(raw) is not None)


def charset(name: str) -> str:
    """Return the codec of an MSH-18; raises `Wrong`."""
    codec = CHARSETS.get(name)
    if codec is None:
        raise Wrong(Code.ENCODING, "MSH-18 must be one of " + ", ".join(filter(None, CHARSETS)))
    return codec


# Outward

_OUT: Final = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "~": "\\R\\",
    "&": "\\T\\",
    "\n": "\\.br\\",
    "\r": "\\X0D\\",
    "\t": "\\X09\\",
}
_TO_ESCAPE: Final = re.compile(r"[\\|^~&\n\r\t\x00-\x1f\x7f-\x9f]")


def escaped(text: str) -> str:
    r"""Return *text* for the wire, between standard delimiters; raises `Wrong`.

    >>> print(escaped("a|b^c~d&e\\f\n"))
    a\F\b\S\c\R\d\T\e\E\f\.br\
    """
    marked = "\\" in text or "|" in text or "^" in text or "~" in text or "&" in text
    if not marked and text.isprintable():
        return "\\X2222\\" if text == NULL else text
    if _TO_ESCAPE.search(text) is None:
        return text
    if CONTROL.search(text):
        raise Wrong(Code.CONTROL_CHAR, "a control character is never sent")
    return _TO_ESCAPE.sub(lambda found: _OUT[found[0]], text)


# Inward

_LAYOUT: Final = re.compile(r"\.(br|sp|ce|sk|fi|nf|in|ti)([+-]?[0-9]{0,3})")
_HEX: Final = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
MOST_LINES: Final = 100


def unescaped(text: str, delimiters: Delimiters, codec: str, note: Callable[[str], None]) -> str:
    """Return what *text* means; raises `Wrong`.

    *note* is told of sequences whose meaning does not show in the text: highlighting, indentation,
    and a sender's own, which stay as they are.
    """
    escape = delimiters.escape
    if not escape or escape not in text:
        return text
    parts = text.split(escape)
    if len(parts) % 2 == 0:
        raise Wrong(Code.SYNTAX, "an escape sequence is not closed")
    known = _known(delimiters)
    for position in range(1, len(parts), 2):
        sequence = parts[position]
        meant = known.get(sequence)
        parts[position] = _meaning(sequence, escape, codec, note) if meant is None else meant
    return "".join(parts)


@lru_cache(maxsize=64)
def _known(delimiters: Delimiters) -> dict[str, str]:
    return {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        ".br": "\n",
    }


def _meaning(sequence: str, escape: str, codec: str, note: Callable[[str], None]) -> str:
    if sequence in {"H", "N"}:
        note(sequence)
        return ""
    if layout := _LAYOUT.fullmatch(sequence):
        return _laid_out(layout[1], layout[2], note)
    if coded := _HEX.fullmatch(sequence):
        try:
            text = bytes.fromhex(coded[1]).decode(codec)
        except UnicodeDecodeError:
            raise Wrong(Code.ENCODING, "\\X..\\ is not in the character set of MSH-18") from None
        if CONTROL.search(text):
            raise Wrong(Code.CONTROL_CHAR, "\\X..\\ spells a control character")
        return text
    if sequence[:1] == "Z":
        note("Z")
        return f"{escape}{sequence}{escape}"
    if sequence[:1] in {"C", "M"}:
        raise Wrong(Code.ENCODING, "\\C..\\ and \\M..\\ switch character sets: send UTF-8 instead")
    raise Wrong(Code.SYNTAX, "no such escape sequence: write the escape character itself as \\E\\")


def _laid_out(name: str, count: str, note: Callable[[str], None]) -> str:
    times = min(int(count), MOST_LINES) if count.isdecimal() else 1
    if name in {"br", "sp", "ce"}:
        return "\n" * (times if name == "sp" else 1)
    if name == "sk":
        return " " * times
    note(f".{name}")
    return ""
