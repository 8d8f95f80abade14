"""What the gate costs the database: statements for a batch of deliveries, not for each of them."""

import asyncio
import re
import threading
from typing import Any, Final

import pytest

from adapters.database.store import SqlStore
from hub.ports import Session
from tests import builders as b
from tests.unit.services.world import World, completion, includes, opening

AGREED: Final = re.compile(r"\bFROM (decision|involvement)\b")
TREE: Final = re.compile(r"\bFROM (version|version_part|data_key)\b")


class Listening:
    """A cursor that remembers the statements of each transaction."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.transactions: list[list[str]] = []

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        if statement.startswith("BEGIN"):
            self.transactions.append([])
        self.transactions[-1].append(statement)
        return self._cursor.execute(statement, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


async def waiting(store: SqlStore, episodes: int) -> tuple[World, list[str]]:
    """Episodes that were shared and then changed, and the deliveries that wait for the gate."""
    world = World(store=store)
    names = [f"e{number}" for number in range(episodes)]
    for name in names:
        here = {"episode_id": name}
        await world.decide("SCH-A", world.store_only(**here))
        await world.send("SCH-A", "episode.opened", episode=opening(**here))
        await world.decide("SCH-A", world.decision(scope_includes=includes(), **here))
        await world.decide("SCH-A", world.own(scope_includes=includes(), **here))
        await world.send("SCH-A", "assessment.completed", episode={**completion(), **here})
    for name in names:
        changed = {"conclusions": {"conclusions": "Otherwise."}, "episode_id": name}
        await world.post("SCH-A", b.wire({"event": "assessment.updated", "episode": changed}))
    world.hints.drain(1000)
    due = list(await store.due(world.clock.now(), 1000))
    assert len(due) >= episodes
    return world, due


async def batch(store: SqlStore, world: World, due: list[str]) -> list[str]:
    """Start all of *due* at once, and return the statements of the transaction that they shared."""
    writer = store._writers[0]
    heard = writer._cursor = Listening(writer._cursor)
    started, go = threading.Event(), threading.Event()

    def slow(_: Session) -> None:
        started.set()
        go.wait(10)

    first = asyncio.ensure_future(store.run(slow))
    await asyncio.get_running_loop().run_in_executor(None, started.wait, 10)
    sending = [asyncio.ensure_future(world.dispatcher.deliver(name)) for name in due]
    await asyncio.sleep(0.05)
    go.set()
    await asyncio.gather(first, *sending)
    return heard.transactions[1]


@pytest.mark.parametrize("episodes", [1, 6])
async def test_the_gate_adds_one_statement_to_a_batch(store: SqlStore, episodes: int) -> None:
    """Decisions and relationships of everything that a batch is about are read at once."""
    world, due = await waiting(store, episodes)
    world.inbox.clear()
    said = await batch(store, world, due)

    assert len(world.inbox) >= episodes  # they went, all of them in that one transaction
    assert len([one for one in said if AGREED.search(one)]) == 1


async def test_a_larger_batch_needs_no_more_reading(tmp_path: Any, vault: Any) -> None:
    """What is read does not grow with the batch: trees at hand are not read again."""
    reads = []
    for episodes in (1, 6):
        store = SqlStore(f"sqlite:///{tmp_path}/{episodes}.db", vault)
        world, due = await waiting(store, episodes)
        said = await batch(store, world, due)
        reads.append(sum(one.startswith("SELECT") for one in said))
        assert not any(TREE.search(one) for one in said)
        await store.close()
    assert reads[0] == reads[1]
