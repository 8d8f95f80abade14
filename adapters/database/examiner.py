"""The store of `ecaf doctor` where it is not a running hub that is asked: reads, changes nothing.

Unlike `SqlStore` it brings no database to a newer form and ends nobody's lease, so that it may look
at what it was asked to judge, and on PostgreSQL beside hubs that are at work.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from adapters.database.engine import FileLock, database, engine, unreachable
from adapters.database.examining import SNAPSHOT, dossiers
from adapters.database.rows import Row
from adapters.database.soundness import behind, unsound
from adapters.database.statements import statements
from adapters.database.vault import Vault
from adapters.database.writer import DRIVER_ERRORS
from hub.domain.dossier import Dossier
from hub.services.conservation import Finding

T = TypeVar("T")

DAMAGED = Finding(
    "FILE_DAMAGED",
    "SQLite's own check of its file found it damaged",
    "restore the backup; look for the disk's errors before anything is written again",
)


class Examiner:
    """Goes through the database at *url*; a SQLite file must not be a running hub's."""

    def __init__(self, url: str, vault: Vault) -> None:
        """Connect; raises `Misconfigured` or `Unavailable` as the store does."""
        where = database(url)
        self._sql = statements(where.get_backend_name())
        self._vault = vault
        self._lock = None if self._sql.postgresql else FileLock(where)
        self._engine = engine(where)
        try:
            self._connection = self._engine.connect()
            self.revision = MigrationContext.configure(self._connection).get_current_revision()
            self._cursor: Any = self._connection.connection.cursor()
            if not self._sql.postgresql:
                self._cursor.execute("PRAGMA query_only=ON")
        except (*DRIVER_ERRORS, DBAPIError) as fault:
            self._release()
            raise unreachable(fault) from fault
        except BaseException:
            self._release()
            raise

    async def sound(self, now: datetime) -> Sequence[Finding]:
        """Return what is wrong with the database; *now* is the business clock (`soundness`)."""
        return await asyncio.to_thread(self._sound, now)

    def _sound(self, now: datetime) -> Sequence[Finding]:
        if self.revision is None:
            return (behind(None),)
        try:
            found = self._reading(lambda: tuple(unsound(self._ask, self._sql, self._vault, now)))
            damaged = not self._sql.postgresql and self._ask("PRAGMA quick_check(1)") != [("ok",)]
        except sqlite3.DatabaseError:
            return (DAMAGED,)
        except psycopg.Error as fault:
            raise unreachable(fault) from fault
        return (*found, DAMAGED) if damaged else found

    async def examine(self, after: str, limit: int) -> Sequence[Dossier]:
        """Return the dossiers of up to *limit* episodes beyond the id *after*."""
        return await asyncio.to_thread(self._examine, after, limit)

    def _examine(self, after: str, limit: int) -> Sequence[Dossier]:
        try:
            return self._reading(lambda: dossiers(self._ask, self._sql, self._vault, after, limit))
        except DRIVER_ERRORS as fault:
            raise unreachable(fault) from fault

    def ask(self, statement: str, *parameters: Any) -> list[Row]:
        """Return the rows of one statement; the database itself refuses one that writes."""
        return self._reading(lambda: self._ask(statement, *parameters))

    def _reading(self, read: Callable[[], T]) -> T:
        self._cursor.execute(SNAPSHOT if self._sql.postgresql else "BEGIN")
        try:
            return read()
        finally:
            self._cursor.execute("ROLLBACK")

    def _ask(self, statement: str, *parameters: Any) -> list[Row]:
        self._cursor.execute(statement, parameters)
        return list(self._cursor.fetchall())

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()
        self._release()

    def _release(self) -> None:
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()
