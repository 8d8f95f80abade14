"""Accepting: one message, once, whole; the same again gets the same answer (`reliability.md` P4,
P5).

Wraps what a message means (`Meaning`) in what every accepted message needs: the dedupe key, the
digest, the inbox row, and the refusal that keeps no body.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.exchange import InboxEntry
from hub.domain.partner import Partner
from hub.errors import Code, Conflict, HubError, Rejected, Withheld
from hub.ports import Clock, Digester, Handover, Needs, Session, Store
from hub.services.metering import UNMEASURED, Meter
from hub.services.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Accepted:
    """What one message led to: the answer, what it touched, and what may be sent now."""

    receipt: Receipt
    episode_id: str | None = None
    version: int | None = None
    offers: tuple[str, ...] = ()
    keep_body: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal for lack of consent: key and keyed digest are kept, no body (`design.md` section
    4).
    """

    error: HubError
    episode_id: str | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as a door handed it over, with the hub's own id for it, and who acts."""

    partner: Partner
    content_type: str
    raw: bytes
    key: str
    message_id: str
    now: datetime
    user: str | None = None


Meaning = Callable[[Session, Incoming], Accepted | Refused]


@dataclass(frozen=True, slots=True)
class Acceptor:
    """Commits a message and everything that follows from it in one transaction, then answers."""

    store: Store
    digester: Digester
    clock: Clock
    handover: Handover
    meter: Meter = UNMEASURED

    async def accept(
        self,
        partner: Partner,
        content_type: str,
        raw: bytes,
        key: str,
        meaning: Meaning,
        *episodes: str | None,
    ) -> Receipt:
        """Return the receipt after the commit; raises what *meaning* raises, and then nothing is
        kept.  *episodes* are those that it will read: they are locked together, in one order.

        The same key and content: the stored answer.  Other content: ``E_IDEMPOTENCY``.
        """
        digest = self.digester.digest(raw)
        incoming = Incoming(partner, content_type, raw, key, str(uuid4()), self.clock.now())

        count = self.meter.accepted

        def unit(session: Session) -> Accepted | HubError:
            nonlocal count
            prior = session.inbox(partner.name, key)
            count = self.meter.accepted if prior is None else self.meter.repeated
            if prior is not None:
                return _again(prior, digest)
            outcome = meaning(session, incoming)
            if isinstance(outcome, Refused):
                session.add_inbox(_refused(incoming, digest, outcome))
                return outcome.error
            session.add_inbox(_accepted(incoming, digest, outcome))
            return outcome

        needs = Needs(
            inbox=((partner.name, key),), episodes=tuple(filter(None, episodes)), hidden=True
        )
        outcome = await self.store.run(unit, needs)
        if isinstance(outcome, HubError):
            raise outcome
        count(partner.name)
        self.handover.offer(outcome.offers)
        return outcome.receipt


WITHHELD: Final = frozenset(
    {Code.CONSENT_NONE, Code.CONSENT_SCOPE, Code.CONSENT_EXPIRED, Code.CONSENT_GIVER}
)


def _again(prior: InboxEntry, digest: bytes) -> Accepted | HubError:
    if prior.digest != digest:
        return Conflict(Code.IDEMPOTENCY, "this key came before with other content")
    if prior.status >= 400:
        code = Code(prior.answer["code"])
        kind = Withheld if code in WITHHELD else Rejected
        return kind(code, str(prior.answer["detail"]))
    return Accepted(Receipt(prior.status, prior.answer))


def _accepted(incoming: Incoming, digest: bytes, outcome: Accepted) -> InboxEntry:
    return InboxEntry(
        message_id=incoming.message_id,
        partner=incoming.partner.name,
        key=incoming.key,
        digest=digest,
        content_type=incoming.content_type,
        raw=incoming.raw if outcome.keep_body else None,
        received_at=incoming.now,
        status=outcome.receipt.status,
        answer=outcome.receipt.body,
        episode_id=outcome.episode_id,
        version=outcome.version,
    )


def _refused(incoming: Incoming, digest: bytes, outcome: Refused) -> InboxEntry:
    return InboxEntry(
        message_id=incoming.message_id,
        partner=incoming.partner.name,
        key=incoming.key,
        digest=digest,
        content_type=incoming.content_type,
        raw=None,
        received_at=incoming.now,
        status=403,
        answer={"code": outcome.error.code.value, "detail": outcome.error.detail},
        episode_id=None,
    )
