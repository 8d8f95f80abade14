"""Notices in dictionaries: the part of `adapters.memory` for schools and health systems."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from adapters.memory_alerts import MemoryAlerts
from hub.domain.exchange import UNMATCHED, Notice
from hub.errors import Code, Conflict


class MemoryNotices(MemoryAlerts):
    """How a session keeps notices: one for each partner and key."""

    _t: Any

    def notice(self, partner: str, key: str) -> Notice | None:
        """Return what this partner notified before under this key."""
        found: Notice | None = self._t.notices.get((partner, key))
        return found

    def put_notice(self, notice: Notice) -> None:
        """Insert or replace one notice."""
        before = self.notice(notice.partner, notice.key)
        if before is not None and before.notice_id != notice.notice_id:
            raise Conflict(Code.DUPLICATE, "this partner has used this key before")
        self._set(self._t.notices, (notice.partner, notice.key), notice)


class KeptNotices:
    """How a store lists notices and destroys them."""

    _tables: Any

    async def unmatched(self, limit: int) -> Sequence[tuple[str, str]]:
        """Return (partner, key) of notices that nobody has looked at, oldest first."""
        kept = self._tables.notices.items()
        found = [(n.received_at, name) for name, n in kept if n.state == UNMATCHED]
        found.sort(key=lambda one: one[0])
        return tuple(name for _, name in found[:limit])

    def purge_notices(self, now: datetime) -> int:
        """Destroy those that were looked at, belong to nobody and are past their time."""
        kept: dict[tuple[str, str], Notice] = self._tables.notices
        old = [
            name
            for name, n in kept.items()
            if n.episode_id is None and n.expires_at <= now and n.state != UNMATCHED
        ]
        for name in old:
            del kept[name]
        return len(old)
