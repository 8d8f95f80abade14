"""Taking in what others put into queues of this broker: one by one, and acknowledged by hand.

A connection of its own, because strangers' messages travel on it (`rabbit_tolerant`).  Each queue
has a channel and a worker: its messages are dealt with one after the other, in their order, and
what becomes of one queue is nothing to the others.  What is not settled when a channel ends comes
again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

import aiormq.abc
from aio_pika.abc import AbstractConnection

from messaging.arrival import Arrival, Taking
from messaging.channel import REDELIVERY_PAUSE, Disposition
from messaging.errors import TransportUnavailable
from messaging.rabbit_link import Link, answer_within
from messaging.rabbit_tolerant import UNREADABLE, TolerantSockets
from messaging.retry import reconnect_delay

log = logging.getLogger(__name__)

Feed = asyncio.Queue[aiormq.abc.DeliveredMessage | None]
"""What a channel delivered; ``None`` when it has ended."""


class RabbitIntake:
    """Reads *queues* from `start` to `stop`, whatever becomes of the broker meanwhile.

    *take* deals with each message.  *ready* is awaited for a queue before anything is read from it,
    at first, and again after a message that could not be dealt with (``RETRY``): until then
    messages stay with the broker, which counts how often it hands one out.  At most *prefetch*
    messages of a queue are in this process.
    """

    def __init__(
        self,
        url: str,
        queues: Sequence[str],
        take: Taking,
        ready: Callable[[str], Awaitable[None]],
        *,
        deadline: float = 5.0,
        heartbeat: int = 10,
        tls: ssl.SSLContext | None = None,
        prefetch: int = 1,
    ) -> None:
        self._queues = tuple(queues)
        self._take = take
        self._ready = ready
        self._deadline = deadline
        self._prefetch = prefetch
        self._random = Random()
        self._tasks: set[asyncio.Task[None]] = set()
        self._read: set[str] = set()
        self._link = Link(
            url,
            name="taking in",
            deadline=deadline,
            heartbeat=heartbeat,
            tls=tls,
            prepare=_nothing,
            on_state=lambda: None,
            sockets=TolerantSockets,
        )

    @property
    def reading(self) -> bool:
        """Whether all queues are read now."""
        return self._read == set(self._queues)

    def start(self) -> None:
        """Begin to connect and to read; a broker that is away is tried again until `stop`."""
        if not self._tasks:
            self._tasks = {asyncio.create_task(self._keep_reading(name)) for name in self._queues}
            self._tasks.add(asyncio.create_task(self._open()))

    async def stop(self) -> None:
        """Read nothing more; what is in hand is let go and comes again. Twice is allowed."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._link.close()

    async def _open(self) -> None:
        try:
            await self._link.open()
        except TransportUnavailable as error:
            log.warning("%s", error)

    async def _keep_reading(self, name: str) -> None:
        failures = 0
        while True:
            await self._ready(name)
            try:
                async with self._consuming(name, await self._link.up()) as feed:
                    failures = 0
                    while (message := await feed.get()) is not None:
                        if not await self._deal(name, message):
                            break
            except TransportUnavailable as error:
                failures += 1
                log.warning("%s", error)
                await asyncio.sleep(reconnect_delay(failures, random=self._random))

    @asynccontextmanager
    async def _consuming(self, name: str, connection: AbstractConnection) -> AsyncIterator[Feed]:
        """Consume from one queue on a channel of its own, which ends with the block."""
        feed: Feed = asyncio.Queue()

        async def arrived(message: aiormq.abc.DeliveredMessage) -> None:
            feed.put_nowait(message)

        async with answer_within(self._deadline, f"reading {name}"):
            channel = await connection.channel(publisher_confirms=False)
            wire = await channel.get_underlay_channel()
            wire.closing.add_done_callback(lambda _: feed.put_nowait(None))
            # The broker cancels a consumer when its queue is deleted or moves.
            wire.on_consumer_cancel_callbacks.add(lambda _: feed.put_nowait(None))
            await wire.basic_qos(prefetch_count=self._prefetch)
            await wire.basic_consume(name, arrived)
        self._read.add(name)
        try:
            yield feed
        finally:
            self._read.discard(name)
            if not channel.is_closed:
                # Gives back what was delivered and not settled.
                async with answer_within(self._deadline, f"leaving {name}"):
                    await channel.close()

    async def _deal(self, name: str, message: aiormq.abc.DeliveredMessage) -> bool:
        """Deal with one message; ``False`` where the queue must wait."""
        disposition = Disposition.RETRY
        try:
            disposition = await self._take(arrival_of(name, message))
        except Exception as error:  # noqa: BLE001 - the class only: its text may quote
            log.error("a message of %s raised %s and comes again", name, type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(REDELIVERY_PAUSE)
        if disposition is Disposition.RETRY:
            # The end of its channel gives it back, once: a reject would have it come again before.
            return False
        wire, tag = message.channel, message.delivery_tag or 0
        async with answer_within(self._deadline, f"settling on {name}"):
            if disposition is Disposition.ACK:
                await wire.basic_ack(tag, wait=False)
            else:
                await wire.basic_reject(tag, requeue=False, wait=False)
        return True


async def _nothing(_: AbstractConnection) -> None:
    """Every queue is prepared by its own worker, so that a missing one holds up no other."""


def arrival_of(queue: str, message: aiormq.abc.DeliveredMessage) -> Arrival:
    """Return a delivered message as an `Arrival`."""
    properties = message.header.properties
    given = properties.headers if isinstance(properties.headers, dict) else {}
    counted, reason = given.get("x-delivery-count"), given.get("x-first-death-reason")
    # The broker counts; where it does not, it only says that there was a first time.
    times = counted if type(counted) is int and counted > 0 else int(bool(message.redelivered))
    channel = message.channel
    return Arrival(
        queue=queue,
        key=message.routing_key or "",
        body=message.body,
        message_id=properties.message_id or None,
        correlation_id=properties.correlation_id or None,
        user=properties.user_id or None,
        content_type=properties.content_type or None,
        content_encoding=properties.content_encoding or None,
        readable=properties.cluster_id != UNREADABLE,
        times=times,
        reason=reason if isinstance(reason, str) else "",
        alive=lambda: not channel.is_closed,
    )
