"""Who is told what: from the notifications of a step to one delivery per partner and service.

The recipient list of the hub.  It decides who *may* be asked about; what they see, and whether they
see anything, is the gate's to say when the delivery starts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.exchange import (
    Delivery,
    EpisodeHead,
    Involvement,
    Priority,
    State,
    Tree,
)
from hub.domain.partner import Registry
from hub.ports import Session
from hub.services.audit import row
from hub.services.unreached import unreached

INDEX: Final = frozenset({"N1", "N2", "N3", "N4", "N5", "N14"})
TEAM: Final = frozenset({"N2", "N3", "N4", "N5", "N6", "N8", "N9"})
INDEX_SERVICE: Final = "IDX/INDEX"

PRIORITIES: Final = {
    "N10": Priority.CONSENT,
    "N14": Priority.VOID,
    "N2": Priority.CLOSURE,
    "N13": Priority.STATUTORY,
}


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing to be told: *to* names the services, or is None for the audience of the kind.

    *without* are services that hear of it otherwise; *to_sender* where the sender is owed it too.
    *subjects* are the only children of whom the index hears it, where that is not all of them.
    """

    code: str
    focus: tuple[str, ...] = ()
    facts: Tree = field(default_factory=dict)
    to: tuple[str, ...] | None = None
    without: frozenset[str] = frozenset()
    to_sender: bool = False
    subjects: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the tellings of one message share."""

    head: EpisodeHead
    sender: str
    sender_services: frozenset[str]
    message_id: str
    correlation_id: str
    now: datetime
    registry: Registry


def team(involvements: Iterable[Involvement]) -> tuple[str, ...]:
    """Return the services with an open relationship, each once, in order of joining."""
    return tuple(dict.fromkeys(held.service for held in involvements if held.is_open))


def tell(
    session: Session,
    occasion: Occasion,
    tellings: Sequence[Telling],
    involvements: Sequence[Involvement],
    indexed: Sequence[tuple[str, str]],
) -> tuple[Delivery, ...]:
    """Record one delivery per recipient of every telling and return them.

    *indexed* are (subject id, opaque reference) of the children whom the index may know.  Nothing
    echoes to the sender.  A service that no connected partner serves is audited, so that `why-not`
    can say so.
    """
    made = []
    members = team(involvements)
    for telling in tellings:
        if telling.to is not None:
            recipients: Sequence[str] = telling.to
        elif telling.code in TEAM:
            recipients = members
        else:
            recipients = ()
        for service in recipients:
            own = service in occasion.sender_services and not telling.to_sender
            if own or service in telling.without:
                continue
            delivery = _to_service(session, occasion, telling, service)
            if delivery is not None:
                made.append(delivery)
        if telling.code in INDEX and telling.to is None:
            made.extend(_to_index(session, occasion, telling, indexed))
    return tuple(made)


def _to_service(
    session: Session, occasion: Occasion, telling: Telling, service: str
) -> Delivery | None:
    partner = occasion.registry.by_service(service)
    if partner is None:
        session.add_audit(
            row(
                "delivery.unroutable",
                at=occasion.now,
                actor="hub",
                code="NO_PARTNER",
                episode_id=occasion.head.episode_id,
                service=service,
                facts={"message_type": telling.code},
            )
        )
        head = occasion.head
        for alert in unreached(
            telling.code,
            service,
            None,
            head.home_authority,
            occasion.message_id,
            at=occasion.now,
            episode_id=head.episode_id,
        ):
            session.add_alert(alert)
        return None
    return _record(session, occasion, telling, partner.name, service)


def _to_index(
    session: Session, occasion: Occasion, telling: Telling, indexed: Sequence[tuple[str, str]]
) -> Iterable[Delivery]:
    index = occasion.registry.index_partner
    if index is None:
        return
    for subject_id, reference in indexed:
        if telling.subjects is not None and subject_id not in telling.subjects:
            continue
        facts = {**telling.facts, "subject_id": subject_id, "reference": reference}
        about = Telling(telling.code, telling.focus, facts)
        yield _record(session, occasion, about, index.name, INDEX_SERVICE)


def _record(
    session: Session, occasion: Occasion, telling: Telling, partner: str, service: str
) -> Delivery:
    episode_id = occasion.head.episode_id
    # At the index N1 comes before everything else of its episode, so nothing overtakes there.
    urgent = Priority.CONTENT if service == INDEX_SERVICE else PRIORITIES.get(telling.code)
    delivery = Delivery(
        delivery_id=str(uuid4()),
        partner=partner,
        service=service,
        episode_id=episode_id,
        message_type=telling.code,
        priority=int(Priority.CONTENT if urgent is None else urgent),
        lane_sequence=session.next_sequence(partner, episode_id),
        version=occasion.head.version,
        focus=telling.focus,
        facts=telling.facts,
        correlation_id=occasion.correlation_id,
        causation_id=occasion.message_id,
        created_at=occasion.now,
        state=State.PENDING,
        next_attempt_at=occasion.now,
    )
    session.put_delivery(delivery)
    return delivery
