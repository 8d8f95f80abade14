"""Destinations of somebody else's: found by their entry point, and bounded like our own.

A plug-in is a class in the group ``ecaf.destinations``, made with the partner's `Delivering` (whose
*url*, *secret_file* and files of certificates are the profile's).  It has ``async def send(self,
parcel)``, which returns an `Outcome` (*delivered* only if the receiver said so itself) or raises
`Unavailable` (try again; ``E_OUTCOME_UNKNOWN`` where it may have arrived) or `Rejected` (never, as
it stands), and may have ``async def close(self)``.  It decides nothing about what is sent: that
was decided before, and what it gets are bytes.
"""

import asyncio
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any, Final

from adapters.destinations.breaker import Breaker
from hub.domain.carriage import Outcome, Parcel
from hub.domain.partner import Delivering
from hub.errors import Code, Unavailable
from hub.ports import Destination

GROUP: Final = "ecaf.destinations"
AT_ONCE: Final = 8
SECONDS: Final = 30.0

Maker = Callable[[Delivering], Destination]


def maker(name: str) -> Maker | None:
    """Return what makes destinations of this name, if there is one."""
    for found in entry_points(group=GROUP, name=name):
        made: Maker = found.load()
        return made
    return None


def names() -> Sequence[str]:
    """Return the names of the adapters that are installed."""
    return sorted({found.name for found in entry_points(group=GROUP)})


class PluggedDestination:
    """Carries parcels by a plug-in, and lets it slow down nobody else."""

    def __init__(
        self, inner: Destination, *, seconds: float = SECONDS, breaker: Breaker | None = None
    ) -> None:
        self._inner = inner
        self._seconds = seconds
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.breaker = breaker or Breaker()

    async def send(self, parcel: Parcel) -> Outcome:
        """Carry one parcel; a plug-in that does not come back leaves the outcome unknown."""
        async with self._turns, self.breaker.guard():
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._inner.send(parcel)
            except TimeoutError:
                raise Unavailable(Code.OUTCOME_UNKNOWN, "the adapter did not come back") from None

    async def close(self) -> None:
        """Let the plug-in close what it holds, if it holds anything."""
        close: Any = getattr(self._inner, "close", None)
        if close is not None:
            await close()
