"""Vacancy: what happens when the lead professional's access ends, until somebody acts.

Source: `domain.md` 1.4 (`VACANT`), T18 and scenario S8.  The place falls vacant by the hub's own
step; nobody is told why, and the team hears of it when somebody follows (N3).  What waits for the
lead's service waits for whoever acts next, and reaches nobody who was stopped.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from hub.domain.events import Event
from hub.domain.exchange import Delivery, EpisodeHead, State, Tree
from hub.domain.lifecycle import step
from hub.domain.partner import Partner, Registry
from hub.domain.regions import LIVE, Facts, Lead, Regions, Role
from hub.ports import Session
from hub.services.audit import of_delivery, row
from hub.services.lane import successor
from hub.services.notice_rights import TEAM
from hub.services.standing import service_of

LEADS: Final = frozenset({Lead.ACTING, Lead.APPOINTED, Lead.HANDOVER_PENDING})
LEADS_ONLY: Final = frozenset({"NOTICE", "N16"})
"""What is sent to whoever leads, and not to a service for its own part (but a notice for a member
of the team is)."""


def lead_stands(
    session: Session, registry: Registry, head: EpisodeHead, tree: Tree, now: datetime
) -> bool:
    """Return whether whoever is responsible may still be: organisation accredited with the home
    authority, person vouched for today.
    """
    person = tree.get("responsible_practitioner")
    partner = _employer(registry, head, person)
    if person is None or partner is None:
        return True  # nobody whom this hub could ask
    if not partner.accredited_in(head.home_authority, now.date()):
        return False
    if not partner.vouches:
        return True
    said = session.practitioner(partner.organisation, str(person.get("practitioner_id")))
    return said is not None and said.eligible(now.date(), "receive")


def _employer(registry: Registry, head: EpisodeHead, person: Tree | None) -> Partner | None:
    service = service_of(person) or head.lead_service or head.assessor_service
    return registry.by_service(service) if service else None


def vacate(
    session: Session, registry: Registry, episode_id: str, now: datetime
) -> EpisodeHead | None:
    """Let the lead's place fall vacant if the lead's access has ended; return the new head then.

    Only the region changes: no version, no reason, nothing that could be told to anybody.
    """
    head = session.episode(episode_id)
    if head is None or head.process not in LIVE or head.lead not in LEADS or not head.version:
        return None
    content = session.version(episode_id, head.version)
    if content is None or lead_stands(session, registry, head, content.tree, now):
        return None
    was = Regions(head.process, head.resume_to, head.lead, head.index)
    facts = Facts(roles=frozenset({Role.HUB}), access_ended=True)
    taken = step(was, Event.LEAD_PROFESSIONAL_CHANGED, facts)
    vacant = replace(
        head,
        lead=taken.regions.lead,
        changed_at=now,
        facts={**(head.facts or {}), "vacant_since": now.isoformat()},
    )
    session.put_episode(vacant)
    session.add_audit(row("lead.vacant", at=now, actor="hub", episode_id=episode_id))
    return vacant


def filled(head: EpisodeHead) -> EpisodeHead:
    """Return the head of an episode that has a lead again, without what was noted of the gap."""
    facts = {name: value for name, value in (head.facts or {}).items() if name != "vacant_since"}
    return replace(head, facts=facts)


def hand_on(
    session: Session,
    was: EpisodeHead,
    head: EpisodeHead,
    registry: Registry,
    now: datetime,
) -> Sequence[Delivery]:
    """Wake what waited while nobody led, now that somebody does; return what may go.

    What only a lead is sent goes to the service of whoever leads now; the rest goes where it was
    going, as soon as somebody there may receive it.  It shows the episode as it stands now, with
    whoever leads now.
    """
    if was.lead != Lead.VACANT or head.lead == Lead.VACANT:
        return ()
    woken = []
    moved = head.lead_service != was.lead_service
    heir_of = registry.by_service(head.lead_service) if head.lead_service else None
    for waiting in session.unsettled(head.episode_id):
        if waiting.state is not State.PENDING or waiting.service != was.lead_service:
            continue
        leads = waiting.message_type in LEADS_ONLY and waiting.focus != TEAM
        if moved and leads and heir_of is not None:
            ended = replace(waiting, state=State.SUPPRESSED, reason="LEAD_CHANGED", settled_at=now)
            session.put_delivery(ended)
            session.add_audit(
                of_delivery("delivery.suppressed", ended, at=now, code="LEAD_CHANGED")
            )
            again = replace(waiting, partner=heir_of.name, service=str(head.lead_service))
            may_go = successor(session, again, head.version, now)
        else:
            may_go = replace(waiting, version=head.version, next_attempt_at=now)
        session.put_delivery(may_go)
        woken.append(may_go)
    return tuple(woken)


def end_of_next_working_day(at: datetime) -> datetime:
    """Return when one working day is over after *at*: midnight (UTC) after the next weekday.

    Bank holidays are not known here; a day too early is a warning too early.

    >>> end_of_next_working_day(datetime(2026, 10, 9, 8, tzinfo=UTC)).isoformat()
    '2026-10-13T00:00:00+00:00'
    """
    day = at.astimezone(UTC).date() + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return datetime.combine(day + timedelta(days=1), time(), UTC)
