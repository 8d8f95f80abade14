"""A clock that is set, either way, by minutes and by years (`reliability.md` P15)."""

from datetime import timedelta

import pytest

from adapters.clock import StoppedClock
from adapters.memory import MemoryStore
from adapters.partners.waits import LONGEST_WAIT
from hub.domain.exchange import Delivery, State
from hub.errors import Code, Unavailable
from hub.services.clock_watch import BELIEVED, LONGEST, ClockWatch
from messaging.retry import JITTER, MAX_RETRY_AFTER, SCHEDULE
from tests.unit.services.world import START, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Times:
    """A business clock and a monotonic one, which go together until the first is set."""

    def __init__(self, clock: StoppedClock | None = None) -> None:
        self.clock = clock or StoppedClock(START)
        self.seconds = 1000.0

    def go(self, by: timedelta) -> None:
        """Let time pass."""
        self.clock.move(by)
        self.seconds += by.total_seconds()

    def watch(self, store: MemoryStore, *, believing: bool = False) -> ClockWatch:
        """Begin to watch, as a process does."""
        return ClockWatch(self.clock, store, believing=believing, monotonic=lambda: self.seconds)


async def waiting(world: World) -> list[Delivery]:
    every = await world.store.run(lambda s: s.deliveries("e1"))
    return [one for one in every if one.state is State.PENDING]


@pytest.mark.parametrize("jump", [HOUR, 5 * HOUR, 5 * DAY])
@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_put_off_by_a_clock_that_was_ahead_goes_in_time(
    jump: timedelta, restarted: bool
) -> None:
    """It waits as long as it was meant to.  If nobody saw how the clock was set right, what waits
    longer than anything may goes at once, and nothing longer than the longest step.
    """
    world = World()
    times = Times(world.clock)
    watch = times.watch(world.store)
    await watch.look()
    world.clock.move(jump)
    await watch.look()
    world.doubles["HV-A"].faults = [Unavailable(Code.UNAVAILABLE, "away")]
    await world.shared()
    (late,) = await waiting(world)
    times.go(timedelta(seconds=10))

    world.clock.move(-jump)
    if restarted:
        watch = times.watch(world.store)
    assert await watch.look() == (0 if restarted and jump < LONGEST else 1)
    (drawn,) = await waiting(world)
    due = drawn.next_attempt_at
    assert due is not None
    if not restarted:
        assert due - world.clock.now() == timedelta(seconds=50), "a minute less ten seconds"
    assert due <= world.clock.now() + LONGEST
    world.clock.move(due - world.clock.now())
    await world.drain()
    assert await waiting(world) == []
    (sent,) = [one for one in world.inbox if one.partner == "HV-A" and one.type == "N7"]
    assert sent.parcel.delivery_id == late.delivery_id


async def test_drift_and_a_clock_that_jumps_ahead_move_nothing() -> None:
    """What waits goes sooner by a clock that is ahead, which is no harm; and nothing is undone."""
    times, store = Times(), MemoryStore()
    watch = times.watch(store)
    await watch.look()
    for _ in range(20):
        times.go(MINUTE)
        times.clock.move(timedelta(seconds=-1))
        assert await watch.look() == 0
    times.clock.move(DAY)

    assert await watch.look() == 0


async def test_a_store_that_is_away_loses_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the clock was set is acted on when the store is there again."""
    world = World()
    times = Times(world.clock)
    world.clock.move(HOUR)
    watch = times.watch(world.store)
    await watch.look()
    world.doubles["HV-A"].faults = [Unavailable(Code.UNAVAILABLE, "away")]
    await world.shared()
    world.clock.move(-HOUR)

    async def away(*_: object) -> int:
        raise Unavailable(Code.STORE, "away")

    with monkeypatch.context() as broken:
        broken.setattr(world.store, "sooner", away)
        with pytest.raises(Unavailable):
            await watch.look()
    assert await watch.look() == 1


def test_no_wait_is_longer_than_the_longest() -> None:
    """Neither a step of any schedule, with its jitter, nor what a receiver may ask for."""
    assert LONGEST.total_seconds() > max(*SCHEDULE, LONGEST_WAIT) * (1 + JITTER)
    assert LONGEST.total_seconds() > MAX_RETRY_AFTER


async def test_nothing_is_destroyed_by_a_clock_that_was_ahead_for_an_hour() -> None:
    """A reading that lasts a day is believed; one that does not leaves what it would have taken."""
    times = Times()
    watch = times.watch(MemoryStore())
    await watch.look()
    times.go(HOUR)
    assert watch.past() == times.clock.now()
    times.clock.move(400 * DAY)
    for _ in range(60):
        times.go(MINUTE)
        await watch.look()
        assert watch.past() == times.clock.now() - 400 * DAY
    times.clock.move(-400 * DAY)
    await watch.look()
    assert watch.past() == times.clock.now()

    times.clock.move(400 * DAY)
    await watch.look()
    times.go(BELIEVED)
    await watch.look()
    assert watch.past() == times.clock.now()


async def test_a_clock_that_is_behind_is_believed_at_once() -> None:
    """Nothing is destroyed too early by it; and a story says itself what day it is."""
    times = Times()
    watch, story = times.watch(MemoryStore()), times.watch(MemoryStore(), believing=True)
    times.clock.move(-DAY)
    await watch.look()
    assert watch.past() == times.clock.now()
    times.clock.move(40 * DAY)

    assert story.past() == times.clock.now()
