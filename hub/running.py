"""A hub that runs: whether it can accept, how far it is, and whether it dispatches."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from hub.activating import Activation
from hub.domain.exchange import State, Tree
from hub.errors import Unavailable
from hub.isolation import Isolation, Rooms
from hub.metrics import Metrics, Reading
from hub.ports import Clock, Store
from hub.relaying import HintSource
from hub.services.brake import Brake
from hub.services.overdue import Overdue
from hub.services.scheduler import Scheduler
from hub.worker import Hints, Workers
from messaging.channel import Transport
from messaging.consumer import Consumer
from messaging.relay import Relay

ALERTS: Final = 1_000
"""How many open alerts a reading counts at most."""


class Running:
    """What works in the background, as far as it was started: all of it, or one role's part."""

    store: Store
    clock: Clock
    hints: Hints
    metrics: Metrics
    scheduler: Scheduler
    overdue: Overdue
    rooms: Rooms
    workers: Workers | None = None
    isolation: Isolation | None = None
    transport: Transport | None = None
    relay: Relay | None = None
    source: HintSource | None = None
    brake: Brake | None = None
    consumer: Consumer | None = None
    activation: Activation | None = None

    async def readiness(self) -> Mapping[str, Any]:
        """Return whether the hub can accept, by part; a missing broker delays, and is said."""
        parts = {"store": "up", "broker": "none"}
        try:
            await asyncio.wait_for(self.store.counts((State.SENDING,)), 2.0)
        except (Unavailable, TimeoutError):
            parts["store"] = "down"
        if self.transport is not None:
            parts["broker"] = str(self.transport.state)
        if self.brake is not None and self.brake.why:
            parts["intake"] = self.brake.why
        return {"ready": parts["store"] == "up" and "intake" not in parts, "parts": parts}

    async def drain(self, seconds: float) -> None:
        """End what is being delivered, within *seconds*, and begin nothing more; what is cut off
        goes again when its lease is over.
        """
        stopping = [
            one.stop(seconds)
            for one in (self.workers, self.isolation, self.consumer, self.relay)
            if one is not None
        ]
        await asyncio.gather(*stopping)

    def check_room(self) -> None:
        """Raise `Unavailable` while the hub takes no more content."""
        if self.brake is not None:
            self.brake.check()

    async def schedule(self) -> int:
        """Let every duty look at everything now; return how many alerts are new."""
        return await self.overdue.round() + await self.scheduler.round(whole=True)

    async def summary(self) -> Tree:
        """Return deliveries by state, what is due now, and whether dispatch is paused.

        Due are deliveries, and notices that are still to be matched.
        """
        # Notices first: what is matched meanwhile is then seen as deliveries.
        notices = await self.store.unmatched(1_000)
        counts = {state.value: 0 for state in State}
        counts.update(await self.store.counts())
        due = await self.store.due(self.clock.now(), 1_000)
        busy = self.workers.busy if self.workers else 0
        busy += self.isolation.busy if self.isolation else 0
        return {
            "deliveries": counts,
            "states": counts,
            "due": len(due) + notices,
            "busy": busy + len(self.hints),
            "paused": self.paused,
        }

    @property
    def paused(self) -> bool:
        """Whether nothing new is dispatched."""
        if self.source is not None:
            return self.source.paused
        return self.workers.paused if self.workers else False

    async def pause(self) -> None:
        """Stop dispatching; accepting goes on."""
        if self.source is not None:
            self.source.paused = True
        if self.workers:
            self.workers.pause()

    async def resume(self) -> None:
        """Dispatch again."""
        if self.source is not None:
            self.source.paused = False
        if self.workers:
            self.workers.resume()

    async def reading(self) -> Reading:
        """Return what the store and the hub say of themselves now, for whoever collects it."""
        summary = await self.summary()
        readiness = await self.readiness()
        return Reading(
            now=self.clock.now(),
            deliveries=summary["deliveries"],
            backlog=await self.store.backlog(),
            alerts=[alert for _, alert in await self.store.alerts(0, ALERTS)],
            due=summary["due"],
            paused=summary["paused"],
            ready=readiness["ready"] is True,
        )
