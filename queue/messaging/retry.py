"""Back-off: when to try a partner again, and when to stop.

The schedule is that of Standard Webhooks, stretched to about 76 hours: long enough for a system
that broke on Friday evening to be mended on Monday. The caller keeps the count of attempts, in
its store: counts in a broker are lost with the broker.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

MINUTE = 60.0
HOUR = 60 * MINUTE

SCHEDULE: tuple[float, ...] = (
    0.0,
    5.0,
    30.0,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
"""Seconds to wait before the first, second … eleventh attempt."""

JITTER = 0.2
"""Each wait is spread evenly over this share to either side, so that partners that failed
together do not come back together."""

MAX_RETRY_AFTER = 6 * HOUR
"""A partner may ask us to wait, but not to give up its messages."""


def next_delay(
    attempt: int,
    *,
    random: Random,
    retry_after: float | None = None,
    schedule: Sequence[float] = SCHEDULE,
) -> float | None:
    """Return the seconds to wait when *attempt* attempts have failed; None when all are used.

    *schedule* is asked each time, so that a changed one applies from now on.
    *retry_after* is what the partner asked for, in seconds. It can only lengthen the wait, and
    counts up to six hours: shortening it would let a hopeful partner use up its attempts.

    >>> next_delay(0, random=Random(1))
    0.0
    >>> next_delay(11, random=Random(1)) is None
    True
    """
    if attempt < 0:
        raise ValueError("attempt counts from 0")
    if attempt >= len(schedule):
        return None
    delay = schedule[attempt] * random.uniform(1 - JITTER, 1 + JITTER)
    if retry_after is None:
        return delay
    return max(delay, min(max(retry_after, 0.0), MAX_RETRY_AFTER))


def reconnect_delay(failures: int, *, random: Random, longest: float = 5.0) -> float:
    """Return the seconds to wait before connecting again after *failures* in a row.

    Doubles from a tenth of a second to *longest*, then picks anywhere below: after a broker's
    restart its clients should not all knock at once.
    """
    ceiling = min(longest, 0.1 * 2 ** min(failures, 16))
    return random.uniform(ceiling / 4, ceiling)
