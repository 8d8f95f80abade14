"""Partners that fetch: nothing is sent; the delivery waits in the inbox until it is
acknowledged.
"""

from hub.domain.carriage import Outcome, Parcel


class PullDestination:
    """Hands over by keeping: ``GET /inbox`` shows what waits, ``POST …/ack`` ends it."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Return at once: the parcel is not carried, and it is not delivered."""
        return Outcome(delivered=False, evidence={"waiting": parcel.delivery_id})

    async def close(self) -> None:
        """Nothing to release."""
