"""Receiving: what a canonical message does to its episode, and who is told of it.

One unit of work under the lock on the episode's head: check the sender's standing, merge what it
sent, take the step, derive what changed, record the version and one delivery per recipient.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from hub.domain.difference import derive, led
from hub.domain.events import Event
from hub.domain.exchange import EpisodeHead, State, Tree, Version
from hub.domain.lifecycle import Step, step
from hub.domain.merge import merge
from hub.domain.partner import Registry
from hub.domain.regions import LIVE, Facts, Regions, Role
from hub.errors import Code, Conflict, Fault, Withheld
from hub.ports import Digester, Session
from hub.services.accept import Accepted, Incoming, Refused
from hub.services.advance import indexed, joining, left_behind, new_head
from hub.services.agreements import Agreed
from hub.services.announce import Move, tellings
from hub.services.audit import row
from hub.services.brokering import OVERSEEING, administrative, brokering, oversteps
from hub.services.consents import Standing, standing
from hub.services.content import (
    check_whole,
    derived,
    moved_home,
    sent_tree,
    without_derived,
    without_derived_but_history,
    without_form,
    without_shield,
)
from hub.services.contribute import changed_paths, check_base, contribute, not_yours
from hub.services.eligible import check_covered, check_lead, is_administrator
from hub.services.facts import Evidence, facts_of
from hub.services.gate import people
from hub.services.index import tokens
from hub.services.predecessor import check_previous
from hub.services.receipt import Receipt
from hub.services.recheck import recheck, told_of
from hub.services.share import Occasion, tell
from hub.services.shielding import shield_change
from hub.services.sight import check_element, sight, untouched
from hub.services.standing import (
    WRITES_ALL,
    check_own,
    deciding,
    roles,
    writable,
)
from hub.services.vacancy import filled, hand_on

NO_DECISION: Final = "no recorded decision lets the hub keep this episode for you"
OPENING: Final = frozenset({None, "episode.opened", "episode.reopened", "episode.imported"})
"""What a first version may come with; a bare episode opens."""
ENDING: Final = frozenset({"episode.closed", "social_care.decision", "episode.voided"})


@dataclass(frozen=True, slots=True)
class Receiver:
    """Turns content messages into versions, steps and deliveries."""

    registry: Registry
    digester: Digester

    def receive(
        self, session: Session, incoming: Incoming, message: Tree, warnings: Sequence[Fault]
    ) -> Accepted | Refused:
        """Apply one message with an ``episode`` or ``contribution`` payload.

        Raises `Conflict` (``E_STATE``, ``E_NOT_OWNER``, ``E_VERSION_CONFLICT``).  Content without a
        decision to store it, or from a stranger, is `Refused` with the same ``E_CONSENT_NONE``, so
        that nobody learns whether the episode exists.
        """
        sent = sent_tree(message)
        episode_id = str(sent["episode_id"])
        event = message.get("event")
        found = standing(session, episode_id, incoming.partner, event, self.registry)
        held = roles(incoming.partner, found.head, found.tree, found.involvements)
        held |= (reports := deciding(incoming.partner, found.head, event))
        if not held:
            held = brokering(incoming.partner, found.head, event, self.registry)
            if held and oversteps(held, message, sent):
                raise not_yours("/episode")
        if found.head is None or not held:
            return self._refuse(session, incoming)
        check_covered(
            session, incoming.partner, found.head, found.head.home_authority, incoming.now
        )
        agreed = Agreed(found.decisions)
        if not self._may_keep(found, agreed, incoming.now, sent, event):
            return self._refuse(session, incoming)
        administrates = is_administrator(incoming.partner, incoming.user)
        if administrates:
            held &= {"employing_organisation"}
        if not found.head.version and event not in OPENING:
            return self._refuse(session, incoming)
        if held == reports and sent.keys() - {"episode_id"}:
            raise not_yours("/episode")
        before: Tree = found.tree if found.head.version else {"episode_id": episode_id}
        if event == Event.EPISODE_IMPORTED:
            sent = without_derived_but_history(sent, incoming.now)
        else:
            sent = without_derived(sent)
        if not held & WRITES_ALL:
            sent = without_shield(without_form(sent))
        merged: Tree
        kept: list[str] = []
        foreign = self._foreign(session, found.head, message, incoming)
        if "contribution" in message:
            check_element(found, message["contribution"], incoming, held)
            merged = contribute(before, message["contribution"], incoming.partner)
        elif held == OVERSEEING:
            merged = administrative(before, sent, incoming.now.date())
        else:
            writes = writable(held, event)
            merged = merge(
                before,
                sent,
                deletes=tuple(message.get("message", {}).get("deletes", ())),
                writable=writes,
                given=sight(session, found, incoming, held, writes),
                untouched=kept,
                at="/episode",
            )
            check_own(incoming.partner, held, before, merged)
        if event == Event.TRANSFER_ACCEPTED:
            merged = moved_home(merged, before, incoming.partner.authority)
        check_base(foreign, before, merged)
        check_whole(merged, message)
        check_previous(session, incoming, event, before, merged)
        home = merged.get("home_authority")
        if home != found.head.home_authority and event != Event.TRANSFER_ACCEPTED:
            check_covered(session, incoming.partner, found.head, home, incoming.now)
        check_lead(session, self.registry, before, merged, incoming.now)
        if administrates and {change.code for change in derive(before, merged)} - {"N4"}:
            raise Conflict(Code.NOT_OWNER, "an administrator changes contact details only")
        move = self._move(found.head, agreed, incoming, message, before, merged, held)
        parts = (incoming.partner, incoming.message_id, kept, incoming.now)
        told = untouched(found.head, self.registry, *parts)
        if told is not None:
            session.add_alert(told)
        return self._commit(session, incoming, message, found.head, found, agreed, move, warnings)

    def _may_keep(
        self, found: Standing, agreed: Agreed, now: datetime, sent: Tree, event: object
    ) -> bool:
        """Return whether storage consent lets the hub keep this (`domain.md` 4.4, store only).

        An episode whose storing has lapsed can still be ended, by what says no more than that.
        """
        if found.head is None:
            return False
        known, adults = people(found.tree)
        named = (subject["subject_id"] for subject in sent.get("subjects", ()))
        children = tuple(dict.fromkeys((*known, *named)))
        agreements = agreed.among(children, adults, found.tree)
        ends = event in ENDING and not sent.keys() - {"episode_id", "closure"}
        return bool(children) and all(
            cell.permitted or (ends and cell.reason is Code.CONSENT_EXPIRED)
            for cell in (agreements.storing(child, now) for child in children)
        )

    def _refuse(self, session: Session, incoming: Incoming) -> Refused:
        session.add_audit(
            row(
                "message.refused",
                at=incoming.now,
                actor=incoming.partner.name,
                code=Code.CONSENT_NONE.value,
            )
        )
        return Refused(Withheld(Code.CONSENT_NONE, NO_DECISION))

    def _foreign(
        self, session: Session, head: EpisodeHead, message: Tree, incoming: Incoming
    ) -> frozenset[str]:
        """Return what others changed since the sender last saw the episode, by the sequence number
        of its own lane; nothing if it does not say.

        It has seen a version once it has been told everything that it was to be told of it.
        """
        payload = message.get("contribution", {})
        sequence = payload.get("base_seq", message.get("message", {}).get("base_seq"))
        if sequence is None:
            return frozenset()
        name = incoming.partner.name
        mine = [d for d in session.deliveries(head.episode_id) if d.partner == name]
        seen = (head.facts or {}).get("seen", {}).get(name, {})
        newest = max((d.sequence or 0 for d in mine), default=0)
        if sequence > max(newest, int(seen.get("sequence", 0))):
            fault = Fault(Code.VERSION_CONFLICT, "message.base_seq", "fetch, merge, send again")
            raise Conflict(Code.VERSION_CONFLICT, "you were never given that sequence", (fault,))
        untold = [
            delivery.version
            for delivery in mine
            if delivery.state not in {State.SUPPRESSED, State.EXPIRED, State.ERASED}
            and (delivery.sequence is None or delivery.sequence > sequence)
        ]
        base = min(untold) - 1 if untold else head.version
        found: set[str] = set()
        older = session.version(head.episode_id, base)
        for number in range(base + 1, head.version + 1):
            newer = session.version(head.episode_id, number)
            if newer is not None and newer.sender != name:
                found |= changed_paths(older.tree if older else {}, newer.tree)
            older = newer
        return frozenset(found)

    def _move(
        self,
        head: EpisodeHead,
        agreed: Agreed,
        incoming: Incoming,
        message: Tree,
        before: Tree,
        merged: Tree,
        held: frozenset[str],
    ) -> Move:
        """Take the step that the message names, and those that its content implies."""
        was = Regions(head.process, head.resume_to, head.lead, head.index)
        event = message.get("event")
        old = before if head.version else None
        children, adults = people(merged)
        changed = derive(old, merged)
        evidence = Evidence(
            partner=incoming.partner,
            registry=self.registry,
            roles=held,
            before=before,
            after=merged,
            agreements=agreed.among(children, adults, merged),
            children=children,
            changed=frozenset(change.code for change in changed),
            detail=message.get("event_detail", {}),
            head_facts=head.facts or {},
            now=incoming.now,
        )
        facts = facts_of(evidence)
        steps = self._steps(was, event, facts)
        regions = steps[-1].regions
        after = derived(merged, before, regions, incoming.now)
        changes = {change.code: change for change in led(changed, old, after, was, regions)}
        raised = {code for taken in steps for code in taken.notifications}
        # N3, N4 and N5 tell a difference: without one there is nothing to tell.
        told = raised - ({"N3", "N4", "N5"} - changes.keys())
        if "N3" in changes and regions.process in LIVE:
            told.add("N3")
        return Move(
            regions=regions,
            transitions=tuple(taken.transition.id for taken in steps),
            notifications=frozenset(told),
            before=before,
            after=after,
            changes=changes,
            event=event,
            detail=evidence.detail,
            closure_reason=next((s.closure_reason for s in steps if s.closure_reason), None),
        )

    @staticmethod
    def _steps(was: Regions, event: str | None, facts: Facts) -> tuple[Step, ...]:
        """Take the step; an appointment on an assessed episode is T9 and T10 in one (D-11)."""
        if event == "lead_professional.appointed" and was.process == "ASSESSED":
            called = step(was, "team.called", replace(facts, roles=facts.roles | {Role.ASSESSOR}))
            return called, step(called.regions, event, facts)
        return (step(was, event, facts),)

    def _commit(
        self,
        session: Session,
        incoming: Incoming,
        message: Tree,
        stored: EpisodeHead,
        found: Standing,
        agreed: Agreed,
        move: Move,
        warnings: Sequence[Fault],
    ) -> Accepted:
        now = incoming.now
        changed = move.after != move.before or stored.version == 0
        version = stored.version + 1 if changed else stored.version
        children, adults = people(move.after)
        agreements = agreed.among(children, adults, move.after)
        head = new_head(self.registry, stored, move, incoming, version)
        if head.lead != "VACANT":
            head = filled(head)
        known, fresh, head = indexed(head, move, agreements, children, now)
        ever = sorted({held.service for held in found.involvements})
        shield = shield_change(
            session, self.registry, head, move.before, move.after, agreements, ever, now
        )
        head = shield.head
        sequence = session.next_sequence(f"to:{incoming.partner.name}", head.episode_id)
        seen = {
            **(head.facts or {}).get("seen", {}),
            incoming.partner.name: {"sequence": sequence, "version": version},
        }
        head = replace(head, facts={**(head.facts or {}), "seen": seen})
        session.put_episode(head)
        woken = hand_on(session, stored, head, self.registry, now)
        duplicates = recheck(session, self.digester, stored, head, move.after)
        known_there = told_of(
            session, self.registry, incoming.partner, head, move.after, duplicates, now
        )
        if changed:
            session.add_version(
                Version(
                    episode_id=head.episode_id,
                    version=version,
                    tree=move.after,
                    event=move.event,
                    sender=incoming.partner.name,
                    message_id=incoming.message_id,
                    recorded_at=now,
                )
            )
            for subject in move.after.get("subjects", ()):
                session.put_subject_tokens(
                    head.episode_id, subject["subject_id"], tokens(self.digester, subject)
                )
        occasion = Occasion(
            head=head,
            sender=incoming.partner.name,
            sender_services=frozenset(service.ref for service in incoming.partner.services),
            message_id=incoming.message_id,
            correlation_id=str(
                message.get("message", {}).get("correlation_id") or incoming.message_id
            ),
            now=now,
            registry=self.registry,
        )
        involvements, left = left_behind(session, found.involvements, move, now)
        joined = joining(self.registry, session, head, involvements, move, now)
        involvements = (*involvements, *joined)
        told = tellings(session, head, found, move, agreements, left, fresh, now)
        made = tell(session, occasion, [*shield.tellings, *told], involvements, known)
        for telling, entries in shield.index:
            made += tell(session, occasion, [telling], (), entries)
        session.add_audit(
            row(
                "message.accepted",
                at=now,
                actor=incoming.partner.name,
                code=move.event or "derived",
                episode_id=head.episode_id,
                facts={
                    "message": incoming.message_id,
                    **({} if incoming.user is None else {"user": incoming.user}),
                    "version": version,
                    "transitions": list(move.transitions),
                    "deliveries": len(made),
                },
            )
        )
        body = _receipt(incoming, head, sequence, (*warnings, *known_there), changed=changed)
        if shield.in_flight:
            body["in_flight"] = list(shield.in_flight)
        return Accepted(
            Receipt(202, body),
            episode_id=head.episode_id,
            version=version,
            offers=tuple(delivery.delivery_id for delivery in (*made, *woken)),
        )


def _receipt(
    incoming: Incoming,
    head: EpisodeHead,
    sequence: int,
    warnings: Sequence[Fault],
    *,
    changed: bool,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "message_id": incoming.message_id,
        "status": "accepted" if changed else "unchanged",
        "episode_id": head.episode_id,
        "episode_seq": sequence,
        "state": str(head.process),
    }
    if warnings:
        body["warnings"] = [
            {"code": fault.code.value, "path": fault.path, "remedy": fault.remedy}
            for fault in warnings
        ]
    return body
