"""Connecting: what the database must be before the hub trusts it with a child's record.

SQLite.  Versions 3.7.0 to 3.51.2 (but for the backports) can lose commits when one connection
resets the write-ahead log while another checkpoints (`reliability.md` 0, finding 1), and Debian's
3.40.1 is one of them.  The fault needs two connections, so there is one: `locking_mode=EXCLUSIVE`
before the first access makes SQLite itself refuse a second, in this process or another, and keeps
the log's index in our own memory.  One connection writes, reads and checkpoints; then WAL with
`synchronous=FULL` is sound on every version, and faster here than `journal_mode=DELETE`, which
syncs twice a commit.  The same holds on repaired versions: one way of running, tested, instead of
two.  A lock file beside the database names the owner, so that a second hub is refused with a
message and not with "database is locked".

PostgreSQL.  A server that acknowledges before the disk has it (`synchronous_commit`, `fsync` or
`full_page_writes` off) is refused.
"""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from adapters.database.patience import STATEMENTS, Patience, connected
from hub.errors import Code, Fault, Misconfigured, Unavailable

_OLDEST_SQLITE = (3, 35, 0)  # upserts of several rows, row values, json_each
_PRAGMAS = (
    "PRAGMA locking_mode=EXCLUSIVE",  # first: see above
    "PRAGMA page_size=8192",  # of a new file: a sealed tree takes three pages, not six
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA cache_size=-32768",  # KiB
    "PRAGMA wal_autocheckpoint=2000",  # pages: 16 MiB, not several checkpoints in a busy second
    "PRAGMA temp_store=MEMORY",  # no plain copies of indexes in /tmp
)


def database(url: str) -> URL:
    """Return *url* with the driver that the hub uses; raises `Misconfigured` for anything else."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _misconfigured("the database URL cannot be read") from None  # it may hold a password
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.query:
            raise _misconfigured(
                "SQLite needs a file: sqlite:///ecaf.db or sqlite:////var/lib/ecaf.db"
            )
        return parsed.set(drivername="sqlite+pysqlite")
    raise _misconfigured("the database must be sqlite:// or postgresql://")


def engine(url: URL, statement_seconds: int = 30, patience: Patience | None = None) -> Engine:
    """Return an engine whose transactions are begun and ended by us alone, in so many words.

    *statement_seconds* bounds one statement, on PostgreSQL, and *patience* (twice as long) what is
    waited for an answer; SQLite has one process, which waits for nobody.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    waits = patience or Patience(STATEMENTS * statement_seconds)
    made = create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,  # errors would print a row
        isolation_level="AUTOCOMMIT",  # at the driver: BEGIN and COMMIT are statements of ours
        connect_args={
            "connect_timeout": 5,
            "application_name": "ecaf",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,  # milliseconds in which nobody says that it arrived
            "options": f"-c statement_timeout={statement_seconds}s -c lock_timeout=20s"
            " -c timezone=UTC"
            " -c idle_in_transaction_session_timeout=60s"
            # Every question has its index; while a young table is not counted yet, the planner
            # would read it whole instead.
            " -c enable_seqscan=off -c jit=off",
        },
    )

    @event.listens_for(made, "do_connect")
    def connect(_dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
        # So that the very first questions, which SQLAlchemy asks, are waited for no longer.
        return connected(waits, *args, **kwargs)

    @event.listens_for(made, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.prepared_max = 500  # all of `statements.py`, in every number of rows

    return made


def _sqlite(url: URL) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise _misconfigured(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed")
    path = Path(str(url.database))
    made = create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "timeout": 5,
            "cached_statements": 256,
        },
    )

    @event.listens_for(made, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        try:
            # Mode 0600 from the first byte; the log takes the mode of the database.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            # The lock is taken by the first write, not by the pragma.
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        except (OSError, sqlite3.DatabaseError) as fault:
            raise _misconfigured(f"SQLite file {path}: {fault}") from fault
        if mode != "wal":
            raise _misconfigured(f"SQLite file {path}: write-ahead log refused ({mode})")

    return made


class FileLock:
    """The right to be the one hub of a SQLite file; falls with the process, however it ends."""

    def __init__(self, url: URL) -> None:
        """Take the lock of *url*, or raise `Misconfigured` naming who holds it."""
        path = Path(f"{url.database}.lock")
        try:
            self._handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as fault:
            raise _misconfigured(f"SQLite file {url.database}: {fault.strerror}") from fault
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise _misconfigured(
                f"SQLite file {url.database} belongs to a running hub, process {holder}",
                "Ask that hub over its ECAF_OPERATOR_SOCKET, stop it, or give this one another "
                "ECAF_DATABASE_URL; several processes need PostgreSQL.",
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another hub have the file."""
        os.close(self._handle)


def check_postgresql(cursor: Any) -> None:
    """Raise `Misconfigured` if the server may forget what it acknowledged, with every setting."""
    faults = []
    for setting, allowed in (
        ("synchronous_commit", {"on", "local", "remote_write", "remote_apply"}),
        ("fsync", {"on"}),
        ("full_page_writes", {"on"}),
        ("server_encoding", {"UTF8"}),
    ):
        value = cursor.execute("SELECT current_setting(%s)", (setting,)).fetchone()[0]
        if value not in allowed:
            remedy = f"Set {setting} to {min(allowed)}: an acknowledged message must be on disk."
            faults.append(Fault(Code.STORE, path=setting, remedy=remedy))
    if faults:
        names = ", ".join(fault.path for fault in faults)
        raise Misconfigured(Code.STORE, f"PostgreSQL settings refused: {names}", faults)


def unreachable(fault: BaseException | None) -> Unavailable:
    """Return the error for a database that does not do it, without the driver's text or address."""
    if fault is not None and fault.__cause__ is not None:
        fault = fault.__cause__
    return Unavailable(Code.STORE, f"the database did not do it ({type(fault).__name__})")


def _misconfigured(detail: str, remedy: str = "") -> Misconfigured:
    return Misconfigured(Code.STORE, detail, [Fault(Code.STORE, "ECAF_DATABASE_URL", remedy)])
