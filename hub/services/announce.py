"""What a step and the difference that it made are to be told, to whom: each thing once.

The recipient lists of `domain.md` 1.5 and the table 1.2: N1-N5 from the difference, the others from
events.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.consent import Agreements
from hub.domain.difference import Derived
from hub.domain.exchange import EpisodeHead, Tree
from hub.domain.regions import Regions
from hub.ports import Session
from hub.services.consents import Standing
from hub.services.holding import owed, told
from hub.services.indexing import SHARING
from hub.services.share import Telling
from hub.services.standing import responsible

KEPT: Final = frozenset({"N6", "N9"})
"""Changes that are kept and told to nobody while a transfer is pending."""
PLANNING: Final = frozenset({"plan.agreed", "action.updated", "review.completed"})
REQUESTS: Final = frozenset({"service.requested", "service.request_withdrawn"})


@dataclass(frozen=True, slots=True)
class Move:
    """What one message does to its episode: regions, content, and what is to be told."""

    regions: Regions
    transitions: tuple[str, ...]
    notifications: frozenset[str]
    before: Tree
    after: Tree
    changes: Mapping[str, Derived]
    event: str | None
    detail: Tree
    closure_reason: str | None = None


def tellings(
    session: Session,
    head: EpisodeHead,
    found: Standing,
    move: Move,
    agreements: Agreements,
    left: Sequence[str],
    fresh: frozenset[str],
    now: datetime,
) -> list[Telling]:
    """Return what is to be told, each thing once: from the steps, and from what changed.

    *left* are the services that left the team, *fresh* the children of whom the index never heard.
    """
    named = move.notifications
    if "N14" in named:
        copies = {"copies": "DELETE"}
        return [
            Telling("N14", facts=copies),
            Telling("N14", facts=copies, to=told(session, head.episode_id)),
        ]
    tellings = []
    if "N1" in named and fresh:
        tellings.append(Telling("N1", subjects=fresh))
    if "N2" in named:
        tellings.extend(_closing(head, found, move))
    tellings.extend(
        Telling(code, _focus(move.changes[code]), _small(move.changes[code].facts))
        for code in ("N3", "N4", "N5")
        if code in named
    )
    if move.event == "transfer.accepted":
        tellings.extend(_transfer(session, head, found, move, agreements, now))
    elif head.process in SHARING:
        joined = _sharing(move, agreements, now) if "N7" in named else ()
        if joined:
            tellings.append(Telling("N7", to=joined))
        tellings.extend(_content(session, head, found, move, frozenset(joined)))
    if "N8" in named:
        tellings.append(Telling("N8", facts=_team(move)))
    if left:
        tellings.append(Telling("N8", ("left",), {"you_have_left": True}, to=tuple(left)))
    tellings.extend(_requests(head, move))
    return tellings


def _closing(head: EpisodeHead, found: Standing, move: Move) -> list[Telling]:
    """Return N2; where social care's decision closed the episode (T29), the system that keeps the
    record is told why, whatever is shared: it must write that down.  Nobody else learns it.
    """
    keeper = responsible(found.head) if found.head is not None else None
    if move.event != "social_care.decision" or keeper is None:
        return [Telling("N2")]
    closed_at = str(move.after["closed_at"])
    closure = {"closed_on": closed_at[:10], "closure_reason": move.closure_reason}
    kept = {"status": head.process, "closed_at": closed_at, "closure": closure}
    return [
        Telling("N2", without=frozenset({keeper})),
        Telling("N2", ("closed",), {"episode": kept}, to=(keeper,)),
    ]


def _focus(change: Derived) -> tuple[str, ...]:
    """Return what a change is about: whose contact details (N4), or which paths."""
    if change.code == "N4":
        return tuple(change.facts.get("practitioners", ()))
    return change.paths


def _team(move: Move) -> dict[str, Any]:
    """Return the facts of a team event: a meeting by its name, and who came or went.

    No other event is named: what else a message was about is not the team's to hear.
    """
    facts: dict[str, Any] = {}
    for transition, meeting in (("T9", "team.called"), ("T14", "review.opened")):
        if transition in move.transitions:
            facts["event"] = meeting
    change = move.changes.get("N8")
    moved = change.facts if change else {}
    joined = {*moved.get("joined", ())}
    if move.event == "participant.joined" and move.detail.get("service"):
        joined.add(str(move.detail["service"]))
    for name, services in (("joined", joined), ("left", moved.get("left", ()))):
        if services:
            facts[name] = sorted(services)
    return facts


def _content(
    session: Session, head: EpisodeHead, found: Standing, move: Move, joined: frozenset[str]
) -> list[Telling]:
    """Return N9 for a changed plan, N6 for changed content to those who have it or soon will.

    Who is *joined* by this very message gets all of it by N7.
    """
    tellings = []
    if "N6" in move.notifications:
        had = owed(session, head.episode_id, {i.service for i in found.involvements} - joined)
        wrote = {i.service for i in found.involvements if i.partner in _writers(found)} - joined
        tellings.append(Telling("N6", to=tuple(sorted(had | wrote))))
    change = move.changes.get("N9")
    asked = change is not None and change.paths == ("plan.service_request",)
    if "N9" in move.notifications and not (asked and move.event in REQUESTS):
        # The lead professional hears of an answer by N16 (T35).
        lead = responsible(head) if move.event == "service.answered" else None
        facts = {"event": move.event} if move.event in PLANNING else {}
        tellings.append(Telling("N9", facts=facts, without=joined | ({lead} if lead else set())))
    return tellings


def _writers(found: Standing) -> AbstractSet[str]:
    """Return the partners that have written to the episode: they hold what they wrote."""
    facts = (found.head.facts if found.head else None) or {}
    seen: Mapping[str, Any] = facts.get("seen", {})
    return seen.keys()


def _transfer(
    session: Session,
    head: EpisodeHead,
    found: Standing,
    move: Move,
    agreements: Agreements,
    now: datetime,
) -> list[Telling]:
    """Return the acceptance for the lead who offered, and N7 for all who are newly consented.

    Who had content before hears of what was only kept while the transfer was pending.
    """
    tellings = []
    offering = responsible(found.head) if found.head is not None else None
    if offering:
        facts = {"kind": "accepted", "receiving_authority": head.home_authority}
        tellings.append(Telling("N11", ("accepted",), facts, to=(offering,)))
    services = agreements.services(now)
    had = owed(session, head.episode_id, {*services, *(i.service for i in found.involvements)})
    newly = tuple(sorted(services - had))
    # The sender accepted without having seen any content: it is owed its part too.
    tellings.append(Telling("N7", to=newly, to_sender=True))
    kept = found.head is not None and (found.head.facts or {}).get("kept_back")
    if kept or move.changes.keys() & KEPT:
        tellings.append(Telling("N6", to=tuple(sorted(had))))
    return tellings


def _sharing(move: Move, agreements: Agreements, now: datetime) -> tuple[str, ...]:
    """Return to whom N7 goes: the service that joined (T12), or everybody whom a decision lists."""
    joined = move.detail.get("service")
    if move.event == "participant.joined" and joined:
        return (str(joined),)
    return tuple(sorted(agreements.services(now)))


def _small(facts: Tree) -> dict[str, Any]:
    return {k: v for k, v in facts.items() if k in {"effective_on", "was_acting", "changed"}}


def _requests(head: EpisodeHead, move: Move) -> list[Telling]:
    """Return N16 for every request that is new, withdrawn or answered (T34-T36).

    A request lives inside an agreed plan: one that was drafted before goes with the agreement.
    """
    if head.process not in {"PLAN_ACTIVE", "IN_REVIEW"}:
        return []
    before = {} if move.event == "plan.agreed" else move.before
    old = {r["id"]: r for r in before.get("plan", {}).get("service_request", ())}
    tellings = []
    for request in move.after.get("plan", {}).get("service_request", ()):
        known = old.get(request["id"])
        response, service = request.get("response"), request["requested_service"]
        facts = {"request_id": request["id"], "requested_service": service}
        if known is None:
            if response in {None, "SENT"}:
                asked = {**facts, "kind": "request"}
                tellings.append(Telling("N16", ("request", request["id"]), asked, (service,)))
        elif known.get("response") != response:
            lead = responsible(head)
            if response == "WITHDRAWN":
                withdrawn = {**facts, "kind": "withdrawn"}
                tellings.append(Telling("N16", ("withdrawn",), withdrawn, (service,)))
            elif lead and response not in {None, "SENT"}:
                answer = {**facts, "kind": "answer", "answer": response}
                tellings.append(Telling("N16", ("answer",), answer, (lead,)))
    return tellings
