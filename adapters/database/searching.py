"""Searching deliveries for an operator: bounded work for each page, whatever is looked for.

Three ways, by what the indexes can do.  Of one episode: all of it, newest first.  In one state:
oldest first, what stands longest.  Otherwise newest first, through at most `WINDOW` rows of the
table a page: a page may then be short, or empty, and there may still be a next one.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.sql import Select

from adapters.database import tables as t
from adapters.database.rows import micros
from adapters.database.session import SqlSession
from adapters.database.statements import Statements
from hub.domain.exchange import Delivery, Priority
from hub.domain.search import Search

WINDOW: Final = 50_000
"""How many rows a page without a state or episode looks at: some 50 ms."""


def search(
    session: SqlSession, sql: Statements, wanted: Search, after: int, limit: int
) -> tuple[Sequence[Delivery], int | None]:
    """Return one page and where the next begins, which is None at the end."""
    d = t.delivery.c
    query = select(t.delivery).where(*_conditions(wanted))
    if wanted.episode_id is not None or wanted.state is None:
        return _newest(session, sql, query, wanted, after, limit)
    query = query.order_by(d.created_at, d.position).limit(limit).offset(after)
    rows = session.rows_of(*sql.bound(query))
    return session.opened(rows), after + limit if len(rows) == limit else None


def _newest(
    session: SqlSession,
    sql: Statements,
    query: Select[Any],
    wanted: Search,
    after: int,
    limit: int,
) -> tuple[Sequence[Delivery], int | None]:
    d = t.delivery.c
    ((last,),) = session.rows_of(*sql.bound(select(func.max(d.position))))
    top = min(after or 1 << 62, (last or 0) + 1)
    least = 1 if wanted.episode_id is not None else max(top - WINDOW, 1)
    page = query.where(d.position < top, d.position >= least).order_by(d.position.desc())
    rows = session.rows_of(*sql.bound(page.limit(limit)))
    beyond = rows[-1][0] if len(rows) == limit else least
    return session.opened(rows), beyond if beyond > 1 else None


def _conditions(wanted: Search) -> list[Any]:
    d = t.delivery.c
    named = {
        d.episode_id: wanted.episode_id,
        d.partner: wanted.partner,
        d.service: wanted.service,
        d.message_type: wanted.message_type,
        d.state: None if wanted.state is None else wanted.state.value,
        d.reason: wanted.reason,
    }
    found: list[Any] = [column == value for column, value in named.items() if value is not None]
    if wanted.since is not None:
        found.append(d.created_at >= micros(wanted.since))
    if wanted.until is not None:
        found.append(d.created_at < micros(wanted.until))
    if wanted.urgent is not None:
        content = int(Priority.CONTENT)
        found.append(d.priority < content if wanted.urgent else d.priority >= content)
    return found
