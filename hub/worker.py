"""The working side of the hub: takes offered deliveries and carries each to its end.

On SQLite, offers go from the commit to the workers in memory; where several processes may share the
work (PostgreSQL with a broker), over the work queue.  Either way the table of deliveries is the
truth: what is offered is a hint, and a sweep of the store finds whatever a lost hint, a crash or a
wiped broker left behind (`reliability.md` P10).
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from hub.errors import Unavailable
from hub.ports import Clock, Store

log = logging.getLogger("hub.worker")

SWEEP_SECONDS: Final = 1.0
SWEEP_LIMIT: Final = 1_000
CANCEL_SECONDS: Final = 0.5
MEMORY_LIMIT: Final = 100_000


class Hints:
    """Offered delivery ids, each once, in order; beyond its bound it forgets, and the sweep
    remembers.
    """

    def __init__(self, limit: int = MEMORY_LIMIT) -> None:
        """Start empty."""
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._limit = limit
        self._some = asyncio.Event()
        self.on_offer: Callable[[], None] | None = None

    def offer(self, delivery_ids: Sequence[str]) -> None:
        """Remember what may be attempted now; never blocks and never raises."""
        for delivery_id in delivery_ids:
            if len(self._waiting) >= self._limit:
                return
            self._waiting[delivery_id] = None
        if self._waiting:
            self._some.set()
            if self.on_offer is not None:
                self.on_offer()

    async def take(self) -> str:
        """Return the oldest hint, waiting for one."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        return self._waiting.popitem(last=False)[0]

    def drain(self, limit: int) -> list[str]:
        """Return up to *limit* hints without waiting."""
        count = min(limit, len(self._waiting))
        return [self._waiting.popitem(last=False)[0] for _ in range(count)]

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)


class Workers:
    """A bounded number of deliveries under way at once, and a sweep that forgets nothing."""

    def __init__(
        self,
        deliver: Callable[[str], Awaitable[None]],
        store: Store,
        clock: Clock,
        hints: Hints,
        *,
        concurrency: int,
        full: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """Prepare; `start` begins the work.  The sweep passes over content for those partners that
        are *full*: what waits for them would hide what waits for others.
        """
        self._deliver = deliver
        self._store = store
        self._clock = clock
        self._hints = hints
        self._concurrency = concurrency
        self._full = full
        self._tasks: list[asyncio.Task[None]] = []
        self._busy: set[str] = set()
        self._running = asyncio.Event()
        self._running.set()

    @property
    def paused(self) -> bool:
        """Whether nothing new is started (an operator asked, or the relay stands still)."""
        return not self._running.is_set()

    @property
    def busy(self) -> int:
        """How many deliveries are under way."""
        return len(self._busy)

    def pause(self) -> None:
        """Start nothing new; what is under way ends."""
        self._running.clear()

    def resume(self) -> None:
        """Go on."""
        self._running.set()

    def start(self) -> None:
        """Begin working and sweeping."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]
        self._tasks.append(asyncio.create_task(self._sweep()))

    async def stop(self, seconds: float = 10.0) -> None:
        """Stop within *seconds*: what is under way may end, nothing new starts."""
        self.pause()
        deadline = asyncio.get_running_loop().time() + seconds
        while self._busy and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - many workers, one end
            await asyncio.sleep(0.02)
        pending = set(self._tasks)
        while pending:  # a cancellation that meets a time-out is lost (Python 3.11): ask again
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)

    async def _work(self) -> None:
        while True:
            await self._running.wait()
            delivery_id = await self._hints.take()
            if delivery_id in self._busy:
                continue
            if self.paused:
                self._hints.offer((delivery_id,))
                continue
            self._busy.add(delivery_id)
            try:
                await self._deliver(delivery_id)
            except Unavailable as fault:
                log.warning("store unavailable", extra={"code": fault.code.value})
                await asyncio.sleep(SWEEP_SECONDS)
            except Exception:  # ours: the delivery stays in the store and the sweep finds it again
                log.exception("delivery failed", extra={"delivery_id": delivery_id})
            finally:
                self._busy.discard(delivery_id)

    async def _sweep(self) -> None:
        while True:
            await self._running.wait()
            try:
                now: datetime = self._clock.now()
                self._hints.offer(await self._store.due(now, SWEEP_LIMIT, self._full()))
            except Unavailable as fault:
                log.warning("sweep failed", extra={"code": fault.code.value})
            except Exception:
                log.exception("sweep failed")
            await asyncio.sleep(SWEEP_SECONDS)
