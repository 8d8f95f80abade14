"""A partner's own retry policy: the seconds before each attempt, as its profile gives them."""

from typing import Final

from hub.positioned import Value

MOST_ATTEMPTS: Final = 20
LONGEST_WAIT: Final = 24 * 3600


def waits(value: Value | None) -> tuple[float, ...] | None:
    """Return the waits, one for each attempt and none beyond a day; None where none are given."""
    if value is None:
        return None
    items = value.sequence()
    if not 1 <= len(items) <= MOST_ATTEMPTS:
        value.error(f"1 to {MOST_ATTEMPTS} waits, one for each attempt")
    return tuple(_seconds(item) for item in items)


def _seconds(value: Value) -> float:
    text = value.text()
    if not text.isascii() or not text.isdigit() or int(text[:9]) > LONGEST_WAIT:
        value.error(f"a whole number of seconds, at most {LONGEST_WAIT}")
    return float(text[:9])
