"""The hub's role on PostgreSQL: it may add to the record, and not change or take from it.

The tables belong to somebody else, who upgrades them; so the hub cannot switch their triggers off
(`reliability.md` P34 and 5.8).
"""

from sqlalchemy import Connection, text

from adapters.database.engine import database, engine
from adapters.database.tables import APPEND_ONLY, metadata
from hub.errors import Code, Fault, Misconfigured
from hub.secrets import Secret

VERSION = "alembic_version"


def grant(url: str, role: str, password: Secret | None = None) -> None:
    """Give *role* what a hub needs at *url*, whose user owns the tables; safe to do twice.

    After every upgrade again: what is new belongs to the owner alone.  With *password* the role is
    made if it is missing, and has that password from now on.  Raises `Misconfigured` on SQLite,
    which has no roles, and where there is no such role and none is to be made.
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
            if password is not None:
                _log_in(connection, name, role, password, there=bool(there))
            elif not there:
                fault = Fault(Code.STORE, "ROLE", "CREATE ROLE … LOGIN, or --create")
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


def _log_in(connection: Connection, name: str, role: str, password: Secret, *, there: bool) -> None:
    """Let *role* (quoted: *name*) log in; what the server is told, and may log, opens nothing."""
    driver = connection.connection.driver_connection
    if driver is None:
        raise Misconfigured(Code.STORE, "the connection is gone")
    word = password.reveal().encode()
    proof = driver.pgconn.encrypt_password(word, role.encode(), b"scram-sha-256").decode("ascii")
    verb = "ALTER" if there else "CREATE"
    connection.exec_driver_sql(f"{verb} ROLE {name} LOGIN PASSWORD '{proof}'")
