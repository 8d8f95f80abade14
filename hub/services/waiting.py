"""Waiting for a register of consent, for somebody who may receive, for the end of a suspension, or
with a recall for an organisation to be accredited again: what cannot be released for now is neither
sent nor ended.

It keeps its place at the head of its lane, is counted as no attempt, and is tried again until its
register vouches for its decisions, somebody eligible is there (`domain.md` 1.4), or the family says
no (`design.md` section 6).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from hub.domain.exchange import Delivery, State
from hub.domain.partner import Partner
from hub.errors import Code
from hub.ports import Session
from hub.services.audit import of_delivery
from hub.services.unreached import kept, unreached

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


def waits(delivery: Delivery, code: Code) -> bool:
    """Return whether *delivery*, which the gate stops with *code*, waits rather than ends."""
    return code is Code.USER_NOT_ELIGIBLE or kept(delivery.message_type, code)


def wait(
    session: Session,
    delivery: Delivery,
    partner: Partner,
    authority: str | None,
    now: datetime,
    code: Code,
) -> None:
    """Leave *delivery* waiting for *code* to pass, and say so at once where it is a recall."""
    hold(session, delivery, now, code)
    if code not in (Code.ORG_NOT_ACCREDITED, Code.SUSPENDED):
        return
    about = delivery.delivery_id
    for alert in unreached(
        delivery.message_type,
        delivery.service,
        partner,
        authority,
        about,
        at=now,
        episode_id=delivery.episode_id,
        delivery_id=about,
        code=code,
    ):
        session.add_alert(alert)
