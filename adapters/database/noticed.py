"""Notices from schools and health systems, as the database finds them."""

from typing import Any

from sqlalchemy import Select, bindparam, select, text

from adapters.database import tables as t


def one_notice() -> Select[Any]:
    """Return the query of one by key and partner, under its row lock."""
    n = t.notice.c
    one = select(t.notice).where(n.key == bindparam("k"), n.partner == bindparam("p"))
    return one.with_for_update()


def unmatched() -> Select[Any]:
    """Return the query of those that nobody has looked at, oldest first."""
    n = t.notice.c
    return select(n.partner, n.key).where(text(t.RECEIVED)).order_by(n.received_at)


def old_notices() -> Select[Any]:
    """Return the query of those that were looked at, belong to nobody and are past their time."""
    n = t.notice.c
    return select(n.notice_id).where(
        n.expires_at <= bindparam("x"), n.episode_id.is_(None), text(f"NOT ({t.RECEIVED})")
    )
