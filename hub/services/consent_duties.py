"""What the lead professional hears about consent: that it ends, has ended, is disputed or lost.

`domain.md` 4.1 and 4.4.  Alerts only: what they tell of holds at the gate by itself.  Facts are
decision and subject ids, services, codes and days.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.domain.circumstances import Circumstances, circumstances
from hub.domain.competence import awaits_own_decision
from hub.domain.consent import Agreements, Ask
from hub.domain.decision import (
    DEFAULT_PURPOSES,
    GIVING_STATES,
    PARENT_BASES,
    YOUNG_PERSON_BASES,
    moment,
)
from hub.domain.exchange import Alert, Decision, EpisodeHead, Tree, Watch
from hub.domain.partner import Registry
from hub.errors import Code
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.gate import people
from hub.services.scheduler import Due
from hub.services.standing import responsible

WARNED: Final = (3, 14, 28)
"""Days before a yes ends at which the lead professional is warned, the nearest first."""


@dataclass(frozen=True, slots=True)
class ConsentDuty:
    """Looks at the consent of every open episode."""

    registry: Registry
    name: str = "consent"
    watch: Watch | None = Watch.OPEN

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Return what the lead professional should know today."""
        head = session.episode(episode_id)
        content = session.version(episode_id, head.version) if head and head.version else None
        if head is None or content is None:
            return Due()
        return Due(self.alerts(head, content.tree, session.decisions(episode_id), now))

    def alerts(
        self, head: EpisodeHead, tree: Tree, decisions: Sequence[Decision], now: datetime
    ) -> list[Alert]:
        """Return every alert about the consent of one episode as it stands."""
        owner = self.registry.partners.get(head.owner)
        lead = responsible(head)
        looked = _Look(
            head.episode_id,
            f"lead:{lead}" if lead else f"administrator:{owner.organisation if owner else '-'}",
            decisions,
            circumstances(tree),
            people(tree),
            now,
        )
        return list(looked.everything())


class _Look:
    """One episode's decisions on one day."""

    def __init__(
        self,
        episode_id: str,
        audience: str,
        decisions: Sequence[Decision],
        known: Circumstances,
        people: tuple[tuple[str, ...], tuple[str, ...]],
        now: datetime,
    ) -> None:
        self.episode_id, self.audience, self.decisions = episode_id, audience, decisions
        self.known, self.now = known, now
        self.persons = (*people[0], *people[1])
        self.agreements = Agreements(decisions, *people, known=known)
        self.records = {one.decision_id: one.record for one in decisions}
        self.services = sorted(
            {
                str(item.get("service"))
                for one in decisions
                for item in one.record.get("scope_includes") or ()
            }
        )

    def everything(self) -> Iterator[Alert]:
        for person in self.persons:
            used, over = self._in_use(person)
            yield from self._ending(person, used)
            for decision_id in sorted(over):
                yield self._say("consent.expired", person, decision_id, decision=decision_id)
            yield from self._reviews(person, used)
            yield from self._birthdays(person, used)
            yield from self._lost(person)
            yield from self._disputed(person)

    def _in_use(self, person: str) -> tuple[set[str], set[str]]:
        """Return the decisions that something rests on today, and those that ran out."""
        cells = [self.agreements.storing(person, self.now)]
        cells += [self.agreements.listed(person, ask) for ask in self._asks()]
        used = {cell.decision_id for cell in cells if cell.permitted and cell.decision_id}
        over = {
            cell.decision_id
            for cell in cells
            if cell.reason is Code.CONSENT_EXPIRED and cell.decision_id
        }
        return used, over

    def _asks(self) -> list[Ask]:
        purposes = sorted(DEFAULT_PURPOSES)
        return [Ask(service, why, self.now) for service in self.services for why in purposes]

    def _say(
        self,
        kind: str,
        person: str,
        *about: object,
        due_at: datetime | None = None,
        service: str | None = None,
        **facts: Any,
    ) -> Alert:
        return alert(
            kind,
            self.audience,
            person,
            *about,
            at=self.now,
            episode_id=self.episode_id,
            service=service,
            due_at=due_at,
            facts={"subject_id": person, **facts},
        )

    def _ending(self, person: str, used: set[str]) -> Iterator[Alert]:
        ends = self.agreements.ends(person)
        for decision_id in sorted(used & ends.keys()):
            left = ends[decision_id] - self.now
            days = next((days for days in WARNED if left <= timedelta(days=days)), None)
            if days is not None:
                yield self._say(
                    "consent.expiring",
                    person,
                    decision_id,
                    days,
                    due_at=ends[decision_id],
                    decision=decision_id,
                    days=days,
                )

    def _reviews(self, person: str, used: set[str]) -> Iterator[Alert]:
        for decision_id in sorted(used):
            review = moment(self.records[decision_id].get("review_by"))
            if review is not None and review <= self.now:
                yield self._say(
                    "consent.review_due",
                    person,
                    decision_id,
                    due_at=review,
                    decision=decision_id,
                )

    def _birthdays(self, person: str, used: set[str]) -> Iterator[Alert]:
        """Ask for a fresh decision: at 16, at 18, and of a child newly judged competent."""
        sixteen, eighteen = self.known.sixteen.get(person), self.known.eighteen.get(person)
        reason = None
        if eighteen is not None and eighteen <= self.now:
            reason = None if self._decided_since(person, eighteen) else "TURNED_18"
        elif sixteen is not None and sixteen <= self.now:
            parents = [
                one for one in used if self.records[one].get("given_by_basis") in PARENT_BASES
            ]
            before = any(
                (moment(self.records[one].get("signed_at")) or sixteen) < sixteen for one in parents
            )
            reason = "TURNED_16" if before else None
        if reason is None and awaits_own_decision(self.decisions, person):
            reason = "JUDGED_COMPETENT"
        if reason is not None:
            yield self._say("consent.decision_due", person, reason, reason=reason)

    def _decided_since(self, person: str, birthday: datetime) -> bool:
        """Return whether the young person has decided anything since their birthday."""
        return any(
            one.data_subject == person
            and one.record.get("given_by_basis") in YOUNG_PERSON_BASES
            and (moment(one.record.get("signed_at")) or birthday) > birthday
            for one in self.decisions
        )

    def _lost(self, person: str) -> Iterator[Alert]:
        """Tell of a yes that is held because its giver has no parental responsibility any more."""
        for one in self.decisions:
            record = one.record
            ends = moment(record.get("expires_at"))
            if (
                one.data_subject == person
                and record.get("state") in GIVING_STATES
                and record.get("given_by_basis") == "PR_HOLDER"
                and (str(record.get("given_by_person")), person) in self.known.without
                and ends is not None
                and self.now < ends
            ):
                yield self._say(
                    "consent.giver_lost", person, one.decision_id, decision=one.decision_id
                )

    def _disputed(self, person: str) -> Iterator[Alert]:
        for service in self.services:
            asks = [Ask(service, why, self.now) for why in sorted(DEFAULT_PURPOSES)]
            refusals = {self.agreements.disputed(person, ask) for ask in asks} - {None}
            for refusal in sorted(str(one) for one in refusals):
                yield self._say(
                    "consent.disputed", person, service, refusal, service=service, decision=refusal
                )
