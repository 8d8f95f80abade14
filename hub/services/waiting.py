"""Waiting for a register of consent: what cannot be released for now is neither sent nor ended.

It keeps its place at the head of its lane, is counted as no attempt, and is tried again until its
register vouches for its decisions or the family says no (`design.md` section 6).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from hub.domain.exchange import Delivery, State
from hub.errors import Code
from hub.ports import Session
from hub.services.audit import of_delivery

HOLD: Final = timedelta(seconds=5)
"""How long until a held delivery asks again."""


def hold(session: Session, delivery: Delivery, now: datetime) -> None:
    """Leave *delivery* waiting, with the reason; the trace has one row for the whole wait."""
    waiting = replace(
        delivery,
        state=State.PENDING,
        reason=Code.REGISTER.value,
        next_attempt_at=now + HOLD,
        lease_epoch=delivery.lease_epoch + 1,
        lease_until=None,
    )
    session.put_delivery(waiting)
    if delivery.reason != Code.REGISTER.value:
        session.add_audit(of_delivery("delivery.held", waiting, at=now, code=Code.REGISTER.value))
