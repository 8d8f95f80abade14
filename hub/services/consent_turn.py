"""What one new decision turns: who gains, who loses, and what must be recalled from whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.domain.consent import Agreements
from hub.domain.consent_change import Effect
from hub.domain.events import Event
from hub.domain.exchange import Decision
from hub.domain.lapse import sharing
from hub.domain.regions import Facts, Role
from hub.ports import Session
from hub.services.holding import holders
from hub.services.scope import sections_of
from hub.services.share import Telling
from hub.services.shielding import on_the_way


@dataclass(frozen=True, slots=True)
class Turn:
    """A decision weighed against what stood before it; *offered* are newly agreed authorities."""

    decision: Decision
    event: Event
    children: Sequence[str]
    after: Agreements
    change: Effect
    offered: frozenset[str]

    def facts(self, now: datetime) -> Facts:
        """Return what the step's guards may ask."""
        after, children = self.after, self.children
        stored = all(after.may_store(child, now) for child in children)
        return Facts(
            roles=frozenset({Role.CONSENT_GIVER_SYSTEM}),
            reasons_explained=True,
            storage_consent_given=stored,
            storage_withdrawn=not stored,
            index_consented=any(after.index(child, now) != "no" for child in children),
            decision_names_a_service=bool(self.decision.record.get("scope_includes")),
            something_shared=sharing(after, children, now),
            consent_gained=bool(self.change.gained),
            consent_cut=bool(self.change.lost),
            transfer_consent_gained=bool(self.offered),
        )


def recalls(
    session: Session, episode_id: str, turn: Turn, now: datetime
) -> tuple[list[Telling], list[dict[str, str]]]:
    """Return N10 for each service that lost something it may hold, and what is on its way there.

    A decision is about one person, so the recall names them (``subject_id``): of a family of three
    the recipient knows whose data to lock.  *scope* and *stop* are about that person too.
    """
    tellings: list[Telling] = []
    in_flight: list[dict[str, str]] = []
    had = holders(session, episode_id, turn.change.lost)
    about = turn.decision.data_subject
    for service in sorted(turn.change.lost):
        if service not in had:
            continue
        scope = sections_of(turn.after, service, (about,), now)
        facts: dict[str, Any] = {"stop": not scope, "scope": scope, "copies": "LOCK"}
        tellings.append(Telling("N10", facts={**facts, "subject_id": about}, to=(service,)))
        in_flight.extend(on_the_way(session, episode_id, service, had[service], now))
    return tellings, in_flight
