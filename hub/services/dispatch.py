"""One delivery, from the head of its lane to its outcome: claim, gate, render, send, settle.

TX1 claims the lease, counts the attempt, asks the gate and commits the audit row, all under the
lock on the episode's head, before the first byte leaves.  TX2 records what the other side said.
Between the two the process may die: the lease runs out and the same delivery id goes again
(`reliability.md` 5.1).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hub.domain.carriage import Parcel
from hub.domain.exchange import Delivery, State, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, HubError, Rejected, Unavailable, Withheld
from hub.ports import Clock, Destination, Digester, Handover, Needs, Renderer, Session, Store
from hub.services.audit import of_delivery
from hub.services.case import ask_gate, load_case, request_of
from hub.services.gate import address
from hub.services.lane import CONTENT_CLASS, following, holds, successor
from hub.services.metering import UNMEASURED, Meter
from hub.services.registers import OWN_ALONE, Registers, Unsure
from hub.services.released import Released
from hub.services.review import undelivered
from hub.services.room import BOUNDLESS, Room
from hub.services.set_aside import set_aside
from hub.services.settle import (
    NOTES,
    envelope,
    format_of,
    kept,
    settle,
    unnumbered,
    view_digest,
)
from hub.services.statutory import STATUTORY
from hub.services.unchanged import nothing_new
from hub.services.waiting import hold, wait, waits

log = logging.getLogger("hub.dispatch")

OPEN: Final = frozenset({State.PENDING, State.SENDING})

Waits = tuple[float, ...]
Backoff = Callable[[int, float | None, Waits | None], float | None]
"""(attempts so far, what the receiver asked for, the partner's own waits) to seconds until the
next, or None: give up.
"""


@dataclass(frozen=True, slots=True)
class Started:
    """A delivery that may be sent now, and what it says; *since* is monotonic time, before the
    lease began.
    """

    delivery: Delivery
    partner: Partner
    released: Released
    since: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A delivery that ended without being sent, and why; *following* may go now."""

    following: tuple[str, ...]
    reason: str


def doubted(delivery: Delivery, fault: HubError | None) -> Delivery:
    """Return *delivery* marked as perhaps arrived, where the *fault* leaves that open.

    If consent is narrowed afterwards, it must be recalled all the same.
    """
    if fault is None or fault.code is not Code.OUTCOME_UNKNOWN:
        return delivery
    return replace(delivery, evidence={**(delivery.evidence or {}), "unknown": True})


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Carries deliveries to their ends; safe to call twice, late, or from several workers."""

    store: Store
    registry: Registry
    renderer: Renderer
    digester: Digester
    clock: Clock
    destinations: Mapping[str, Destination]
    handover: Handover
    backoff: Backoff
    worker: str
    lease: timedelta
    registers: Registers = OWN_ALONE
    meter: Meter = UNMEASURED
    room: Room = BOUNDLESS

    async def deliver(self, delivery_id: str) -> None:
        """Attempt one delivery if it may go now; everything that happens to it is committed."""
        needs = Needs(deliveries=(delivery_id,))
        since = time.monotonic()
        try:
            started = await self.store.run(
                lambda session: self._start(session, delivery_id, since), needs
            )
            if isinstance(started, Unsure):
                await started.refresh()
                since = time.monotonic()
                started = await self.store.run(
                    lambda session: self._start(session, delivery_id, since, asked=True), needs
                )
        except Unavailable:
            raise
        except Exception as fault:  # doubt sends nothing: the delivery is set aside whole
            log.exception("gate failed", extra={"delivery_id": delivery_id})
            following = await self._quarantine(delivery_id, f"GATE:{type(fault).__name__}")
            self.handover.offer(following)
            return
        if isinstance(started, Ended):
            self.meter.withheld(started.reason)
            self.handover.offer(started.following)
        elif isinstance(started, Started):
            self.handover.offer(await self._send(started))

    def _start(
        self, session: Session, delivery_id: str, since: float, *, asked: bool = False
    ) -> Started | Ended | Unsure | None:
        """Claim and release; *asked*: its register was asked just now, so waiting is all there is
        left to do where that is still unsure.
        """
        delivery = session.delivery(delivery_id)
        now = self.clock.now()
        if delivery is None or not self._may_start(session, delivery, now):
            return None
        partner = self.registry.partners.get(delivery.partner)
        if partner is None:
            return self._end(session, delivery, State.QUARANTINED, "NO_PARTNER", now)
        case = load_case(session, delivery, self.registers)
        if case is None:
            return self._end(session, delivery, State.ERASED, "ERASED", now)
        if delivery.state is State.SENDING:
            # Whoever sent it never said how it ended: it may have arrived.
            delivery = replace(delivery, evidence={**(delivery.evidence or {}), "unknown": True})
            if self.backoff(delivery.attempts, None, partner.delivering.retry) is None:
                return self._end(session, delivery, State.QUARANTINED, "ATTEMPTS", now)
        if partner.suspended is not None:
            home = case.head.home_authority
            wait(session, delivery, partner, home, now, Code.SUSPENDED)
            return None
        try:
            released = ask_gate(case, delivery, partner, self.registry, now)
        except Withheld as withheld:
            if waits(delivery, withheld.code):
                home = case.head.home_authority
                wait(session, delivery, partner, home, now, withheld.code)
                return None
            return self._end(session, delivery, State.SUPPRESSED, withheld.code.value, now)
        except Unavailable:
            if not asked:
                return Unsure(self.registers.of(case.head), case.head.episode_id)
            hold(session, delivery, now)
            return None
        digest = view_digest(self.digester, delivery, released)
        if delivery.digest is not None and delivery.digest != digest:
            return self._supersede(session, delivery, case.head.version, now)
        if delivery.digest is None and nothing_new(
            session, case, request_of(delivery, case, partner, now), delivery, digest
        ):
            return self._end(session, delivery, State.SUPPRESSED, "UNCHANGED", now)
        sequence = delivery.sequence
        if sequence is None:
            sequence = session.next_sequence(f"to:{delivery.partner}", delivery.episode_id)
        claimed = replace(
            delivery,
            state=State.SENDING,
            attempts=delivery.attempts + 1,
            lease_owner=self.worker,
            lease_epoch=delivery.lease_epoch + 1,
            lease_until=session.clock() + self.lease,
            sequence=sequence,
            digest=digest,
        )
        session.put_delivery(claimed)
        session.add_audit(
            of_delivery(
                "disclosure.intended",
                claimed,
                at=now,
                code="OK",
                facts={
                    "decisions": list(released.decisions),
                    "purpose": released.purpose,
                    "consent_version": case.head.consent_version,
                    "view": digest.hex(),
                    "mapping": self.renderer.identity(
                        format_of(partner, delivery.message_type, released.tree), partner.name
                    ),
                },
            )
        )
        decisions, made = case.decisions, delivery.created_at
        message = envelope(claimed, released, self.registry.hub, made, decisions)
        return Started(claimed, partner, address(released, message), since)

    def _may_start(self, session: Session, delivery: Delivery, now: datetime) -> bool:
        if delivery.state is State.PENDING:
            if delivery.next_attempt_at is not None and now < delivery.next_attempt_at:
                return False
        elif delivery.state is not State.SENDING or (
            delivery.lease_until is not None and session.clock() < delivery.lease_until
        ):
            return False
        lane = session.unsettled(delivery.episode_id, delivery.partner)
        free = not any(holds(other, delivery) for other in lane)
        urgent = delivery.priority < CONTENT_CLASS
        return free and self.room.enter(delivery.partner, delivery.delivery_id, urgent=urgent)

    def _supersede(self, session: Session, delivery: Delivery, newest: int, now: datetime) -> Ended:
        """Consent changed since the first attempt: end this one, and let a new one say what may be
        said.
        """
        heir = successor(session, delivery, newest, now)
        session.put_delivery(heir)
        ended = self._end(session, delivery, State.SUPPRESSED, "SUPERSEDED", now)
        return Ended((*ended.following, heir.delivery_id), ended.reason)

    def _end(
        self,
        session: Session,
        delivery: Delivery,
        state: State,
        reason: str,
        now: datetime,
        facts: Tree | None = None,
    ) -> Ended:
        ended = replace(
            delivery,
            state=state,
            reason=reason,
            facts=kept(delivery, state),
            settled_at=now,
            lease_epoch=delivery.lease_epoch + 1,
            lease_until=None,
        )
        session.put_delivery(ended)
        if delivery.message_type == STATUTORY:
            session.add_alert(undelivered(ended, now))
        elif state is State.QUARANTINED:
            session.add_alert(set_aside(ended, now))
        arrived = (delivery.evidence or {}).keys() - NOTES
        if state is State.SUPPRESSED and delivery.sequence is not None and not arrived:
            # It was tried and surely did not arrive: without its number no gap tells of it.
            lane = f"to:{delivery.partner}"
            session.give_back(lane, delivery.episode_id, delivery.sequence)
        kind = f"delivery.{state.value}"
        session.add_audit(of_delivery(kind, ended, at=now, code=reason, facts=facts))
        return Ended(following(session, ended), reason)

    async def _send(self, started: Started) -> Sequence[str]:
        delivery, partner = started.delivery, started.partner
        try:
            parcel = self._parcel(started)
            if time.monotonic() - started.since >= self.lease.total_seconds():
                return ()  # held up past its lease: whoever takes it over sends it
            outcome = await self.destinations[partner.name].send(parcel)
        except Unavailable as fault:
            return await self._retry(delivery, fault)
        except Rejected as fault:
            # Codes and places only: what the reader at 3 a.m. needs, and nothing of the content.
            places = [f"{found.code.value} {found.path}" for found in fault.faults[:10]]
            log.warning("refused", extra={"delivery_id": delivery.delivery_id, "code": fault.code})
            return await self._quarantine(
                delivery.delivery_id,
                fault.code.value,
                delivery,
                {"faults": places, "said": fault.detail},
                fault,
            )
        except Exception as fault:
            log.exception("send failed", extra={"delivery_id": delivery.delivery_id})
            return await self._quarantine(
                delivery.delivery_id, f"INTERNAL:{type(fault).__name__}", delivery
            )
        said_so = outcome.delivered and delivery.message_type != "N10"
        state = State.DELIVERED if said_so else State.HANDED_OVER
        evidence = dict(outcome.evidence)
        if not parcel.thin and partner.delivering.channel != "pull":
            evidence["carried"] = True
        return await self._settle(delivery, state, None, evidence)

    def _parcel(self, started: Started) -> Parcel:
        delivery, partner = started.delivery, started.partner
        delivering = partner.delivering
        thin = delivering.body == "thin" or delivering.channel == "pull"
        body, content_type = b"", "application/json"
        if not thin or delivering.channel == "index":
            thin = False
            rendered = self.renderer.render(
                format_of(partner, delivery.message_type, started.released.tree),
                started.released,
                partner=partner.name,
            )
            body, content_type = rendered.body, rendered.content_type
        return Parcel(
            delivery_id=delivery.delivery_id,
            message_type=delivery.message_type,
            partner=partner.name,
            attempt=delivery.attempts,
            possible_duplicate=delivery.attempts > 1 or "tried" in (delivery.evidence or {}),
            content_type=content_type,
            body=body,
            thin=thin,
            lane=delivery.episode_id,
            lane_sequence=delivery.sequence or 0,
            urgent=delivery.priority < CONTENT_CLASS,
        )

    async def _retry(self, delivery: Delivery, fault: Unavailable) -> Sequence[str]:
        partner = self.registry.partners[delivery.partner]
        waits = partner.delivering.retry
        wait = self.backoff(delivery.attempts, fault.retry_after, waits)
        if wait is None:
            said = {"said": fault.detail}
            return await self._quarantine(
                delivery.delivery_id, "ATTEMPTS", delivery, said, fault=fault
            )
        again = self.clock.now() + timedelta(seconds=wait)

        def unit(session: Session) -> tuple[str, ...]:
            current = self._mine(session, delivery)
            if current is None:
                return ()
            # It may have arrived: if consent is narrowed now, it must be recalled all the same.
            waiting = replace(
                unnumbered(session, doubted(current, fault)),
                state=State.PENDING,
                reason=fault.code.value,
                next_attempt_at=again,
                lease_until=None,
            )
            session.put_delivery(waiting)
            said = {"said": fault.detail, "next": again.isoformat()}
            session.add_audit(
                of_delivery(
                    "delivery.retry",
                    waiting,
                    at=self.clock.now(),
                    code=fault.code.value,
                    facts=said,
                )
            )
            return ()

        return await self.store.run(unit, Needs(deliveries=(delivery.delivery_id,)))

    async def _quarantine(
        self,
        delivery_id: str,
        reason: str,
        mine: Delivery | None = None,
        facts: Tree | None = None,
        fault: HubError | None = None,
    ) -> Sequence[str]:
        def unit(session: Session) -> tuple[str, ...]:
            current = self._mine(session, mine) if mine else session.delivery(delivery_id)
            if current is None or current.state not in OPEN:
                return ()
            current = unnumbered(session, doubted(current, fault))
            return self._end(
                session, current, State.QUARANTINED, reason, self.clock.now(), facts
            ).following

        return await self.store.run(unit, Needs(deliveries=(delivery_id,)))

    async def _settle(
        self, delivery: Delivery, state: State, reason: str | None, evidence: Tree
    ) -> Sequence[str]:
        def unit(session: Session) -> tuple[str, ...]:
            current = self._mine(session, delivery)
            if current is None:
                return ()
            # What a quick recipient has fetched meanwhile stays fetched.
            known = {**(current.evidence or {}), **evidence}
            return settle(session, current, state, reason, known, self.clock.now())

        return await self.store.run(unit, Needs(deliveries=(delivery.delivery_id,)))

    def _mine(self, session: Session, delivery: Delivery) -> Delivery | None:
        """Return the delivery if this worker's lease is still the newest; a stale worker stops
        here.
        """
        current = session.delivery(delivery.delivery_id)
        if current is None or current.lease_epoch != delivery.lease_epoch:
            return None
        return current if current.state is State.SENDING else None
