"""Waiting for a register of consent, or for somebody who may receive: what cannot be released for
now is neither sent nor ended.

It keeps its place at the head of its lane, is counted as no attempt, and is tried again until its
register vouches for its decisions, somebody eligible is there (`domain.md` 1.4), or the family says
no (`design.md` section 6).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from hub.domain.exchange import Delivery, State
from hub.errors import Code
from hub.ports import Session
from hub.services.audit import of_delivery

HOLD: Final = timedelta(seconds=5)
"""How long until a held delivery asks its register again."""
HOLD_FOR_PEOPLE: Final = timedelta(hours=1)
"""The same for people, if nothing wakes it before."""


def hold(session: Session, delivery: Delivery, now: datetime, code: Code = Code.REGISTER) -> None:
    """Leave *delivery* waiting, with the reason; the trace has one row for the whole wait."""
    waiting = replace(
        delivery,
        state=State.PENDING,
        reason=code.value,
        next_attempt_at=now + (HOLD if code is Code.REGISTER else HOLD_FOR_PEOPLE),
        lease_epoch=delivery.lease_epoch + 1,
        lease_until=None,
    )
    session.put_delivery(waiting)
    if delivery.reason != code.value:
        session.add_audit(of_delivery("delivery.held", waiting, at=now, code=code.value))
