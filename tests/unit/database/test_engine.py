"""What the store asks of a database before it trusts it."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from adapters.database import migrate as migrating
from adapters.database.engine import database, engine
from adapters.database.migrate import scripts, upgrade
from adapters.database.store import SqlStore
from adapters.database.tables import APPEND_ONLY, metadata
from adapters.database.vault import FileVault
from hub.errors import Code, Misconfigured, Unavailable
from tests.contract.records import head
from tests.servers.postgres import Databases, PostgresServer, sqlalchemy_url, start_postgres


@pytest.fixture
def careless() -> Iterator[PostgresServer]:
    """A PostgreSQL that does not wait for its disk."""
    folder = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    server = start_postgres(folder, durable=False)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.database
def test_a_server_that_may_forget_is_refused(careless: PostgresServer, vault: FileVault) -> None:
    """Every unsafe setting is named at once; with the disk waited for, the same server will do."""
    dsn = careless.databases.create()
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = off")

    with pytest.raises(Misconfigured) as refused:
        SqlStore(sqlalchemy_url(dsn), vault)

    assert {fault.path for fault in refused.value.faults} == {
        "synchronous_commit",
        "fsync",
        "full_page_writes",
    }


@pytest.mark.database
def test_the_migrations_make_the_tables_on_postgresql(postgres: Databases) -> None:
    """What the migrations leave and what the code expects are the same, and guarded."""
    dsn = postgres.create()
    upgrade(sqlalchemy_url(dsn))
    upgrade(sqlalchemy_url(dsn))

    assert differences(sqlalchemy_url(dsn)) == []
    with psycopg.connect(dsn) as owner:
        guarded = owner.execute(
            "SELECT DISTINCT event_object_table FROM information_schema.triggers"
        )
        assert {table for (table,) in guarded} == set(APPEND_ONLY)
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute("TRUNCATE audit")
    postgres.drop(dsn)


def test_the_migrations_make_the_tables_on_sqlite(path: Path) -> None:
    """What the migrations leave and what the code expects are the same."""
    upgrade(f"sqlite:///{path}")
    upgrade(f"sqlite:///{path}")

    assert differences(f"sqlite:///{path}") == []
    assert len(scripts().get_heads()) == 1


def differences(url: str) -> list[object]:
    made = engine(database(url))
    with made.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    made.dispose()
    return list(found)


def test_a_migration_that_is_killed_left_nothing(path: Path) -> None:
    """Killed between any two statements, the migration runs again as if it had never begun."""
    program = """
import os, sys
from sqlalchemy import event, Engine
left = int(sys.argv[2])
@event.listens_for(Engine, "before_cursor_execute")
def stop(*_):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
from adapters.database.migrate import upgrade
upgrade(sys.argv[1])
"""
    url = f"sqlite:///{path}"
    died = 0
    for statements in (1, 7, 31, 1000):
        ended = subprocess.run([sys.executable, "-c", program, url, str(statements)], check=False)
        died += ended.returncode == 9
        with sqlite3.connect(path) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        connection.close()
        if ended.returncode == 9:
            assert tables == 0
    assert died == 3
    assert differences(url) == []


async def test_a_second_hub_on_one_file_is_refused(
    store: SqlStore, path: Path, vault: FileVault
) -> None:
    """The second is told who holds the file; when the first has gone it may have it."""
    with pytest.raises(Misconfigured, match=f"process {os.getpid()}"):
        SqlStore(f"sqlite:///{path}", vault)

    await store.close()
    again = SqlStore(f"sqlite:///{path}", vault)
    await again.close()


async def test_nobody_else_can_open_the_file(store: SqlStore, path: Path) -> None:
    """One connection, WAL, synchronous FULL, alone by SQLite's own lock (WAL-reset fault)."""
    await store.run(lambda s: s.put_episode(head()))

    other = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("SELECT count(*) FROM episode")
    other.close()
    pragmas = await store.run(
        lambda s: [
            s.rows_of(f"PRAGMA {name}")[0][0]  # type: ignore[attr-defined]
            for name in (
                "journal_mode",
                "synchronous",
                "locking_mode",
                "foreign_keys",
                "secure_delete",
            )
        ]
    )
    assert pragmas == ["wal", 2, "exclusive", 1, 1]


async def test_the_files_are_the_owners_only(store: SqlStore, path: Path) -> None:
    """Database, log and lock file: mode 0600, also where the file was there with another."""
    await store.run(lambda s: s.put_episode(head()))

    files = sorted(path.parent.glob("ecaf.db*"))
    assert {f.name for f in files} == {"ecaf.db", "ecaf.db-wal", "ecaf.db.lock"}
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


async def test_another_key_file_is_refused_at_the_start(
    store: SqlStore, path: Path, tmp_path: Path
) -> None:
    """A database begun with one key file does not open with another."""
    await store.close()

    with pytest.raises(Misconfigured, match="another vault key file") as refused:
        SqlStore(f"sqlite:///{path}", FileVault.create(tmp_path / "other.key"))

    assert refused.value.code is Code.VAULT
    assert not list(path.parent.glob("ecaf.db-wal"))


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "mysql://h/d", "nonsense"],
)
def test_an_address_that_cannot_be_meant_is_refused(url: str) -> None:
    """No file, in memory, with options, another product: refused with the variable's name."""
    with pytest.raises(Misconfigured) as refused:
        database(url)

    assert refused.value.faults[0].path == "ECAF_DATABASE_URL"


def test_an_unreadable_address_is_not_quoted() -> None:
    """An address may hold a password, so the error does not repeat it."""
    with pytest.raises(Misconfigured) as refused:
        database("postgresql//hub:Secret@host")

    assert "Secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_unavailable(vault: FileVault) -> None:
    """Nobody listens: unavailable, without address or user in the text."""
    with pytest.raises(Unavailable) as refused:
        SqlStore("postgresql://someone:Secret@127.0.0.1:9/ecaf", vault)

    assert "Secret" not in str(refused.value)
    assert "someone" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(path: Path, vault: FileVault) -> None:
    """Not a SQLite file: the hub does not start, and leaves it as it is."""
    path.write_bytes(b"Not a database" * 1000)

    with pytest.raises(Misconfigured):
        SqlStore(f"sqlite:///{path}", vault)

    assert path.read_bytes() == b"Not a database" * 1000


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    """An older hub that is started again in the middle of an upgrade says why it does not run."""
    upgrade(f"sqlite:///{path}")
    with sqlite3.connect(path) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()

    with pytest.raises(Misconfigured, match="newer version than this hub"):
        upgrade(f"sqlite:///{path}")


@pytest.mark.database
def test_a_migration_waits_its_turn_among_hubs_at_work(
    postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is in use is tried again, and later had; one that is never free is said."""
    dsn = postgres.create()
    url = sqlalchemy_url(dsn)
    upgrade(url, "0004")
    monkeypatch.setattr(migrating, "WAIT_SECONDS", 1)
    monkeypatch.setattr(migrating, "TRIES", 2)
    waits: list[float] = []
    with psycopg.connect(dsn) as hub:
        hub.execute("LOCK TABLE notice IN ACCESS SHARE MODE")
        monkeypatch.setattr("adapters.database.migrate.time.sleep", waits.append)
        with pytest.raises(Unavailable, match="kept the tables"):
            upgrade(url)
        before = list(waits)

        def let_go(seconds: float) -> None:
            waits.append(seconds)
            hub.rollback()

        hub.execute("LOCK TABLE notice IN ACCESS SHARE MODE")
        monkeypatch.setattr("adapters.database.migrate.time.sleep", let_go)
        upgrade(url)

    assert len(before) == 1
    assert len(waits) == 2
    assert differences(url) == []
    postgres.drop(dsn)


@pytest.mark.database
def test_a_start_waits_longer_for_a_migration_than_for_a_statement(
    postgres: Databases, vault: FileVault
) -> None:
    """Who begins while another hub migrates waits for it, however short its statements may be."""
    dsn = postgres.create()
    with psycopg.connect(dsn) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (migrating._TURN,))
        done = Timer(3, other.rollback)  # twice a statement's second, and one
        done.start()

        store = SqlStore(sqlalchemy_url(dsn), vault, statement_seconds=1)

        done.join()
    asyncio.run(store.close())
    postgres.drop(dsn)
