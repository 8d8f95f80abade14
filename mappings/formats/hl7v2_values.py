"""Single values whose spelling in HL7 v2 is not the canonical one, by data type."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from hub.errors import Code
from mappings.formats.hl7v2_characters import Wrong
from mappings.formats.hl7v2_dates import SHORTEST, WHOLE_DAY, day_in, moment_in
from mappings.formats.hl7v2_definitions import COMPOSITES

MOST_DIGITS: Final = 15
_WHOLE: Final = re.compile(rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}")


@cache
def components(kind: str) -> tuple[str, ...]:
    """Return the data types of the components of *kind*; what is beyond them is a text."""
    return tuple(COMPOSITES.get(kind, "ST").split())


def _moment(text: str, notes: list[str]) -> str:
    if len(text) >= SHORTEST:
        try:
            return moment_in(text)
        except ValueError:
            pass
    try:
        day_in(text)
    except ValueError:
        raise Wrong(Code.FORMAT, "write YYYYMMDDHHMM[SS][+ZZZZ]") from None
    notes.append(".day")  # lawful, and no moment: a time of day is never made up
    return ""


def _day(text: str, notes: list[str]) -> str:
    if len(text) == WHOLE_DAY and text.isdecimal() and text.isascii():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    try:
        day, time = day_in(text)
    except ValueError:
        raise Wrong(Code.FORMAT, "write YYYY[MM[DD]]") from None
    if time:
        notes.append(".time")
    return day


def _when(text: str, _notes: list[str]) -> str:
    """Return a moment, a date, or the text as it is: what OBX-5 holds may be nobody's business."""
    for change in (moment_in, lambda said: day_in(said)[0]):
        try:
            return change(text)
        except ValueError:
            continue
    return text


def _number(text: str, _notes: list[str]) -> int | str:
    if text.isdecimal() and text.isascii() and len(text) <= MOST_DIGITS:
        return int(text)
    return int(text) if _WHOLE.fullmatch(text) else text


CHANGE: Final[Mapping[str, Callable[[str, list[str]], Any]]] = {
    "TS": _moment,
    "DAY": _day,
    "WHEN": _when,
    "NM": _number,
}
"""What turns a text into the canonical value, for the types that need it.

Takes the list to which it adds what its value does not say; raises `Wrong`.
"""
