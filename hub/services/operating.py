"""What the operator asks of the exchange: each question one unit of work over the record.

Ids, codes, places and times only (`domain.md` 5.3: the operator never sees content).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hub.domain.exchange import Tree
from hub.domain.partner import Registry
from hub.ports import Clock, Needs, Session, Store
from hub.services.trace import trace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Operations:
    """Answers in JSON types; raises `Missing` for what is not there, `InvalidContent` for what
    nobody could mean.
    """

    store: Store
    registry: Registry
    clock: Clock

    async def trace(self, message_id: str) -> Tree:
        """Return the whole way of one message (`hub.services.trace`)."""
        return await self._run(lambda session: trace(session, message_id))

    async def _run(self, unit: Callable[[Session], T], episode_id: str | None = None) -> T:
        needs = Needs(episodes=(episode_id,) if episode_id is not None else ())
        return await self.store.run(unit, needs)
