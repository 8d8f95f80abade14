"""A store that has been at work for years: what really happened once, written down many times over.

Every row of a real episode is copied with references of its own, which are spread over the whole
index as a site's are.  The words of the copies are cut, for they are never opened: it is rows and
indexes that are made many here, and a year of them fits on a small disk.
"""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import LargeBinary, Table

from adapters.database import tables as t

NAMES: Final = frozenset(
    {"episode_id", "message_id", "key", "delivery_id", "audit_id", "involvement_id", "decision_id",
     "entry_id", "reference", "correlation_id", "causation_id", "owner"}
)  # fmt: skip
"""What tells one row from another; only in `KEYS` is ``owner`` such a name."""
KEPT: Final = 200
"""Bytes that a copy keeps of what is sealed."""
WORK: Final = (
    t.data_key, t.inbox, t.episode, t.version, t.version_part, t.decision, t.involvement,
    t.delivery, t.lane, t.released, t.audit, t.subject_token,
)  # fmt: skip
INDEX: Final = (t.index_entry, t.index_token)


def multiply(path: Path, tables: tuple[Table, ...], times: int) -> None:
    """Copy every row of *tables* in the SQLite file at *path* so many *times*."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA cache_size = -1000000")
        database.execute("CREATE TEMP TABLE copy (name TEXT PRIMARY KEY) WITHOUT ROWID")
        # A multiplicative hash: each copy of each row falls elsewhere in an index.
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO copy SELECT printf('%010x~', (i * 2654435761) % 1099511627776) FROM n",
            (times,),
        )
        for table in tables:
            columns = [c for c in table.c if c.name != "position"]
            names = ", ".join(f'"{c.name}"' for c in columns)
            values = ", ".join(
                _copied(table, c.name, isinstance(c.type, LargeBinary)) for c in columns
            )
            # What is there already is finished first: an insert must not read its own rows.
            database.execute(f"CREATE TEMP TABLE first AS SELECT * FROM {table.name}")
            database.execute(f"INSERT INTO {table.name} ({names}) SELECT {values} FROM copy, first")
            database.execute("DROP TABLE first")
        database.commit()
    database.close()


def _copied(table: Table, name: str, binary: bool) -> str:
    if name == "token":
        return "randomblob(32)"
    if binary:
        return f'substr(first."{name}", 1, {KEPT})'
    if name in NAMES and (name != "owner" or table is t.data_key):
        return f'copy.name || first."{name}"'
    return f'first."{name}"'
