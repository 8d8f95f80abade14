"""Recipients that come for their messages: inbox, fetch, acknowledge (`design.md` section 8).

A fetch is a disclosure like any other: the gate runs at that moment, under today's consent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub.domain.exchange import Delivery, State, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import (
    Code,
    Conflict,
    Fault,
    InvalidContent,
    Missing,
    Rejected,
    Unavailable,
    Withheld,
)
from hub.ports import Clock, Digester, Handover, Needs, Rendered, Renderer, Session, Store
from hub.services.audit import of_delivery
from hub.services.carried import COLLECTED
from hub.services.case import ask_gate, load_case
from hub.services.gate import address
from hub.services.lane import successor
from hub.services.receipt import Receipt
from hub.services.registers import OWN_ALONE, UNSURE, Registers, Unsure
from hub.services.released import Released
from hub.services.set_aside import UNDELIVERED
from hub.services.settle import envelope, format_of, settle, view_digest
from hub.services.strangers import UNTOLD, hidden
from hub.services.waiting import waits

PAGE: Final = 100
ENDED: Final = frozenset({State.SUPPRESSED, State.QUARANTINED, State.EXPIRED, State.ERASED})
ACKNOWLEDGEMENTS: Final = (
    "RECEIVED",
    "APPLIED",
    "COPIES_LOCKED",
    "COPIES_DELETED",
    "COPIES_RETURNED",
    "REJECTED",
)


def _gone() -> Missing:
    return Missing(Code.NOT_FOUND, "there is no such delivery for you; ask your inbox")


def _offered(
    session: Session, partner: Partner, delivery_id: str, *, late: bool = False
) -> Delivery:
    """Return what the gate has let through to *partner* and what has not ended otherwise.

    Its outcome may not be known yet: a quick receiver answers before the hub has written down that
    it was sent, and a careful one after the hub believed that it was not.  *late*: what its carrier
    said nobody collected counts too, for it may have been collected all the same.
    """
    delivery = session.delivery(delivery_id)
    if delivery is None or delivery.partner != partner.name or delivery.sequence is None:
        raise _gone()
    came_back = delivery.state is State.QUARANTINED and delivery.reason == UNDELIVERED
    if delivery.state in ENDED and not (late and came_back):
        raise _gone()
    return delivery


@dataclass(frozen=True, slots=True)
class Collector:
    """What a partner fetches and acknowledges itself."""

    store: Store
    registry: Registry
    renderer: Renderer
    digester: Digester
    clock: Clock
    handover: Handover
    registers: Registers = OWN_ALONE

    async def inbox(self, partner: Partner, after: int, limit: int) -> Tree:
        """Return what waits for *partner*, in lane order; *next* continues."""
        waiting = (await self._offered(partner, after + min(limit, PAGE)))[after:]
        return {
            "deliveries": [
                {
                    "delivery_id": delivery.delivery_id,
                    "message_type": delivery.message_type,
                    "episode_id": delivery.episode_id,
                    "service": delivery.service,
                    "sequence": delivery.sequence,
                    "created_at": delivery.created_at.isoformat().replace("+00:00", "Z"),
                }
                for delivery in waiting
            ],
            "next": after + len(waiting),
        }

    async def _offered(self, partner: Partner, count: int) -> list[Delivery]:
        """Return the first *count* that the gate has let through; what it has not seen is not there
        yet.
        """
        found: list[Delivery] = []
        place = 0
        while len(found) < count:
            page = await self.store.inbox_of(partner.name, place, PAGE)
            found += [one for one in page if one.state is State.HANDED_OVER]
            place += len(page)
            if len(page) < PAGE:
                break
        return found[:count]

    async def fetch(self, partner: Partner, delivery_id: str) -> Rendered:
        """Return the body of one delivery as consent allows now; raises `Missing` or `Withheld` as
        a view of its episode would, and `Unavailable` (``E_REGISTER``) while consent cannot be
        confirmed.
        """
        needs = Needs(deliveries=(delivery_id,), hidden=True)

        def unit(session: Session) -> tuple[Delivery, Released] | Withheld | Unsure | None:
            return self._release(session, partner, delivery_id)

        outcome = await self.store.run(unit, needs)
        if isinstance(outcome, Unsure):
            await outcome.refresh()
            outcome = await self.store.run(unit, needs)
        if isinstance(outcome, Unsure):
            raise Unavailable(Code.REGISTER, UNSURE)
        if isinstance(outcome, Withheld):
            raise hidden() if outcome.code in UNTOLD else outcome
        if outcome is None:
            self.handover.offer(await self.store.due(self.clock.now(), PAGE))
            raise _gone()
        delivery, released = outcome
        try:
            return self.renderer.render(
                format_of(partner, delivery.message_type, released.tree),
                released,
                partner=partner.name,
            )
        except Rejected as fault:
            self.handover.offer(await self._unrenderable(delivery_id, fault))
            raise _gone() from fault

    async def _unrenderable(self, delivery_id: str, fault: Rejected) -> Sequence[str]:
        """Set a delivery aside that its format cannot say: nobody can fetch it."""

        def unit(session: Session) -> Sequence[str]:
            delivery = session.delivery(delivery_id)
            if delivery is None or delivery.state is not State.HANDED_OVER:
                return ()
            now = self.clock.now()
            return settle(session, delivery, State.QUARANTINED, fault.code.value, {}, now)

        return await self.store.run(unit, Needs(deliveries=(delivery_id,)))

    def _release(
        self, session: Session, partner: Partner, delivery_id: str
    ) -> tuple[Delivery, Released] | Withheld | Unsure | None:
        delivery = _offered(session, partner, delivery_id)
        now = self.clock.now()
        case = load_case(session, delivery, self.registers)
        if case is None:
            raise _gone()
        try:
            released = ask_gate(case, delivery, partner, self.registry, now)
        except Withheld as withheld:
            # What nobody there may receive today waits, as every recall does.
            if delivery.state is State.HANDED_OVER and not waits(delivery, withheld.code):
                self._suppress(session, delivery, withheld.code.value)
            return withheld
        except Unavailable:
            return Unsure(self.registers.of(case.head), case.head.episode_id)
        if view_digest(self.digester, delivery, released) != delivery.digest:
            # Consent changed since it was offered: this one ends, and a new one says what may be
            # said.
            if delivery.state is State.HANDED_OVER:
                self._replace(session, delivery, case.head.version)
            return None
        fetched = replace(delivery, evidence={**(delivery.evidence or {}), "fetched": True})
        session.put_delivery(fetched)
        session.add_audit(
            of_delivery(
                "disclosure.fetched",
                fetched,
                at=now,
                code="OK",
                facts={
                    "decisions": list(released.decisions),
                    "purpose": released.purpose,
                    "consent_version": case.head.consent_version,
                    "view": (delivery.digest or b"").hex(),
                },
            )
        )
        decisions, made = case.decisions, delivery.created_at
        message = envelope(fetched, released, self.registry.hub, made, decisions)
        return fetched, address(released, message)

    def _suppress(self, session: Session, delivery: Delivery, reason: str) -> None:
        settle(
            session, delivery, State.SUPPRESSED, reason, delivery.evidence or {}, self.clock.now()
        )

    def _replace(self, session: Session, delivery: Delivery, newest: int) -> None:
        self._suppress(session, delivery, "SUPERSEDED")
        session.put_delivery(successor(session, delivery, newest, self.clock.now()))

    async def acknowledge(self, partner: Partner, delivery_id: str, code: str) -> Receipt:
        """Record the recipient's own word; the same again changes nothing and answers the same.

        A body that was never fetched cannot be acknowledged (``E_STATE``), nor somebody else's.
        """
        if code not in ACKNOWLEDGEMENTS:
            fault = Fault(
                Code.CODELIST, "code", "use one of the listed codes", "ACK", ACKNOWLEDGEMENTS
            )
            raise InvalidContent(Code.CODELIST, "unknown acknowledgement code", (fault,))

        def unit(session: Session) -> Sequence[str]:
            return self._said(session, partner, delivery_id, code)

        following = await self.store.run(unit, Needs(deliveries=(delivery_id,), hidden=True))
        self.handover.offer(following)
        return Receipt(200, {"delivery_id": delivery_id, "acknowledged": code})

    def _said(
        self, session: Session, partner: Partner, delivery_id: str, code: str
    ) -> Sequence[str]:
        """Record the word; it may come before we know that the message arrived."""
        delivery = session.delivery(delivery_id)
        if delivery is None or delivery.partner != partner.name:
            raise _gone()
        evidence = dict(delivery.evidence or {})
        if evidence.get("acknowledged") == code:
            return ()
        delivery = _offered(session, partner, delivery_id, late=True)
        now = self.clock.now()
        # That its system collected it is the carrier's word, and this is the receiver's own.
        own = "acknowledged" in evidence or COLLECTED not in evidence
        if delivery.state is State.DELIVERED and (own or code != "REJECTED"):
            if code == "REJECTED":
                raise Conflict(Code.STATE, "you have taken this delivery; send a correction")
            said = replace(delivery, evidence={**evidence, "acknowledged": code})
            session.put_delivery(said)
            session.add_audit(of_delivery("delivery.acknowledged", said, at=now, code=code))
            return ()
        thin = partner.delivering.body == "thin" or partner.delivering.channel == "pull"
        if thin and not evidence.get("fetched"):
            raise Conflict(Code.STATE, "fetch the delivery before you acknowledge it")
        state = State.DELIVERED if code != "REJECTED" else State.QUARANTINED
        reason = None if code != "REJECTED" else "RECEIVER_REJECTED"
        return settle(session, delivery, state, reason, {"acknowledged": code}, now)
