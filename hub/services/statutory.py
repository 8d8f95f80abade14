"""The lane of a disclosure without consent: one of its own, beside the episode and never in it.

Everything that others can observe of an episode (its head, versions, deliveries, counts, lanes,
audit) is found by the episode's reference.  A disclosure (N13) has a reference of its own, so that
nobody who is part of the episode can notice it, whatever they ask (`domain.md` 4.6, rule 5).  The
lane needs no decision to be read: what was decided travels with the delivery.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.disclosure import AGREED, DISCLOSE
from hub.domain.exchange import Delivery, EpisodeHead, Priority, State, Tree
from hub.ports import Session
from hub.services.gate import Case
from hub.services.registers import Registers, heard

STATUTORY: Final = "N13"
PREFIX: Final = "dsc-"
TOLD: Final = "statutory"
"""Where an episode's head remembers which services were told of it by law; shown to nobody."""


def delivery_of(
    session: Session,
    record: Tree,
    content: Tree,
    *,
    partner: str,
    service: str,
    message_id: str,
    correlation_id: str,
    now: datetime,
) -> Delivery:
    """Record the delivery of a disclosure on a lane of its own, before everything else that waits.

    *content* is the part of an episode that it discloses: cut, and sheltered where it was the
    hub's.
    """
    reference = f"{PREFIX}{uuid4()}"
    delivery = Delivery(
        delivery_id=str(uuid4()),
        partner=partner,
        service=service,
        episode_id=reference,
        message_type=STATUTORY,
        priority=int(Priority.STATUTORY),
        lane_sequence=session.next_sequence(partner, reference),
        version=0,
        focus=(),
        facts={"disclosure": record, "episode": content},
        correlation_id=correlation_id,
        causation_id=message_id,
        created_at=now,
        state=State.PENDING,
        next_attempt_at=now,
    )
    session.put_delivery(delivery)
    return delivery


def case_of(session: Session, delivery: Delivery, registers: Registers) -> Case:
    """Return what the gate decides on.  Decisions are read for s17 alone, which rests on them."""
    record, episode_id = delivery.facts["disclosure"], reference_of(delivery)
    if record["kind"] != DISCLOSE or record["basis"] != AGREED:
        return Case(_head(episode_id, delivery), delivery.facts["episode"], (), ())
    head = session.episode(episode_id)
    if head is None:
        return Case(_head(episode_id, delivery), delivery.facts["episode"], (), ())
    content, said = session.version(episode_id, head.version), heard(registers, session, head)
    return Case(
        head=replace(_head(episode_id, delivery), home_authority=head.home_authority),
        tree=delivery.facts["episode"],
        decisions=said.decisions,
        involvements=(),
        newest=content.tree if content else {},
        unsure=said.unsure,
    )


def reference_of(delivery: Delivery) -> str:
    """Return the reference that the recipient knows it by: the sender's, else the lane's own."""
    return str(delivery.facts["disclosure"].get("episode_id") or delivery.episode_id)


def _head(episode_id: str, delivery: Delivery) -> EpisodeHead:
    """Return a head that stands for the disclosure: it has no state, no versions and no owner."""
    return EpisodeHead(
        episode_id=episode_id,
        owner="",
        home_authority=None,
        process="NONE",
        resume_to=None,
        lead="NONE",
        index="NONE",
        version=0,
        consent_version=0,
        created_at=delivery.created_at,
        changed_at=delivery.created_at,
    )
