"""What a carrier (NHS MESH) says afterwards of deliveries that it took: collected, or come back.

Source: `reliability.md` P9: what a carrier took is handed over; it is delivered when the receiver
says so; and a report of non-delivery turns it back, whatever was believed before.  Only a receiver
that has acknowledged the delivery itself is believed more than its carrier.  What came back is set
aside with the reason ``UNDELIVERED`` and an alert: it holds its lane, and goes again by `ecaf
quarantine release`, under today's consent.  What its receiver could not take yet goes again by
itself, by its partner's schedule, unless something later of its lane has gone since.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hub.domain.exchange import Delivery, State
from hub.ports import Clock, Handover, Needs, Session, Store
from hub.services.alerts import alert
from hub.services.audit import of_delivery, row
from hub.services.set_aside import UNDELIVERED
from hub.services.settle import settle

CARRIER: Final = "mesh"
"""The name under which a delivery's evidence keeps the carrier's id for it."""
COLLECTED: Final = "collected"
PAGE: Final = 200
REFUSED: Final = "RECEIVER_BUSY"
"""The receiver says that it took a delivery and could not deal with it now (`transient-error`)."""
_DAY: Final = timedelta(days=1)
_GONE: Final = frozenset({State.SENDING, State.HANDED_OVER, State.DELIVERED})

Again = Callable[[int], float | None]
"""Attempts so far to the seconds until the next, or None: give up."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Records what a carrier says; the same again changes nothing."""

    store: Store
    clock: Clock
    handover: Handover

    async def uncollected(self, partner: str) -> Sequence[Delivery]:
        """Return what a carrier took for *partner* and is not known to have been collected."""
        found: list[Delivery] = []
        place = 0
        while page := await self.store.inbox_of(partner, place, PAGE):
            found += [
                one
                for one in page
                if one.state is State.HANDED_OVER
                and CARRIER in (one.evidence or {})
                and COLLECTED not in (one.evidence or {})
            ]
            place += len(page)
        return found

    async def collected(
        self, partner: str, delivery_id: str, carrier_id: str, *, enough: bool
    ) -> None:
        """Note that the receiver's system has taken it out of its mailbox.

        *enough*: its partner has agreed that this is its word, so that it is delivered; but never a
        recall, which is delivered when its recipient says what it did with its copies.
        """

        def unit(session: Session) -> tuple[str, ...]:
            one = _carried(session, partner, delivery_id, carrier_id)
            if one is None or one.state is not State.HANDED_OVER:
                return ()
            if COLLECTED in (one.evidence or {}):
                return ()
            now = self.clock.now()
            final = enough and one.message_type != "N10"
            state = State.DELIVERED if final else State.HANDED_OVER
            return settle(session, one, state, None, {COLLECTED: now.isoformat()}, now)

        await self._settle(delivery_id, unit)

    async def came_back(
        self,
        partner: str | None,
        delivery_id: str,
        carrier_id: str,
        code: str,
        *,
        reason: str = UNDELIVERED,
        again: Again | None = None,
    ) -> bool:
        """Set a delivery aside that did not arrive; ``False`` where that is about none, or about an
        earlier attempt than its last.

        *carrier_id* empty: the carrier did not say about which attempt.  *partner* ``None``:
        whoever it was for.  *again*: it is sent once more after so many seconds instead, while
        there are attempts left and nothing later of its lane has gone, which it must not overtake.
        """
        known = False

        def unit(session: Session) -> tuple[str, ...]:
            nonlocal known
            one = _carried(session, partner, delivery_id, carrier_id)
            known = one is not None
            if one is None or one.state not in {State.HANDED_OVER, State.DELIVERED}:
                return ()
            now = self.clock.now()
            if one.state is State.DELIVERED and "acknowledged" in (one.evidence or {}):
                facts = {"report": code}
                session.add_audit(
                    of_delivery("delivery.contradicted", one, at=now, code=reason, facts=facts)
                )
                session.add_alert(self._alert("delivery.contradicted", one, facts))
                return ()
            session.add_audit(
                of_delivery("delivery.came_back", one, at=now, code=reason, facts={"report": code})
            )
            wait = None if again is None or _overtaken(session, one) else again(one.attempts)
            if wait is not None:
                session.put_delivery(_waiting(one, reason, code, now + timedelta(seconds=wait)))
                return ()
            back = {"report": code, "returned": True}
            return settle(session, one, State.QUARANTINED, reason, back, now)

        await self._settle(delivery_id, unit)
        return known

    async def refused(
        self, actor: str, code: str, facts: Mapping[str, Any], *, warn: str | None = None
    ) -> None:
        """Record that something in the mailbox was not taken, by codes and ids; *warn*: what
        somebody must look at, as the kind of an alert (once for each message).
        """

        def unit(session: Session) -> None:
            now = self.clock.now()
            if warn is not None and not session.add_alert(
                alert(
                    warn,
                    "operator",
                    facts.get("carrier_id", ""),
                    at=now,
                    facts={**facts, "code": code, "from": actor},
                    due_at=now + _DAY,
                )
            ):
                return
            session.add_audit(row("message.refused", at=now, actor=actor, code=code, facts=facts))

        await self.store.run(unit, Needs())

    def _alert(self, kind: str, one: Delivery, facts: Mapping[str, Any]) -> Any:
        return alert(
            kind,
            "operator",
            one.delivery_id,
            at=self.clock.now(),
            service=one.service,
            delivery_id=one.delivery_id,
            facts=facts,
            due_at=self.clock.now() + _DAY,
        )

    async def _settle(self, delivery_id: str, unit: Callable[[Session], tuple[str, ...]]) -> None:
        self.handover.offer(await self.store.run(unit, Needs(deliveries=(delivery_id,))))


def _overtaken(session: Session, one: Delivery) -> bool:
    """Return whether something later of its lane has gone: then *one* would come out of order."""
    return any(
        other.partner == one.partner
        and other.lane_sequence > one.lane_sequence
        and other.priority >= one.priority
        and (other.state in _GONE or other.attempts > 0)
        for other in session.deliveries(one.episode_id)
    )


def _waiting(one: Delivery, reason: str, code: str, moment: datetime) -> Delivery:
    """Return *one* as it waits for its next attempt: under the same id, number and view."""
    return replace(
        one,
        state=State.PENDING,
        reason=reason,
        next_attempt_at=moment,
        lease_epoch=one.lease_epoch + 1,
        lease_until=None,
        settled_at=None,
        evidence={**(one.evidence or {}), "report": code, "returned": True},
    )


def _carried(
    session: Session, partner: str | None, delivery_id: str, carrier_id: str
) -> Delivery | None:
    """Return the delivery, if it is that partner's and the carrier's id is its last attempt's."""
    one = session.delivery(delivery_id)
    if one is None or (partner is not None and one.partner != partner):
        return None
    kept = (one.evidence or {}).get(CARRIER)
    return one if kept is not None and carrier_id in ("", kept) else None
