"""The bridge between the store and the work queue: hints out, delivery ids in, nothing else.

The queue holds opaque delivery ids.  Whatever it loses, the sweep of the store finds again;
whatever it repeats, the claim of the delivery refuses (`design.md` section 2, `reliability.md`
P10).
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from hub.domain.exchange import Delivery, State
from hub.ports import Clock, Needs, Session, Store
from hub.services.audit import of_delivery
from hub.worker import SWEEP_SECONDS, Hints
from messaging.envelope import Envelope

WORK: Final = "caf.work"
PAGE: Final = 100
AGAIN_AFTER: Final = 5.0
"""Seconds after which an id that is still due is put on the queue again: no longer than the wait
before the second attempt, which would otherwise be late."""
ON_THE_WAY: Final = 500
"""How many of what is due a sweep looks at: what went a moment ago comes first and is passed over,
so a backlog is topped up to so many every second.  More would not be carried within `AGAIN_AFTER`
by a slow machine, and would go twice."""


class HintSource:
    """What the relay carries: committed hints at once, and whatever the sweep finds due."""

    def __init__(
        self,
        hints: Hints,
        store: Store,
        clock: Clock,
        full: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """Bridge *hints* and the sweep of *store*, which passes over content for those partners
        that are *full*: what waits for them would hide what waits for others.
        """
        self._hints = hints
        self._store = store
        self._clock = clock
        self._full = full
        self._published: dict[str, float] = {}
        self._found: deque[str] = deque()
        self._swept = 0.0
        self.paused = False

    async def claim(self, limit: int) -> Sequence[Envelope]:
        """Return what to put on the queue now; nothing while paused."""
        if self.paused:
            return ()
        ids = self._hints.drain(limit)
        now = time.monotonic()
        # Hints alone could come for ever: what a wiped queue lost, and what waits to be tried
        # again, is looked for all the same.
        if not (ids or self._found) or now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            self._published = {
                known: at for known, at in self._published.items() if now - at < AGAIN_AFTER
            }
            due = await self._store.due(self._clock.now(), ON_THE_WAY, self._full())
            self._found = deque(due)
        known = self._published.keys() | set(ids)
        while self._found and len(ids) < limit:
            delivery_id = self._found.popleft()
            if delivery_id not in known:
                ids.append(delivery_id)
        return [
            Envelope(
                message_id=delivery_id,
                channel=WORK,
                body=delivery_id.encode("ascii"),
                content_type="text/plain",
                headers={},
            )
            for delivery_id in ids
        ]

    async def handed_over(self, message_ids: Sequence[str]) -> None:
        """Remember when they went, so that the sweep does not flood the queue."""
        now = time.monotonic()
        self._published.update(dict.fromkeys(message_ids, now))

    async def failed(self, message_ids: Sequence[str]) -> None:
        """Nothing to do: they are still due in the store, and the sweep finds them."""


class Refill:
    """Puts into a partner's own queue again what an emptied broker has lost of it.

    A confirm said that the broker held it, and no acknowledgement has come since: it goes again,
    through the gate and under the same delivery id (`reliability.md` P10).
    """

    def __init__(self, store: Store, clock: Clock, queues: Mapping[str, str]) -> None:
        """Bridge to *store*; *queues* gives the partner of each queue that partners read."""
        self._store = store
        self._clock = clock
        self._queues = queues

    async def missing(self, names: Sequence[str]) -> None:
        """Make due again everything that was handed over to the queues called *names*."""
        for name in names:
            if name in self._queues:
                await self._again(self._queues[name])

    async def _again(self, partner: str) -> None:
        held: list[Delivery] = []
        while page := await self._store.inbox_of(partner, len(held), PAGE):
            held.extend(page)
        for first in range(0, len(held), PAGE):
            ids = [delivery.delivery_id for delivery in held[first : first + PAGE]]
            await self._store.run(partial(self._due, ids), Needs(deliveries=tuple(ids)))

    def _due(self, ids: Sequence[str], session: Session) -> None:
        now = self._clock.now()
        for delivery_id in ids:
            delivery = session.delivery(delivery_id)
            if delivery is None or delivery.state is not State.HANDED_OVER:
                continue
            waiting = replace(delivery, state=State.PENDING, next_attempt_at=now)
            session.put_delivery(waiting)
            session.add_audit(of_delivery("delivery.retry", waiting, at=now, code="BROKER_EMPTIED"))
