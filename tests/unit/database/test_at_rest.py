"""What lies on the disk: nothing readable, and nothing that can be altered unseen."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.errors import Code, Unavailable
from hub.ports import Needs, Session
from tests.contract.records import (
    audited,
    decision,
    delivery,
    entry,
    head,
    index_entry,
    notice,
    released,
    version,
    writing,
)
from tests.servers.postgres import plain_dsn, start_postgres

CANARIES = (b"Canary", b"canary", "Canary".encode("utf-16-le"), b"Canary".hex().encode())


everything = writing(
    entry(),
    head(),
    version(),
    decision(),
    delivery(evidence={"said": "Canary evidence"}),
    released(),
    audited(),
    index_entry(),
    notice(),
)


def readable(folder: Path) -> set[str]:
    return {
        file.name
        for file in folder.iterdir()
        if any(canary in file.read_bytes() for canary in CANARIES)
    }


async def test_no_file_holds_anything_readable(store: SqlStore, path: Path) -> None:
    """Log and database, open and closed: no word of the content; one let in on purpose is found."""
    await store.run(everything)
    assert readable(path.parent) == set()

    await store.run(lambda s: s.put_episode(head("e2", owner="Canary")))
    assert readable(path.parent) == {"ecaf.db-wal"}

    await store.close()
    assert readable(path.parent) == {"ecaf.db"}


@pytest.mark.database
async def test_no_row_of_postgresql_holds_anything_readable(
    tmp_path: Path, vault: FileVault
) -> None:
    """Every row of every table as text: no word of the content; one let in on purpose is found."""
    folder = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    server = start_postgres(folder, durable=True)
    try:
        store = SqlStore(server.url, vault)

        def dump() -> bytes:
            with psycopg.connect(plain_dsn(server.url)) as owner:
                tables = owner.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                )
                text = b""
                for (table,) in tables.fetchall():
                    with owner.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copied:
                        text += b"".join(bytes(block) for block in copied)
            return text

        await store.run(everything)
        assert len(dump()) > 1000
        assert not any(canary in dump() for canary in CANARIES)
        await store.run(lambda s: s.put_episode(head("e2", owner="Canary")))
        assert any(canary in dump() for canary in CANARIES)
        await store.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


READS: dict[str, tuple[str, Callable[[Session], object]]] = {
    "raw": ("inbox.raw", lambda s: s.inbox("SCH-A", "key-m1")),
    "answer": ("inbox.answer", lambda s: s.message("m1")),
    "head": ("episode.facts", lambda s: s.episode("e1")),
    "shared": ("version.shared", lambda s: s.version("e1", 1)),
    "child": ("version_part.part", lambda s: s.version("e1", 1)),
    "decision": ("decision.record", lambda s: s.decisions("e1")),
    "delivery": ("delivery.content", lambda s: s.delivery("d1")),
    "evidence": ("delivery.evidence", lambda s: s.delivery("d1")),
    "released": ("released.paths", lambda s: s.last_released("e1", "HOU-A/HOUS")),
    "audit": ("audit.facts", lambda s: s.audit("e1")),
    "match": ("index_entry.match", lambda s: s.index_entry("ref-x1")),
    "contact": ("index_entry.contact", lambda s: s.index_entry("ref-x1")),
    "notice": ("notice.body", lambda s: s.notice("SCH-A", "key-n1")),
    "key": ("data_key.wrapped", lambda s: s.version("e1", 1)),
}


async def test_the_key_of_a_notice_goes_with_its_body(store: SqlStore) -> None:
    """A copy of the file from before is unreadable, too; a unit that fails destroys nothing."""

    def keys(s: Session) -> list[str]:
        rows = s.rows_of("SELECT owner FROM data_key WHERE owner LIKE 'notice/%' ORDER BY owner")  # type: ignore[attr-defined]
        return [owner for (owner,) in rows]

    def failing(s: Session) -> None:
        s.put_notice(notice("n1", body=None))
        raise ValueError

    await store.run(writing(notice("n1"), notice("n2")))
    with pytest.raises(ValueError):
        await store.run(failing)
    assert await store.run(keys) == ["notice/n1", "notice/n2"]

    await store.run(writing(notice("n1", body=None)))

    assert await store.run(keys) == ["notice/n2"]
    assert (await store.run(lambda s: s.notice("SCH-A", "key-n2"))) == notice("n2")


def tamper(path: Path, *statements: str) -> None:
    """Change the file as somebody with the disk in his hands would: guards first."""
    connection = sqlite3.connect(path)
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()


async def refused(path: Path, vault: FileVault, read: Callable[[Session], object]) -> None:
    """Assert that *read* is refused, and that whoever reads something else is not hurt."""
    store = SqlStore(f"sqlite:///{path}", vault)
    with pytest.raises(Unavailable) as fault:
        await store.run(read)
    assert fault.value.code is Code.VAULT
    assert "Canary" not in str(fault.value)
    assert await store.run(lambda s: s.episode("absent")) is None
    await store.close()


@pytest.mark.parametrize("cell", READS)
async def test_an_altered_cell_is_refused(
    store: SqlStore, path: Path, vault: FileVault, cell: str
) -> None:
    """One bit of the ciphertext flipped: refused with E_VAULT, whichever column."""
    await store.run(everything)
    await store.close()
    column, read = READS[cell]
    table, name = column.split(".")
    connection = sqlite3.connect(path)
    where = "" if cell != "key" else " WHERE owner LIKE 'episode/%'"
    sealed = connection.execute(f"SELECT {name} FROM {table}{where}").fetchone()[0]
    connection.close()
    flipped = sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]

    tamper(path, f"UPDATE {table} SET {name} = x'{flipped.hex()}'{where}")

    await refused(path, vault, read)


SWAPS = {
    "versions": (
        writing(version(), version(number=2)),
        "UPDATE version SET shared = (SELECT v.shared FROM version v WHERE v.version = 2)",
        lambda s: s.version("e1", 1),
    ),
    "children": (
        lambda s: s.add_version(version()),
        (
            "UPDATE version_part SET part = (SELECT part FROM version_part"
            " WHERE subject_id = 'c2') WHERE subject_id = 'c1'"
        ),
        lambda s: s.version("e1", 1),
    ),
    "deliveries": (
        writing(delivery(), delivery("d2", 2)),
        "UPDATE delivery SET content = (SELECT content FROM delivery WHERE delivery_id = 'd2')",
        lambda s: s.delivery("d1"),
    ),
    "keys": (
        writing(version(), version("e2")),
        (
            "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key"
            " WHERE owner = 'episode/e2' AND part = '') WHERE owner = 'episode/e1' AND part = ''"
        ),
        lambda s: s.version("e1", 1),
    ),
    "columns": (
        lambda s: s.put_index_entry(index_entry()),
        'UPDATE index_entry SET contact = "match"',
        lambda s: s.index_entry("ref-x1"),
    ),
    "old evidence": (
        lambda s: s.put_delivery(delivery(evidence={"status": 500})),
        "UPDATE delivery SET state = 'delivered'",
        lambda s: s.delivery("d1"),
    ),
}


@pytest.mark.parametrize("swap", SWAPS)
async def test_a_cell_in_another_place_is_refused(
    store: SqlStore, path: Path, vault: FileVault, swap: str
) -> None:
    """Ciphertexts exchanged between rows, columns, children or states: refused with E_VAULT."""
    write, statement, read = SWAPS[swap]
    await store.run(write)
    await store.close()

    tamper(path, statement)

    await refused(path, vault, read)


async def test_a_tampered_row_hurts_only_who_reads_it(
    store: SqlStore, path: Path, vault: FileVault
) -> None:
    """In a group where one asks for an altered row, the others are served."""
    await store.run(writing(head(), head("e2")))
    await store.close()
    tamper(path, "UPDATE episode SET facts = (SELECT facts FROM episode WHERE episode_id = 'e2')")
    again = SqlStore(f"sqlite:///{path}", vault)

    outcomes = await asyncio.gather(
        again.run(lambda s: s.episode("e1"), Needs(episodes=("e1",))),
        again.run(lambda s: s.episode("e2"), Needs(episodes=("e2",))),
        again.run(lambda s: s.put_episode(head("e3")), Needs(episodes=("e3",))),
        return_exceptions=True,
    )

    await again.close()
    assert isinstance(outcomes[0], Unavailable)
    assert list(outcomes[1:]) == [head("e2"), None]
