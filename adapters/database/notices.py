"""Notices from schools and health systems, as a session sees them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.database.keys import owner_of
from adapters.database.rows import Row, micros
from adapters.database.transaction import Batch, Transaction
from hub.domain.exchange import Notice
from hub.errors import Code, Conflict


class Notices(Transaction):
    """Each exists once, by (partner, key); a body has a key of its own, which goes with it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know nothing yet."""
        super().__init__(*args, **options)
        self._notices: dict[tuple[str, str], Notice | None] = {}
        self._dirty_notices: dict[str, Notice] = {}
        self._changed_notices: dict[str, Notice | None] = {}
        self._erased_notices: dict[str, bool] = {}

    def notice(self, partner: str, key: str) -> Notice | None:
        """Return what this partner notified before under this key, locked until the end."""
        if (partner, key) not in self._notices:
            self._fetch(self._sql.notices.one, key, partner)
            row = self._cursor.fetchone()
            self._notices[(partner, key)] = None if row is None else self._as_changed(row)
        return self._notices[(partner, key)]

    def sealed_notice(self, notice_id: str) -> Notice | None:
        """Return one by its id, locked, without its body."""
        known = self._dirty_notices.get(notice_id) or self._changed_notices.get(notice_id)
        if known is not None:
            return replace(known, body=None)
        self._fetch(self._sql.notices.sealed, notice_id)
        row = self._cursor.fetchone()
        return None if row is None else self._rows.notice(row)

    def put_notice(self, notice: Notice) -> None:
        """Insert or replace one notice."""
        before = self.notice(notice.partner, notice.key)
        if before is not None and before.notice_id != notice.notice_id:
            raise Conflict(Code.DUPLICATE, "this partner has used this key before")
        self._set(self._notices, (notice.partner, notice.key), notice)
        self._set(self._dirty_notices, notice.notice_id, notice)
        self._set(self._changed_notices, notice.notice_id, None)

    def change_notice(self, notice: Notice, *, erase: bool = False) -> None:
        """Write all but the body, which stays sealed as it is, or is destroyed."""
        name, notice_id = (notice.partner, notice.key), notice.notice_id
        known = self._dirty_notices.get(notice_id) or self._notices.get(name)
        kept = None if known is None or erase else known.body
        if notice_id in self._dirty_notices:
            self.put_notice(replace(notice, body=kept))
            return
        if known is not None:
            self._set(self._notices, name, replace(notice, body=kept))
        self._set(self._changed_notices, notice_id, notice)
        if erase:
            self._set(self._erased_notices, notice_id, True)

    def _as_changed(self, row: Row) -> Notice:
        """Open a row, as far as this group has not changed it."""
        found = self._rows.notice(row)
        changed = self._changed_notices.get(found.notice_id)
        if changed is None:
            return found
        gone = found.notice_id in self._erased_notices
        return replace(changed, body=None if gone else found.body)

    def expired_notices(self, now: datetime, limit: int) -> Sequence[Notice]:
        """Return, without their bodies, those that wait for a person and are past their time."""
        return self.listed_notices(self.rows_of(self._sql.notices.expired, micros(now), limit))

    def listed_notices(self, rows: Sequence[Row]) -> Sequence[Notice]:
        """Return *rows*, whose bodies were not asked for."""
        return tuple(self._rows.notice(row) for row in rows)

    def notice_batches(self) -> Iterator[Batch]:
        """Yield what is to be sent."""
        made = [self._rows.notice_row(n) for n in self._dirty_notices.values()]
        yield self._sql.put_notice, made

    def change_notices(self) -> None:
        """Send the changes, and destroy the keys of those that no longer have a body."""
        emptied = [n.notice_id for n in self._dirty_notices.values() if n.body is None]
        for notice in filter(None, self._changed_notices.values()):
            statements, erase = self._sql.notices, notice.notice_id in self._erased_notices
            again = None if notice.next_attempt_at is None else micros(notice.next_attempt_at)
            self._fetch(
                statements.erase if erase else statements.change,
                *(micros(notice.expires_at), notice.state, notice.attempts, again),
                *(notice.reason, notice.decider, notice.notice_id),
            )
            if erase:
                emptied.append(notice.notice_id)
        if emptied:
            owners = [owner_of("notice", name) for name in emptied]
            self._fetch(self._sql.drop_keys, self._sql.many(owners))
