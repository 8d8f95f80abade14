"""NHS MESH out: one partner's mailbox, by way of the hub's own.

What MESH takes is handed over, never delivered: that is what the receiver says afterwards
(`adapters/doors/mesh.py` hears it).  The delivery's id is the local id, the same on every attempt;
neither it nor the subject or the file name tells anything of a child (`reliability.md` P9, P29).
"""

from hashlib import sha256
from typing import Final

from adapters.destinations.breaker import Breaker
from adapters.mesh.mailbox import Mailbox
from adapters.sftp.names import ending_of
from hub.domain.carriage import Outcome, Parcel
from hub.domain.partner import MeshRoute
from hub.errors import Code, Rejected
from hub.services.carried import CARRIER

CONTENT_TYPES: Final = ("N6", "N7", "N9", "N13", "N16")
"""The message types that go under the workflow id for content (`hub.services.settle.format_of`)."""
SUBJECT: Final = "eCAF message"
AGAIN: Final = "eCAF message, possible duplicate"


class MeshDestination:
    """Carries parcels to one partner's mailbox."""

    def __init__(
        self, mailbox: Mailbox, route: MeshRoute, *, breaker: Breaker | None = None
    ) -> None:
        """Send by *mailbox*, which others may share, to where *route* says."""
        self._mailbox = mailbox
        self._route = route
        self.breaker = breaker or Breaker()

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand one parcel to MESH; raises `Unavailable` or `Rejected` as `Mailbox.send` does."""
        if parcel.thin:
            raise Rejected(Code.CONTENT_TYPE, "MESH carries whole messages and nothing else")
        content = parcel.message_type in CONTENT_TYPES
        async with self.breaker.guard():
            given = await self._mailbox.send(
                self._route.mailbox,
                parcel.body,
                workflow=self._route.content if content else self._route.notification,
                local_id=parcel.delivery_id,
                subject=AGAIN if parcel.possible_duplicate else SUBJECT,
                filename=f"{parcel.delivery_id}.{ending_of(parcel.content_type)}",
                content_type=parcel.content_type,
                checksum=f"sha256:{sha256(parcel.body).hexdigest()}",
            )
        return Outcome(delivered=False, evidence={CARRIER: given})
