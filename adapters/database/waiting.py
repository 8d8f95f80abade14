"""Waits of deliveries on the database, all at once: the part of `SqlStore` for a clock that is set.

A delivery and the lane whose head it is name the same moment (`statements.LANES`); both are moved.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from adapters.database.rows import micros
from adapters.database.session import SqlSession
from adapters.database.statements import Statements
from hub.ports import Needs

T = TypeVar("T")
_NOTHING = Needs()
_DELIVERY = """
UPDATE delivery SET next_attempt_at = CASE
    WHEN next_attempt_at - {m} < {m} THEN {m} ELSE next_attempt_at - {m} END
WHERE state = 'pending' AND next_attempt_at > {m}
"""
_LANE = """
UPDATE lane SET head_due = CASE WHEN head_due - {m} < {m} THEN {m} ELSE head_due - {m} END
WHERE head_due IS NOT NULL AND head_due > {m}
"""


class _Store(Protocol):
    _sql: Statements

    async def _submit(self, unit: Callable[[SqlSession], T], needs: Needs, *, alone: bool) -> T: ...


class StoredWaits:
    """The part of `SqlStore` for waits."""

    async def sooner(self: _Store, now: datetime, after: datetime, by: timedelta) -> int:
        """Let pending deliveries that wait beyond *after* go *by* sooner, not before *now*."""
        mark = "%s" if self._sql.postgresql else "?"
        step, least = by // timedelta(microseconds=1), micros(now)
        values = (step, least, least, step, micros(after))

        def move(session: SqlSession) -> int:
            moved = session.change(_DELIVERY.format(m=mark), *values)
            session.change(_LANE.format(m=mark), *values)
            return moved

        return await self._submit(move, _NOTHING, alone=True)
