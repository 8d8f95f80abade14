"""One open transaction and what is known in it: the ground that `SqlSession` stands on.

A read is answered from what was read before if it can be; else one statement fetches the same
thing for every episode that the group named, because the next unit will ask for it too.  Every
change of what is known notes how to undo it.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any

from adapters.database.keys import Keys
from adapters.database.rows import Row, Rows
from adapters.database.statements import Statements, Write
from hub.domain.exchange import EpisodeHead

Batch = tuple[Write, Sequence[Row]]

_ABSENT: Any = object()
_AT_ONCE = (128, 64, 32, 16, 8, 4, 2, 1)  # rows in one statement: few texts to prepare, few calls


class Transaction:
    """Heads under their locks, reading, undoing and sending; nothing here is committed.

    *careful* asks the database before it adds what should be new (`session.py` says why).
    """

    def __init__(
        self, cursor: Any, statements: Statements, keys: Keys, rows: Rows, *, careful: bool
    ) -> None:
        """Read and write through *cursor*."""
        self._cursor, self._sql, self._keys, self._rows = cursor, statements, keys, rows
        self._careful = careful
        self._named: set[str] = set()  # episodes whose head is locked
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._loaded: dict[str, set[str]] = {}  # what was read, by kind: episode ids
        self._heads: dict[str, EpisodeHead | None] = {}
        self._shreds: dict[str, int] = {}
        self._unborn: set[str] = set()  # episodes that the database does not know
        self._changed = False  # whether this unit has, at once
        self._hidden = False  # whether reading may not tell what there is

    def begin(self) -> None:
        """Start a unit: from here on, changes can be undone."""
        self._undo.clear()
        self._changed = False

    @property
    def wrote(self) -> bool:
        """Whether the unit has changed anything."""
        return self._changed or bool(self._undo)

    def drop(self) -> None:
        """Undo the changes of the unit that has just failed."""
        for mapping, key, before in reversed(self._undo):
            if before is _ABSENT:
                mapping.pop(key, None)
            else:
                mapping[key] = before
        self._undo.clear()

    def rows_of(self, statement: str, *parameters: Any) -> list[Row]:
        """Return what a statement finds, without what this group has not sent yet."""
        self._fetch(statement, *parameters)
        return list(self._cursor.fetchall())

    def change(self, statement: str, *parameters: Any) -> int:
        """Change rows at once, for a unit that has a transaction to itself; return how many."""
        self._changed = True
        self._fetch(statement, *parameters)
        changed: int = self._cursor.rowcount
        return changed

    def _set(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    def _fetch(self, statement: str, *parameters: Any) -> None:
        self._cursor.execute(statement, parameters)

    def _send(self, write: Write, rows: Sequence[Row]) -> None:
        at = 0
        for size in _AT_ONCE:
            while len(rows) - at >= size:
                batch = rows[at] if size == 1 else tuple(chain(*rows[at : at + size]))
                self._cursor.execute(write.text(size), batch)
                at += size

    def _lock(self, episodes: Iterable[str]) -> None:
        """Read the heads under their row locks; what does not exist yet is locked by its name."""
        missing = sorted(e for e in episodes if e not in self._heads)
        if not missing:
            return
        self._keys.named.update(f"episode/{e}" for e in missing)
        self._named.update(missing)
        if self._hidden:
            self._keys.ask(f"episode/{e}" for e in missing)
        self._read_heads(missing)
        absent = [e for e in missing if e not in self._heads]
        if (absent or self._hidden) and self._sql.postgresql:
            self._fetch(self._sql.advisory, sorted({_lock_number(e) for e in absent}))
            self._read_heads(absent)
        for e in absent:
            if e not in self._heads:
                self._heads[e] = None
                self._shreds[e] = 0
                self._unborn.add(e)

    def _read_heads(self, episodes: Sequence[str]) -> None:
        self._fetch(self._sql.heads, self._sql.many(episodes))
        rows = self._cursor.fetchall()
        for row in rows:  # before any is opened: opening looks for the keys of all
            self._shreds[row[0]] = row[-1]
        for row in rows:
            self._heads[row[0]] = self._rows.head(row)

    def _load(self, kind: str, statement: str, episode_id: str, *, times: int = 1) -> Sequence[Row]:
        """Return rows of *statement* for every named episode not read yet; none if all are read.

        *times* is how often the statement wants to be told which.
        """
        loaded = self._loaded.setdefault(kind, set())
        if episode_id in loaded:
            return ()
        self._lock({episode_id})
        wanted = self._named - loaded
        loaded |= wanted
        self._fetch(statement, *[self._sql.many(sorted(wanted))] * times)
        rows: Sequence[Row] = self._cursor.fetchall()
        return rows


def _lock_number(episode_id: str) -> int:
    """Return the number that stands for an episode without a row, the same in every process."""
    return int.from_bytes(blake2b(episode_id.encode(), digest_size=8).digest(), "big", signed=True)
