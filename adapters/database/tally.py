"""How many deliveries there are by state, at a cost that does not grow with all there ever were.

What has not ended is counted by the index on the state, whenever it is asked for.  What has ended
stays ended, and every delivery of every year is among it: counting ten million of them would hold
up the one writer of a SQLite file for seconds, each time a collector asks.  So once there are
many, ended ones are told as they were at the last count, which is the older the dearer it is.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, or_, select

from adapters.database import tables as t
from adapters.database.session import SqlSession
from adapters.database.statements import Statements
from hub.domain.exchange import HOLDING, State

FEW: Final = 200_000
"""So many ended deliveries are counted anew each time."""
A_SECOND: Final = 20_000
"""Beyond that a count is good for a second for each so many: at some 300 ns a row, counting takes a
hundredth of the time at most."""
ENDED: Final = frozenset(one.value for one in frozenset(State) - HOLDING)


@dataclass(slots=True)
class Tally:
    """Counts, and remembers what has ended; used by every writer's thread."""

    monotonic: Callable[[], float] = time.monotonic
    _ended: Mapping[str, int] = field(default_factory=dict)
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counts(
        self, session: SqlSession, sql: Statements, among: Collection[State] | None
    ) -> Mapping[str, int]:
        """Return the number by state: of those *among*, counted now, or of all."""
        if among is not None:
            return _counted(session, sql, among)
        with self._lock:
            ended = self._ended if self.monotonic() < self._until else None
        if ended is not None:
            return {**ended, **_counted(session, sql, HOLDING)}
        every = _counted(session, sql, frozenset(State))  # in one statement: all of one moment
        ended = {name: number for name, number in every.items() if name in ENDED}
        total = sum(ended.values())
        with self._lock:
            self._ended = ended
            self._until = self.monotonic() + total / A_SECOND if total > FEW else 0.0
        return every


def _counted(session: SqlSession, sql: Statements, among: Collection[State]) -> Mapping[str, int]:
    state = t.delivery.c.state
    found = (
        select(state, func.count())
        .where(or_(*(state == one.value for one in sorted(among))))
        .group_by(state)
    )
    return dict(session.rows_of(*sql.bound(found)))
