"""Sharing without consent: a person decided, the hub carries it, and says so to who reviews it.

A disclosure is a message type of its own (N13, `domain.md` 4.6).  It never waits for consent: how
that stood is looked up beforehand, in a transaction of its own that may fail or take too long, and
then the disclosure goes marked ``consent_unverified``.  It changes no consent, adds no participant
and touches nothing of the episode that anybody else can observe (`hub.services.statutory`).
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hub.domain.disclosure import AGREED, DUTY, REQUEST, may_receive
from hub.domain.exchange import Delivery, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, Forbidden, InvalidContent, Missing, Withheld
from hub.ports import Clock, Needs, Session, Store
from hub.services.accept import Accepted, Acceptor, Incoming, Refused
from hub.services.agreed import UNREAD, Stood, agreed_rights, stood
from hub.services.audit import row
from hub.services.gate import Case
from hub.services.lawful import lawful, people_of, sections
from hub.services.masking import masked
from hub.services.permits import SECTION
from hub.services.prune import prune
from hub.services.receipt import Receipt
from hub.services.registers import OWN_ALONE, Registers, Unsure, heard
from hub.services.review import review
from hub.services.standing import WRITES_ALL, responsible, roles
from hub.services.statutory import TOLD, delivery_of

log = logging.getLogger("hub.disclose")

PATIENCE: Final = 2.0
"""Seconds that a disclosure waits for the decisions before it goes without them."""
SKEW: Final = timedelta(minutes=5)
REFERRED: Final = "social_care.referred"
"""The step (T28) that a disclosure to children's social care can name; it changes no state."""


@dataclass(frozen=True, slots=True)
class Discloser:
    """Takes decisions to share without consent, and requests for such a decision."""

    store: Store
    registry: Registry
    clock: Clock
    acceptor: Acceptor
    registers: Registers = OWN_ALONE

    async def disclose(
        self, partner: Partner, content_type: str, raw: bytes, key: str, message: Tree
    ) -> Receipt:
        """Record one disclosure or request durably and answer 202, whether or not the hub knows of
        an episode; raises `InvalidContent` with the place of whatever is missing or unlawful.
        """
        record = message["disclosure"]
        self._check(partner, message, self.clock.now())
        verified = await self._stood(record)

        def meaning(session: Session, incoming: Incoming) -> Accepted | Refused:
            if record["kind"] == REQUEST:
                return self._asked(session, incoming, message, verified)
            return self._told(session, incoming, message, verified)

        return await self.acceptor.accept(partner, content_type, raw, key, meaning)

    async def _stood(self, record: Tree) -> Stood:
        """Return how consent stood; never raises, and never takes longer than `PATIENCE`."""
        now = self.clock.now()

        def unit(session: Session) -> Stood | Unsure:
            return stood(session, record, now, self.registers)

        try:
            async with asyncio.timeout(PATIENCE):
                found = await self.store.run(unit, Needs())
                if isinstance(found, Unsure):
                    await found.refresh()
                    found = await self.store.run(unit, Needs())
                return UNREAD if isinstance(found, Unsure) else found
        except Exception:  # whatever it is, it does not stop a disclosure
            log.exception("consent unverified")
            return UNREAD

    def _check(self, partner: Partner, message: Tree, now: datetime) -> None:
        """Refuse what no decision-maker could mean: by whom, when, to whom, on what basis."""
        record = message["disclosure"]
        if not partner.accredited(now.date()):
            raise Forbidden(Code.ORG_NOT_ACCREDITED, "your organisation is not accredited today")
        service, faults = str(record["disclosed_to"]), []
        if record["decided_by"]["organisation"] != partner.organisation:
            faults.append(
                _fault(Code.NOT_OWNER, "decided_by/organisation", "name who decided, at your own")
            )
        if datetime.fromisoformat(record["decided_at"]) > now + SKEW:
            faults.append(_fault(Code.RULE, "decided_at", "a decision does not lie ahead"))
        if not may_receive(record["basis"], service):
            faults.append(_fault(Code.RULE, "disclosed_to", "a service with a duty on this basis"))
        recipient = self.registry.by_service(service)
        if recipient is None:
            faults.append(
                _fault(Code.REFERENCE, "disclosed_to", "no connected system serves it: ring them")
            )
        elif not recipient.accredited(now.date()):
            faults.append(
                _fault(Code.ORG_NOT_ACCREDITED, "disclosed_to", "not accredited today: ring them")
            )
        if record["kind"] == REQUEST:
            if not partner.serves(service) or service.rpartition("/")[2] not in DUTY:
                faults.append(
                    _fault(Code.RULE, "disclosed_to", "children's social care and police ask")
                )
            if "episode" in message:
                faults.append(Fault(Code.RULE, "/episode", "a request brings no content"))
        if message.get("event") not in {None, REFERRED}:
            faults.append(Fault(Code.RULE, "/event", "a disclosure is no other step"))
        if message.get("event") == REFERRED and not service.endswith("/CSC"):
            faults.append(_fault(Code.RULE, "disclosed_to", "a referral is to social care"))
        sent = message.get("episode", {}).get("episode_id")
        if sent is not None and sent != record.get("episode_id", sent):
            faults.append(Fault(Code.RULE, "/episode/episode_id", "the one that it is about"))
        if faults:
            raise InvalidContent(
                faults[0].code, f"{len(faults)} faults in the disclosure", tuple(faults)
            )

    def _asked(
        self, session: Session, incoming: Incoming, message: Tree, stood_then: Stood
    ) -> Accepted:
        """Pass a request on to the lead professional's system; who asks learns nothing by it."""
        record = _marked(message["disclosure"], stood_then)
        head = session.episode(str(record["episode_id"]))
        lead = responsible(head) if head is not None and head.version else None
        partner = self.registry.by_service(lead) if lead else None
        made = None
        if lead is not None and partner is not None:
            made = self._delivery(session, incoming, message, record, {}, partner.name, lead)
        authority = head.home_authority if head is not None else incoming.partner.authority
        self._note(session, incoming, record, stood_then, made, authority)
        return _accepted(incoming, record, made, ())

    def _told(
        self, session: Session, incoming: Incoming, message: Tree, stood_then: Stood
    ) -> Accepted | Refused:
        """Send the named sections: what the sender brings, or what it keeps here."""
        record = _marked(message["disclosure"], stood_then)
        service = str(record["disclosed_to"])
        if record["basis"] == AGREED:
            refusal = self._disagreed(session, record, stood_then, incoming.now)
            if refusal is not None:
                return refusal
        content, warnings = self._content(session, incoming, message, record)
        partner = self.registry.by_service(service)
        if partner is None:
            raise Missing(Code.NOT_FOUND, "no connected system serves the recipient")
        made = self._delivery(session, incoming, message, record, content, partner.name, service)
        authority = self._remember(session, record, service) or incoming.partner.authority
        self._note(session, incoming, record, stood_then, made, authority)
        return _accepted(incoming, record, made, warnings)

    def _delivery(
        self,
        session: Session,
        incoming: Incoming,
        message: Tree,
        record: Tree,
        content: Tree,
        partner: str,
        service: str,
    ) -> Delivery:
        return delivery_of(
            session,
            record,
            content,
            partner=partner,
            service=service,
            message_id=incoming.message_id,
            correlation_id=str(
                message.get("message", {}).get("correlation_id")
                or record.get("request_id")
                or record["exception_id"]
            ),
            now=incoming.now,
        )

    def _content(
        self, session: Session, incoming: Incoming, message: Tree, record: Tree
    ) -> tuple[Tree, tuple[Fault, ...]]:
        """Return what is disclosed, cut to the named sections, and warnings for the receipt.

        Without an ``episode`` of its own a disclosure takes the sections from the hub's record;
        only who keeps that record may say so, and the record's shields and masks hold.
        """
        if "episode" in message:
            sent = sections(record, message["episode"])
            permits = lawful(record, sent)
        else:
            case = self._kept(session, incoming, record)
            sent = sections(record, case.open(case.tree))
            permits = lawful(record, sent, masked=masked(case.tree))
        shown = dict(prune(sent, permits))
        found = {section for _, section, _ in permits.counted}
        warnings = [
            _fault(
                Code.REFERENCE, f"disclosed_sections/{place}", "nothing is there of this section"
            )
            for place, section in enumerate(record["disclosed_sections"])
            if section not in found
        ]
        return shown, tuple(warnings)

    @staticmethod
    def _kept(session: Session, incoming: Incoming, record: Tree) -> Case:
        """Return the hub's record of the episode, for who keeps it; nobody else learns that it is
        there.
        """
        episode_id = str(record.get("episode_id", ""))
        head = session.episode(episode_id) if episode_id else None
        content = session.version(episode_id, head.version) if head and head.version else None
        held = roles(
            incoming.partner,
            head,
            content.tree if content else None,
            session.involvements(episode_id) if head else (),
        )
        if head is None or content is None or not held & WRITES_ALL:
            fault = Fault(Code.REQUIRED, "/episode", "send the sections that you disclose")
            raise InvalidContent(
                Code.REQUIRED, "the hub keeps no record for you to disclose", (fault,)
            )
        return Case(head, content.tree, (), ())

    def _disagreed(
        self, session: Session, record: Tree, stood_then: Stood, now: datetime
    ) -> Refused | None:
        """Return the refusal of a referral under s17 that the family did not agree to, section by
        section; what cannot be read is no agreement.
        """
        episode_id, service = str(record.get("episode_id", "")), str(record["disclosed_to"])
        head = session.episode(episode_id) if episode_id and stood_then.verified else None
        content = session.version(episode_id, head.version) if head and head.version else None
        rights = None
        if head is not None and content is not None:
            decisions = heard(self.registers, session, head).decisions
            rights = agreed_rights(decisions, content.tree, record, service, now)
        if rights is None:
            return Refused(Withheld(Code.CONSENT_NONE, "no recorded agreement to tell them (s17)"))
        if not all(
            rights(str(child)).get(section, 0) & SECTION
            for child in record["subject_ids"]
            for section in record["disclosed_sections"]
        ):
            return Refused(
                Withheld(Code.CONSENT_SCOPE, "the family agreed to fewer sections than are named")
            )
        return None

    @staticmethod
    def _remember(session: Session, record: Tree, service: str) -> str | None:
        """Note on the episode, unseen, that *service* may answer for it with a decision (T29).

        Returns the authority where the child lives, if the hub knows of an episode.
        """
        head = session.episode(str(record["episode_id"])) if record.get("episode_id") else None
        if head is None:
            return None
        facts = dict(head.facts or {})
        known = set(facts.get(TOLD, ()))
        if service not in known and set(record["subject_ids"]) & set(
            people_of(_tree(session, head.episode_id, head.version))[0]
        ):
            facts[TOLD] = sorted({*known, service})
            session.put_episode(replace(head, facts=facts))
        return head.home_authority

    def _note(
        self,
        session: Session,
        incoming: Incoming,
        record: Tree,
        stood_then: Stood,
        made: Delivery | None,
        authority: str | None,
    ) -> None:
        """Write the audit row and put it on the review list of the same day: codes and references,
        never what was disclosed.
        """
        facts: dict[str, Any] = {
            "disclosure": record["exception_id"],
            "kind": record["kind"],
            "basis": record["basis"],
            "sections": list(record["disclosed_sections"]),
            "children": len(record.get("subject_ids", ())),
            "family_informed": record["family_informed"],
            "from": incoming.partner.name,
            "to": made.service if made else None,
            "episode": record.get("episode_id"),
            "consent": list(stood_then.states),
            "consent_unverified": not stood_then.verified,
        }
        session.add_audit(
            row(
                "disclosure.recorded",
                at=incoming.now,
                actor=incoming.partner.name,
                code=str(record["basis"]),
                episode_id=made.episode_id if made else None,
                service=made.service if made else None,
                delivery_id=made.delivery_id if made else None,
                facts=facts,
            )
        )
        session.add_alert(review(facts, incoming.message_id, made, authority, incoming.now))


def check_referral(message: Tree) -> None:
    """Refuse a referral to social care (T28) that is not a disclosure: it would tell nobody."""
    if message.get("event") == REFERRED:
        fault = Fault(Code.REQUIRED, "/disclosure", "send the decision, with basis and recipient")
        raise InvalidContent(Code.REQUIRED, "a referral to social care is a disclosure", (fault,))


def _tree(session: Session, episode_id: str, version: int) -> Tree:
    content = session.version(episode_id, version) if version else None
    return content.tree if content else {}


def _fault(code: Code, place: str, remedy: str) -> Fault:
    return Fault(code, f"/disclosure/{place}", remedy)


def _marked(record: Tree, stood_then: Stood) -> Tree:
    """Return the record with the hub's own mark, and without a sender's."""
    kept = {name: value for name, value in record.items() if name != "consent_unverified"}
    return kept if stood_then.verified else {**kept, "consent_unverified": True}


def _accepted(
    incoming: Incoming, record: Tree, made: Delivery | None, warnings: tuple[Fault, ...]
) -> Accepted:
    """Return the answer, the same whether or not the hub knows of an episode."""
    body: dict[str, Any] = {
        "message_id": incoming.message_id,
        "status": "accepted",
        "exception_id": record["exception_id"],
    }
    if warnings:
        body["warnings"] = [
            {"code": fault.code.value, "path": fault.path, "remedy": fault.remedy}
            for fault in warnings
        ]
    return Accepted(Receipt(202, body), offers=(made.delivery_id,) if made else ())
