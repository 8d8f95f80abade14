"""Notices from schools and health systems: matched to a child, routed to the lead professional
under consent.

The sender learns nothing from the answer: it is the same whether the child has a CAF or not.  A
notice that matches nobody for certain is kept encrypted for at most 24 hours and then destroyed
(`domain.md` F6, S1.7).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

from hub.domain.exchange import Delivery, EpisodeHead, Notice, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Conflict, HubError
from hub.ports import Clock, Digester, Handover, Needs, Session, Store
from hub.services.audit import row
from hub.services.contact import ask_for_contact
from hub.services.index import STRONG, dates_agree, match_values
from hub.services.receipt import Receipt
from hub.services.share import Occasion, Telling, tell
from hub.services.standing import responsible

KEPT: Final = timedelta(hours=24)

SECTIONS: Final[Mapping[str, str]] = {
    "attendance_concern": "sec.child.learning",
    "exclusion": "sec.child.learning",
    "change_of_school": "sec.identity",
    "demographic_change": "sec.identity",
    "emergency_attendance": "sec.child.health",
    "admission": "sec.child.health",
    "discharge": "sec.child.health",
    "appointment": "sec.child.health",
    "cancelled_appointment": "sec.child.health",
    "missed_appointment": "sec.child.health",
    "service_response": "sec.plan",
}
"""The section whose consent decides whether a notice of this kind may be passed on."""
CONTACT: Final = "contact_request"
"""The one kind that is no notice but a wish to be rung (N12)."""

OPEN: Final = frozenset({"ASSESSING", "ASSESSED", "TEAM_FORMING", "PLAN_ACTIVE", "IN_REVIEW"})


@dataclass(frozen=True, slots=True)
class Notifier:
    """Takes notices and passes each to the one system that should have it, or to nobody."""

    store: Store
    registry: Registry
    digester: Digester
    clock: Clock
    handover: Handover

    async def notice(self, partner: Partner, raw: bytes, key: str, body: Tree) -> Receipt:
        """Record one notice and answer 202, always the same; *body* is the checked notification."""
        digest = self.digester.digest(raw)
        now = self.clock.now()
        tokens = tuple(
            self.digester.token(kind, value)
            for kind, value in match_values(body.get("subject", {}))
            if kind in STRONG
        )

        def unit(session: Session) -> tuple[str, ...] | HubError:
            prior = session.notice(partner.name, key)
            if prior is not None:
                if prior.digest != digest:
                    return Conflict(Code.IDEMPOTENCY, "this key came before with other content")
                return ()
            notice_id = str(uuid4())
            found = self._match(session, tokens, body)
            made: Sequence[Delivery] = ()
            if found is not None:
                made = self._route(session, partner, notice_id, found, body)
            # A matched one that nobody is to get needs no keeping either.
            state = "ROUTED" if made else "WAITING" if found is None else "NOBODY"
            session.put_notice(
                Notice(
                    notice_id=notice_id,
                    partner=partner.name,
                    key=key,
                    digest=digest,
                    kind=str(body["kind"]),
                    body=None if found is not None else body,
                    received_at=now,
                    expires_at=now + KEPT,
                    episode_id=found[0].episode_id if found else None,
                    state=state.lower(),
                )
            )
            session.add_audit(
                row(
                    "notice.received",
                    at=now,
                    actor=partner.name,
                    code=state,
                    episode_id=found[0].episode_id if found else None,
                    facts={"kind": body["kind"], "notice": notice_id},
                )
            )
            return tuple(delivery.delivery_id for delivery in made)

        outcome = await self.store.run(unit, Needs())
        if isinstance(outcome, HubError):
            raise outcome
        self.handover.offer(outcome)
        return Receipt(202, {"status": "accepted"})

    def _match(
        self, session: Session, tokens: Sequence[bytes], body: Tree
    ) -> tuple[EpisodeHead, str] | None:
        """Return the one open episode and child that identifier and date of birth agree on."""
        if not tokens:
            return None
        asked = body["subject"]
        matches = {}
        for episode_id, subject_id, _token in session.subject_episodes(tokens):
            head = session.episode(episode_id)
            content = session.version(episode_id, head.version) if head and head.version else None
            if head is None or content is None or head.process not in OPEN:
                continue
            for subject in content.tree.get("subjects", ()):
                if subject["subject_id"] == subject_id and dates_agree(subject, asked):
                    matches[episode_id, subject_id] = head
        if len(matches) != 1:
            return None
        ((_episode, subject_id), head) = next(iter(matches.items()))
        return head, subject_id

    def _route(
        self,
        session: Session,
        partner: Partner,
        notice_id: str,
        found: tuple[EpisodeHead, str],
        body: Tree,
    ) -> Sequence[Delivery]:
        head, subject_id = found
        occasion = Occasion(
            head=head,
            sender=partner.name,
            sender_services=frozenset(service.ref for service in partner.services),
            message_id=notice_id,
            correlation_id=notice_id,
            now=self.clock.now(),
            registry=self.registry,
        )
        if body["kind"] == CONTACT:
            return ask_for_contact(session, self.registry, occasion, partner, subject_id, body)
        service = responsible(head)
        if service is None:
            return ()
        facts = {
            "kind": body["kind"],
            "subject_id": subject_id,
            "section": SECTIONS.get(str(body["kind"]), "sec.safeguarding"),
            "from": partner.organisation,
            "notice": {k: v for k, v in body.items() if k != "subject"},
        }
        return tell(session, occasion, [Telling("NOTICE", facts=facts, to=(service,))], (), ())
