"""Recording consent: append the decision, move the episode, tell exactly those whom it touches.

Everything happens under the lock on the episode's head, so that an answered withdrawal means that
no new dispatch of what was withdrawn can start (`reliability.md` P23).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements
from hub.domain.consent_change import Effect, classify, effect
from hub.domain.decision import PURPOSES, SAYS_NOTHING
from hub.domain.entitlement import check_decision
from hub.domain.exchange import (
    Decision,
    Delivery,
    EpisodeHead,
    Involvement,
    Tree,
    Version,
)
from hub.domain.lifecycle import step
from hub.domain.partner import Partner, Registry
from hub.domain.regions import Regions
from hub.errors import Code, Forbidden, InvalidContent
from hub.ports import Digester, Session
from hub.services.accept import Accepted, Incoming, Refused
from hub.services.audit import row
from hub.services.brokering import brokering
from hub.services.consent_duties import ConsentDuty
from hub.services.consent_turn import Turn, recalls
from hub.services.eligible import check_covered
from hub.services.gate import people
from hub.services.indexing import HOLDING, OPEN, SHARING, index_change, references
from hub.services.receipt import Receipt
from hub.services.references import may_open
from hub.services.share import Occasion, Telling, tell
from hub.services.shelter import shield_of
from hub.services.shielding import relocated
from hub.services.standing import deciding, roles
from hub.services.strangers import REGISTER, hidden, stranger

CHANGES: Final = frozenset({"NARROWED", "WITHDRAWN", "EXPIRED"})
"""What a decision can say only where another stood before."""
RECORDERS: Final = frozenset({"originator", "assessor", "lead", "receiving_authority", REGISTER})


@dataclass(frozen=True, slots=True)
class Standing:
    """One episode under the lock, as a consent decision finds it."""

    head: EpisodeHead | None
    tree: Tree
    decisions: tuple[Decision, ...]
    involvements: tuple[Involvement, ...]
    stranger: bool = False
    """The episode exists, and whoever asks is never to know."""


def standing(
    session: Session,
    episode_id: str,
    partner: Partner,
    event: object = None,
    registry: Registry | None = None,
) -> Standing:
    """Return the episode as it stands; an unknown one is empty, and so it is to a stranger who has
    no decision of social care's to report (T29) and is no co-ordinator (*registry* says who is).
    """
    head = session.episode(episode_id)
    involvements = tuple(session.involvements(episode_id))
    known = deciding(partner, head, event) or brokering(partner, head, event, registry)
    if stranger(partner, head, involvements) and not known:
        return Standing(None, {"episode_id": episode_id}, (), (), stranger=head is not None)
    content = session.version(episode_id, head.version) if head and head.version else None
    return Standing(
        head=head,
        tree=content.tree if content else {"episode_id": episode_id},
        decisions=tuple(session.decisions(episode_id)),
        involvements=involvements,
    )


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records consent decisions from the systems that may (`design.md` section 4)."""

    registry: Registry
    digester: Digester

    def record(
        self, session: Session, incoming: Incoming, episode_id: str, record: Tree
    ) -> Accepted | Refused:
        """Record one decision; raises `InvalidContent` where it is not a lawful one."""
        found = standing(session, episode_id, incoming.partner)
        opens = found.head is None and record.get("store_decision") == "yes"
        if opens and not may_open(self.digester, incoming.partner, episode_id):
            raise hidden()
        self._check(incoming, found, episode_id, record)
        if found.head is None and record.get("store_decision") != "yes":
            return self._declined(session, incoming, record)
        if found.stranger:
            raise hidden()
        if found.head is not None:
            home = found.head.home_authority
            check_covered(session, incoming.partner, found.head, home, incoming.now)
        turn = self._weighed(incoming, found, episode_id, record)
        session.add_decision(turn.decision)
        head = self._moved(session, found, self._stepped(found, incoming, turn), incoming, turn)
        session.put_episode(head)
        involvements = self._involve(
            session, head, found.involvements, record, turn.change, incoming.now
        )
        session.add_audit(
            row(
                "consent.recorded",
                at=incoming.now,
                actor=incoming.partner.name,
                code=turn.event,
                episode_id=episode_id,
                facts={"decision": turn.decision.decision_id, "sequence": turn.decision.sequence},
            )
        )
        self._alert(session, head, found, turn, incoming.now)
        made, in_flight, head = self._told(session, incoming, found, head, turn, involvements)
        body: dict[str, Any] = {
            "message_id": incoming.message_id,
            "status": "recorded",
            "episode_id": episode_id,
            "consent_decision_id": turn.decision.decision_id,
            "event": str(turn.event),
            "state": str(head.process),
            "in_flight": in_flight,
        }
        return Accepted(
            Receipt(202 if in_flight else 201, body),
            episode_id=episode_id,
            offers=tuple(delivery.delivery_id for delivery in made),
        )

    @staticmethod
    def _check(incoming: Incoming, found: Standing, episode_id: str, record: Tree) -> None:
        """Refuse what nobody may record here, and what is not a lawful decision."""
        if record.get("episode_id") not in {None, episode_id}:
            raise InvalidContent(Code.REFERENCE, "the decision names another episode")
        Recorder._may_record(incoming, found)
        tree = None if _about_a_new_child(record, found.tree) else found.tree
        faults = check_decision(record, earlier=found.decisions, tree=tree, at=incoming.now)
        if faults:
            raise InvalidContent(faults[0].code, "the decision is not a lawful one", tuple(faults))
        if found.head is None and record.get("state") in CHANGES:
            raise hidden()

    def _weighed(self, incoming: Incoming, found: Standing, episode_id: str, record: Tree) -> Turn:
        """Weigh what stood against what stands with the new decision."""
        now = incoming.now
        children, adults = self._people(found, record)
        known = circumstances(found.tree)
        before = Agreements(found.decisions, children, adults, known=known)
        decision = Decision(
            decision_id=str(record.get("consent_decision_id") or uuid4()),
            episode_id=episode_id,
            data_subject=str(record["subject_id"]),
            sequence=len(found.decisions) + 1,
            record=record,
            recorded_by=incoming.partner.name,
            recorded_at=now,
        )
        after = Agreements((*found.decisions, decision), children, adults, known=known)
        services = sorted({*before.services(now, PURPOSES), *after.services(now, PURPOSES)})
        gained, lost = relocated(found.tree, before, after, services, now)
        return Turn(
            decision=decision,
            event=classify(record, found.decisions, now, known),
            children=children,
            after=after,
            change=Effect(
                gained={**gained, **effect(before, after, services, now).gained},
                lost={**lost, **effect(before, after, services, now, PURPOSES).lost},
            ),
            offered=after.services(now, ("TRANSFER",)) - before.services(now, ("TRANSFER",)),
        )

    def _stepped(self, found: Standing, incoming: Incoming, turn: Turn) -> EpisodeHead:
        """Return the head after the step that the decision is (`domain.md` 1.2)."""
        head = found.head or self._new_head(incoming, turn.decision.episode_id)
        was = Regions(head.process, head.resume_to, head.lead, head.index)
        taken = step(was, turn.event, turn.facts(incoming.now))
        head = replace(
            head,
            consent_version=head.consent_version + 1,
            changed_at=incoming.now,
            process=taken.regions.process,
            resume_to=taken.regions.resume_to,
            lead=taken.regions.lead,
            index=taken.regions.index,
        )
        if taken.closure_reason:
            facts = {**(head.facts or {}), "closure_reason": taken.closure_reason}
            head = replace(head, facts=facts)
        return head

    def _alert(
        self, session: Session, head: EpisodeHead, found: Standing, turn: Turn, now: datetime
    ) -> None:
        """Tell the lead professional at once what the scheduler would find later."""
        if head.version:
            decisions = (*found.decisions, turn.decision)
            for alert in ConsentDuty(self.registry).alerts(head, found.tree, decisions, now):
                session.add_alert(alert)

    def _told(
        self,
        session: Session,
        incoming: Incoming,
        found: Standing,
        head: EpisodeHead,
        turn: Turn,
        involvements: Sequence[Involvement],
    ) -> tuple[tuple[Delivery, ...], list[dict[str, str]], EpisodeHead]:
        """Record what is told to whom; return it, what is in flight, and the indexed head."""
        now = incoming.now
        tellings, in_flight = self._tellings(session, found, head, turn, incoming)
        shown = () if shield_of(found.tree) == "full" else turn.children
        indexed, index_tellings, head = index_change(head, turn.after, shown, now)
        session.put_episode(head)
        occasion = Occasion(
            head=head,
            sender=incoming.partner.name,
            sender_services=frozenset(service.ref for service in incoming.partner.services),
            message_id=incoming.message_id,
            correlation_id=incoming.message_id,
            now=now,
            registry=self.registry,
        )
        made = tell(session, occasion, tellings, involvements, list(references(head).items()))
        made += tell(session, occasion, index_tellings, (), indexed)
        return made, in_flight, head

    @staticmethod
    def _may_record(incoming: Incoming, found: Standing) -> None:
        if found.head is None:
            return
        held = roles(incoming.partner, found.head, found.tree, found.involvements)
        if not held:
            raise hidden()
        if not held & RECORDERS:
            raise Forbidden(
                Code.FORBIDDEN,
                "consent decisions come from the assessor's or the lead professional's system",
            )

    @staticmethod
    def _moved(
        session: Session, found: Standing, head: EpisodeHead, incoming: Incoming, turn: Turn
    ) -> EpisodeHead:
        """Record a version that says where the decision has brought the episode, if it moved."""
        if found.head is None or not found.head.version or found.head.process == head.process:
            return head
        tree = {**found.tree, "status": str(head.process)}
        if head.process == "CLOSED":
            tree["closed_at"] = incoming.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        head = replace(head, version=head.version + 1)
        session.add_version(
            Version(
                episode_id=head.episode_id,
                version=head.version,
                tree=tree,
                event=str(turn.event),
                sender=incoming.partner.name,
                message_id=incoming.message_id,
                recorded_at=incoming.now,
            )
        )
        return head

    def _declined(self, session: Session, incoming: Incoming, record: Tree) -> Accepted:
        """A family that said no leaves no trace but the caller's own audit line (S3)."""
        session.add_audit(
            row("consent.declined", at=incoming.now, actor=incoming.partner.name, code="DECLINED")
        )
        asked = record.get("state") in SAYS_NOTHING
        event = "consent.requested" if asked else "consent.refused"
        body = {"message_id": incoming.message_id, "status": "noted", "event": event}
        return Accepted(Receipt(200, body), keep_body=False)

    @staticmethod
    def _people(found: Standing, record: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return children and adults; before any content, whoever the decisions are about."""
        children, adults = people(found.tree)
        if children:
            return children, adults
        known = dict.fromkeys(
            [
                *(
                    held.data_subject
                    for held in found.decisions
                    if held.record.get("given_by_basis") != "ADULT_SELF"
                ),
                *(
                    [str(record["subject_id"])]
                    if record.get("given_by_basis") != "ADULT_SELF"
                    else []
                ),
            ]
        )
        return tuple(known), ()

    @staticmethod
    def _new_head(incoming: Incoming, episode_id: str) -> EpisodeHead:
        return EpisodeHead(
            episode_id=episode_id,
            owner=incoming.partner.name,
            home_authority=incoming.partner.authority,
            process="NONE",
            resume_to=None,
            lead="NONE",
            index="NONE",
            version=0,
            consent_version=0,
            created_at=incoming.now,
            changed_at=incoming.now,
            facts={},
        )

    def _involve(
        self,
        session: Session,
        head: EpisodeHead,
        held: Sequence[Involvement],
        record: Tree,
        change: Effect,
        now: datetime,
    ) -> tuple[Involvement, ...]:
        """Open a relationship for every service that the decision names (`design.md` section 6).

        Who has left does not come back by a decision that only says again what was agreed before.
        """
        left = {inv.service for inv in held if not inv.is_open}
        open_now = {inv.service for inv in held if inv.is_open}
        open_now |= left - change.gained.keys()
        if record.get("share_decision") != "yes":
            return tuple(held)
        made = []
        for scope in record.get("scope_includes", ()):
            service = scope["service"]
            if service in open_now:
                continue
            open_now.add(service)
            partner = self.registry.by_service(service)
            involvement = Involvement(
                involvement_id=str(uuid4()),
                episode_id=head.episode_id,
                service=service,
                partner=partner.name if partner else "",
                since=now,
            )
            session.put_involvement(involvement)
            made.append(involvement)
        return (*held, *made)

    def _tellings(
        self,
        session: Session,
        found: Standing,
        head: EpisodeHead,
        turn: Turn,
        incoming: Incoming,
    ) -> tuple[list[Telling], list[dict[str, str]]]:
        """Return N7 for who gained, N10 for who lost and had received, N11 for a new authority."""
        tellings: list[Telling] = []
        in_flight: list[dict[str, str]] = []
        if found.head is not None and found.head.process in HOLDING:
            tellings, in_flight = recalls(session, head.episode_id, turn, incoming.now)
        if found.head is not None and head.process == "CLOSED" and found.head.process in OPEN:
            tellings.append(Telling("N2"))
        if head.process in SHARING:
            gained = tuple(sorted(turn.change.gained))
            if gained:
                # The first system wrote it all; any other gains what it has not seen.
                tellings.append(
                    Telling("N7", to=gained, to_sender=incoming.partner.name != head.owner)
                )
        if head.process == "TRANSFER_PENDING" and turn.offered:
            facts = {"kind": "offer"}
            tellings.append(Telling("N11", facts=facts, to=tuple(sorted(turn.offered))))
        return tellings, in_flight


def _about_a_new_child(record: Tree, tree: Tree) -> bool:
    """Return whether the decision comes before its child, as every first decision does: a sibling
    is kept only once somebody has agreed to that.
    """
    children, adults = people(tree)
    new = record.get("subject_id") not in {*children, *adults}
    return new and record.get("state") == "STORE_ONLY"
