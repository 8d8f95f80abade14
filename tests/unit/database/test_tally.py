"""Counting deliveries, and finding those of one episode: not at the price of all there are."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from adapters.database import tally
from adapters.database.statements import statements
from adapters.database.store import SqlStore
from adapters.database.tables import metadata
from hub.domain.exchange import UNSETTLED, State
from tests.contract.records import delivery, head
from tests.contract.test_store import putting


async def test_what_has_ended_is_counted_anew_once_its_time_is_over(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number; what is open is counted whenever it is asked for."""
    monkeypatch.setattr(tally, "FEW", 1)
    monkeypatch.setattr(tally, "A_SECOND", 1)
    now = [0.0]
    store._tally = tally.Tally(lambda: now[0])
    await store.run(lambda s: s.put_episode(head("e1")))
    first = [delivery(f"d{n}", n, state=State.DELIVERED) for n in (1, 2)]
    await store.run(putting(*first))
    assert await store.counts() == {"delivered": 2}

    await store.run(putting(delivery("d3", 3), delivery("d4", 4, state=State.DELIVERED)))

    assert await store.counts() == {"delivered": 2, "pending": 1}
    now[0] = 2.0
    assert await store.counts() == {"delivered": 3, "pending": 1}
    assert await store.counts(UNSETTLED) == {"pending": 1}


async def test_few_are_always_counted_at_once(store: SqlStore) -> None:
    """A hub of the usual size tells what is so now."""
    await store.run(lambda s: s.put_episode(head("e1")))
    for number in (1, 2):
        await store.run(putting(delivery(f"d{number}", number, state=State.DELIVERED)))
        assert await store.counts() == {"delivered": number}


async def test_what_is_open_is_found_by_the_index(store: SqlStore, path: Path) -> None:
    """Neither readiness nor the brake reads what ended long ago."""
    asked: list[tuple[str, tuple[Any, ...]]] = []

    class Asking:
        """A session that notes what it is asked."""

        def rows_of(self, statement: str, *parameters: Any) -> list[tuple[str, int]]:
            asked.append((statement, parameters))
            return []

    tally.Tally().counts(Asking(), statements("sqlite"), UNSETTLED)  # type: ignore[arg-type]
    ((statement, parameters),) = asked
    await store.close()

    database = sqlite3.connect(path)
    plan = str(database.execute("EXPLAIN QUERY PLAN " + statement, parameters).fetchall())
    database.close()
    assert "SEARCH delivery USING COVERING INDEX ix_delivery_state" in plan


def test_what_is_open_in_one_episode_is_found_by_the_episode(path: Path) -> None:
    """Each group of deliveries asks this: it must not read what is open of all others."""
    sql = statements("sqlite")
    made = create_engine(f"sqlite:///{path}")
    metadata.create_all(made)
    made.dispose()

    database = sqlite3.connect(path)
    asked = "EXPLAIN QUERY PLAN " + sql.unsettled_of
    plan = str(database.execute(asked, (sql.many(["e1"]),)).fetchall())
    database.close()
    assert "SEARCH delivery USING INDEX ix_delivery_episode_id" in plan
