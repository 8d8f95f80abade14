"""Notices beside the units of work: taking a page to be matched, listing, counting."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from adapters.database.rows import micros
from adapters.database.session import SqlSession
from adapters.database.statements import Statements
from hub.domain.exchange import Notice, Taken
from hub.ports import Needs

T = TypeVar("T")
_NOTHING = Needs()


class _Store(Protocol):
    _sql: Statements

    async def _submit(self, unit: Callable[[SqlSession], T], needs: Needs, *, alone: bool) -> T: ...


class StoredNotices:
    """The part of `SqlStore` for notices."""

    async def unmatched(self: _Store, limit: int) -> int:
        """Return how many notices are still to be matched, counting to *limit*."""
        statement = self._sql.notices.unmatched
        return await self._submit(lambda s: len(s.rows_of(statement, limit)), _NOTHING, alone=False)

    async def take_notices(self: _Store, limit: int, waits: Sequence[float]) -> Sequence[Taken]:
        """Count an attempt of notices that may be matched now, and return them."""
        sql = self._sql

        def take(session: SqlSession) -> Sequence[Taken]:
            rows = session.rows_of(sql.notices.fresh, limit)
            now = micros(session.clock())
            rows = rows or session.rows_of(sql.notices.tried, now, 1)
            if not rows:
                return ()
            tried: int = rows[0][4]
            until = now + int(waits[min(tried, len(waits) - 1)] * 1_000_000)
            session.change(sql.notices.count_attempt, until, sql.many([row[0] for row in rows]))
            return tuple(Taken(n, p, k, kind, tried + 1) for n, p, k, kind, tried in rows)

        return await self._submit(take, _NOTHING, alone=True)

    async def notices(
        self: _Store, states: Collection[str], after: str, limit: int
    ) -> Sequence[Notice]:
        """Return notices in these states without their bodies, by id, beyond the id *after*."""
        among: Any = self._sql.many(sorted(states))
        return await self._submit(
            lambda s: s.listed_notices(s.rows_of(self._sql.notices.listed, among, after, limit)),
            _NOTHING,
            alone=False,
        )
