"""The child index as a destination: N1-N5 into its own tables, and on to an external index.

One way only.  The index is told by the same lanes as every other recipient, so it hears in order;
applying the same notification twice changes nothing.
"""

import json
from dataclasses import dataclass
from typing import Any

from hub.domain.carriage import Outcome, Parcel
from hub.ports import Clock, Destination, Digester, Needs, Session, Store
from hub.services.index import apply


@dataclass(frozen=True, slots=True)
class ChildIndexDestination:
    """Writes the hub's own index; *beyond* carries the same bytes to an external one."""

    store: Store
    digester: Digester
    clock: Clock
    beyond: Destination | None = None

    async def send(self, parcel: Parcel) -> Outcome:
        """Apply one notification; delivered once our tables (and the external index) have it."""
        message: dict[str, Any] = json.loads(parcel.body)
        notification = message["notification"]

        def unit(session: Session) -> bool:
            return apply(
                session, self.digester, notification, parcel.lane_sequence, self.clock.now()
            )

        applied = await self.store.run(unit, Needs())
        evidence: dict[str, Any] = {"applied": applied}
        if self.beyond is not None:
            outcome = await self.beyond.send(parcel)
            evidence["external"] = dict(outcome.evidence)
            return Outcome(delivered=outcome.delivered, evidence=evidence)
        return Outcome(delivered=True, evidence=evidence)
