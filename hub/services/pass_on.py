"""Passing a notice on: to the lead professional's system, and to whom of the team the family named.

Who is asked is decided here; whether anything is sent, and what of it, by the gate when the
delivery starts.  A member of the team is asked only where the family named the notice's section
for it (`hub.services.notice_rights`), so of most notices nobody but the lead hears (`domain.md` S1
step 7).  One from a sensitive service goes to the lead alone: who sent it would tell of that
service (F6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements, Ask
from hub.domain.exchange import Delivery, EpisodeHead, Notice, Tree
from hub.domain.partner import Partner, Registry
from hub.ports import Session
from hub.services.audit import row
from hub.services.contact import ask_for_contact
from hub.services.gate import people, purpose_of
from hub.services.masking import sensitive_service
from hub.services.notice_rights import TEAM, may_hear
from hub.services.share import Occasion, Telling, team, tell
from hub.services.standing import responsible
from hub.services.whose import Found

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


@dataclass(frozen=True, slots=True)
class PassOn:
    """Passes notices on, each inside the unit of work that settles it."""

    registry: Registry

    def route(
        self, session: Session, notice: Notice, body: Tree, found: Found, now: datetime
    ) -> Sequence[Delivery]:
        """Record who is to have *notice*, whose child was *found*, and return the deliveries.

        Who sent it must still be a partner: who has left is nobody's word any more.
        """
        partner = self.registry.partners.get(notice.partner)
        if partner is None:
            return ()
        head, subject_id = found
        occasion = Occasion(
            head=head,
            sender=partner.name,
            sender_services=frozenset(service.ref for service in partner.services),
            message_id=notice.notice_id,
            correlation_id=notice.notice_id,
            now=now,
            registry=self.registry,
        )
        if body["kind"] == CONTACT:
            return ask_for_contact(session, self.registry, occasion, partner, subject_id, body)
        service = responsible(head)
        if service is None:
            return ()
        facts = _facts(partner, subject_id, body)
        tellings = [Telling("NOTICE", facts=facts, to=(service,))]
        if not any(sensitive_service(ref) for ref in occasion.sender_services):
            named = _named(session, head, subject_id, facts["section"], now)
            others = tuple(ref for ref in named if ref != service)
            tellings.append(Telling("NOTICE", TEAM, facts, to=others))
        return tell(session, occasion, tellings, (), ())


def _named(
    session: Session, head: EpisodeHead, subject_id: str, section: str, now: datetime
) -> Sequence[str]:
    """Return the services of the team that the family named for *section* of this child."""
    content = session.version(head.episode_id, head.version)
    if content is None:
        return ()
    decisions = session.decisions(head.episode_id)
    agreements = Agreements(decisions, *people(content.tree), known=circumstances(content.tree))
    purpose = purpose_of("NOTICE", head)
    return [
        service
        for service in team(session.involvements(head.episode_id))
        if may_hear(agreements, Ask(service, purpose, now), subject_id, section, TEAM)
    ]


def _facts(partner: Partner, subject_id: str, body: Tree) -> dict[str, Any]:
    return {
        "kind": body["kind"],
        "subject_id": subject_id,
        "section": SECTIONS.get(str(body["kind"]), "sec.safeguarding"),
        "from": partner.organisation,
        "notice": {k: v for k, v in body.items() if k != "subject"},
    }


def settled(
    session: Session, notice: Notice, code: str, by: str, episode_id: str | None, at: datetime
) -> None:
    """Write what became of *notice* into the audit."""
    facts = {"kind": notice.kind, "notice": notice.notice_id}
    session.add_audit(
        row("notice.matched", at=at, actor=by, code=code, episode_id=episode_id, facts=facts)
    )
