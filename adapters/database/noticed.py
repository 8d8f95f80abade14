"""Notices from schools and health systems, as the database finds and changes them."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, select, text, update

from adapters.database import tables as t

UNSEALED = [c if c.name != "body" else text("NULL") for c in t.notice.c]
"""The columns without the body, which then needs no key."""


class NoticeStatements:
    """The statements about notices, in the text of one database."""

    def __init__(
        self, compile_: Callable[..., str], among: Callable[[Any], Any], mark: str, *, skips: bool
    ) -> None:
        """Compile; *skips*: the database can leave out rows that others have locked."""
        n = t.notice.c
        one = select(t.notice)
        limit = f" LIMIT {mark}"
        # Of several workers each takes what the others have not.
        locked = limit + (" FOR UPDATE SKIP LOCKED" if skips else "")
        by_key = one.where(n.key == bindparam("k"), n.partner == bindparam("p"))
        self.one = compile_(by_key.with_for_update())
        received = text(t.RECEIVED)
        taken = select(n.notice_id, n.partner, n.key, n.kind, n.attempts)
        fresh = taken.where(received, n.attempts == text("0"))
        self.fresh = compile_(fresh.order_by(n.received_at), locked)
        tried = taken.where(received, n.next_attempt_at <= bindparam("now"))
        self.tried = compile_(tried.order_by(n.next_attempt_at), locked)
        counted = (
            update(t.notice)
            .values(attempts=n.attempts + text("1"), next_attempt_at=bindparam("until"))
            .where(among(n.notice_id))
        )
        self.count_attempt = compile_(counted)
        self.unmatched = compile_(select(n.notice_id).where(received), limit)
        self.sealed = compile_(
            select(*UNSEALED).where(n.notice_id == bindparam("x")).with_for_update()
        )
        names = ("body", "expires_at", "state", "attempts", "next_attempt_at", "reason", "decider")
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        here = n.notice_id == bindparam("x")
        self.erase = compile_(update(t.notice).values({**values, "body": text("NULL")}).where(here))
        del values["body"]
        self.change = compile_(update(t.notice).values(values).where(here))
        waiting = text(t.WAITING)
        past = select(*UNSEALED).where(n.expires_at <= bindparam("x"), waiting)
        self.expired = compile_(past.order_by(n.expires_at), limit)
        listed = select(*UNSEALED).where(among(n.state), n.notice_id > bindparam("x"))
        self.listed = compile_(listed.order_by(n.notice_id), limit)
        waits = text(f"NOT ({t.RECEIVED}) AND NOT ({t.WAITING})")
        self.old = compile_(select(n.notice_id).where(n.expires_at <= bindparam("x"), waits))
