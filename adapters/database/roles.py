"""The hub's role on PostgreSQL: it may add to the record, and not change or take from it.

The tables belong to somebody else, who upgrades them; so the hub cannot switch their triggers off
(`reliability.md` P34 and 5.8).
"""

from sqlalchemy import text

from adapters.database.engine import database, engine
from adapters.database.tables import APPEND_ONLY, metadata
from hub.errors import Code, Fault, Misconfigured

VERSION = "alembic_version"


def grant(url: str, role: str) -> None:
    """Give *role* what a hub needs at *url*, whose user owns the tables; safe to do twice.

    After every upgrade again: what is new belongs to the owner alone.  Raises `Misconfigured` on
    SQLite, which has no roles, and where there is no such role.
    """
    made = engine(database(url))
    try:
        if made.dialect.name != "postgresql":
            fault = Fault(Code.STORE, "ECAF_DATABASE_URL", "roles need PostgreSQL")
            raise Misconfigured(Code.STORE, "SQLite has no roles", [fault])
        name = made.dialect.identifier_preparer.quote_identifier(role)
        lasting = made.execution_options(isolation_level="READ COMMITTED")
        with lasting.connect() as connection, connection.begin():
            there = connection.execute(
                text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}
            ).scalar()
            if not there:
                fault = Fault(Code.STORE, "ROLE", "make it first: CREATE ROLE … LOGIN")
                raise Misconfigured(Code.STORE, "there is no such role", [fault])
            connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {name}"))
            for table in (*metadata.tables, VERSION):
                rights = "SELECT, INSERT"
                if table == VERSION:
                    rights = "SELECT"
                elif table not in APPEND_ONLY:
                    rights = "SELECT, INSERT, UPDATE, DELETE"
                connection.execute(text(f"REVOKE ALL ON {table} FROM {name}"))
                connection.execute(text(f"GRANT {rights} ON {table} TO {name}"))
            connection.execute(
                text(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}")
            )
    finally:
        made.dispose()
