"""What has not ended, counted by the database (`hub.domain.backlog`)."""

from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select

from adapters.database import tables as t
from adapters.database.rows import moment
from adapters.database.session import SqlSession
from adapters.database.statements import Statements
from hub.domain.backlog import RECALL, Backlog, Open
from hub.domain.exchange import HOLDING, Priority, State

_HELD: Final = sorted(state.value for state in HOLDING)


def _held(state: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(*(state == one for one in _HELD))


def backlog(session: SqlSession, sql: Statements) -> Backlog:
    """Return it: one pass over what is open, by the index on the state."""
    d, recall = t.delivery.c, t.delivery.alias("recall").c
    grouped = (
        select(d.partner, d.priority, d.state, func.count(), func.min(d.created_at))
        .where(_held(d.state))
        .group_by(d.partner, d.priority, d.state)
        .order_by(d.partner, d.priority, d.state)
    )
    same_lane = and_(recall.partner == d.partner, recall.episode_id == d.episode_id)
    waiting = select(func.min(recall.created_at)).where(
        d.state == State.SENDING.value,
        d.priority >= int(Priority.CONTENT),
        same_lane,
        recall.message_type == RECALL,
        _held(recall.state),
        recall.created_at >= d.created_at,
    )
    found = tuple(
        Open(partner, priority, State(state), count, moment(oldest))
        for partner, priority, state, count, oldest in session.rows_of(*sql.bound(grouped))
    )
    ((since,),) = session.rows_of(*sql.bound(waiting))
    return Backlog(found, None if since is None else moment(since))
