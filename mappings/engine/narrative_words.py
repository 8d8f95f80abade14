"""Values as people write them: dates, times, codes by their display, numbers in groups.

Every text is made harmless here: characters that no document may hold become U+FFFD, and direction
marks that a writer left open are closed, so that nothing after them turns round.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final

from hub.domain.codes import code_list, list_ids
from hub.domain.dictionary import Leaf
from hub.domain.fields import Form

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
NOON: Final = 12

_LAST: Final = (0xFFFE, 0xFFFF)
"""Where each plane of Unicode ends: code points that are no characters."""

_FORBIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in _LAST)
    + "]"
)
_OPENS: Final = {
    **dict.fromkeys("\u202a\u202b\u202d\u202e", "\u202c"),
    **dict.fromkeys("\u2066\u2067\u2068", "\u2069"),
}


def settled(text: str) -> str:
    """Return *text* without characters that documents forbid, every opened direction closed."""
    if text.isascii() and text.isprintable():
        return text
    text = _FORBIDDEN.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")
    waiting: list[str] = []
    for character in text:
        if character in _OPENS:
            waiting.append(_OPENS[character])
        elif waiting and character == waiting[-1]:
            waiting.pop()
    return text + "".join(reversed(waiting))


def date_words(value: str) -> str:
    """Return a whole or partial date as it is written in England.

    >>> date_words("2026-03-03"), date_words("2026-03"), date_words("2026")
    ('3 March 2026', 'March 2026', '2026')
    """
    year, *rest = value.split("-")
    if not rest:
        return year
    month = MONTHS[int(rest[0]) - 1]
    return f"{month} {year}" if len(rest) == 1 else f"{int(rest[1])} {month} {year}"


def time_words(value: str) -> str:
    """Return a moment as a clock in England showed it.

    >>> time_words("2026-09-01T09:30:00Z"), time_words("2026-12-31T23:30:00Z")
    ('1 September 2026 at 10:30am', '31 December 2026 at 11:30pm')
    """
    moment = datetime.fromisoformat(value).astimezone(UTC)
    begins, ends = _last_sunday(moment.year, 3), _last_sunday(moment.year, 10)
    if begins <= moment < ends:
        moment += timedelta(hours=1)
    hour = moment.hour % NOON or NOON
    half = "am" if moment.hour < NOON else "pm"
    day = f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"
    return f"{day} at {hour}:{moment.minute:02}{half}"


@lru_cache(maxsize=64)
def _last_sunday(year: int, month: int) -> datetime:
    """Return 01:00 UTC of the last Sunday of March or October, when the clocks change."""
    day = datetime(year, month, 31, 1, tzinfo=UTC)
    return day - timedelta(days=(day.weekday() + 1) % 7)


@cache
def _displays(list_id: str | None) -> Mapping[str, str]:
    """Return what people call the codes of a list; nothing for a list that nobody has."""
    if list_id is None or list_id not in list_ids():
        return {}
    return {code: entry.display for code, entry in code_list(list_id).codes.items()}


def display(list_id: str | None, code: str) -> str:
    """Return what people call *code*; the code itself where its list does not know it.

    >>> display("CL-05", "NMTH"), display("CL-29", "999")
    ('Natural mother', '999')
    """
    return _displays(list_id).get(code, code)


def service_words(value: str) -> tuple[str, str]:
    """Return service and organisation of ``ORGANISATION/TYPE``.

    >>> service_words("EHM-A/FSW")
    ('Family support', 'EHM-A')
    """
    organisation, _slash, service = value.rpartition("/")
    return display("CL-11", service), organisation


def identifier_words(system: str, value: str) -> str:
    """Return an identifier as it is printed: an NHS number in its groups, a reason in words.

    >>> identifier_words("nhs-number", "9990000018")
    '999 000 0018'
    """
    if system == "nhs-number" and len(value) == len("9990000018"):
        return f"{value[:3]} {value[3:6]} {value[6:]}"
    if system == "upn-unknown":
        return display("CL-25-upn-unknown", value)
    return settled(value)


_WORDS: Final[Mapping[Form, Callable[[Any], str]]] = {
    "date": date_words,
    "partial_date": date_words,
    "datetime": time_words,
    "bool": lambda value: "Yes" if value else "No",
    "int": str,
}


class _Called(dict[str, str]):
    """What people call the codes of a list; a code that the list has not is called as it is."""

    __slots__ = ()

    def __init__(self, displays: Mapping[str, str]) -> None:
        """Make them harmless."""
        super().__init__({code: settled(said) for code, said in displays.items() if said})

    def __missing__(self, code: Any) -> str:
        """Return *code* itself."""
        return settled(str(code))


def speech(leaf: Leaf) -> Callable[[Any], str]:
    """Return what writes a value of *leaf* as people do."""
    if leaf.form == "code":
        return _Called(_displays(leaf.codes)).__getitem__
    return _WORDS.get(leaf.form, settled_text)


def settled_text(value: Any) -> str:
    """Return free text, harmless and otherwise as it was written."""
    if type(value) is str:
        # As `settled` does: most texts are looked at once, and there are many.
        return value if value.isascii() and value.isprintable() else settled(value)
    return settled(str(value))
