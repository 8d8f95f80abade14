"""What partners sent, as a session sees it: messages, notices, and used client assertions."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from adapters.database.keys import owner_of
from adapters.database.rows import Row, micros
from adapters.database.transaction import Batch, Transaction
from hub.domain.exchange import InboxEntry, Notice
from hub.errors import Code, Conflict


class Messages(Transaction):
    """Each of these exists once: by (partner, key), by message id, by (issuer, token id)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know nothing yet."""
        super().__init__(*args, **options)
        self._inbox: dict[tuple[str, str], InboxEntry | None] = {}
        self._messages: dict[str, InboxEntry | None] = {}
        self._notices: dict[tuple[str, str], Notice | None] = {}
        self._tokens: dict[tuple[str, str], bool] = {}
        self._new_inbox: dict[str, InboxEntry] = {}
        self._dirty_notices: dict[str, Notice] = {}
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

    def notice(self, partner: str, key: str) -> Notice | None:
        """Return what this partner notified before under this key, locked until the end."""
        if (partner, key) not in self._notices:
            self._fetch(self._sql.notice, key, partner)
            row = self._cursor.fetchone()
            self._notices[(partner, key)] = None if row is None else self._rows.notice(row)
        return self._notices[(partner, key)]

    def put_notice(self, notice: Notice) -> None:
        """Insert or replace one notice."""
        before = self.notice(notice.partner, notice.key)
        if before is not None and before.notice_id != notice.notice_id:
            raise Conflict(Code.DUPLICATE, "this partner has used this key before")
        self._set(self._notices, (notice.partner, notice.key), notice)
        self._set(self._dirty_notices, notice.notice_id, notice)

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
        yield sql.put_notice, [rows.notice_row(n) for n in self._dirty_notices.values()]
        yield sql.add_token, [(*name, at) for name, at in self._new_tokens.items()]

    def forget_bodies(self) -> None:
        """Destroy the keys of notices that no longer have a body."""
        emptied = [n for n in self._dirty_notices.values() if n.body is None]
        if emptied:
            owners = [owner_of("notice", n.notice_id) for n in emptied]
            self._fetch(self._sql.drop_keys, self._sql.many(owners))

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
