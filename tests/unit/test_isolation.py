"""What one partner may take of the workers (`hub.isolation`, `reliability.md` P7)."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from hub.domain.carriage import Outcome, Parcel
from hub.errors import Code, Unavailable
from hub.isolation import FEW, SLOW_SECONDS, SUSPECT_SECONDS, Isolation, Rooms, unhindered

PARCEL = Parcel(
    delivery_id="d-1",
    message_type="N7",
    partner="BAD",
    attempt=1,
    possible_duplicate=False,
    content_type="application/json",
    body=b"{}",
    thin=False,
    lane="e-1",
    lane_sequence=1,
    urgent=False,
)


class Offers(list[str]):
    """What may be attempted now."""

    def offer(self, delivery_ids: Sequence[str]) -> None:
        self.extend(delivery_ids)


def filled(rooms: Rooms, count: int = FEW + 3) -> list[str]:
    """Let a partner fail, and then ask for room for *count* deliveries; return who got in."""
    rooms.said("BAD", "earlier", well=False)
    return [f"d{n}" for n in range(count) if rooms.enter("BAD", f"d{n}", urgent=False)]


def test_who_fails_has_few_under_way_and_others_have_room() -> None:
    """The rest waits, uncounted; asked again inside one unit of work, the answer is the same."""
    rooms = Rooms()

    assert filled(rooms) == [f"d{n}" for n in range(FEW)]
    assert rooms.enter("BAD", "d0", urgent=False)
    assert rooms.waits(f"d{FEW}")
    assert rooms.enter("GOOD", "d99", urgent=False)
    assert rooms.enter("BAD", "recall", urgent=True), "a recall waits for no room"


def test_when_one_has_ended_the_next_is_tried() -> None:
    """As many as there is room for, oldest first; all of them once the partner does well."""
    rooms = Rooms()
    filled(rooms)

    assert rooms.leave("d0") == (f"d{FEW}",)
    assert not rooms.waits(f"d{FEW}")
    rooms.said("BAD", "earlier", well=True)
    assert rooms.leave("d1") == (f"d{FEW + 1}", f"d{FEW + 2}")


def test_what_was_let_go_on_and_may_not_makes_way() -> None:
    """Somebody waits behind a delivery that turned out to be held: it is not forgotten."""
    rooms = Rooms()
    filled(rooms)
    (next_one,) = rooms.leave("d0")

    assert rooms.leave(next_one) == (f"d{FEW + 1}",)


def test_a_success_that_comes_soon_is_trusted_again() -> None:
    """And a failure is not, nor a success that took long, nor one beside a send that drags."""
    seconds = [1000.0]
    rooms = Rooms(lambda: seconds[0])

    def sent(name: str, *, well: bool = True, took: float = 0.0) -> bool:
        """Send one delivery, and return whether there is room beside as many as a bad one has."""
        rooms.sends("BAD", name)
        seconds[0] += took
        rooms.said("BAD", name, well=well)
        return rooms.enter("BAD", f"beside {name} {seconds[0]}", urgent=False)

    for number in range(FEW):
        assert rooms.enter("BAD", f"d{number}", urgent=False)
    assert not sent("a", well=False)
    assert rooms.full() == {"BAD"}
    assert sent("b")
    assert rooms.full() == frozenset()
    assert not sent("c", took=SLOW_SECONDS)
    rooms.sends("BAD", "hangs")
    seconds[0] += SLOW_SECONDS
    assert not sent("d"), "another hangs"
    rooms.said("BAD", "hangs", well=True)
    assert sent("e")


def test_what_was_remembered_and_then_lost_is_found_by_the_sweep() -> None:
    """A hint may be lost on its way; whoever has room is swept for, and what comes is let in."""
    rooms = Rooms()
    filled(rooms)
    assert rooms.full() == {"BAD"}
    for number in range(FEW):
        rooms.leave(f"d{number}")

    assert rooms.full() == frozenset()
    assert not rooms.waits(f"d{FEW + 2}")
    assert rooms.enter("BAD", f"d{FEW + 2}", urgent=False)


async def test_a_destination_says_how_it_went() -> None:
    """The outcome and the failure are passed on."""
    seconds = [1000.0]
    rooms = Rooms(lambda: seconds[0])
    faults: list[Exception] = [Unavailable(Code.UNAVAILABLE, "away")]

    class Destination:
        async def send(self, _parcel: Parcel) -> Outcome:
            if faults:
                raise faults.pop()
            return Outcome(delivered=True, evidence={})

    line = unhindered({"BAD": Destination()}, rooms)["BAD"]
    for number in range(FEW):
        assert rooms.enter("BAD", f"d{number}", urgent=False)
    with pytest.raises(Unavailable):
        await line.send(PARCEL)
    assert not rooms.enter("BAD", "another", urgent=False)
    assert (await line.send(PARCEL)).delivered
    assert rooms.enter("BAD", "another", urgent=False)


class Dragging:
    """Deliveries to a partner whose sends last until they are released; the clock is set."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.rooms = Rooms(lambda: self.seconds)
        self.release = asyncio.Event()
        self.ended: list[str] = []
        self.cancelled: list[str] = []

    async def deliver(self, delivery_id: str) -> None:
        if not self.rooms.enter("BAD", delivery_id, urgent=False):
            return
        self.rooms.sends("BAD", delivery_id)
        self.seconds += SLOW_SECONDS
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.append(delivery_id)
            raise
        finally:
            self.rooms.said("BAD", delivery_id, well=False)
        self.ended.append(delivery_id)


async def test_what_takes_long_gives_its_worker_back_and_goes_on() -> None:
    """It is still busy, and its end lets another go; a hint that comes again changes nothing."""
    drag, offers = Dragging(), Offers()
    carriage = Isolation(drag.deliver, drag.rooms, offers)
    async with asyncio.timeout(60):
        for number in range(FEW + 2):
            await carriage.deliver(f"d{number}")
        assert carriage.busy == FEW
        assert drag.ended == []
        await carriage.deliver("d0")  # is under way
        await carriage.deliver(f"d{FEW}")  # waits: it is not even looked at
        assert carriage.busy == FEW
        drag.release.set()
        await carriage.stop(30.0)

    assert sorted(drag.ended) == [f"d{n}" for n in range(FEW)]
    assert sorted(offers) == [f"d{FEW}", f"d{FEW + 1}"]
    assert carriage.busy == 0


async def test_a_store_that_is_slow_keeps_its_workers() -> None:
    """Only a send gives the worker back: nobody is suspected for what is slow for all."""
    rooms, release = Rooms(lambda: next(seconds)), asyncio.Event()
    seconds = itertools.count(1000.0, 10.0)

    async def deliver(delivery_id: str) -> None:
        rooms.enter("GOOD", delivery_id, urgent=False)
        await release.wait()

    carriage = Isolation(deliver, rooms, Offers())
    task = asyncio.ensure_future(carriage.deliver("d1"))
    await asyncio.wait({task}, timeout=3 * SUSPECT_SECONDS)
    assert not task.done()
    assert carriage.busy == 0
    release.set()
    await task


async def test_what_does_not_end_is_cancelled_at_the_stop() -> None:
    """Its lease runs out, and it goes again."""
    drag = Dragging()
    carriage = Isolation(drag.deliver, drag.rooms, Offers())
    async with asyncio.timeout(60):
        await carriage.deliver("d1")
        await carriage.stop(0.01)

    assert drag.cancelled == ["d1"]


async def test_what_goes_wrong_at_once_is_the_workers_to_hear() -> None:
    """A store that is away holds the worker back, as without isolation."""

    async def deliver(_delivery_id: str) -> None:
        raise Unavailable(Code.STORE, "away")

    with pytest.raises(Unavailable):
        await Isolation(deliver, Rooms(), Offers()).deliver("d1")
