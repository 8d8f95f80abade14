"""A queue for each partner: ``caf.out.<partner>`` on the broker that the hub uses.

A publisher confirm means that the broker holds the message, so it is *handed over*; the partner
says itself, with an acknowledgement, that it has it (`design.md` section 2, point 8).
"""

from typing import Final

from adapters.destinations import thin
from hub.domain.carriage import Outcome, Parcel
from hub.errors import Code, Rejected, Unavailable
from messaging.channel import Publisher
from messaging.envelope import MAX_BODY_BYTES, Envelope
from messaging.errors import NotConnected, TransportError, TransportUnavailable, Unroutable

QUEUE_PREFIX: Final = "caf.out."
_FULL_QUEUE_WAIT: Final = 30.0


def queue_of(partner: str) -> str:
    """Return the name of a partner's queue.

    >>> queue_of("EHM-A")
    'caf.out.EHM-A'
    """
    return QUEUE_PREFIX + partner


class AmqpDestination:
    """Puts parcels into one partner's queue; the transport is the hub's, opened and closed
    there.
    """

    def __init__(self, partner: str, publisher: Publisher, *, public_url: str) -> None:
        self._channel = queue_of(partner)
        self._publisher = publisher
        self._public_url = public_url

    async def send(self, parcel: Parcel) -> Outcome:
        """Publish one parcel and wait for the broker's confirm."""
        body = thin.notice(parcel, self._public_url) if parcel.thin else parcel.body
        if len(body) > MAX_BODY_BYTES:
            raise Rejected(Code.TOO_LARGE, "too large for a queue")
        envelope = Envelope(
            message_id=parcel.delivery_id,
            channel=self._channel,
            body=body,
            content_type=thin.CONTENT_TYPE if parcel.thin else parcel.content_type,
            headers={
                "ecaf-message-type": parcel.message_type,
                "ecaf-sequence": str(parcel.lane_sequence),
            },
            priority=parcel.urgent,
            possible_duplicate=parcel.possible_duplicate,
        )
        try:
            await self._publisher.publish(envelope)
        except Unroutable:
            # The partner's queue is the hub's to declare; until it is, the message is still good.
            raise Unavailable(Code.TOPOLOGY, "the partner's queue does not exist") from None
        except NotConnected:
            # Nothing left: a recall must not tell the partner of what it never got.
            raise Unavailable(Code.UNAVAILABLE, "the broker is not connected") from None
        except TransportUnavailable as error:
            unavailable = Unavailable(Code.OUTCOME_UNKNOWN, "the broker did not confirm")
            if type(error) is not TransportUnavailable:
                unavailable = Unavailable(Code.UNAVAILABLE, "the partner's queue is full")
                unavailable.retry_after = _FULL_QUEUE_WAIT
            raise unavailable from None
        except TransportError:
            raise Unavailable(Code.UNAVAILABLE, "the broker did not take it") from None
        return Outcome(delivered=False, evidence={"confirmed": True})

    async def close(self) -> None:
        """Nothing of its own to release."""
