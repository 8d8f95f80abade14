"""How subjects and index entries are found again: by blind indexes, as a session sees them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from adapters.database.rows import Row
from adapters.database.transaction import Batch, Transaction
from hub.domain.exchange import IndexEntry


class Finding(Transaction):
    """Index entries by id, and the tokens of subjects; tokens are always replaced whole."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know nothing yet."""
        super().__init__(*args, **options)
        self._index: dict[str, IndexEntry | None] = {}
        self._dirty_index: dict[str, IndexEntry] = {}
        self._subjects: dict[tuple[str, str], tuple[bytes, ...]] = {}

    def index_entry(self, reference: str) -> IndexEntry | None:
        """Return the index entry with this opaque reference."""
        for entry in self._index.values():
            if entry is not None and entry.reference == reference:
                return entry
        return self._load_index(self._sql.index_by_reference, reference)

    def index_matches(self, tokens: Iterable[bytes]) -> Sequence[IndexEntry]:
        """Return the entries that share any of these blind indexes."""
        wanted = set(tokens)
        found: dict[str, None] = {}
        for token in sorted(wanted):
            self._fetch(self._sql.index_by_token, token)
            found.update((name, None) for (name,) in self._cursor.fetchall())
        found.update((name, None) for name in self._dirty_index)
        entries = (self._index_by_id(name) for name in sorted(found))
        return tuple(e for e in entries if e is not None and not wanted.isdisjoint(e.tokens))

    def put_index_entry(self, entry: IndexEntry) -> None:
        """Insert or replace one index entry."""
        self._set(self._index, entry.entry_id, entry)
        self._set(self._dirty_index, entry.entry_id, entry)

    def subject_episodes(self, tokens: Iterable[bytes]) -> Sequence[tuple[str, str, bytes]]:
        """Return (episode id, subject id, token) of subjects that share any of these."""
        found: list[tuple[str, str, bytes]] = []
        for token in sorted(set(tokens)):
            self._fetch(self._sql.subjects_by_token, token)
            stored = {tuple(row) for row in self._cursor.fetchall()} - self._subjects.keys()
            here = {name for name, given in self._subjects.items() if token in given}
            found += [(episode, subject, token) for episode, subject in sorted(stored | here)]
        return tuple(found)

    def put_subject_tokens(self, episode_id: str, subject_id: str, tokens: Iterable[bytes]) -> None:
        """Replace the blind indexes by which a subject of an episode is found."""
        self._lock({episode_id})
        unique = tuple(sorted(set(tokens)))
        self._set(self._subjects, (episode_id, subject_id), unique)

    def index_batches(self) -> Iterator[Batch]:
        """Yield what is to be sent, but for tokens."""
        index = [self._rows.index_row(e) for e in self._dirty_index.values()]
        yield self._sql.put_index_entry, index

    def send_tokens(self) -> None:
        """Replace the tokens of what was written."""
        if self._dirty_index:
            tokens: list[Row] = []
            for name, entry in self._dirty_index.items():
                self._fetch(self._sql.drop_index_tokens, name)
                tokens += [(token, name) for token in sorted(set(entry.tokens))]
            self._send(self._sql.add_index_token, tokens)
        if self._subjects:
            tokens = []
            for (episode, subject), given in self._subjects.items():
                if self._careful or episode not in self._unborn:
                    self._fetch(self._sql.drop_subject_tokens, episode, subject)
                tokens += [(token, episode, subject) for token in given]
            self._send(self._sql.add_subject_token, tokens)

    def _index_by_id(self, entry_id: str) -> IndexEntry | None:
        if entry_id not in self._index:
            self._load_index(self._sql.index_by_id, entry_id)
        return self._index.get(entry_id)

    def _load_index(self, statement: str, value: str) -> IndexEntry | None:
        self._fetch(statement, value)
        row = self._cursor.fetchone()
        if row is None:
            return None
        if row[0] in self._index:  # read before, and perhaps changed since, by this group
            known = self._index[row[0]]
            return known if known is not None and value in {known.reference, row[0]} else None
        self._fetch(self._sql.index_tokens, row[0])
        tokens = [bytes(token) for (token,) in self._cursor.fetchall()]
        entry = self._rows.index(row, sorted(tokens))
        self._index[row[0]] = entry
        return entry
