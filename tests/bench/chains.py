"""Full exchanges for a second of processor, the hub's beside FastStream's empty ones.

An exchange: published to a queue, taken from it, handled, published again, taken by its recipient
and acknowledged; quorum queues, persistent, confirmed, at most `IN_FLIGHT` under way.  FastStream
handles by passing the body on.  The hub accepts a whole episode durably (and only then acknowledges
it), asks the gate, renders FHIR, audits, and sends.  Beside both, the empty chain by the hub's own
`messaging`.  Everything that belongs to one of them, its sender and its recipient, is in one
process, and the broker is in none.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from adapters.destinations.amqp import queue_of
from messaging.channel import Disposition
from messaging.envelope import Envelope
from messaging.rabbit import RabbitTransport
from tests.bench.bare import IN_FLIGHT
from tests.bench.faststream_peer import PATIENCE, faststream
from tests.bench.figure import Figure, check, told
from tests.bench.hubs import queued, transport_to
from tests.bench.load import Watch
from tests.bench.story import RECIPIENT, update

EPISODES: Final = 200
IN: Final = "caf.out.CHAIN-IN"
OUT: Final = "caf.out.CHAIN-OUT"


class Chain:
    """A sender, a recipient, and something between them that takes from `IN` and sends on."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel) -> None:
        """Publish and count by *channel*."""
        self._channel = channel
        self._turns = asyncio.Semaphore(IN_FLIGHT)
        self._arrived, self._wanted, self._all = 0, 0, asyncio.Event()

    async def consume(self, message: AbstractIncomingMessage) -> None:
        """Take what has arrived."""
        self._arrived += 1
        self._turns.release()
        await message.ack()
        if self._arrived >= self._wanted:
            self._all.set()

    async def exchange(self, bodies: Sequence[bytes]) -> float:
        """Send each of *bodies* and wait until all have arrived; return the processor seconds."""
        self._arrived, self._wanted = 0, len(bodies)
        self._all.clear()
        began = time.process_time()
        await asyncio.gather(*map(self._send, bodies))
        async with asyncio.timeout(PATIENCE):
            await self._all.wait()
        spent = time.process_time() - began
        await asyncio.sleep(0.2)  # one too many would come now
        check("exchanges", self._arrived, len(bodies))
        return spent

    async def _send(self, body: bytes) -> None:
        await self._turns.acquire()
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=uuid4().hex,
            content_type="application/json",
        )
        await self._channel.default_exchange.publish(message, routing_key=IN)


@asynccontextmanager
async def chained(
    broker: str, last: str, handle: Callable[[bytes], Awaitable[None]] | None
) -> AsyncIterator[Chain]:
    """A chain whose recipient reads *last*; *handle* is called for what is in `IN`, and what it
    has handled is acknowledged.
    """
    connection = await aio_pika.connect(broker)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.set_qos(prefetch_count=IN_FLIGHT)
        chain = Chain(channel)
        first = await channel.declare_queue(IN, passive=True)
        await first.purge()
        if handle is not None:
            handling = handle

            async def take(message: AbstractIncomingMessage) -> None:
                await handling(message.body)
                await message.ack()

            await first.consume(take)
        out = await channel.declare_queue(last, passive=True)
        await out.purge()
        await out.consume(chain.consume)
        yield chain


async def exchanges(broker: str, *, rounds: int, messages: int) -> list[Figure]:
    """Return the hub's and its queue package's exchanges a processor second over FastStream's."""
    whole = Figure("full exchanges per CPU second, the hub / FastStream empty", 1.0)
    empty = Figure("the same by `messaging`, empty / FastStream empty", 1.0)
    async with AsyncExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecaf-bench-")))
        transport = await stack.enter_async_context(transport_to(broker))
        await transport.declare_queue(IN)
        await transport.declare_queue(OUT)
        course = await stack.enter_async_context(queued(top, broker, f"sqlite:///{top}/hub.db"))
        episodes = [f"e{number}" for number in range(EPISODES)]
        await course.open(episodes)
        way = course.way
        await course.emptied()
        keys = iter(range(10**9))

        async def accept(raw: bytes) -> None:
            await way.submit(raw, f"c{next(keys)}")

        body = update(episodes[0], 0)
        (top / "body").write_bytes(body)
        peer = await stack.enter_async_context(faststream(broker, top / "body"))
        for number in range(rounds + 1):
            first = number * messages
            raws = [update(episodes[n % EPISODES], n) for n in range(first, first + messages)]
            with Watch() as watch:
                theirs = await peer.exchange(messages)
                async with plain(broker, transport) as chain:
                    ours = await chain.exchange([body] * messages)
                before = await course.settled()
                async with chained(broker, queue_of(RECIPIENT), accept) as chain:
                    hub = await chain.exchange(raws)
                    after = await course.settled()
            check("handed over", after["handed_over"] - before["handed_over"], messages)
            last = (
                f"FastStream {messages / theirs:.0f}, `messaging` {messages / ours:.0f},"
                f" the hub {messages / hub:.0f} a processor second"
            )
            told("exchanges", number, last, watch.others)
            if number:
                whole.add(theirs / hub, watch.others)
                empty.add(theirs / ours, watch.others)
    whole.beside = f"{len(body)} bytes; the last round: {last}"
    return [whole, empty]


@asynccontextmanager
async def plain(broker: str, transport: RabbitTransport) -> AsyncIterator[Chain]:
    """The empty chain by the hub's own consumer and publisher."""

    async def handle(envelope: Envelope) -> Disposition:
        await transport.publisher.publish(replace(envelope, channel=OUT))
        return Disposition.ACK

    async with chained(broker, OUT, None) as chain:
        subscription = await transport.subscriber.subscribe(IN, handle, IN_FLIGHT)
        try:
            yield chain
        finally:
            await subscription.stop()
