"""Setting aside: at which stage a delivery was stopped, whose move it is, and until when.

Said at once, as an alert to the operator (`reliability.md` P8): a quarantine that nobody reads is
a message lost.
"""

from datetime import datetime, timedelta
from typing import Final

from hub.domain.exchange import Alert, Delivery
from hub.errors import Code
from hub.services.alerts import alert
from hub.services.lane import CONTENT_CLASS

QUARANTINED: Final = "delivery.quarantined"
UNDELIVERED: Final = "UNDELIVERED"
"""The reason where a carrier brought a delivery back: nobody collected it."""
GONE: Final = "destination.gone"
URGENT: Final = timedelta(hours=1)
ORDINARY: Final = timedelta(hours=24)


def stage_of(reason: str | None) -> str:
    """Return at which stage a delivery was stopped, by the reason that it was given.

    >>> [stage_of(r) for r in ("GATE:KeyError", "E_MAPPING", "UNDELIVERED", "RECEIVER_REJECTED")]
    ['gate', 'render', 'send', 'receiver']
    """
    told = reason or ""
    if told.startswith("GATE:"):
        return "gate"
    if told.startswith("INTERNAL:"):
        return "hub"
    if told == "NO_PARTNER":
        return "configuration"
    if told in {"RECEIVER_REJECTED", "RECEIVER_BUSY"}:
        return "receiver"
    if told in {
        "ATTEMPTS",
        UNDELIVERED,
        Code.FORBIDDEN.value,
        Code.GONE.value,
        Code.TOO_LARGE.value,
    }:
        return "send"
    return "render"


def owner_of(one: Delivery) -> str:
    """Return whose move it is: the partner's, the integration engineer's, or the operator's."""
    stage = stage_of(one.reason)
    if stage in {"send", "receiver"}:
        return f"partner {one.partner}"
    return "integration engineer" if stage == "render" else "operator"


def due_of(one: Delivery) -> datetime:
    """Return until when somebody should have acted: an hour for what overtakes, else a day."""
    urgent = one.priority < CONTENT_CLASS
    return (one.settled_at or one.created_at) + (URGENT if urgent else ORDINARY)


def set_aside(one: Delivery, now: datetime) -> Alert:
    """Return the alert about a delivery that was just put into quarantine; each time a new one."""
    return alert(
        QUARANTINED,
        "operator",
        one.delivery_id,
        one.lease_epoch,
        at=now,
        service=one.service,
        delivery_id=one.delivery_id,
        due_at=due_of(one),
        facts={
            "message_type": one.message_type,
            "stage": stage_of(one.reason),
            "reason": one.reason or "-",
            "owner": owner_of(one),
        },
    )


def gone(one: Delivery, now: datetime) -> Alert:
    """Return the alert to the administrator of a partner whose address answered that it is gone,
    once a day: until somebody mends it, nothing is sent there.
    """
    day = now.date().isoformat()
    return alert(
        GONE,
        f"administrator:{one.service.partition('/')[0]}",
        one.partner,
        day,
        at=now,
        service=one.service,
        delivery_id=one.delivery_id,
        due_at=now + ORDINARY,
        facts={"partner": one.partner, "reason": one.reason or "-"},
    )
