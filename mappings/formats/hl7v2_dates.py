"""Dates and moments as HL7 v2 writes them, to the canonical spelling and back.

``YYYY[MM[DD[HHMM[SS[.S[S[S[S]]]]]]]][+/-ZZZZ]`` (HL7 2.4, chapter 2A, TS; DT is its first half).  A
partial date stays partial.  A moment without an offset is the sender's local time, which in the
United Kingdom is known.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_TS: Final = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})?(\.[0-9]{1,6})?"
    r"([+-][0-9]{4})?"
)
_DAY: Final = re.compile(r"([0-9]{4})([0-9]{2})?([0-9]{2})?(.*)", re.DOTALL)
_TIME: Final = re.compile(r"([0-9]{2}){1,3}(\.[0-9]+)?([+-][0-9]{4})?|[+-][0-9]{4}")
_FULL: Final = len("YYYYMMDDHHMMSS+0000")
WHOLE_DAY: Final = len("YYYYMMDD")
SHORTEST: Final = len("YYYYMMDDHHMM")
"""What a moment has at the least."""
DECIMALS: Final = 4
"""Decimals of a second that a TS holds; the canonical form may have more, and they are cut."""


def moment_in(text: str) -> str:
    """Return the canonical moment of a TS; raises ``ValueError``.

    Without an offset it is London's time of that day.

    >>> moment_in("20260901103000+0100"), moment_in("202607010930"), moment_in("20260109093015.25")
    ('2026-09-01T10:30:00+01:00', '2026-07-01T09:30:00+01:00', '2026-01-09T09:30:15.25Z')
    """
    if len(text) == _FULL and text[14] == "+" and _digits(text.replace("+", "0", 1)):
        before = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}"
        return f"{before}Z" if text.endswith("+0000") else f"{before}{text[14:17]}:{text[17:]}"
    found = _TS.fullmatch(text)
    if found is None:
        raise ValueError("no moment")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if offset is None:
        shown = "+01:00" if _summer(*map(int, (year, month, day, hour))) else "Z"
    else:
        shown = "Z" if offset[1:] == "0000" else f"{offset[:3]}:{offset[3:]}"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{fraction or ''}{shown}"


def _digits(text: str) -> bool:
    return text.isdecimal() and text.isascii()


def _summer(year: int, month: int, day: int, hour: int) -> bool:
    """Tell whether London's clocks show summer time when they show this (rules since 1996)."""
    local = datetime(year, month, day, hour, tzinfo=UTC)
    begins, ends = (_last_sunday(local.year, month) for month in (3, 10))
    return begins + timedelta(hours=2) <= local < ends + timedelta(hours=2)


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def moment_out(text: str) -> str:
    """Return the TS of a canonical moment.

    >>> moment_out("2026-09-01T09:00:00Z"), moment_out("2026-09-01T09:00:00.123456+01:00")
    ('20260901090000+0000', '20260901090000.1234+0100')
    """
    seconds, rest = text[:19], text[19:]
    fraction, offset = (rest[:-1], "+0000") if rest.endswith("Z") else (rest[:-6], rest[-6:])
    return re.sub("[-:T]", "", seconds) + fraction[: 1 + DECIMALS] + offset.replace(":", "")


def day_in(text: str) -> tuple[str, str]:
    """Return the canonical (partial) date of a DT or TS, and the time of day behind it, if any.

    Raises ``ValueError``.  Whether the calendar has the day is for the dictionary to say.

    >>> day_in("201605"), day_in("201605141130")
    (('2016-05', ''), ('2016-05-14', '1130'))
    """
    if len(text) == WHOLE_DAY and _digits(text):
        return f"{text[:4]}-{text[4:6]}-{text[6:]}", ""
    if _digits(text[:WHOLE_DAY]) and _TIME.fullmatch(text, WHOLE_DAY):
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}", text[WHOLE_DAY:]
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError("no date")
    year, month, day, rest = found.groups()
    if rest and (day is None or not _TIME.fullmatch(rest)):
        raise ValueError("no date")
    return "-".join(part for part in (year, month, day) if part), rest


def day_out(text: str) -> str:
    """Return the DT of a canonical (partial) date."""
    return text.replace("-", "")
