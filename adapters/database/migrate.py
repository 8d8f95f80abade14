"""Migrations, run by the hub itself: a database is brought to the newest form before it is used.

A migration is one transaction on both databases, so one that is killed half-way left nothing and
is simply run again.  On PostgreSQL two processes that start together take turns by an advisory
lock.
"""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, event, text

from adapters.database.engine import database, engine
from hub.errors import Code, Fault, Misconfigured

_TURN = 0x65434146  # "eCAF"


def scripts() -> ScriptDirectory:
    """Return the migrations, in their order."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at *url* to *revision*; does nothing if it is there already.

    A SQLite file must not be in use: its store holds it alone.
    """
    made = engine(database(url))
    if made.dialect.name == "sqlite":

        @event.listens_for(made, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver itself begins nothing

    else:
        made = made.execution_options(isolation_level="READ COMMITTED")
    try:
        with made.connect() as connection, connection.begin():
            if made.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
            try:
                migrate(connection, revision)
            except CommandError:
                raise newer() from None
    finally:
        made.dispose()


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
