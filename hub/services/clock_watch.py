"""A clock that is set: nothing waits for hours that never were, and nothing is destroyed by them.

Waits are moments of the business clock, so that they outlive a restart and hold for every worker.
If that clock was ahead and is set right, they lie as far ahead as it did; this finds that out by
the monotonic clock, which nobody sets, and draws them back.  What is destroyed is destroyed by a
reading that has lasted a day (`reliability.md` P15, 5.10: a purge never trusts one clock reading).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from hub.errors import Unavailable
from hub.ports import Clock
from hub.ports_waits import WaitStore

log = logging.getLogger("hub.clock")

LOOK_SECONDS: Final = 1.0
SLACK: Final = timedelta(seconds=5)
"""What clocks are set by, day by day, and what nobody waits too long for."""
LONGEST: Final = timedelta(hours=29)
"""Longer than any wait: a day is the longest step of every schedule, with a fifth of jitter; what
a receiver may ask for is less.
"""
BELIEVED: Final = timedelta(days=1)
_EVER: Final = timedelta(days=365_000)


class ClockWatch:
    """Watches the business clock of one process; *believing* takes it at its word, as a story does
    whose days pass by decree.
    """

    def __init__(
        self,
        clock: Clock,
        store: WaitStore,
        *,
        believing: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the clock as it is."""
        self._clock, self._store, self._monotonic = clock, store, monotonic
        self._believing = believing
        self._offset, self._good = self._read(), self._read()
        self._ahead_since: float | None = None
        self._begun = False

    async def look(self) -> int:
        """Draw back what waits for a time that was not; return how many deliveries that were.

        At first it is what waits longer than anything may: an earlier process had a clock that was
        ahead, by days.
        """
        now = self._clock.now()
        offset = self._read()
        moved = 0
        if not self._begun:
            moved = await self._store.sooner(now, now + LONGEST, _EVER)
            self._begun = True
        if offset < self._offset - SLACK:
            moved += await self._store.sooner(now, now, self._offset - offset)
            log.warning("clock set back")
        # Only now: if the store is away, the next look finds the same.
        self._offset = offset
        self._weigh(offset)
        return moved

    def past(self) -> datetime:
        """Return the moment by which something may be destroyed: the clock's, or, while it is ahead
        of what it was for less than a day, as late as it would be had nobody set it.
        """
        now = self._clock.now()
        if self._believing:
            return now
        return min(now, self._good + timedelta(seconds=self._monotonic()))

    async def forever(self) -> None:
        """Look once a second."""
        while True:
            try:
                await self.look()
            except Unavailable as fault:
                log.warning("clock not watched", extra={"code": fault.code.value})
            await asyncio.sleep(LOOK_SECONDS)

    def _read(self) -> datetime:
        """Return the moment at which the monotonic clock would have been nought."""
        return self._clock.now() - timedelta(seconds=self._monotonic())

    def _weigh(self, offset: datetime) -> None:
        if offset <= self._good + SLACK:
            self._good, self._ahead_since = offset, None
            return
        if self._ahead_since is None:
            self._ahead_since = self._monotonic()
        if self._monotonic() - self._ahead_since >= BELIEVED.total_seconds():
            self._good, self._ahead_since = offset, None
