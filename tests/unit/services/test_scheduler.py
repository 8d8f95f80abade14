"""The scheduler asks every duty about every episode that it watches, and says each alert once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from adapters.clock import StoppedClock
from adapters.memory import MemoryStore
from hub.domain.exchange import Alert, State, Watch
from hub.errors import Code, Unavailable
from hub.ports import Session
from hub.services import scheduler
from hub.services.alerts import alert
from hub.services.scheduler import Due, Scheduler
from hub.worker import Hints
from tests.contract.records import delivery, head, writing

NOW = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)


@dataclass
class Watching:
    """A duty that notes whom it was asked about and raises one alert about each."""

    watch: Watch | None
    name: str = "test"
    fails: Callable[[str], bool] = lambda _episode: False
    fault: Exception = field(default_factory=ValueError)
    asked: list[str] = field(default_factory=list)

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        self.asked.append(episode_id)
        if self.fails(episode_id):
            session.put_delivery(delivery("half", episode_id=episode_id))
            raise self.fault
        audience = "operator"
        return Due([alert("test.due", audience, now.date(), at=now, episode_id=episode_id)], ["d1"])


@dataclass
class Hub:
    """A scheduler over a memory store with four episodes, of which one is closed."""

    duties: tuple[Watching, ...]
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: StoppedClock = field(default_factory=lambda: StoppedClock(NOW))
    hints: Hints = field(default_factory=Hints)
    told: list[Alert] = field(default_factory=list)

    async def fill(self) -> "Hub":
        for name, process in (("e1", "ASSESSING"), ("e2", "CLOSED"), ("e3", "PAUSED")):
            await self.store.run(writing(head(name, process=process)))
        recall = delivery(
            "r1", episode_id="e2", message_type="N10", priority=1, state=State.HANDED_OVER
        )
        await self.store.run(writing(recall))
        return self

    def scheduler(self, owner: str = "w1") -> Scheduler:
        return Scheduler(self.store, self.clock, self.hints, self.duties, owner, self.told.append)


async def test_each_duty_is_asked_about_what_it_watches() -> None:
    """Open, ended and recalled episodes, and once a round about none."""
    duties = tuple(Watching(watch) for watch in (None, Watch.OPEN, Watch.ENDED, Watch.RECALLED))
    hub = await Hub(duties).fill()

    new = await hub.scheduler().round()

    assert [duty.asked for duty in duties] == [[""], ["e1", "e3"], ["e2"], ["e2"]]
    assert new == 4  # what two duties say of e2 in the same words is one alert
    assert len(hub.told) == 4
    assert hub.hints.drain(10) == ["d1"]


async def test_an_alert_is_told_once() -> None:
    """The next round finds the same due and says nothing; a new process says what is still open."""
    hub = await Hub((Watching(Watch.OPEN),)).fill()
    first = hub.scheduler()

    rounds = [await first.round(whole=True) for _ in range(2)]
    hub.clock.move(timedelta(days=1))
    rounds.append(await first.round())

    assert rounds == [2, 0, 2]
    assert len(hub.told) == 4
    hub.told.clear()
    await hub.scheduler().round()
    assert len(hub.told) == 4


async def test_one_of_several_workers_has_the_turn() -> None:
    """Another process's round does nothing while the turn is not its own."""
    duty = Watching(Watch.OPEN)
    hub = await Hub((duty,)).fill()

    answers = [await hub.scheduler(name).round() for name in ("w1", "w2")]

    assert answers == [2, 0]
    assert duty.asked == ["e1", "e3"]


async def test_who_is_asked_for_a_whole_round_does_it_in_anybodys_turn() -> None:
    """A process that died keeps its turn for minutes; what both find is one alert."""
    duty = Watching(Watch.OPEN)
    hub = await Hub((duty,)).fill()

    assert await hub.scheduler("dead").round() == 2
    assert await hub.scheduler("new").round(whole=True) == 0
    assert duty.asked == ["e1", "e3", "e1", "e3"]


@pytest.mark.parametrize("fault", [ValueError("ours"), Unavailable(Code.VAULT, "altered")], ids=str)
async def test_a_duty_that_fails_harms_no_other(fault: Exception) -> None:
    """Nothing of the failed unit is kept, and everybody else is asked all the same: also where a
    row of one family was altered and cannot be read any more.
    """
    bad = Watching(Watch.OPEN, fails=lambda episode: episode == "e1", fault=fault)
    good = Watching(Watch.OPEN, name="b")
    hub = await Hub((bad, good)).fill()

    assert await hub.scheduler().round() == 2
    assert bad.asked == good.asked == ["e1", "e3"]
    assert await hub.store.run(lambda s: s.delivery("half")) is None


async def test_a_round_is_bounded_and_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pass may take several rounds; the next begins a quarter of an hour after it began."""
    monkeypatch.setattr(scheduler, "LIMIT", 2)
    monkeypatch.setattr(scheduler, "PAGE", 2)
    duty = Watching(Watch.OPEN)
    hub = Hub((duty,))
    for number in range(5):
        await hub.store.run(writing(head(f"e{number}")))
    one = hub.scheduler()
    asked = []
    for _ in range(5):
        await one.round()
        asked.append(duty.asked.copy())
        duty.asked.clear()
        hub.clock.move(timedelta(minutes=4))

    assert asked == [["e0", "e1"], ["e2", "e3"], ["e4"], [], ["e0", "e1"]]
    await one.round(whole=True)
    assert duty.asked == ["e0", "e1", "e2", "e3", "e4"]


async def test_a_store_that_is_away_ends_the_round() -> None:
    """It is tried again in a minute; nothing is taken for done."""
    duty = Watching(Watch.OPEN)
    hub = await Hub((duty,)).fill()
    one = hub.scheduler()
    kept = hub.store.run

    async def away(*_: object) -> object:
        raise Unavailable(Code.STORE, "away")

    hub.store.run = away  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        await one.round()
    hub.store.run = kept  # type: ignore[method-assign]
    assert await one.round() == 2


async def test_a_round_runs_when_the_clock_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A moved business clock is noticed at the next tick, not at the next minute."""
    monkeypatch.setattr(scheduler, "TICK_SECONDS", 0.001)
    duty = Watching(None)
    hub = await Hub((duty,)).fill()
    running = asyncio.create_task(hub.scheduler().forever())
    await asyncio.sleep(0.05)
    before = len(duty.asked)

    hub.clock.move(timedelta(days=3))
    await asyncio.sleep(0.05)
    running.cancel()

    assert (before, len(duty.asked)) == (1, 2)
