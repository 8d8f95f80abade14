"""Nothing leaves after a withdrawal was answered, but for what the answer listed as in flight."""

import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from tests.chaos.races import KINDS, Answered, Left, Race, races

QUICK: Final = 225
QUICK_POSTGRES: Final = 70
MANY: Final = int(os.environ.get("ECAF_TEST_RACES") or 10_000)
POSTGRES: Final = pytest.param("postgres", marks=pytest.mark.database)


@pytest.fixture(params=["sqlite", POSTGRES])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    """A real store, empty."""
    vault = FileVault.create(tmp_path / "vault.key")
    if request.param == "sqlite":
        opened = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}", vault)
    else:
        opened = SqlStore(request.getfixturevalue("durable_url"), vault, connections=4)
    yield opened
    await opened.close()


async def raced(store: SqlStore, count: int, seed: int, said: Callable[[str], None]) -> Race:
    race = await races(store, count, seed)
    broken = race.broken()
    late = f"{race.late} receipts after the answer, all listed in it"
    said(f"{len(race.answered)} withdrawals raced, {late}: {not broken}; seed {seed}")
    assert broken == []
    assert len(race.answered) == count
    return race


async def test_no_dispatch_starts_after_an_answered_withdrawal(
    store: SqlStore, said: Callable[[str], None], seed: int, request: pytest.FixtureRequest
) -> None:
    """First send, retry, lapsed lease, release, replay, pull, view, notification and what social
    care pulls through, at ±50 ms.
    """
    count = QUICK if "sqlite" in request.node.name else QUICK_POSTGRES
    race = await raced(store, count, seed, said)

    kinds = {left.kind for left in race.left}
    assert race.raced == set(KINDS)
    assert kinds >= {"N6", "N7", "N10"}
    if count >= QUICK:  # of a few, the withdrawal may win every race of a kind
        assert kinds >= {"FETCHED", "VIEW", "PULLED", "NOTICE"}


@pytest.mark.slow
async def test_nor_in_ten_thousand(store: SqlStore, said: Callable[[str], None], seed: int) -> None:
    """The same, for as long as `make chaos` has time."""
    await raced(store, MANY, seed, said)


async def test_the_oracle_sees_what_leaves_too_late(tmp_path: Path) -> None:
    """An answer that forgets to list what is in flight is caught."""
    store = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}", FileVault.create(tmp_path / "vault.key"))
    race = Race(store, random.Random(1))
    await store.close()
    race.answered["race-1"] = Answered(1.0, frozenset({"d1"}))
    race.left = [
        Left(2.0, "race-1", "d1", "N6"),
        Left(2.0, "race-1", "d2", "N6"),
        Left(0.5, "race-1", "d3", "N6"),
        Left(2.0, "race-1", "d4", "N10"),
    ]

    assert race.broken() == ["N6 of race-1 left after the answer"]
    assert len(KINDS) == 9
