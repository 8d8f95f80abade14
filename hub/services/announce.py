"""What a step and the difference that it made are to be told, to whom: each thing once.

The recipient lists of `domain.md` 1.5 and the table 1.2: N1-N5 from the difference, the others from
events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.consent import Agreements
from hub.domain.difference import Derived
from hub.domain.exchange import EpisodeHead, Tree
from hub.domain.regions import Regions
from hub.ports import Session
from hub.services.consents import SHARING, Standing, owed, received
from hub.services.share import Telling

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


def tellings(
    session: Session,
    head: EpisodeHead,
    found: Standing,
    move: Move,
    agreements: Agreements,
    left: Sequence[str],
    now: datetime,
) -> list[Telling]:
    """Return what is to be told, each thing once: from the steps, and from what changed."""
    named, changes = move.notifications, move.changes
    facts: Tree = {"event": move.event} if move.event else {}
    if "N14" in named:
        given = received(session, head.episode_id, {i.service for i in found.involvements})
        copies = {"copies": "DELETE"}
        return [
            Telling("N14", facts=copies),
            Telling("N14", facts=copies, to=tuple(sorted(given))),
        ]
    tellings = [Telling(code) for code in ("N1", "N2") if code in named]
    tellings.extend(
        Telling(code, changes[code].paths, _small(changes[code].facts))
        for code in ("N3", "N4", "N5")
        if code in named
    )
    sharing = head.process in SHARING
    if move.event == "transfer.accepted":
        tellings.extend(_transfer(session, head, found, agreements, now))
    elif "N7" in named and sharing:
        tellings.append(Telling("N7", to=_sharing(move, agreements, now)))
    elif sharing:
        tellings.extend(_content(session, head, found, move, facts))
    if "N8" in named:
        tellings.append(Telling("N8", facts=facts))
    if left:
        tellings.append(Telling("N8", ("left",), {"you_have_left": True}, to=tuple(left)))
    tellings.extend(_requests(head, move))
    return tellings


def _content(
    session: Session, head: EpisodeHead, found: Standing, move: Move, facts: Tree
) -> list[Telling]:
    """Return N9 for a changed plan, N6 for changed content to those who have it or soon will."""
    tellings = []
    if "N6" in move.notifications:
        had = owed(session, head.episode_id, {i.service for i in found.involvements})
        tellings.append(Telling("N6", to=tuple(sorted(had))))
    change = move.changes.get("N9")
    asked = change is not None and change.paths == ("plan.service_request",)
    if "N9" in move.notifications and not (asked and move.event in REQUESTS):
        # The lead professional hears of an answer by N16 (T35).
        answered = move.event == "service.answered" and head.lead_service
        without = frozenset({head.lead_service} if answered and head.lead_service else ())
        tellings.append(Telling("N9", facts=facts, without=without))
    return tellings


def _transfer(
    session: Session,
    head: EpisodeHead,
    found: Standing,
    agreements: Agreements,
    now: datetime,
) -> list[Telling]:
    """Return the acceptance for the lead who offered, and N7 for all who are newly consented."""
    tellings = []
    if found.head is not None and found.head.lead_service:
        facts = {"kind": "accepted", "receiving_authority": head.home_authority}
        tellings.append(Telling("N11", ("accepted",), facts, to=(found.head.lead_service,)))
    services = agreements.services(now)
    had = received(session, head.episode_id, services)
    newly = tuple(sorted(services - had.keys()))
    # The sender accepted without having seen any content: it is owed its part too.
    tellings.append(Telling("N7", to=newly, to_sender=True))
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
    """Return N16 for every request that is new, withdrawn or answered (T34-T36)."""
    old = {r["id"]: r for r in move.before.get("plan", {}).get("service_request", ())}
    tellings = []
    for request in move.after.get("plan", {}).get("service_request", ()):
        known = old.get(request["id"])
        facts = {"request_id": request["id"], "requested_service": request["requested_service"]}
        response = request.get("response")
        if known is None and response in {None, "SENT"}:
            tellings.append(
                Telling(
                    "N16",
                    ("request",),
                    {**facts, "kind": "request"},
                    (request["requested_service"],),
                )
            )
        elif known is not None and known.get("response") != response:
            if response == "WITHDRAWN":
                to = request["requested_service"]
                tellings.append(
                    Telling("N16", ("withdrawn",), {**facts, "kind": "withdrawn"}, (to,))
                )
            elif head.lead_service:
                answer = {**facts, "kind": "answer", "answer": response}
                tellings.append(Telling("N16", ("answer",), answer, (head.lead_service,)))
    return tellings
