"""The bridge between the store and the work queue: hints out, delivery ids in, nothing else.

The queue holds opaque delivery ids.  Whatever it loses, the sweep of the store finds again;
whatever it repeats, the claim of the delivery refuses (`design.md` section 2, `reliability.md`
P10).
"""

import time
from collections.abc import Sequence
from typing import Final

from hub.ports import Clock, Store
from hub.worker import Hints
from messaging.envelope import Envelope

WORK: Final = "caf.work"
AGAIN_AFTER: Final = 15.0
"""Seconds after which an id that is still due is put on the queue again."""


class HintSource:
    """What the relay carries: committed hints at once, and whatever the sweep finds due."""

    def __init__(self, hints: Hints, store: Store, clock: Clock) -> None:
        """Bridge *hints* and the sweep of *store*."""
        self._hints = hints
        self._store = store
        self._clock = clock
        self._published: dict[str, float] = {}
        self.paused = False

    async def claim(self, limit: int) -> Sequence[Envelope]:
        """Return what to put on the queue now; nothing while paused."""
        if self.paused:
            return ()
        ids = self._hints.drain(limit)
        if not ids:
            now = time.monotonic()
            self._published = {
                known: at for known, at in self._published.items() if now - at < AGAIN_AFTER
            }
            due = await self._store.due(self._clock.now(), limit)
            ids = [delivery_id for delivery_id in due if delivery_id not in self._published]
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
