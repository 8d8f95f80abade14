"""One writer: a thread with one connection that turns waiting units into one durable transaction.

The commit is what costs, so everybody who waits shares it: as soon as one unit is there the
writer takes all that wait (up to a limit), runs them one after the other as plain Python, sends
their writes, commits once, and only then answers.  Nobody waits for a timer.

What can go wrong, and what becomes of it:

- a unit raises: its writes are dropped, its exception goes to its caller, the others go on;
- the database refuses the group's writes (a key that another process took, a deadlock): each unit
  runs again, alone and asking before it writes, so that only who is in conflict hears of it; and
  who even then is in somebody's way, on PostgreSQL, has the next turn while nobody else writes;
- the connection is lost before the commit was sent: nothing happened, the group runs again on a
  new one;
- the commit itself raises: nobody knows; who wrote hears `Unavailable` with ``E_OUTCOME_UNKNOWN``
  and will come again with the same key (`reliability.md` 5.2); who only read reads again, alone,
  so that a full disk stops no reader (P14).

Units must therefore bear to be run more than once: everything they do, they do through their
session.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from adapters.database.engine import unreachable
from adapters.database.examining import SNAPSHOT
from adapters.database.keys import Keys, Lru, Remembered
from adapters.database.patience import Patience
from adapters.database.rows import Opened, Purposes, Rows
from adapters.database.session import SqlSession, Trees
from adapters.database.statements import Statements
from adapters.database.vault import Vault
from hub.errors import Code, HubError, Unavailable
from hub.ports import Needs

_TRIES = 5
_RECONNECTS = 3
_LOOK = 0.05
"""Seconds between two looks whether what is waited for will still end."""
# Who writes holds this lock with everybody else; who met a conflict twice, by itself.
_BEGIN = "BEGIN; SELECT pg_advisory_xact_lock_shared(1667325542, 0)"
_BEGIN_BY_ITSELF = "BEGIN; SELECT pg_advisory_xact_lock(1667325542, 0)"
_TREES, _TREE_BYTES, _KEYS, _ROWS = 2048, 16 << 20, 4096, 4096

DRIVER_ERRORS = (sqlite3.Error, psycopg.Error)


class Job:
    """A unit that waits, whom to tell, and what came of it."""

    __slots__ = ("alone", "error", "future", "needs", "of_one_moment", "result", "unit", "wrote")

    def __init__(
        self,
        unit: Callable[[Any], Any],
        needs: Needs,
        future: "asyncio.Future[Any]",
        *,
        alone: bool,
        of_one_moment: bool = False,
    ) -> None:
        """Take what to run; *alone* asks for a transaction of its own.

        *of_one_moment*, which is alone too, only reads and sees nothing change meanwhile.
        """
        self.unit, self.needs, self.future = unit, needs, future
        self.alone, self.of_one_moment = alone or of_one_moment, of_one_moment
        self.result: Any = None
        self.error: BaseException | None = None
        self.wrote = False


class CommitFailed(Exception):
    """COMMIT raised, and whether it took effect is not known."""


class ConnectionLost(Exception):
    """There is no connection, and before COMMIT was sent there was none any more."""


Waiting = SimpleQueue[Job | None]


class Writer:
    """Serves the units of *waiting* until a ``None`` comes."""

    def __init__(
        self,
        engine: Engine,
        statements: Statements,
        vault: Vault,
        waiting: Waiting,
        *,
        group: int,
        name: str,
        patience: Patience,
    ) -> None:
        """Connect now, in the caller's thread, so that a wrong address is heard of at once.

        *patience* is that of the *engine*'s connections.
        """
        self._engine, self._sql, self._vault = engine, statements, vault
        self._waiting, self._group = waiting, group
        self._purposes = Purposes(vault)
        self._remembered: Remembered = Lru(_KEYS, _KEYS)
        self._trees: Trees = Lru(_TREES, _TREE_BYTES)
        self._opened: Opened = Lru(_ROWS, _ROWS)
        self._connection: Connection | None = None
        self._cursor: Any = None
        self._patience = patience
        self.cursor()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def cursor(self) -> Any:
        """Return the driver's cursor, connecting if need be."""
        if self._cursor is None:
            self._connection = self._engine.connect()
            self._cursor = self._connection.connection.cursor()
        return self._cursor

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def join(self) -> None:
        """Wait until all that was accepted is done; then let the connection go.

        One that is being made to a server that says nothing is left to end with the process.
        """
        while self._thread.is_alive():
            self._thread.join(_LOOK)
            if self._patience.lost():
                self._thread.join(_LOOK)
                break
        if not self._thread.is_alive():
            self.disconnect()

    def disconnect(self) -> None:
        """Give up the connection, whatever state it is in."""
        connection, self._connection = self._connection, None
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            # Whoever still knows it, a traceback perhaps, would keep a SQLite connection half
            # closed, and its lock on the file: the next one would wait for itself.
            with suppress(*DRIVER_ERRORS):
                cursor.close()
        if connection is not None:
            connection.invalidate()  # never back to a pool, never a rollback on a dead line
            connection.close()

    def _serve(self) -> None:
        more = True
        while more:
            job = self._waiting.get()
            if job is None:
                return
            jobs = [job]
            while not job.alone and len(jobs) < self._group:
                try:
                    job = self._waiting.get_nowait()
                except Empty:
                    break
                if job is None:
                    more = False
                    break
                jobs.append(job)
            if len(jobs) > 1 and jobs[-1].alone:
                last = jobs.pop()
                self._do(jobs)
                jobs = [last]
            self._do(jobs)

    def _do(self, jobs: Sequence[Job]) -> None:
        """Run *jobs* to their end, whatever it is, and tell everybody."""
        try:
            self._settle(jobs)
        except BaseException as fault:  # noqa: BLE001  nobody may be left waiting for ever
            for job in jobs:
                job.error = fault
        answers: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        for job in jobs:
            answers.setdefault(job.future.get_loop(), []).append(job)
        for loop, told in answers.items():
            try:
                loop.call_soon_threadsafe(_tell, told)
            except RuntimeError:  # the loop has closed; nobody listens any more
                continue

    def _settle(self, jobs: Sequence[Job]) -> None:
        lost: Exception | None = None
        again: Sequence[Job] = ()
        for attempt in range(_RECONNECTS):
            time.sleep(0.2 * attempt)
            try:
                self._transact(jobs, careful=False)
            except CommitFailed:
                _fail([job for job in jobs if job.wrote], _unknown())
                again = [job for job in jobs if not job.wrote]
            except ConnectionLost as fault:
                lost = fault
                if not _in_the_way(fault.__cause__):
                    continue
                again = jobs  # the same groups would meet in the same way again
            except Exception:  # noqa: BLE001  one of them is the cause; alone, it hears of it
                again = jobs
            for job in again:
                self._alone(job)
            return
        _fail(jobs, unreachable(lost))

    def _alone(self, job: Job) -> None:
        """Run one unit in its own transaction; after a conflict again, to see the winner's row."""
        fault: Exception | None = None
        for attempt in range(_TRIES):
            time.sleep(0.02 * attempt)
            job.result = job.error = None
            try:
                self._transact([job], careful=True, by_itself=attempt > 0)
            except CommitFailed:
                job.error = _unknown()
            except (ConnectionLost, *DRIVER_ERRORS) as caught:
                fault = caught
                if _no_room(caught):
                    break  # nobody is in the way: others wait for us, and readers among them
                continue
            except Exception as caught:  # noqa: BLE001  it is the caller's
                job.error = caught
            return
        job.error = unreachable(fault)

    def _begin(self, jobs: Sequence[Job], *, by_itself: bool) -> str:
        if not self._sql.postgresql:
            return "BEGIN IMMEDIATE"
        if jobs[0].of_one_moment:
            return SNAPSHOT
        return _BEGIN_BY_ITSELF if by_itself else _BEGIN

    def _transact(self, jobs: Sequence[Job], *, careful: bool, by_itself: bool = False) -> None:
        """Run *jobs* in one transaction; unless it raises `CommitFailed`, nothing was half done."""
        try:
            cursor = self.cursor()
        except DBAPIError as fault:
            raise ConnectionLost from fault
        keys = Keys(cursor, self._sql, self._vault, self._remembered)
        rows = Rows(keys, self._purposes, self._opened)
        session = SqlSession(cursor, self._sql, keys, rows, self._trees, careful=careful)
        try:
            cursor.execute(self._begin(jobs, by_itself=by_itself))
            session.prefetch(job.needs for job in jobs)
            for job in jobs:
                session.begin()
                try:
                    job.result = job.unit(session)
                except DRIVER_ERRORS:
                    raise  # the transaction itself is in doubt
                except BaseException as fault:  # noqa: BLE001  it is the caller's, whatever it is
                    session.drop()
                    job.error = fault
                else:
                    job.error = None
                job.wrote = session.wrote
            session.flush()
        except BaseException as fault:
            if not self._rollback():
                raise ConnectionLost from fault
            if self._sql.postgresql and not careful:
                # psycopg takes for prepared what a pipeline that failed has skipped.
                self.disconnect()
            raise
        self._commit(cursor)
        session.committed()

    def _commit(self, cursor: Any) -> None:
        try:
            cursor.execute("COMMIT")
        except DRIVER_ERRORS as fault:
            said_no = isinstance(fault, psycopg.Error) and fault.sqlstate is not None
            if said_no and self._rollback():
                raise  # the server itself says that it did not
            # SQLite: the end of the log may have reached the disk or not; a new connection reads
            # what is there.
            self.disconnect()
            raise CommitFailed from fault

    def _rollback(self) -> bool:
        """End the transaction; return whether the connection lives and can be used again."""
        assert self._connection is not None  # noqa: S101  a promise to mypy: there was a transaction
        raw: Any = self._connection.connection.dbapi_connection
        try:
            # SQLite rolls back by itself when the disk is full or fails.
            if self._sql.postgresql or raw.in_transaction:
                self._cursor.execute("ROLLBACK")
        except DRIVER_ERRORS:
            self.disconnect()
            return False
        return True


def _no_room(fault: Exception) -> bool:
    """Return whether the disk is full or broken, which trying again at once does not mend."""
    if isinstance(fault, sqlite3.Error):
        code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        return code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
    return isinstance(fault, psycopg.errors.DiskFull)


def _in_the_way(fault: BaseException | None) -> bool:
    """Return whether the server gave up this transaction because another was in its way."""
    return isinstance(fault, psycopg.Error) and (fault.sqlstate or "").startswith("40")


def _unknown() -> Unavailable:
    return Unavailable(Code.OUTCOME_UNKNOWN, "the commit failed; send the same again")


def _fail(jobs: Sequence[Job], fault: HubError) -> None:
    for job in jobs:
        job.error = fault


def _tell(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.future.done():  # the caller stopped waiting
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
