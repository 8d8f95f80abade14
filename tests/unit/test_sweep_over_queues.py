"""The sweep that fills the work queue: a backlog is carried on while it is being carried."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from adapters.clock import StoppedClock
from hub import relaying
from hub.ports import Store
from hub.relaying import ON_THE_WAY, HintSource
from hub.worker import Hints

BATCH = 200


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a test is kept from the processor, it is one moment for the source."""
    monkeypatch.setattr(relaying, "AGAIN_AFTER", 600.0)
    monkeypatch.setattr(relaying, "SWEEP_SECONDS", 600.0)


class Waiting:
    """A store in which these deliveries are due, and nothing becomes of them."""

    def __init__(self, count: int) -> None:
        self.ids = [f"d{number}" for number in range(count)]
        self.asked = 0

    async def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> Sequence[str]:
        """Return the first of them."""
        self.asked += 1
        return self.ids[:limit]


def source(store: Waiting, hints: Hints) -> HintSource:
    """A source over *store*."""
    return HintSource(hints, cast("Store", store), clock())


def clock() -> Any:
    """A business clock."""
    return StoppedClock(datetime(2026, 9, 1, tzinfo=UTC))


async def carried(one: HintSource) -> list[str]:
    """Carry one batch as the relay does."""
    ids = [envelope.message_id for envelope in await one.claim(BATCH)]
    await one.handed_over(ids)
    return ids


async def test_what_went_a_moment_ago_does_not_hide_what_waits_behind_it() -> None:
    """The first batch is still due; the second is put on the queue all the same, each once."""
    store = Waiting(450)
    one = source(store, Hints())

    gone = [name for _ in range(4) for name in await carried(one)]

    assert gone == store.ids
    assert store.asked == 2  # at the beginning, and when all that it found had gone


async def test_a_long_backlog_is_not_put_on_the_queue_whole() -> None:
    """So much is on its way as is carried before it would be sent again, and no more."""
    store = Waiting(10 * ON_THE_WAY)
    one = source(store, Hints())

    gone = [name for _ in range(8) for name in await carried(one)]

    assert gone == store.ids[:ON_THE_WAY]


async def test_hints_go_before_what_the_sweep_found() -> None:
    """What was committed just now does not wait behind a backlog, and goes once."""
    store, hints = Waiting(300), Hints()
    one = source(store, hints)
    first = await carried(one)
    hints.offer(["new", "d250"])

    second = await carried(one)

    assert second[:2] == ["new", "d250"]
    assert sorted(first + second) == sorted([*store.ids, "new"])
