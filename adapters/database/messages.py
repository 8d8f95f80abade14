"""What partners sent, as a session sees it: messages, and used client assertions."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from adapters.database.keys import owner_of
from adapters.database.rows import Row, micros
from adapters.database.transaction import Batch, Transaction
from hub.domain.exchange import InboxEntry
from hub.errors import Code, Conflict


class Messages(Transaction):
    """Each of these exists once: by (partner, key), by message id, by (issuer, token id)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know nothing yet."""
        super().__init__(*args, **options)
        self._inbox: dict[tuple[str, str], InboxEntry | None] = {}
        self._messages: dict[str, InboxEntry | None] = {}
        self._tokens: dict[tuple[str, str], bool] = {}
        self._new_inbox: dict[str, InboxEntry] = {}
        self._new_tokens: dict[tuple[str, str], int] = {}

    def inbox(self, partner: str, key: str) -> InboxEntry | None:
        """Return what this partner sent before under this key."""
        if (partner, key) not in self._inbox:
            self._load_inbox({(partner, key)})
        return self._inbox[(partner, key)]

    def add_inbox(self, entry: InboxEntry) -> None:
        """Keep one message; a second with the same (partner, key) fails the unit."""
        name = (entry.partner, entry.key)
        if self._careful and name not in self._inbox:
            self._load_inbox({name})
        if self._inbox.get(name) is not None:
            raise Conflict(Code.DUPLICATE, "this partner has used this key before")
        if entry.message_id in self._new_inbox or (
            self._careful and self.message(entry.message_id) is not None
        ):
            raise Conflict(Code.DUPLICATE, "this message id is taken")
        self._set(self._inbox, name, entry)
        self._set(self._messages, entry.message_id, _without_raw(entry))
        self._set(self._new_inbox, entry.message_id, entry)

    def message(self, message_id: str) -> InboxEntry | None:
        """Return the message with this id, without its raw bytes."""
        if message_id not in self._messages:
            self._keys.ask([owner_of("message", message_id)])  # be it there or not
            self._fetch(self._sql.message, message_id)
            row = self._cursor.fetchone()
            self._messages[message_id] = None if row is None else self._rows.inbox(row)
        return self._messages[message_id]

    def use_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        """Remember a client assertion's id; ``False`` if this issuer used it before."""
        name = (issuer, token_id)
        if name not in self._tokens:
            self._fetch(self._sql.token, issuer, token_id)
            self._tokens[name] = self._cursor.fetchone() is not None
        if self._tokens[name]:
            return False
        self._set(self._tokens, name, True)
        self._set(self._new_tokens, name, micros(expires_at))
        return True

    def message_batches(self) -> Iterator[Batch]:
        """Yield what is to be sent; messages in one order everywhere, as the heads are locked."""
        sql, rows = self._sql, self._rows
        inbox = [rows.inbox_row(e) for e in self._new_inbox.values()]
        inbox.sort(key=_second_and_third)
        yield sql.add_inbox, inbox
        yield sql.add_token, [(*name, at) for name, at in self._new_tokens.items()]

    def _load_inbox(self, names: Iterable[tuple[str, str]]) -> None:
        wanted = [name for name in names if name not in self._inbox]
        if not wanted:
            return
        self._fetch(self._sql.inbox, self._sql.many(sorted({key for _, key in wanted})))
        for row in self._cursor.fetchall():
            if (row[1], row[2]) in wanted:
                self._inbox[(row[1], row[2])] = self._rows.inbox(row)
        for name in wanted:
            self._inbox.setdefault(name, None)


def _without_raw(entry: InboxEntry) -> InboxEntry:
    return InboxEntry(
        entry.message_id, entry.partner, entry.key, entry.digest, entry.content_type, None,
        entry.received_at, entry.status, entry.answer, entry.episode_id, entry.version,
    )  # fmt: skip


def _second_and_third(row: Row) -> tuple[Any, Any]:
    return row[1], row[2]
