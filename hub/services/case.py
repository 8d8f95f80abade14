"""The case of one delivery: the episode under the lock, and what the gate says of it now."""

from datetime import datetime

from hub.domain.exchange import Delivery, EpisodeHead, Tree
from hub.domain.partner import Partner, Registry
from hub.ports import Session
from hub.services.exception import release_by_law
from hub.services.gate import (
    Case,
    Request,
    purpose_of,
    release,
    release_to_index,
)
from hub.services.registers import Registers, heard
from hub.services.released import Released
from hub.services.share import INDEX_SERVICE
from hub.services.statutory import STATUTORY, case_of


def load_case(session: Session, delivery: Delivery, registers: Registers) -> Case | None:
    """Return the episode as the gate must see it, locked; None if it is gone."""
    if delivery.message_type == STATUTORY:
        return case_of(session, delivery, registers)
    head = session.episode(delivery.episode_id)
    content = session.version(delivery.episode_id, delivery.version)
    if head is None or content is None:
        return None
    newest = None
    if head.version != delivery.version:
        newest = session.version(delivery.episode_id, head.version)
        if newest is None:
            return None
    said = heard(registers, session, head)
    return Case(
        head=head,
        tree=content.tree,
        decisions=said.decisions,
        involvements=session.involvements(delivery.episode_id),
        newest=newest.tree if newest else None,
        unsure=said.unsure,
        vouched=session.practitioner,
        earlier=lambda partner: session.episodes_before(partner, delivery.episode_id),
    )


def request_of(delivery: Delivery, case: Case, partner: Partner, at: datetime) -> Request:
    """Return what *delivery* asks of the gate."""
    return Request(
        partner=partner,
        service=delivery.service,
        message_type=delivery.message_type,
        focus=delivery.focus,
        facts=delivery.facts,
        purpose=purpose_of(delivery.message_type, case.head),
        at=at,
    )


def ask_gate(
    case: Case, delivery: Delivery, partner: Partner, registry: Registry, at: datetime
) -> Released:
    """Return what *delivery* may show now; raises `Withheld`, or `Unavailable` for now."""
    request = request_of(delivery, case, partner, at)
    if delivery.message_type == STATUTORY:
        return release_by_law(case, request)
    mediator = coordinator(registry, case.head)
    if delivery.service == INDEX_SERVICE:
        return release_to_index(case, request, coordinator=mediator)
    return release(case, request, coordinator=mediator)


def coordinator(registry: Registry, head: EpisodeHead) -> Tree | None:
    """Return the contact block of the co-ordinator of the episode's authority, if it has one."""
    found = registry.coordinators.get(head.home_authority or "")
    if found is None:
        return None
    told = {
        "name": found.name,
        "organisation": found.organisation,
        "contact_tel": found.contact_tel,
        "email": found.email,
    }
    return {name: value for name, value in told.items() if value is not None}
