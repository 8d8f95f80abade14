"""Whose turn it is: no caller takes so much of the hub that nothing is left for the others.

Source: `reliability.md` 5.11 (a token bucket per client and operation, searching stricter) and P13.
Counted by process and by the wall of a monotonic clock; nothing here outlives a restart.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hub.api.limits import Limits
from hub.errors import Code, Fault, Unavailable

BURST_SECONDS: Final = 10.0
"""What was not used so long may be used at once."""
MOST_BUCKETS: Final = 4_096
"""Beyond so many, those that are full are forgotten: they say nothing."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Turns:
    """What each caller has under way and has left; touched by the event loop's thread only."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets."""
        self._limits = limits
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._under_way: dict[str, int] = {}

    @contextmanager
    def visit(self) -> "Iterator[Visit]":
        """Let a request in, whoever it is from; what it took is given back in the end."""
        one = Visit(self)
        try:
            yield one
        finally:
            if one.caller:
                left = self._under_way[one.caller] - 1
                if left:
                    self._under_way[one.caller] = left
                else:
                    del self._under_way[one.caller]

    def take(self, caller: str, operation: str, *, searching: bool) -> None:
        """Count one request in; `Unavailable` with ``E_RATE`` where *caller* has had its share."""
        under_way = self._under_way.get(caller, 0)
        if under_way >= self._limits.client_in_flight:
            raise _too_many(1.0)
        self._draw(caller, operation, searching=searching)
        self._under_way[caller] = under_way + 1

    def _draw(self, caller: str, operation: str, *, searching: bool) -> None:
        limits = self._limits
        rate = limits.client_searches_per_second if searching else limits.client_per_second
        now, full = self._monotonic(), rate * BURST_SECONDS
        if len(self._buckets) >= MOST_BUCKETS:
            self._forget(now)
        bucket = self._buckets.setdefault((caller, operation), _Bucket(full, now))
        bucket.left = min(full, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.left < 1.0:
            raise _too_many((1.0 - bucket.left) / rate)
        bucket.left -= 1.0

    def _forget(self, now: float) -> None:
        """Forget whoever has not come for so long that its bucket is full again."""
        old = [key for key, one in self._buckets.items() if now - one.at >= BURST_SECONDS]
        for key in old:
            del self._buckets[key]


class Visit:
    """One request's turn."""

    def __init__(self, turns: Turns) -> None:
        """Begin without a caller: nobody knows yet who it is."""
        self._turns = turns
        self.caller = ""

    def by(self, caller: str, operation: str, *, searching: bool = False) -> None:
        """Say whose it is, once it is known; raises `Unavailable` where that is one too many."""
        self._turns.take(caller, operation, searching=searching)
        self.caller = caller


def _too_many(seconds: float) -> Unavailable:
    remedy = "send the same request again after Retry-After, with the same Idempotency-Key"
    much = "this caller sends more than its share"
    refusal = Unavailable(Code.RATE, much, [Fault(Code.RATE, remedy=remedy)])
    refusal.retry_after = seconds
    return refusal
