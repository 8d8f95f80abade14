"""Consuming from RabbitMQ: subscriptions that outlive their connection."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from itertools import count
from typing import NamedTuple

import aiormq.abc
from aio_pika.abc import AbstractChannel, AbstractConnection

from messaging.channel import DEAD_LETTER_FROM, DEAD_LETTER_REASON, Disposition, Handler
from messaging.envelope import Envelope
from messaging.errors import TransportUnavailable, Unroutable
from messaging.rabbit_link import Link, answer_within
from messaging.rabbit_publish import POSSIBLE_DUPLICATE
from messaging.topology import Topology
from messaging.workers import Workers

_BROKER_HEADERS = {
    "x-first-death-queue": DEAD_LETTER_FROM,
    "x-first-death-reason": DEAD_LETTER_REASON,
}


class RabbitSubscriber:
    """Holds the subscriptions, and puts them on every fresh connection."""

    def __init__(self, link: Link, deadline: float) -> None:
        self.topology: Topology | None = None
        self._link = link
        self._deadline = deadline
        self._subscriptions: set[RabbitSubscription] = set()
        # A subscription that is made while the link comes back must get one channel, not two.
        self._attaching = asyncio.Lock()

    async def attach(self, connection: AbstractConnection) -> None:
        """Begin to consume, for every subscription, on a fresh connection."""
        async with self._attaching:
            for subscription in tuple(self._subscriptions):
                await subscription.attach(connection)

    async def subscribe(
        self, channel: str, handler: Handler, prefetch: int = 10
    ) -> RabbitSubscription:
        queue = None if self.topology is None else self.topology.queue(channel)
        if queue is None:
            raise Unroutable(f"{channel}: there is no such channel")
        queues = [channel] if queue.express is None else [queue.express, channel]
        subscription = RabbitSubscription(self, channel, queues, handler, prefetch, self._deadline)
        try:
            async with self._attaching:
                await subscription.attach(self._link.connection)
                self._subscriptions.add(subscription)
        except BaseException:
            await subscription.stop(0)
            raise
        return subscription

    async def stop(self) -> None:
        """Stop all subscriptions."""
        await asyncio.gather(*(each.stop() for each in tuple(self._subscriptions)))

    def lose(self) -> None:
        """Begin again with a fresh connection."""
        self._link.lose()

    def forget(self, subscription: RabbitSubscription) -> None:
        """Put a stopped subscription on no further connection."""
        self._subscriptions.discard(subscription)


class _Delivery(NamedTuple):
    """A delivered message; sorts by its queue's rank, then by arrival."""

    rank: int
    number: int
    message: aiormq.abc.DeliveredMessage


class RabbitSubscription:
    """One subscriber's workers, and the channel that feeds them at the moment."""

    def __init__(
        self,
        subscriber: RabbitSubscriber,
        channel: str,
        queues: list[str],
        handler: Handler,
        prefetch: int,
        deadline: float,
    ) -> None:
        self._subscriber = subscriber
        self._name = channel
        self._queues = queues
        self._prefetch = prefetch
        self._deadline = deadline
        self._channel: AbstractChannel | None = None
        self._wire: aiormq.abc.AbstractChannel | None = None
        self._tags: list[str] = []
        self._stopped = False
        # A heap of what has been delivered and not been started.
        self._waiting: list[_Delivery] = []
        self._number = count()
        self._arrival = asyncio.Event()
        self._workers: Workers[_Delivery] = Workers(self, handler, prefetch)

    async def attach(self, connection: AbstractConnection) -> None:
        """Consume on *connection*; what the last connection delivered comes again on this one."""
        self._waiting.clear()
        async with answer_within(self._deadline, f"subscribing to {self._name}"):
            self._channel = await connection.channel(publisher_confirms=False)
            self._wire = wire = await self._channel.get_underlay_channel()
            wire.closing.add_done_callback(lambda _: self._on_lost(wire))
            # The broker cancels a consumer when its queue is deleted or moves.
            wire.on_consumer_cancel_callbacks.add(lambda _: self._on_lost(wire))
            await wire.basic_qos(prefetch_count=self._prefetch)
            self._tags = []
            for rank, queue in enumerate(self._queues):
                answer = await wire.basic_consume(queue, self._receiver(rank))
                self._tags.append(answer.consumer_tag or "")

    async def stop(self, deadline: float = 10.0) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._subscriber.forget(self)
        if self._wire is not None and not self._wire.is_closed:
            try:
                for tag in self._tags:
                    async with answer_within(self._deadline, f"leaving {self._name}"):
                        await self._wire.basic_cancel(tag)
            except TransportUnavailable:
                # The channel is gone or about to be, and its consumers with it.
                self._subscriber.lose()
        await self._workers.stop(deadline)
        if self._channel is not None and not self._channel.is_closed:
            try:
                # Gives back what was delivered and not settled.
                async with answer_within(self._deadline, f"leaving {self._name}"):
                    await self._channel.close()
            except TransportUnavailable:
                self._subscriber.lose()

    async def next(self) -> _Delivery:
        while True:
            while self._waiting:
                delivery = heapq.heappop(self._waiting)
                # What a lost channel delivered comes again; starting it now would do it twice.
                if not delivery.message.channel.is_closed:
                    return delivery
            self._arrival.clear()
            await self._arrival.wait()

    def envelope(self, delivery: _Delivery) -> Envelope:
        message = delivery.message
        properties = message.header.properties
        given = properties.headers or {}
        headers = {
            key: value
            for key, value in given.items()
            if isinstance(value, str) and not key.lower().startswith("x-")
        }
        for theirs, ours in _BROKER_HEADERS.items():
            if isinstance(value := given.get(theirs), str):
                headers.setdefault(ours, value)
        marked = headers.pop(POSSIBLE_DUPLICATE, None) is not None
        return Envelope(
            message_id=properties.message_id or "",
            channel=self._name,
            body=message.body,
            content_type=properties.content_type or "application/octet-stream",
            headers=headers,
            priority=delivery.rank < len(self._queues) - 1,
            possible_duplicate=marked or bool(message.redelivered),
        )

    async def settle(self, delivery: _Delivery, disposition: Disposition) -> None:
        wire = delivery.message.channel
        tag = delivery.message.delivery_tag or 0
        async with answer_within(self._deadline, f"settling on {self._name}"):
            if disposition is Disposition.ACK:
                await wire.basic_ack(tag, wait=False)
            else:
                # Reject, not nack: from RabbitMQ 4.3 on only a reject counts as a failed delivery.
                requeue = disposition is Disposition.RETRY
                await wire.basic_reject(tag, requeue=requeue, wait=False)

    def _receiver(
        self, rank: int
    ) -> Callable[[aiormq.abc.DeliveredMessage], Coroutine[None, None, None]]:
        async def receive(message: aiormq.abc.DeliveredMessage) -> None:
            if message.channel is self._wire and not self._stopped:
                heapq.heappush(self._waiting, _Delivery(rank, next(self._number), message))
                self._arrival.set()

        return receive

    def _on_lost(self, wire: aiormq.abc.AbstractChannel) -> None:
        if wire is self._wire and not self._stopped:
            self._subscriber.lose()
