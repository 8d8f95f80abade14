"""What the operator asks of the exchange: each question one unit of work over the record.

Ids, codes, places and times only (`domain.md` 5.3: the operator never sees content).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from hub.domain.exchange import Tree
from hub.domain.partner import Registry
from hub.ports import Clock, Needs, Session, Store
from hub.services import lanes, search
from hub.services.registers import OWN_ALONE, Registers
from hub.services.trace import trace
from hub.services.why_not import why_not

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Operations:
    """Answers in JSON types; raises `Missing` for what is not there, `InvalidContent` for what
    nobody could mean.
    """

    store: Store
    registry: Registry
    clock: Clock
    registers: Registers = OWN_ALONE

    async def trace(self, message_id: str) -> Tree:
        """Return the whole way of one message (`hub.services.trace`)."""
        return await self._run(lambda session: trace(session, message_id))

    async def why_not(self, episode_id: str, service: str, *, paused: bool = False) -> Tree:
        """Return the first thing that stops, and what mends it (`hub.services.why_not`)."""
        now = self.clock.now()

        def unit(session: Session) -> Tree:
            parts = (session, self.registry, self.registers)
            return why_not(*parts, episode_id, service, now, paused=paused)

        return await self._run(unit, episode_id)

    async def lanes(self, partner: str | None = None, limit: int = lanes.PAGE) -> Tree:
        """Return the lanes that stand longest (`hub.services.lanes`)."""
        return await lanes.lanes(self.store, partner, limit)

    async def search(
        self, given: Mapping[str, str], after: int = 0, limit: int = search.PAGE
    ) -> Tree:
        """Return one page of deliveries (`hub.services.search`)."""
        return await search.search(self.store, given, after, limit)

    async def by_key(self, partner: str, key: str) -> Tree:
        """Return the message that a partner sent under its own key."""
        return await self._run(lambda session: search.by_key(session, partner, key))

    async def _run(self, unit: Callable[[Session], T], episode_id: str | None = None) -> T:
        needs = Needs(episodes=(episode_id,) if episode_id is not None else ())
        return await self.store.run(unit, needs)
