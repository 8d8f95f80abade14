"""A dead, slow or hostile destination does not slow others (`reliability.md` P7).

Who carries deliveries is a fixed number of workers.  Here a send that takes long gives its worker
back and goes on by itself, and a partner whose sends take long or fail has few under way: the rest
of what waits for it is neither claimed nor counted as an attempt until one of these has ended.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from hub.domain.carriage import Outcome, Parcel
from hub.errors import Unavailable
from hub.ports import Destination, Handover

log = logging.getLogger("hub.isolation")

SLOW_SECONDS: Final = 1.0
"""How long a delivery may keep its worker."""
SUSPECT_SECONDS: Final = 0.1
"""The same where the partner's last sends took long or failed."""
FEW: Final = 4
"""How many deliveries are under way to such a partner."""
MOST_SLOW: Final = 256
"""How many go on by themselves at once; each holds what it sends in memory."""
MOST_WAITING: Final = 20_000
"""How many ids are remembered for when there is room again; the sweep remembers the others."""


class Rooms:
    """Counts what is under way to each partner (`hub.services.room.Room`)."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Everybody is trusted until something took long or failed, by a *monotonic* clock."""
        self._monotonic = monotonic
        self._lock = threading.Lock()  # units of work run in threads of their own
        self._inside: dict[str, str] = {}
        self._under_way: defaultdict[str, int] = defaultdict(int)
        self._sending: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._suspect: set[str] = set()
        self._waiting: dict[str, OrderedDict[str, None]] = {}
        self._parked: dict[str, str] = {}

    def enter(self, partner: str, delivery_id: str, *, urgent: bool) -> bool:
        """Return whether there is room; if there is none, the delivery is remembered."""
        with self._lock:
            if delivery_id in self._inside:
                return True
            if not urgent and not self._room(partner):
                if len(self._parked) < MOST_WAITING:
                    self._waiting.setdefault(partner, OrderedDict())[delivery_id] = None
                    self._parked[delivery_id] = partner
                return False
            self._forget(delivery_id)
            self._inside[delivery_id] = partner
            self._under_way[partner] += 1
            return True

    def waits(self, delivery_id: str) -> bool:
        """Return whether a delivery is remembered for when there is room, and there is none yet."""
        with self._lock:
            partner = self._parked.get(delivery_id)
            return partner is not None and not self._room(partner)

    def full(self) -> frozenset[str]:
        """Return the partners for whom deliveries are remembered until there is room."""
        with self._lock:
            return frozenset(name for name in self._waiting if not self._room(name))

    def sends(self, partner: str, delivery_id: str) -> None:
        """Note that a send begins."""
        with self._lock:
            self._sending[partner][delivery_id] = self._monotonic()

    def drags(self, delivery_id: str) -> bool:
        """Return whether a delivery's send takes longer than it is waited for: it is the send that
        counts, for a store that is slow is slow for all.
        """
        with self._lock:
            partner = self._inside.get(delivery_id, "")
            began = self._sending[partner].get(delivery_id) if partner else None
            if began is None:
                return False
            took = self._monotonic() - began
            if took >= SLOW_SECONDS:
                self._suspect.add(partner)
            return took >= SUSPECT_SECONDS and partner in self._suspect

    def said(self, partner: str, delivery_id: str, *, well: bool) -> None:
        """Note how a send ended: *well*, and soon, or not."""
        with self._lock:
            now = self._monotonic()
            others = self._sending[partner]
            soon = now - others.pop(delivery_id, now) < SLOW_SECONDS
            if not (well and soon):
                self._suspect.add(partner)
            elif partner in self._suspect and all(
                now - began < SLOW_SECONDS for began in others.values()
            ):
                self._suspect.discard(partner)

    def leave(self, delivery_id: str) -> tuple[str, ...]:
        """Note that a delivery is not under way any more; return which may now be tried."""
        with self._lock:
            partner = self._inside.pop(delivery_id, None)
            if partner is not None:
                self._under_way[partner] -= 1
                return self._next(partner)
            # It was let go on and found that it may not: whoever waits behind it is asked instead.
            return tuple(one for name in tuple(self._waiting) for one in self._next(name))

    def _next(self, partner: str) -> tuple[str, ...]:
        waiting = self._waiting.get(partner)
        if not waiting or not self._room(partner):
            return ()
        count = FEW - self._under_way[partner] if partner in self._suspect else len(waiting)
        found = tuple(islice(waiting, count))
        for delivery_id in found:
            self._forget(delivery_id)
        return found

    def _forget(self, delivery_id: str) -> None:
        partner = self._parked.pop(delivery_id, None)
        if partner is not None:
            del self._waiting[partner][delivery_id]
            if not self._waiting[partner]:
                del self._waiting[partner]

    def _room(self, partner: str) -> bool:
        return partner not in self._suspect or self._under_way[partner] < FEW


@dataclass(frozen=True, slots=True)
class Noted:
    """A destination whose successes and failures are noted."""

    inner: Destination
    partner: str
    rooms: Rooms

    async def send(self, parcel: Parcel) -> Outcome:
        """Send, and note whether that went well and soon."""
        self.rooms.sends(self.partner, parcel.delivery_id)
        well = False
        try:
            outcome = await self.inner.send(parcel)
            well = True
        finally:
            self.rooms.said(self.partner, parcel.delivery_id, well=well)
        return outcome


def unhindered(destinations: Mapping[str, Destination], rooms: Rooms) -> dict[str, Destination]:
    """Return these destinations, each noted for its partner."""
    return {name: Noted(one, name, rooms) for name, one in destinations.items()}


class Isolation:
    """Carries deliveries by *deliver*, and gives the worker back when one takes long."""

    def __init__(
        self, deliver: Callable[[str], Awaitable[None]], rooms: Rooms, handover: Handover
    ) -> None:
        """Prepare; *deliver* asks *rooms* before it claims."""
        self._deliver, self._rooms, self._handover = deliver, rooms, handover
        self._alone: set[asyncio.Task[None]] = set()
        self._carried: set[str] = set()
        self._stopping = False

    @property
    def busy(self) -> int:
        """How many deliveries go on by themselves."""
        return len(self._alone)

    async def deliver(self, delivery_id: str) -> None:
        """Attempt one delivery; return when it has ended, or sooner if it takes long."""
        if delivery_id in self._carried or self._rooms.waits(delivery_id):
            return  # a hint that came twice: its end is noted once
        self._carried.add(delivery_id)
        task = asyncio.ensure_future(self._deliver(delivery_id))
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=SUSPECT_SECONDS)
                if self._may_go_alone() and self._rooms.drags(delivery_id):
                    break
            if task.done():
                await task
                return
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        finally:
            if task.done():
                self._end(delivery_id)
        alone = asyncio.ensure_future(self._to_its_end(task, delivery_id))
        self._alone.add(alone)
        alone.add_done_callback(self._alone.discard)

    async def stop(self, seconds: float = 8.0) -> None:
        """Let what goes on by itself end within *seconds*, and then cancel it: its lease runs out,
        and it goes again.  From now on whoever delivers waits for the end.
        """
        self._stopping = True
        if self._alone:
            await asyncio.wait(set(self._alone), timeout=seconds)
        while self._alone:  # a cancellation that meets a time-out is lost (Python 3.11)
            for task in self._alone:
                task.cancel()
            await asyncio.wait(set(self._alone), timeout=0.5)

    async def _to_its_end(self, task: "asyncio.Future[None]", delivery_id: str) -> None:
        try:
            await task
        except Unavailable as fault:
            log.warning("store unavailable", extra={"code": fault.code.value})
        except Exception:  # ours: the delivery stays in the store and the sweep finds it again
            log.exception("delivery failed", extra={"delivery_id": delivery_id})
        finally:
            self._end(delivery_id)

    def _may_go_alone(self) -> bool:
        return len(self._alone) < MOST_SLOW and not self._stopping

    def _end(self, delivery_id: str) -> None:
        self._carried.discard(delivery_id)
        self._handover.offer(self._rooms.leave(delivery_id))
