"""The peer: aio-pika alone, publishing the same bodies into the same kind of queue."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aio_pika

IN_FLIGHT: Final = 400
QUEUE: Final = "bench.bare"


class Bare:
    """A confirm channel with a quorum queue of its own."""

    def __init__(self, channel: Any, queue: Any) -> None:
        self._channel, self._queue = channel, queue

    async def burst(self, bodies: Sequence[bytes]) -> None:
        """Publish *bodies*, `IN_FLIGHT` at once, each confirmed; check that all are there."""
        for at in range(0, len(bodies), IN_FLIGHT):
            await asyncio.gather(*map(self._publish, bodies[at : at + IN_FLIGHT]))

    async def emptied(self) -> int:
        """Empty the queue; return how many it held."""
        purged = await self._queue.purge()
        count: int = purged.message_count
        return count

    async def _publish(self, body: bytes) -> None:
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/fhir+json",
        )
        await self._channel.default_exchange.publish(message, routing_key=QUEUE)


async def sample(url: str, queue: str) -> bytes:
    """Return one body from the recipient's queue."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        held = await channel.declare_queue(queue, passive=True)
        message = await held.get(no_ack=True)
    return bytes(message.body)


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Bare]:
    """Connect as the hub does, and declare a queue as the hub's partners have."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        queue = await channel.declare_queue(
            QUEUE, durable=True, arguments={"x-queue-type": "quorum"}
        )
        yield Bare(channel, queue)
