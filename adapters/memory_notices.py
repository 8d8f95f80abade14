"""Notices in dictionaries: the part of `adapters.memory` for schools and health systems."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.memory_alerts import MemoryAlerts
from hub.domain.exchange import SET_ASIDE, UNMATCHED, WAITING, Notice, Taken
from hub.errors import Code, Conflict

SENT_AGAIN: Final = timedelta(days=34)
"""How long after its own day a notice is known when it is sent again (35 in all, P4)."""


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

    def sealed_notice(self, notice_id: str) -> Notice | None:
        """Return one by its id, without its body."""
        kept: Any = self._t.notices.values()
        return next((replace(n, body=None) for n in kept if n.notice_id == notice_id), None)

    def change_notice(self, notice: Notice, *, erase: bool = False) -> None:
        """Write all but the body, which stays as it is, or is destroyed."""
        name = (notice.partner, notice.key)
        kept = self._t.notices[name]
        changed = replace(
            kept,
            body=None if erase else kept.body,
            expires_at=notice.expires_at,
            state=notice.state,
            attempts=notice.attempts,
            next_attempt_at=notice.next_attempt_at,
            reason=notice.reason,
            decider=notice.decider,
        )
        self._set(self._t.notices, name, changed)

    def expired_notices(self, now: datetime, limit: int) -> Sequence[Notice]:
        """Return, without their bodies, those that wait for a person and are past their time."""
        kept: Any = self._t.notices.values()
        found = [n for n in kept if n.state in (WAITING, SET_ASIDE) and n.expires_at <= now]
        found.sort(key=lambda n: n.expires_at)
        return tuple(replace(n, body=None) for n in found[:limit])


class KeptNotices:
    """How a store takes notices, lists them and forgets them."""

    _tables: Any

    async def unmatched(self, limit: int) -> int:
        """Return how many notices are still to be matched, counting to *limit*."""
        kept = self._tables.notices.values()
        return min(limit, sum(1 for n in kept if n.state == UNMATCHED))

    async def take_notices(self, limit: int, waits: Sequence[float]) -> Sequence[Taken]:
        """Count an attempt of notices that may be matched now, and return them."""
        kept: dict[tuple[str, str], Notice] = self._tables.notices
        received = [n for n in kept.values() if n.state == UNMATCHED]
        now = datetime.now(UTC)
        found = sorted((n for n in received if not n.attempts), key=lambda n: n.received_at)[:limit]
        if not found:
            again = [n for n in received if n.next_attempt_at and n.next_attempt_at <= now]
            found = sorted(again, key=lambda n: n.next_attempt_at or now)[:1]
        for n in found:
            until = now + timedelta(seconds=waits[min(n.attempts, len(waits) - 1)])
            counted = replace(n, attempts=n.attempts + 1, next_attempt_at=until)
            kept[n.partner, n.key] = counted
        return tuple(Taken(n.notice_id, n.partner, n.key, n.kind, n.attempts + 1) for n in found)

    async def notices(self, states: Collection[str], after: str, limit: int) -> Sequence[Notice]:
        """Return notices in these states without their bodies, by id, beyond the id *after*."""
        kept: Any = self._tables.notices.values()
        found = [n for n in kept if n.state in states and n.notice_id > after]
        found.sort(key=lambda n: n.notice_id)
        return tuple(replace(n, body=None) for n in found[:limit])

    def purge_notices(self, now: datetime) -> int:
        """Forget those that have ended and that nobody sends again."""
        kept: dict[tuple[str, str], Notice] = self._tables.notices
        old = [
            name
            for name, n in kept.items()
            if n.expires_at <= now - SENT_AGAIN and n.state not in (UNMATCHED, WAITING, SET_ASIDE)
        ]
        for name in old:
            del kept[name]
        return len(old)
