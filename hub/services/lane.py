"""Lanes: deliveries to one partner about one episode, in order; who waits for whom."""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.exchange import Delivery, Priority, State
from hub.ports import Session
from hub.services.views import CONTENT

CONTENT_CLASS: Final = int(Priority.CONTENT)


def holds(other: Delivery, delivery: Delivery) -> bool:
    """Return whether *other* must end before *delivery* may start, both being of one lane.

    Content waits for an unacknowledged N10 and behind what is quarantined; what overtakes waits for
    nothing but its own kind (`domain.md` 1.5 and 4.4).
    """
    if other.delivery_id == delivery.delivery_id:
        return False
    ahead = (other.priority, other.lane_sequence) < (delivery.priority, delivery.lane_sequence)
    if other.state is State.HANDED_OVER:
        return other.message_type == "N10" and delivery.priority >= CONTENT_CLASS
    if other.state is State.QUARANTINED:
        return ahead and delivery.priority >= CONTENT_CLASS
    return ahead


def holder(session: Session, delivery: Delivery) -> Delivery | None:
    """Return the first delivery of its lane that *delivery* waits for, if it waits for any."""
    if delivery.state is not State.PENDING:
        return None
    lane = session.unsettled(delivery.episode_id, delivery.partner)
    return next((other for other in lane if holds(other, delivery)), None)


def following(session: Session, ended: Delivery) -> tuple[str, ...]:
    """Return what is now at the head of the lane of *ended*."""
    lane = session.unsettled(ended.episode_id, ended.partner)
    return tuple(
        waiting.delivery_id
        for waiting in lane
        if waiting.state is State.PENDING
        and waiting.delivery_id != ended.delivery_id
        and not any(holds(other, waiting) for other in lane)
    )


def successor(session: Session, delivery: Delivery, newest: int, now: datetime) -> Delivery:
    """Return a new delivery of the same thing, at the end of the lane, as if never attempted.

    Content is then the *newest* version: what is before it on the lane may be newer than what the
    old delivery showed, and versions reach a recipient in order.
    """
    return replace(
        delivery,
        version=newest if delivery.message_type in CONTENT else delivery.version,
        delivery_id=str(uuid4()),
        lane_sequence=session.next_sequence(delivery.partner, delivery.episode_id),
        causation_id=delivery.delivery_id,
        created_at=now,
        state=State.PENDING,
        reason=None,
        attempts=0,
        next_attempt_at=now,
        lease_owner=None,
        lease_epoch=0,
        lease_until=None,
        sequence=None,
        digest=None,
        evidence=None,
        settled_at=None,
    )


def recalled(session: Session, episode_id: str, partner: str) -> bool:
    """Return whether a recall (N10) to this partner is not yet acknowledged."""
    lane = session.unsettled(episode_id, partner)
    return any(waiting.message_type == "N10" for waiting in lane)
