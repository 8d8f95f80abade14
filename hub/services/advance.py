"""What a step leaves behind: the new head, the index references, who left and who joined."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from hub.domain.consent import Agreements
from hub.domain.exchange import EpisodeHead, Involvement, Tree
from hub.domain.partner import Registry
from hub.ports import Session
from hub.services.accept import Incoming
from hub.services.announce import KEPT, Move
from hub.services.brokering import SHIELD
from hub.services.indexing import references
from hub.services.shelter import shield_of
from hub.services.standing import service_of
from hub.services.strangers import AT_WORK, at_work
from hub.services.transfer_duties import noted


def new_head(
    registry: Registry, stored: EpisodeHead, move: Move, incoming: Incoming, version: int
) -> EpisodeHead:
    """Return the head after a move: regions, version, who assesses and leads, what to remember."""
    services = move.after.get("services", {})
    assessors = services.get("assessor", ())
    lead = _service(registry, move.after.get("responsible_practitioner"))
    facts = noted(stored.facts or {}, move.event, incoming.now)
    if move.event == "family.moved":
        facts["receiving_authority"] = move.detail.get("receiving_authority")
    if move.event == "transfer.accepted":
        facts["receiving"] = incoming.partner.name
    if move.event in {"lead_professional.changed", "lead_professional.appointed"} and facts.get(
        "receiving"
    ):
        facts["handed_on"] = True
    if move.regions.process == "TRANSFER_PENDING" and move.changes.keys() & KEPT:
        facts["kept_back"] = True
    if move.event == "transfer.accepted":
        facts.pop("kept_back", None)
    if move.closure_reason:
        facts["closure_reason"] = move.closure_reason
    facts[AT_WORK] = at_work(move.after)
    facts[SHIELD] = shield_of(move.after)
    return replace(
        stored,
        process=move.regions.process,
        resume_to=move.regions.resume_to,
        lead=move.regions.lead,
        index=move.regions.index,
        version=version,
        changed_at=incoming.now,
        home_authority=move.after.get("home_authority", stored.home_authority),
        assessor_service=service_of(assessors[0]) if assessors else stored.assessor_service,
        lead_service=lead or stored.lead_service,
        facts=facts,
    )


def _service(registry: Registry, practitioner: Tree | None) -> str | None:
    """Return the service that *practitioner* works in: named, or the only one there is."""
    named = service_of(practitioner)
    if named or not practitioner:
        return named
    served = registry.services_of(practitioner.get("organisation", ""))
    return served[0] if len(served) == 1 else None


def indexed(
    head: EpisodeHead,
    move: Move,
    agreements: Agreements,
    children: Sequence[str],
    now: datetime,
) -> tuple[list[tuple[str, str]], frozenset[str], EpisodeHead]:
    """Return the children whom the index knows or is to know, with their opaque references, and
    those of whom it never heard.
    """
    known = dict(references(head))
    before = known.keys() | set()
    if "N1" in move.notifications:
        for child in children:
            if agreements.index(child, now) != "no":
                known.setdefault(child, str(uuid4()))
        head = replace(head, facts={**(head.facts or {}), "index": known})
    return list(known.items()), frozenset(known.keys() - before), head


def left_behind(
    session: Session,
    involvements: Sequence[Involvement],
    move: Move,
    now: datetime,
) -> tuple[tuple[Involvement, ...], tuple[str, ...]]:
    """End the relationship of every service whose members have all left the team."""
    team = move.changes.get("N8")
    gone = set(team.facts.get("left", ())) if team else set()
    kept = []
    for held in involvements:
        if held.service in gone and held.is_open:
            ended = replace(held, until=now)
            session.put_involvement(ended)
            kept.append(ended)
        else:
            kept.append(held)
    return tuple(kept), tuple(sorted(gone))


def joining(
    registry: Registry,
    session: Session,
    head: EpisodeHead,
    involvements: Sequence[Involvement],
    move: Move,
    now: datetime,
) -> tuple[Involvement, ...]:
    """Keep assessor and lead in the team, so that they hear of the others, and take in who joins
    (T12), be it again.
    """
    made = []
    held = {i.service for i in involvements}
    ended = {i.service for i in involvements if not i.is_open and i.until != now}
    newcomer = move.detail.get("service") if move.event == "participant.joined" else None
    held -= ended & {head.lead_service, newcomer}
    held |= {i.service for i in involvements if i.is_open}
    for service in (head.assessor_service, head.lead_service, newcomer):
        partner = registry.by_service(service) if service else None
        if service and partner and service not in held:
            held.add(service)
            involvement = Involvement(str(uuid4()), head.episode_id, service, partner.name, now)
            session.put_involvement(involvement)
            made.append(involvement)
    return tuple(made)
