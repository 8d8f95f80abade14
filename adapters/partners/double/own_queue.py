"""The partner's own queue at the broker, for profiles whose channel is ``amqp``."""

import asyncio
from importlib import resources

import yaml

from adapters.partners.double.partner import Double
from messaging.channel import Disposition, Subscription
from messaging.envelope import Envelope
from messaging.errors import TransportError
from messaging.rabbit import RabbitTransport
from messaging.topology import Topology

PATIENCE_SECONDS = 0.5


def _shipped() -> Topology:
    text = resources.files("messaging").joinpath("topology.yaml").read_text("utf-8")
    return Topology.from_mapping(yaml.safe_load(text))


class OwnQueue:
    """Reads ``caf.out.<partner>`` while it is switched on; a broker that is away is tried again."""

    def __init__(self, url: str, double: Double) -> None:
        self._url = url
        self._double = double
        self._transport: RabbitTransport | None = None
        self._subscription: Subscription | None = None
        self._on = True

    async def keep_reading(self) -> None:
        """Connect and subscribe until it works; afterwards the transport reconnects by itself."""
        while True:
            if self._on and self._subscription is None:
                try:
                    await self._subscribe()
                except (TransportError, OSError):
                    await self._drop()
            await asyncio.sleep(PATIENCE_SECONDS)

    async def switch(self, on: bool) -> None:  # noqa: FBT001 - a switch is on or off
        """Start or stop to read."""
        self._on = on
        if not on:
            await self._drop()

    async def _subscribe(self) -> None:
        self._transport = RabbitTransport(self._url)
        await self._transport.open()
        # The transport reads only what it knows; declaring what is there already changes nothing.
        await self._transport.declare(_shipped())
        await self._transport.declare_queue(f"caf.out.{self._double.name}")
        self._subscription = await self._transport.subscriber.subscribe(
            f"caf.out.{self._double.name}", self._handle, prefetch=1
        )

    async def _drop(self) -> None:
        transport, self._transport, self._subscription = self._transport, None, None
        if transport is not None:
            await transport.close()

    async def _handle(self, envelope: Envelope) -> Disposition:
        headers = {
            **{name.lower(): value for name, value in envelope.headers.items()},
            "content-type": envelope.content_type,
            "message-id": envelope.message_id,
        }
        await self._double.take(envelope.body, headers, via="queue")
        return Disposition.RETRY if self._double.owes(envelope.message_id) else Disposition.ACK
