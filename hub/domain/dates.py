"""Dates as people know them: a whole day, a month of a year, or only a year.

A partial date stays partial: nothing here ever fills in a day or a month (`domain.md` 2.3, CL-27).
Years run from 1800 to 2199, so that a year lost in typing ("0216") is refused.
"""

import re
from datetime import UTC, datetime
from typing import Final

_YEAR: Final = "(?:1[89]|2[01])[0-9]{2}"
# 1800, 1900 and 2100 are not leap years
_LEAP: Final = "(?:(?:1[89]|2[01])(?:0[48]|[2468][048]|[13579][26])|2000)"
_DAY_OF_YEAR: Final = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)

DATE: Final = f"^(?:{_YEAR}-{_DAY_OF_YEAR}|{_LEAP}-02-29)$"
"""A day that is in the calendar, as a pattern that every regular expression dialect reads alike."""

PARTIAL_DATE: Final = f"^(?:{_YEAR}(?:-(?:0[1-9]|1[0-2]))?|{_YEAR}-{_DAY_OF_YEAR}|{_LEAP}-02-29)$"
"""`YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""

DATETIME: Final = (
    f"^(?:{_YEAR}-{_DAY_OF_YEAR}|{_LEAP}-02-29)"
    "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?"
    "(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])$"
)
"""A moment with its offset; without one nobody knows when it was, so it is refused."""

_date = re.compile(DATE)
_partial = re.compile(PARTIAL_DATE)
_datetime = re.compile(DATETIME)


def is_date(value: str) -> bool:
    """Tell whether *value* is a whole day of the calendar."""
    return _date.fullmatch(value) is not None


def is_partial_date(value: str) -> bool:
    """Tell whether *value* is a year, a month or a day of the calendar.

    >>> [is_partial_date(text) for text in ("2016", "2016-05", "2016-02-29", "2015-02-29", "٢٠١٦")]
    [True, True, True, False, False]
    """
    return _partial.fullmatch(value) is not None


def is_datetime(value: str) -> bool:
    """Tell whether *value* is a moment with an offset."""
    return _datetime.fullmatch(value) is not None


def to_utc(value: str) -> str:
    """Return a lawful moment in UTC with a ``Z``, and its decimals of a second as they were.

    >>> to_utc("2026-09-01T10:00:00+01:00"), to_utc("2026-09-01T00:30:00.250+01:00")
    ('2026-09-01T09:00:00Z', '2026-08-31T23:30:00.250Z')
    """
    if value.endswith("Z"):
        return value
    seconds, offset = value[:19], value[-6:]
    fraction = value[19:-6]
    moment = datetime.fromisoformat(seconds + offset).astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def after(first: str, second: str) -> bool:
    """Tell whether *first* is certainly later than *second*, as far as both are known.

    >>> after("2016-05-14", "2016-05"), after("2017", "2016-12-31")
    (False, True)
    """
    first, second = first.rstrip("Z"), second.rstrip("Z")
    known = min(len(first), len(second))
    return first[:known] > second[:known]
