"""Scalars of a partner profile: one line, a day, a code, an authority; each fault has its place."""

import re
from datetime import date
from typing import Final, Literal

from hub.domain.codes import Standing, check
from hub.positioned import Fields, Value

LONGEST: Final = 200


def line(value: Value) -> str:
    """Return one printable line."""
    text = value.text()
    if len(text) > LONGEST or not text.isprintable():
        value.error(f"must be one line of at most {LONGEST} characters")
    return text


def optional_line(told: Fields, name: str) -> str | None:
    """Return one printable line, if the key is there."""
    value = told.get(name)
    return None if value is None else line(value)


def reach_of(value: Value | None) -> Literal["public", "private"]:
    """Return whether an address may lie inside a private network; it may not unless it is said."""
    inside = value is not None and value.one_of("public", "private") == "private"
    return "private" if inside else "public"


def matching(value: Value, pattern: re.Pattern[str], expected: str) -> str:
    """Return a text of this pattern; *expected* says which in words."""
    text = value.text()
    if not pattern.fullmatch(text):
        value.error(f"must be {expected}")
    return text


def day(value: Value) -> date:
    """Return a day written like 2026-01-31."""
    return value.built(_day)


def _day(text: str) -> date:
    try:
        if len(text) == len("2026-01-01"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a day like 2026-01-31")


def coded(value: Value, list_id: str) -> str:
    """Return a code of the list."""
    code = value.text()
    if check(list_id, code) is Standing.REFUSED:
        value.error(f"must be a code of {list_id}")
    return code


def authority(code: str, value: Value) -> str:
    """Return the three digits of an authority; *value* is where a fault is shown."""
    if check("CL-29", code) is Standing.REFUSED:
        value.error("must be named by the three digits of an authority (CL-29)")
    return code
