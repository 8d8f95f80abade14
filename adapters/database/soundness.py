"""Whether a database is as the hub needs it: its form, its guards, its settings, its clock.

Asked by `ecaf doctor` with statements that change nothing, on a hub's own connection or another.
"""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from adapters.database.examining import Ask
from adapters.database.migrate import scripts
from adapters.database.rows import moment
from adapters.database.statements import Statements
from adapters.database.tables import APPEND_ONLY
from adapters.database.vault import Vault
from hub.errors import HubError
from hub.services.conservation import WARNING, Finding

APART: Final = 5.0
"""Seconds that the database's clock and ours may differ: leases run by the one, timers by ours."""
AHEAD: Final = timedelta(minutes=1)
GUARDS: Final = {
    "sqlite": "SELECT tbl_name, count(*) FROM sqlite_master WHERE type = 'trigger' "
    "AND name LIKE 'append_only_%' GROUP BY tbl_name HAVING count(*) >= 2",
    "postgresql": "SELECT c.relname, count(*) FROM pg_trigger g JOIN pg_class c "
    "ON c.oid = g.tgrelid WHERE g.tgname = 'append_only' AND g.tgenabled IN ('O', 'A') "
    "GROUP BY c.relname",
}
DURABLE: Final = {
    "synchronous_commit": {"on", "local", "remote_write", "remote_apply"},
    "fsync": {"on"},
    "full_page_writes": {"on"},
}


def unsound(ask: Ask, sql: Statements, vault: Vault, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the database; *now* is the business clock."""
    ((there,),) = ask("SELECT version_num FROM alembic_version")
    newest = scripts().get_current_head()
    if there != newest:
        yield behind(there)
        return
    guarded = {table for table, _ in ask(GUARDS["postgresql" if sql.postgresql else "sqlite"])}
    for table in APPEND_ONLY:
        if table not in guarded:
            yield Finding(
                "GUARD_MISSING",
                "what must only be added to can be changed: its triggers are gone or off",
                "compare the table with a backup; restore the triggers with the schema",
                {"table": table},
            )
    yield from _settings(ask, sql)
    for owner, part, number, wrapped in ask(sql.keys, sql.many(["store/check"])):
        try:
            vault.unwrap(owner + (f"\0{part}" if part else ""), bytes(wrapped), number)
        except HubError:
            yield Finding(
                "VAULT_FOREIGN",
                "this database was begun with another vault key",
                "give ECAF_VAULT_KEY_FILE as it was begun with: nothing opens under another",
            )
    newest_row = ask("SELECT at FROM audit ORDER BY position DESC LIMIT 1")
    if newest_row and moment(newest_row[0][0]) > now + AHEAD:
        yield Finding(
            "CLOCK_BACK",
            "the newest row of audit is ahead of the clock: the clock was moved back",
            "set the clock (timedatectl), or wait until it has come so far again",
            {"newest": moment(newest_row[0][0]).strftime("%Y-%m-%dT%H:%M:%SZ")},
        )


def behind(there: str | None) -> Finding:
    """Return the finding about a database of the form *there*, of which nothing else is known."""
    return Finding(
        "SCHEMA_BEHIND",
        f"the database has the form {there or 'none'}, and this version of the hub makes "
        f"{scripts().get_current_head()}",
        "ecaf database upgrade, or run the version that made it",
    )


def _settings(ask: Ask, sql: Statements) -> Iterator[Finding]:
    if not sql.postgresql:
        ((journal,),) = ask("PRAGMA journal_mode")
        if journal != "wal":
            yield _unsafe("journal_mode", "wal")
        return
    rights = "has_table_privilege(current_user, t, 'UPDATE, DELETE, TRUNCATE')"
    changeable = ask(
        f"SELECT t FROM unnest(%s::text[]) AS t WHERE {rights}",  # noqa: S608 - no value in it
        list(APPEND_ONLY),
    )
    if changeable:
        yield Finding(
            "AUDIT_OWNED",
            "the hub's own role may change what must only be added to",
            "make a role for hubs: ecaf database grant ROLE, and connect as it",
            {"tables": ",".join(sorted(table for (table,) in changeable))},
            WARNING,
        )
    for setting, allowed in DURABLE.items():
        ((value,),) = ask("SELECT current_setting(%s)", setting)
        if value not in allowed:
            yield _unsafe(setting, "on")
    began = time.time()
    ((theirs,),) = ask(sql.clock)
    ended = time.time()
    if not began - APART <= theirs / 1_000_000 <= ended + APART:
        yield Finding(
            "CLOCK_APART",
            "the clocks of the hub's machine and of the database's differ",
            "let both follow one time server: leases run by the database's clock",
            {"seconds": f"{theirs / 1_000_000 - began:.0f}"},
            WARNING,
        )


def _unsafe(setting: str, wanted: str) -> Finding:
    return Finding(
        "STORE_UNSAFE",
        "the database may forget what it has acknowledged",
        f"set {setting} to {wanted}",
        {"setting": setting},
    )
