"""What becomes of a group when the database does not do as it should."""

import asyncio
import operator
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.database.keys import Lru
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.errors import Code, Conflict, Unavailable
from hub.ports import Session
from tests.contract.records import delivery, entry, head, version
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.silence import silence


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    running = start_postgres(folder, durable=True)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dsn(server: PostgresServer) -> Iterator[str]:
    made = server.databases.create()
    yield made
    server.databases.drop(made)


class Refusing:
    """A cursor whose COMMIT fails, after it took effect or before."""

    def __init__(self, cursor: Any, *, after: bool) -> None:
        self._cursor, self._after = cursor, after

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        if statement == "COMMIT":
            if self._after:
                self._cursor.execute(statement)
            raise sqlite3.OperationalError("disk I/O error")
        return self._cursor.execute(statement, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@pytest.mark.parametrize("after", [True, False])
async def test_a_commit_that_raises_is_an_unknown_outcome(store: SqlStore, after: bool) -> None:
    """Everybody in the group hears E_OUTCOME_UNKNOWN; asked again, the store knows."""
    writer = store._writers[0]
    writer._cursor = Refusing(writer._cursor, after=after)

    outcomes = await asyncio.gather(
        *(store.run(lambda s, n=n: s.put_episode(head(f"e{n}"))) for n in range(5)),  # type: ignore[misc]
        return_exceptions=True,
    )

    assert {getattr(o, "code", None) for o in outcomes} >= {Code.OUTCOME_UNKNOWN}
    unknown = [n for n, o in enumerate(outcomes) if isinstance(o, Unavailable)]
    for n in unknown:
        found = await store.run(lambda s, n=n: s.episode(f"e{n}"))  # type: ignore[misc]
        assert found == (head(f"e{n}") if after else None)
    await store.run(lambda s: s.put_episode(head("e9")))


async def test_a_key_of_a_failed_commit_is_never_used(store: SqlStore) -> None:
    """Content is not sealed under a key that may not have been kept."""
    writer = store._writers[0]
    writer._cursor = Refusing(writer._cursor, after=False)
    with pytest.raises(Unavailable):
        await store.run(lambda s: s.add_version(version()))

    await store.run(lambda s: s.add_version(version()))
    writer._remembered = Lru(10, 10)
    writer._trees = Lru(10, 10)

    assert await store.run(lambda s: s.version("e1", 1)) == version()


async def test_a_full_disk_refuses_and_then_works_again(store: SqlStore) -> None:
    """No space: E_STORE, what was there stays, reads go on; with space, writes do as well."""
    await store.run(lambda s: s.put_episode(head()))

    def limit(pages: int) -> Callable[[Session], Any]:
        return lambda s: s.rows_of(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    await store.run(limit(1))
    big = {"text": "x" * 2_000_000}

    with pytest.raises(Unavailable) as refused:
        await store.run(lambda s: s.add_version(version(tree=big)))

    assert refused.value.code is Code.STORE
    assert await store.run(lambda s: s.episode("e1")) == head()
    await store.run(limit(1_000_000))
    await store.run(lambda s: s.add_version(version(tree=big)))
    assert (await store.run(lambda s: s.version("e1", 1))).tree == big  # type: ignore[union-attr]


async def test_units_that_wait_share_a_commit(store: SqlStore) -> None:
    """A hundred at once take a few commits, and one alone does not wait for company."""
    commits = []

    class Counting(Refusing):
        def execute(self, statement: str, parameters: Any = ()) -> Any:
            if statement == "COMMIT":
                commits.append(time.monotonic())
            return self._cursor.execute(statement, parameters)

    store._writers[0]._cursor = Counting(store._writers[0]._cursor, after=False)

    await asyncio.gather(
        *(store.run(lambda s, n=n: s.put_episode(head(f"e{n}"))) for n in range(100))  # type: ignore[misc]
    )

    assert len(commits) <= 5


async def test_too_much_waiting_is_refused(path: Path, vault: FileVault) -> None:
    """Beyond its limit the store says E_BUSY instead of growing."""
    store = SqlStore(f"sqlite:///{path}", vault, limit=3)
    started, go = threading.Event(), threading.Event()

    def slow(_: Session) -> None:
        started.set()
        go.wait(10)

    first = asyncio.ensure_future(store.run(slow))
    await asyncio.get_running_loop().run_in_executor(None, started.wait, 10)
    waiting = [asyncio.ensure_future(store.run(lambda s: s.episode("e"))) for _ in range(5)]
    await asyncio.sleep(0)
    go.set()

    outcomes = await asyncio.gather(first, *waiting, return_exceptions=True)

    await store.close()
    assert outcomes[:4] == [None] * 4
    assert [getattr(o, "code", None) for o in outcomes[4:]] == [Code.BUSY] * 2


async def test_who_stops_waiting_does_not_stop_the_others(store: SqlStore) -> None:
    """A caller that is cancelled while its unit waits leaves the group to go on."""
    calls = [
        asyncio.ensure_future(store.run(lambda s, n=n: s.put_episode(head(f"e{n}"))))  # type: ignore[misc]
        for n in range(10)
    ]
    await asyncio.sleep(0)
    calls[3].cancel()

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert [o for n, o in enumerate(outcomes) if n != 3] == [None] * 9
    assert isinstance(outcomes[3], asyncio.CancelledError)


@pytest.mark.parametrize(
    "question",
    ["due", "lapsed", "next_priority", "inbox_of", "stuck", "unsettled_of", "deliveries", "inbox",
     "heads", "keys", "released", "name_heads", "agreed", "notices.one", "notices.sealed",
     "notices.unmatched", "notices.fresh", "notices.tried", "notices.expired", "notices.old"],
)  # fmt: skip
async def test_every_question_has_its_index(store: SqlStore, question: str) -> None:
    """No question of the hot path reads a whole table, however many rows it has."""
    statement = operator.attrgetter(question)(store._sql)
    values = ["[]" if "json_each" in statement else 1] * statement.count("?")

    plan = await store.run(
        lambda s: [row[3] for row in s.rows_of(f"EXPLAIN QUERY PLAN {statement}", *values)]  # type: ignore[attr-defined]
    )

    scans = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    # "d" is the one row that was found; the index of notices has those that wait, and no others.
    whole = ["SCAN d"], ["SCAN notice USING INDEX ix_notice_retried"]
    assert scans in ([], *whole), plan


@pytest.mark.database
async def test_a_lost_connection_is_made_anew(dsn: str, vault: FileVault) -> None:
    """The server ends the connection before the commit: the units run again, once."""
    store = SqlStore(dsn, vault)
    ended: list[bool] = []

    def unit(s: Session) -> None:
        s.put_episode(head())
        if not ended:
            ended.append(True)
            s.rows_of("SELECT pg_terminate_backend(pg_backend_pid())")  # type: ignore[attr-defined]

    await asyncio.gather(store.run(unit), store.run(lambda s: s.put_episode(head("e2"))))

    read = await store.run(lambda s: [s.episode("e1"), s.episode("e2")])
    await store.close()
    assert read == [head(), head("e2")]


async def test_who_only_reads_is_answered_though_the_commit_fails(store: SqlStore) -> None:
    """A full disk stops who writes: in the same group, a reader reads what is committed."""
    await store.run(lambda s: s.put_episode(head("e1")))
    writer = store._writers[0]
    writer._cursor = Refusing(writer._cursor, after=False)

    wrote, read, raised, counts = await asyncio.gather(
        store.run(lambda s: s.put_episode(head("e1", owner="EHM-A"))),
        store.run(lambda s: s.episode("e1")),
        store.run(lambda s: s.episode("e1").nothing),  # type: ignore[union-attr]
        store.counts(),
        return_exceptions=True,
    )

    assert isinstance(wrote, Unavailable)
    assert wrote.code is Code.OUTCOME_UNKNOWN
    assert read == head("e1")
    assert isinstance(raised, AttributeError)
    assert counts == {}


@pytest.mark.database
async def test_refused_groups_do_not_wear_the_connection_out(dsn: str, vault: FileVault) -> None:
    """Group after group is refused by a key that is taken; who has none in conflict is served."""
    store = SqlStore(dsn, vault)
    await store.run(lambda s: s.add_inbox(entry()))

    for n in range(20):
        taken, served = await asyncio.gather(
            store.run(lambda s, n=n: s.add_inbox(entry(f"m-{n}", key="key-m1"))),  # type: ignore[misc]
            store.run(lambda s, n=n: s.put_delivery(delivery(f"d{n}", n))),  # type: ignore[misc]
            return_exceptions=True,
        )
        assert isinstance(taken, Conflict)
        assert served is None

    assert len(await store.run(lambda s: s.deliveries("e1"))) == 20
    await store.close()


@pytest.mark.database
async def test_a_connection_lost_in_the_commit_is_an_unknown_outcome(
    dsn: str, vault: FileVault
) -> None:
    """COMMIT was sent and the connection ends: E_OUTCOME_UNKNOWN, and the next unit works."""
    store = SqlStore(dsn, vault)
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$"
        )
        owner.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON inbox DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        call = asyncio.ensure_future(store.run(lambda s: s.add_inbox(entry())))
        deadline = time.monotonic() + 20
        while not owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT'"
            " AND state = 'active' AND datname = current_database()"
        ).fetchall():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        with pytest.raises(Unavailable) as unknown:
            await call
        owner.execute("DROP TRIGGER slow ON inbox")

    assert unknown.value.code is Code.OUTCOME_UNKNOWN
    assert await store.run(lambda s: s.inbox("SCH-A", "key-m1")) is None
    await store.run(lambda s: s.add_inbox(entry()))
    await store.close()


@pytest.mark.database
async def test_a_server_that_went_away_is_unavailable_until_it_is_back(
    server: PostgresServer, dsn: str, vault: FileVault
) -> None:
    """While PostgreSQL is dead units hear E_STORE; back again, the store needs no hand."""
    store = SqlStore(dsn, vault)
    await store.run(lambda s: s.put_delivery(delivery()))
    server.kill9()

    with pytest.raises(Unavailable) as gone:
        await store.run(lambda s: s.episode("e1"))

    assert gone.value.code is Code.STORE
    server.restart()
    assert await store.run(lambda s: s.delivery("d1")) == delivery()
    await store.close()


def test_what_was_used_last_is_kept() -> None:
    """The cache forgets what was used longest ago, by number and by weight."""
    kept: Lru[str, int] = Lru(3, 10)
    for n, name in enumerate("abc"):
        kept.put(name, n)
    kept.get("a")
    kept.put("d", 3)
    assert [kept.get(name) for name in "abcd"] == [0, None, 2, 3]

    kept.put("e", 4, weight=9)
    assert [kept.get(name) for name in "acde"] == [None, None, 3, 4]
    kept.put("f", 5, weight=11)
    assert (len(kept), kept.get("f")) == (2, None)
    kept.put("e", 6, weight=1)
    kept.put("g", 7, weight=8)
    assert [kept.get(name) for name in "deg"] == [3, 6, 7]


class Entangled:
    """A cursor to whose groups the server always says that another is in the way; the connection
    is lost with it.
    """

    def __init__(self, cursor: Any) -> None:
        self._cursor, self.met = cursor, 0

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        if statement.startswith("BEGIN"):
            self.met += 1
            raise psycopg.errors.DeadlockDetected
        if statement == "ROLLBACK":
            raise psycopg.OperationalError
        return self._cursor.execute(statement, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


async def test_a_group_that_was_in_the_way_of_another_goes_on_one_by_one(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups that met would meet again: each unit then goes alone, so that a reader is answered
    and whoever is still in conflict is the only one to hear of it.
    """
    writer = store._writers[0]
    transact, groups = writer._transact, []

    def met(jobs: Any, *, careful: bool, by_itself: bool = False) -> None:
        if careful:
            return transact(jobs, careful=True, by_itself=by_itself)
        groups.append(len(jobs))
        writer._cursor = Entangled(writer.cursor())
        monkeypatch.setattr(writer, "_rollback", lambda: False)
        try:
            return transact(jobs, careful=False)
        finally:
            monkeypatch.undo()
            monkeypatch.setattr(writer, "_transact", met)
            writer.disconnect()

    monkeypatch.setattr(writer, "_transact", met)

    await store.run(lambda s: s.put_episode(head("e1")))

    assert await store.run(lambda s: s.episode("e1")) == head("e1")
    assert len(groups) == 2


@pytest.mark.database
async def test_a_stop_is_not_kept_by_a_silent_database(
    server: PostgresServer, dsn: str, vault: FileVault
) -> None:
    """The store closes soon, and nobody is told of a success."""
    with silence(server.port) as line:
        url = dsn.replace(f":{server.port}/", f":{line.port}/")
        store = SqlStore(url, vault, patience=600.0)
        await store.run(lambda session: session.put_episode(head("e1")))
        line.fall()
        waiting = asyncio.ensure_future(store.run(lambda s: s.put_episode(head("e2"))))
        assert await asyncio.to_thread(line.asked.wait, 30)

        await asyncio.wait_for(store.close(), 30)

        with pytest.raises(Unavailable):
            await asyncio.wait_for(waiting, 30)
