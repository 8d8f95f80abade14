"""Transmissions: the two ids of a FHIR message, and which pairs of them may come (FHIR R4,
messaging; `standards.md` 3.6).

======== ========= ==========================================================================
Bundle   message   what happens
======== ========= ==========================================================================
new      new       taken
seen     seen      the answer that was given, again
new      seen      refused as a duplicate: every CAF message is of consequence
seen     new       refused: the id of a Bundle is never used for another message
======== ========= ==========================================================================

A message is *seen* once it was taken, or refused for lack of consent; one that was refused for what
it says left nothing, and its repaired form may come under its own id in another Bundle.  A Bundle
is seen as soon as it came.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.exchange import InboxEntry
from hub.domain.partner import Partner
from hub.errors import Code, Conflict, Fault
from hub.ports import Clock, Needs, Session, Store

CONTENT_TYPE: Final = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Transmission:
    """One Bundle of one sender: the hub's own id for it, and when it first came."""

    transmission_id: str
    received_at: datetime


def key_of(message_id: str) -> str:
    """Return the key under which the message itself is taken once."""
    return f"fhir/{message_id}"


@dataclass(frozen=True, slots=True)
class Transmissions:
    """Remembers which Bundle brought which message, for each sender apart."""

    store: Store
    clock: Clock

    async def came(self, partner: Partner, bundle_id: str, message_id: str) -> Transmission:
        """Return the transmission, the same for the same pair; `Conflict` (``E_DUPLICATE``) for a
        pair that may not come.
        """
        bundle = f"fhir.bundle/{bundle_id}"
        key = key_of(message_id)
        entry = InboxEntry(
            message_id=str(uuid4()),
            partner=partner.name,
            key=bundle,
            digest=b"",
            content_type=CONTENT_TYPE,
            raw=None,
            received_at=self.clock.now(),
            status=202,
            answer={"message": message_id},
        )

        def unit(session: Session) -> InboxEntry | Conflict:
            before = session.inbox(partner.name, bundle)
            if before is not None:
                return before if before.answer["message"] == message_id else _used()
            if session.inbox(partner.name, key) or session.notice(partner.name, key):
                return _again()
            session.add_inbox(entry)
            return entry

        name = partner.name
        found = await self.store.run(unit, Needs(inbox=((name, bundle), (name, key))))
        if isinstance(found, Conflict):
            raise found
        return Transmission(found.message_id, found.received_at)


def _used() -> Conflict:
    remedy = "give every Bundle an id of its own; only the very same transmission repeats one"
    return Conflict(
        Code.DUPLICATE,
        "this Bundle brought another message before",
        (Fault(Code.DUPLICATE, "id", remedy),),
    )


def _again() -> Conflict:
    remedy = "the message was taken; to hear the answer again, send the same Bundle again"
    return Conflict(
        Code.DUPLICATE,
        "this message came before, in another Bundle",
        (Fault(Code.DUPLICATE, "entry[0].resource.id", remedy),),
    )
