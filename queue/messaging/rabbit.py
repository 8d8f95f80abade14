"""RabbitMQ: quorum queues, confirmed publishes, and a connection that comes back by itself.

aio-pika's defaults lose messages in silence: an unroutable publish returns normally, and a stopped
broker makes it wait for ever. So every publish here is persistent, mandatory and confirmed, a
returned message is an error, and every call has a deadline. Publishing and consuming have a
connection each, because the broker's alarms block connections that publish, and acknowledgements
must still get through.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractConnection, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from messaging.channel import State
from messaging.errors import Unroutable
from messaging.rabbit_consume import RabbitSubscriber
from messaging.rabbit_declare import declare, missing
from messaging.rabbit_link import Link, Prepare, answer_within
from messaging.rabbit_publish import RabbitPublisher
from messaging.topology import Topology


class RabbitTransport:
    """Carries messages over one RabbitMQ (or a cluster behind one address).

    *url* is `amqp://` or `amqps://`; *tls* is the context for the latter. *deadline* bounds every
    call to the broker, in seconds. *heartbeat* is in seconds, too. *on_state* is called with every
    change of `state`. *on_missing* is awaited with the names of the declared queues that a broker
    turns out not to have (it is new, or was emptied), before they are made: what they held is gone,
    and whoever keeps it can see to it that it is published again. If it raises, the queues stay
    missing, and it is told again.

    A confirmed message is safe while a majority of the queue's members is not lost for good. A
    broker of one node has no majority to lose but itself: keep what matters in a store, and
    publish it again.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline: float = 5.0,
        heartbeat: int = 10,
        tls: ssl.SSLContext | None = None,
        in_flight: int = 200,
        on_state: Callable[[State], None] | None = None,
        on_missing: Callable[[Sequence[str]], Awaitable[None]] | None = None,
    ) -> None:
        self._deadline = deadline
        self._on_missing = on_missing
        self._declaring = asyncio.Lock()
        self._topology: Topology | None = None
        self._on_state = on_state
        self._state: State = "down"
        self._publishing = self._link(url, "publishing", heartbeat, tls, self._prepare_publishing)
        self._consuming = self._link(url, "consuming", heartbeat, tls, self._prepare_consuming)
        self._publisher = RabbitPublisher(self._publishing, deadline, in_flight)
        self._subscriber = RabbitSubscriber(self._consuming, deadline)

    @property
    def state(self) -> State:
        return self._state

    @property
    def publisher(self) -> RabbitPublisher:
        return self._publisher

    @property
    def subscriber(self) -> RabbitSubscriber:
        return self._subscriber

    async def open(self) -> None:
        opened = await asyncio.gather(
            self._publishing.open(), self._consuming.open(), return_exceptions=True
        )
        for error in opened:
            if error is not None:
                raise error

    async def close(self) -> None:
        await self._subscriber.stop()
        await asyncio.gather(self._publishing.close(), self._consuming.close())

    async def declare(self, topology: Topology) -> None:
        # Remembered first: if the broker is away now, the next reconnect declares it.
        self._topology = topology
        self._publisher.topology = topology
        self._subscriber.topology = topology
        await self._declare(self._publishing.connection, topology)

    async def declare_queue(
        self, name: str, *, max_length_bytes: int | None = None, message_ttl: float | None = None
    ) -> None:
        if self._topology is None:
            raise Unroutable("no topology has been declared")
        await self.declare(
            self._topology.with_queue(
                name, max_length_bytes=max_length_bytes, message_ttl=message_ttl
            )
        )

    async def purge(self, channel: str) -> int:
        removed = 0
        for name in self._queues(channel):
            async with self._existing(name, f"purging {name}") as queue:
                removed += (await queue.purge()).message_count or 0
        return removed

    async def depth(self, channel: str) -> int:
        waiting = 0
        for name in self._queues(channel):
            async with self._existing(name, f"measuring {name}") as queue:
                waiting += queue.declaration_result.message_count or 0
        return waiting

    async def _prepare_publishing(self, connection: AbstractConnection) -> None:
        if self._topology is not None:
            await self._declare(connection, self._topology)
        await self._publisher.attach(connection)

    async def _prepare_consuming(self, connection: AbstractConnection) -> None:
        # Both links declare, as either may be back first; consuming needs the queues to exist.
        if self._topology is not None:
            await self._declare(connection, self._topology)
        await self._subscriber.attach(connection)

    async def _declare(self, connection: AbstractConnection, topology: Topology) -> None:
        # One link at a time: what the other has just made would hide that it was missing.
        async with self._declaring:
            if self._on_missing is not None:
                names = await missing(connection, topology, self._deadline)
                if names:
                    await self._on_missing(names)
            await declare(connection, topology, self._deadline)

    def _queues(self, channel: str) -> list[str]:
        queue = None if self._topology is None else self._topology.queue(channel)
        if queue is None:
            raise Unroutable(f"{channel}: there is no such channel")
        return [channel] if queue.express is None else [queue.express, channel]

    @asynccontextmanager
    async def _existing(self, name: str, doing: str) -> AsyncIterator[AbstractQueue]:
        # A channel of its own: the broker answers a missing queue by closing the channel.
        async with answer_within(self._deadline, doing):
            channel = await self._publishing.connection.channel()
            try:
                yield await channel.declare_queue(name, passive=True)
            except ChannelNotFoundEntity:
                raise Unroutable(f"{name}: the broker has no such queue") from None
            finally:
                await channel.close()

    def _link(
        self, url: str, name: str, heartbeat: int, tls: ssl.SSLContext | None, prepare: Prepare
    ) -> Link:
        return Link(
            url,
            name=name,
            deadline=self._deadline,
            heartbeat=heartbeat,
            tls=tls,
            prepare=prepare,
            on_state=self._on_link,
        )

    def _on_link(self) -> None:
        both = (self._publishing.state, self._consuming.state)
        state: State = "up" if both == ("up", "up") else "down"
        if state != self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)
