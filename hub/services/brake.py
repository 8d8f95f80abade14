"""The brake: content is refused, for now, before the hub has more of it than it can carry.

Source: `reliability.md` 5.11 (backlog, disk, latency of the database) and P13, P14: what is not
accepted is its sender's still.  Decisions of consent, disclosures by law and acknowledgements are
let in: they end work, or cannot wait.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hub.domain.exchange import UNSETTLED
from hub.errors import Code, Fault, Unavailable

log = logging.getLogger("hub.brake")

LOOK_SECONDS: Final = 15.0
AGAIN_SECONDS: Final = 10.0
TWICE: Final = 2
"""So often running must the database be slow: a single pause is a checkpoint."""
_SAYS: Final[Mapping[str, str]] = {
    "backlog": "too much waits to be delivered",
    "disk": "the hub's disk is nearly full",
    "slow": "the database is slow",
}


@dataclass(frozen=True, slots=True)
class Pull:
    """When the brake is pulled: deliveries not ended, bytes free, seconds of an answer."""

    backlog: int
    disk_bytes: int
    seconds: float


@dataclass
class Brake:
    """*counts* gives deliveries by state, *free* the bytes that are free for the hub's files."""

    counts: Callable[[], Awaitable[Mapping[str, int]]]
    free: Callable[[], int]
    at: Pull
    monotonic: Callable[[], float] = time.monotonic
    why: str = ""
    """``backlog``, ``disk`` or ``slow`` while content is refused."""
    _slow: int = field(default=0)

    async def look(self) -> None:
        """Measure, and pull or let go."""
        began = self.monotonic()
        try:
            counted = await self.counts()
        except Unavailable:
            return  # then nothing is accepted anyhow, and says so itself
        took = self.monotonic() - began
        self._slow = self._slow + 1 if took > self.at.seconds else 0
        waiting = sum(count for state, count in counted.items() if state in UNSETTLED)
        why = ""
        if self.free() < self.at.disk_bytes:
            why = "disk"
        elif waiting >= self.at.backlog:
            why = "backlog"
        elif self._slow >= TWICE:
            why = "slow"
        if why != self.why:
            log.warning("brake", extra={"state": why or "off"})
        self.why = why

    async def forever(self) -> None:
        """Look again and again, first when the start is over."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    def check(self) -> None:
        """Raise `Unavailable` with ``E_BUSY`` while no content is taken."""
        if not self.why:
            return
        remedy = "send the same message again after Retry-After, with the same Idempotency-Key"
        held = Unavailable(Code.BUSY, _SAYS[self.why], [Fault(Code.BUSY, remedy=remedy)])
        held.retry_after = AGAIN_SECONDS
        raise held
