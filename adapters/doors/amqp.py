"""The AMQP door: takes what partners put into queues of their own, and answers in their others.

Source: `design.md` section 2 (the door answers after the commit), `reliability.md` P4, P5, P18, 5.2
and 5.11.  Who sends is known by the queue, which only one user of the broker can write to, and by
the user that the broker vouches for; never by anything in the message.  A message is acknowledged
when it is recorded, or refused in words, and its answer stands in the partner's queue.  What can be
neither recorded nor answered now stays with the broker; what was handed out again and again and
never ended is set aside whole, and its sender is told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from adapters.doors.amqp_replies import SOUND, reply
from hub.domain.exchange import State
from hub.domain.partner import AmqpUser, Partner, Registry
from hub.domain.suspension import refuse_suspended
from hub.errors import Code, Fault, Forbidden, HubError, Malformed, Unauthorised, Unavailable
from hub.ports import Clock, Handover, Store
from hub.services.carried import Carried
from hub.services.receipt import Receipt
from messaging.arrival import Arrival
from messaging.channel import Disposition, Publisher
from messaging.envelope import Envelope
from messaging.errors import TransportError

log = logging.getLogger("hub.amqp")
T = TypeVar("T")

UNREAD: Final = "caf.unread"
"""The queue of what partners sent and the broker gave up."""
LARGEST: Final = 5 * 1024 * 1024
_PLAIN: Final = frozenset({"", "identity", "utf-8", "utf8"})
_ACCREDITED: Final = "have accreditation, stage and protocol looked at by the sponsoring authority"


class Intake(Protocol):
    """What the door asks of the hub (`hub.hub.Hub`)."""

    store: Store

    @property
    def registry(self) -> Registry:
        """The active partners."""
        ...

    @property
    def clock(self) -> Clock:
        """The business clock."""
        ...

    @property
    def hints(self) -> Handover:
        """Where committed deliveries are offered."""
        ...

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Accept one message durably, or say why not."""
        ...


@dataclass(frozen=True, slots=True)
class AmqpLimits:
    """*largest*: bytes of one message.  *times* handed out before, it is set aside.

    While the hub cannot record or answer, a message is held for *hold_seconds* (less than the
    broker's ``consumer_timeout``), trying again after *least_seconds*, then twice as long up to
    *most_seconds*.
    """

    largest: int = LARGEST
    times: int = 10
    hold_seconds: float = 1200.0
    least_seconds: float = 0.5
    most_seconds: float = 30.0
    unread_seconds: float = 10.0


class AmqpDoor:
    """Deals with what arrives in partners' queues; `take` and `ready` are for an intake."""

    def __init__(
        self,
        hub: Intake,
        publisher: Publisher,
        senders: Mapping[str, tuple[str, str]],
        *,
        canonical: str,
        limits: AmqpLimits | None = None,
    ) -> None:
        """Answer by *publisher*; *senders* gives the partner and its queue of answers for every
        queue, *canonical* is where the hub's FHIR artefacts are.
        """
        self._hub, self._publisher, self._senders = hub, publisher, senders
        self._canonical = canonical
        self._limits = limits or AmqpLimits()
        self._carried = Carried(hub.store, hub.clock, hub.hints)
        self._owed: dict[str, Envelope] = {}

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that are read, that of the given up last."""
        return (*sorted(self._senders), UNREAD)

    async def ready(self, queue: str) -> None:
        """Wait until the hub can record, its partner is not suspended, and what could not be
        answered before is answered.
        """
        pause = self._limits.least_seconds
        while True:
            name, _ = self._senders.get(queue, ("", ""))
            partner = self._hub.registry.partners.get(name)
            if partner is not None and partner.suspended is not None:
                await asyncio.sleep(self._limits.least_seconds)
                continue
            try:
                await self._hub.store.counts((State.SENDING,))
                if queue in self._owed:
                    await self._publisher.publish(self._owed[queue])
                    del self._owed[queue]
            except (Unavailable, TransportError):
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._limits.most_seconds)
            else:
                return

    async def take(self, arrival: Arrival) -> Disposition:
        """Deal with one message and say what becomes of it."""
        if arrival.queue == UNREAD:
            return await self._given_up(arrival)
        name, replies = self._senders[arrival.queue]
        if arrival.times >= self._limits.times:
            # Whole to the dead letters, where it comes by as given up, and is answered.
            log.error("set aside", extra={"partner": name, "reason": "amqp.given_up"})
            return Disposition.REJECT
        until = self._until(self._limits.hold_seconds)
        try:
            ended = await self._held(arrival, until, lambda: self._ended(name, arrival))
        except Unavailable as error:
            log.warning("held", extra={"partner": name, "code": error.code.value})
            return Disposition.RETRY
        except Exception as fault:
            log.exception("door failed", extra={"error_class": type(fault).__name__})
            return Disposition.REJECT
        answer = self._reply(arrival, ended, replies)
        try:
            if isinstance(ended, HubError):
                log.info("refused", extra={"code": ended.code.value})
                facts = {"carrier_id": answer.message_id}
                await self._held(
                    arrival, until, lambda: self._carried.refused(name, ended.code.value, facts)
                )
            await self._held(arrival, until, lambda: self._publisher.publish(answer))
        except (Unavailable, TransportError) as fault:
            # It is recorded, or will be refused again; read again it has the same answer.
            log.warning("unanswered", extra={"partner": name, "error_class": type(fault).__name__})
            self._owed[arrival.queue] = answer
            return Disposition.RETRY
        return Disposition.ACK

    async def _ended(self, name: str, arrival: Arrival) -> Receipt | HubError:
        """Return the receipt of a message that is recorded now, or why it is not."""
        try:
            partner, key = self._checked(name, arrival)
            kind = arrival.content_type or ""
            return await self._hub.receive(partner, kind, arrival.body, f"amqp/{key}")
        except Unavailable:
            raise
        except HubError as error:
            return error

    def _checked(self, name: str, arrival: Arrival) -> tuple[Partner, str]:
        """Return who sends, and the id of the message; refuses what cannot be a message of theirs.

        In this order: who, then what, then how much.
        """
        registry = self._hub.registry
        partner, held = registry.partners.get(name), registry.credentials.get(name)
        sender: AmqpUser | None = None if held is None else held.amqp
        if not arrival.readable:
            raise _malformed(Code.ENCODING, "properties", "send properties that AMQP 0-9-1 allows")
        if partner is None or sender is None or arrival.user != sender.user:
            remedy = "set the property user_id to your user at the broker, which checks it"
            fault = Fault(Code.UNAUTHENTICATED, "user_id", remedy)
            raise Unauthorised(Code.UNAUTHENTICATED, "nobody vouches for the sender", (fault,))
        refuse_suspended(partner.suspended)
        if not sender.sends or not partner.accredited(self._hub.clock.now().date()):
            fault = Fault(Code.ORG_NOT_ACCREDITED, remedy=_ACCREDITED)
            raise Forbidden(Code.ORG_NOT_ACCREDITED, "the sender is not accredited today", (fault,))
        key = arrival.message_id
        if key is None:
            raise _malformed(Code.REQUIRED, "message_id", "give each message an id of its own")
        if not SOUND.fullmatch(key):
            raise _malformed(Code.FORMAT, "message_id", "1 to 128 visible ASCII characters")
        if (arrival.content_encoding or "").lower() not in _PLAIN:
            raise _malformed(Code.ENCODING, "content_encoding", "send it as it is, unpacked")
        if not arrival.content_type:
            raise _malformed(Code.CONTENT_TYPE, "content_type", "say what the message is")
        if len(arrival.body) > self._limits.largest:
            remedy = f"send at most {self._limits.largest} bytes"
            raise _malformed(Code.TOO_LARGE, "", remedy)
        return replace(partner, acting=sender.acting), key

    async def _given_up(self, arrival: Arrival) -> Disposition:
        """Tell a sender what the broker gave up; it stays whole with the dead letters, but for what
        was to end at a time that its sender chose.
        """
        known = self._senders.get(arrival.key)
        if known is None:
            return Disposition.REJECT
        name, replies = known
        ended: HubError
        if arrival.reason == "expired":
            remedy = "send it again, with a longer expiration or none"
            ended = _malformed(Code.TIMEOUT, "expiration", remedy)
        else:
            remedy = "the hub keeps it and its support is told; do not send it again as it is"
            ended = HubError(Code.INTERNAL, "the hub failed", (Fault(Code.INTERNAL, "", remedy),))
        kept = arrival.reason != "expired"
        answer = self._reply(arrival, ended, replies)
        facts = {"carrier_id": answer.message_id, "reason": arrival.reason}
        warn = "amqp.given_up" if kept else None
        try:
            await self._held(
                arrival,
                self._until(self._limits.hold_seconds),
                lambda: self._carried.refused(name, ended.code.value, facts, warn=warn),
            )
            until = self._until(self._limits.unread_seconds)
            await self._held(arrival, until, lambda: self._publisher.publish(answer))
        except Unavailable:
            return Disposition.RETRY
        except TransportError:
            # Others' messages are behind it: kept, for somebody to look at.
            facts = {**facts, "carrier_id": f"{answer.message_id}.unanswered"}
            code = ended.code.value
            await self._carried.refused(name, code, facts, warn="amqp.unanswered")
            return Disposition.REJECT
        return Disposition.REJECT if kept else Disposition.ACK

    def _reply(self, arrival: Arrival, ended: Receipt | HubError, replies: str) -> Envelope:
        at = self._hub.clock.now()
        return reply(arrival, ended, channel=replies, canonical=self._canonical, at=at)

    def _until(self, seconds: float) -> float:
        return asyncio.get_running_loop().time() + seconds

    async def _held(self, arrival: Arrival, until: float, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what *attempt* gives, trying again *until* then while store or broker are away,
        and only while the message is ours.
        """
        pause = self._limits.least_seconds
        while True:
            try:
                return await attempt()
            except (Unavailable, TransportError):
                if self._until(pause) > until or not arrival.alive():
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._limits.most_seconds)


def _malformed(code: Code, place: str, remedy: str) -> Malformed:
    return Malformed(code, "the message cannot be taken as it is", (Fault(code, place, remedy),))
