"""What is sent and confirmed, timed as it passes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.domain.carriage import Outcome, Parcel
from hub.domain.partner import Registry
from hub.errors import Code, HubError
from hub.metrics import Metrics
from hub.ports import Destination
from messaging.channel import Publisher
from messaging.envelope import Envelope
from messaging.errors import TransportError


@dataclass(frozen=True, slots=True)
class MeasuredDestination:
    """A destination whose attempts are counted by outcome (`hub.ports.Destination`)."""

    destination: Destination
    partner: str
    channel: str
    metrics: Metrics

    async def send(self, parcel: Parcel) -> Outcome:
        """Carry one parcel and count how it went; raises what the destination raises."""
        began, said = time.perf_counter(), Code.INTERNAL.value
        try:
            outcome = await self.destination.send(parcel)
            said = "delivered" if outcome.delivered else "handed_over"
        except HubError as fault:
            said = fault.code.value
            raise
        else:
            return outcome
        finally:
            self.metrics.sent(self.partner, self.channel, said, time.perf_counter() - began)


def measured(
    destinations: Mapping[str, Destination], registry: Registry, metrics: Metrics
) -> dict[str, Destination]:
    """Return these destinations, each counted for its partner."""
    return {
        name: MeasuredDestination(one, name, registry.partners[name].delivering.channel, metrics)
        for name, one in destinations.items()
    }


@dataclass(frozen=True, slots=True)
class MeasuredPublisher:
    """A publisher whose confirms are timed (`messaging.channel.Publisher`)."""

    publisher: Publisher
    metrics: Metrics

    async def publish(self, envelope: Envelope) -> None:
        """Publish one, and time its confirm."""
        with self.metrics.confirm_seconds.time():
            await self.publisher.publish(envelope)

    async def publish_many(self, envelopes: Sequence[Envelope]) -> list[TransportError | None]:
        """Publish all of them, and time until the last is confirmed."""
        with self.metrics.confirm_seconds.time():
            return await self.publisher.publish_many(envelopes)
