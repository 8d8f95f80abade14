"""Migrations, run by the hub itself: a database is brought to the newest form before it is used.

A migration is one transaction on both databases, so one that is killed half-way left nothing and
is simply run again.  On PostgreSQL two processes that start together take turns by an advisory
lock.
"""

import time
from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from adapters.database.engine import database, engine
from adapters.database.patience import Patience
from hub.errors import Code, Fault, Misconfigured, Unavailable

_TURN = 0x65434146  # "eCAF"
WAIT_SECONDS: Final = 2
"""How long a migration waits for a table, and everybody who comes after it."""
AGAIN_SECONDS: Final = 0.25
TRIES: Final = 20


def scripts() -> ScriptDirectory:
    """Return the migrations, in their order."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


def upgrade(url: str, revision: str = "head", patience: Patience | None = None) -> None:
    """Bring the database at *url* to *revision*; does nothing if it is there already.

    A SQLite file must not be in use: its store holds it alone.  On PostgreSQL hubs may work
    meanwhile: a migration that meets them is undone whole and tried again, and while it waits for
    a table it holds nobody up for longer than `WAIT_SECONDS`.  Raises `Unavailable` where that did
    not come to an end in `TRIES`, and the driver's own error where a server says nothing for longer
    than *patience*.
    """
    made = engine(database(url), patience=patience)
    if made.dialect.name == "sqlite":

        @event.listens_for(made, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver itself begins nothing

    else:
        made = made.execution_options(isolation_level="READ COMMITTED")
    try:
        for tried in range(1, TRIES + 1):
            try:
                _once(made, revision)
            except OperationalError as met:
                if not isinstance(met.orig, DeadlockDetected | LockNotAvailable):
                    raise
                if tried == TRIES:
                    fault = Fault(Code.STORE, "ECAF_DATABASE_URL", "run it again in a quieter hour")
                    raise Unavailable(
                        Code.STORE, "hubs at work kept the tables from the migration", [fault]
                    ) from None
                time.sleep(tried * AGAIN_SECONDS)
            else:
                return
    finally:
        made.dispose()


def _once(made: Engine, revision: str) -> None:
    with made.connect() as connection, connection.begin():
        if made.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
            # Whoever waits for a whole table lets nobody by: better give up, and come again.
            connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
        try:
            migrate(connection, revision)
        except CommandError:
            raise newer() from None


def newer() -> Misconfigured:
    """Return the refusal of a database that a newer hub has brought to a form of its own."""
    remedy = "start the version of the hub that upgraded it, or a newer one"
    return Misconfigured(
        Code.STORE,
        "the database is of a newer version than this hub",
        [Fault(Code.STORE, "ECAF_DATABASE_URL", remedy)],
    )


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run what is missing on *connection*, inside its transaction."""
    found = scripts()

    def steps(current: object, _context: MigrationContext) -> object:
        return found._upgrade_revs(revision, current)  # type: ignore[arg-type]  # noqa: SLF001

    with EnvironmentContext(Config(), found, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
