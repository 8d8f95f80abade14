"""The in-process transport: the same promises as a broker, kept until the process ends.

For the embedded mode, where a store refills the channels at start, and for tests. It is bounded
as the topology says, redelivers, dead-letters, and lets priority overtake.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from messaging.channel import (
    DEAD_LETTER_FROM,
    DEAD_LETTER_REASON,
    Disposition,
    Handler,
    State,
)
from messaging.envelope import Envelope
from messaging.errors import ChannelFull, TransportError, TransportUnavailable, Unroutable
from messaging.topology import Queue, Topology
from messaging.workers import Workers


@dataclass(slots=True)
class _Item:
    envelope: Envelope
    queue: str
    expires: float | None
    redeliveries: int = 0


@dataclass(slots=True)
class _Box:
    """One queue: what waits in it, how much that is, and who wants to hear of arrivals."""

    limits: Queue
    items: deque[_Item] = field(default_factory=deque)
    bytes: int = 0
    listeners: set[asyncio.Event] = field(default_factory=set)

    def put(self, item: _Item, *, first: bool = False) -> None:
        (self.items.appendleft if first else self.items.append)(item)
        self.bytes += len(item.envelope.body)
        for listener in self.listeners:
            listener.set()

    def take(self) -> _Item:
        item = self.items.popleft()
        self.bytes -= len(item.envelope.body)
        return item


class MemoryTransport:
    """Publisher, subscriber and queues in one process and one event loop."""

    def __init__(self, *, on_state: Callable[[State], None] | None = None) -> None:
        self._topology: Topology | None = None
        self._boxes: dict[str, _Box] = {}
        self._subscriptions: set[_MemorySubscription] = set()
        self._state: State = "down"
        self._on_state = on_state

    @property
    def state(self) -> State:
        return self._state

    @property
    def publisher(self) -> MemoryTransport:
        return self

    @property
    def subscriber(self) -> MemoryTransport:
        return self

    async def open(self) -> None:
        self._turn("up")

    async def close(self) -> None:
        for subscription in tuple(self._subscriptions):
            await subscription.stop()
        self._turn("down")

    async def declare(self, topology: Topology) -> None:
        self._topology = topology
        for queue in topology.queues:
            box = self._boxes.setdefault(queue.name, _Box(queue))
            box.limits = queue

    async def declare_queue(
        self, name: str, *, max_length_bytes: int | None = None, message_ttl: float | None = None
    ) -> None:
        await self.declare(
            self._known().with_queue(
                name, max_length_bytes=max_length_bytes, message_ttl=message_ttl
            )
        )

    async def purge(self, channel: str) -> int:
        removed = 0
        for box in self.boxes(channel):
            removed += len(box.items)
            box.items.clear()
            box.bytes = 0
        return removed

    async def depth(self, channel: str) -> int:
        boxes = self.boxes(channel)
        for box in boxes:
            self._expire(box)
        return sum(len(box.items) for box in boxes)

    async def publish(self, envelope: Envelope) -> None:
        if self._state == "down":
            raise TransportUnavailable("the transport is not open")
        topology = self._known()
        queue = topology.queue(envelope.channel)
        key = envelope.channel
        if envelope.priority and queue is not None and queue.express is not None:
            key = queue.express
        boxes = [self._boxes[name] for name in topology.routes(key)]
        if not boxes:
            raise Unroutable(f"{envelope.channel}: no queue takes it")
        for box in boxes:
            if box.bytes + len(envelope.body) > box.limits.max_length_bytes:
                raise ChannelFull(f"{envelope.channel}: {box.limits.name} is full")
        for box in boxes:
            box.put(self._item(envelope, box))
        # Lets subscribers run, as a broker's answer would: a loop that publishes must not starve.
        await asyncio.sleep(0)

    async def publish_many(self, envelopes: Sequence[Envelope]) -> list[TransportError | None]:
        results: list[TransportError | None] = []
        for envelope in envelopes:
            try:
                await self.publish(envelope)
            except TransportError as error:
                results.append(error)
            else:
                results.append(None)
        return results

    async def subscribe(
        self, channel: str, handler: Handler, prefetch: int = 10
    ) -> _MemorySubscription:
        if self._state == "down":
            raise TransportUnavailable("the transport is not open")
        subscription = _MemorySubscription(self, channel, handler, prefetch)
        self._subscriptions.add(subscription)
        return subscription

    def boxes(self, channel: str) -> list[_Box]:
        """Return the channel's queues in the order in which they are read."""
        box = self._boxes.get(channel)
        if box is None:
            raise Unroutable(f"{channel}: there is no such channel")
        express = box.limits.express
        return [box] if express is None else [self._boxes[express], box]

    def first(self, boxes: list[_Box]) -> _Item | None:
        """Take the first message that waits, those with priority before others."""
        for box in boxes:
            self._expire(box)
            if box.items:
                return box.take()
        return None

    def settle(self, item: _Item, disposition: Disposition) -> None:
        """Forget, give back or dead-letter what :meth:`first` has handed out."""
        box = self._boxes[item.queue]
        if disposition is Disposition.RETRY:
            limit = box.limits.delivery_limit
            if limit is not None and item.redeliveries >= limit:
                self._dead_letter(item, box, "delivery_limit")
                return
            item.redeliveries += 1
            item.envelope = dataclasses.replace(item.envelope, possible_duplicate=True)
            # To the front, as RabbitMQ does: what came first stays first.
            box.put(item, first=True)
        elif disposition is Disposition.REJECT:
            self._dead_letter(item, box, "rejected")

    def forget(self, subscription: _MemorySubscription) -> None:
        """Take a stopped subscription off the list."""
        self._subscriptions.discard(subscription)

    def _dead_letter(self, item: _Item, box: _Box, reason: str) -> None:
        if box.limits.dead_letter is None:
            return
        target = self._boxes[box.limits.dead_letter]
        headers = {DEAD_LETTER_FROM: item.queue, DEAD_LETTER_REASON: reason}
        envelope = dataclasses.replace(
            item.envelope,
            channel=target.limits.name,
            headers=headers | dict(item.envelope.headers),
        )
        # Not refused when the target is full: dead-lettering has nobody to tell, and must not lose.
        target.put(self._item(envelope, target))

    def _expire(self, box: _Box) -> None:
        if box.limits.message_ttl is None:
            return
        now = asyncio.get_running_loop().time()
        while box.items and (box.items[0].expires or now) < now:
            self._dead_letter(box.take(), box, "expired")

    def _item(self, envelope: Envelope, box: _Box) -> _Item:
        ttl = box.limits.message_ttl
        expires = None if ttl is None else asyncio.get_running_loop().time() + ttl
        return _Item(envelope, box.limits.name, expires)

    def _known(self) -> Topology:
        if self._topology is None:
            raise Unroutable("no topology has been declared")
        return self._topology

    def _turn(self, state: State) -> None:
        if state != self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)


class _MemorySubscription:
    """Workers over the boxes of one channel."""

    def __init__(
        self, transport: MemoryTransport, channel: str, handler: Handler, prefetch: int
    ) -> None:
        self._transport = transport
        self._boxes = transport.boxes(channel)
        self._arrival = asyncio.Event()
        for box in self._boxes:
            box.listeners.add(self._arrival)
        self._workers: Workers[_Item] = Workers(self, handler, prefetch)

    async def stop(self, deadline: float = 10.0) -> None:
        await self._workers.stop(deadline)
        for box in self._boxes:
            box.listeners.discard(self._arrival)
        self._transport.forget(self)

    async def next(self) -> _Item:
        while (item := self._transport.first(self._boxes)) is None:
            self._arrival.clear()
            await self._arrival.wait()
        return item

    def envelope(self, delivery: _Item) -> Envelope:
        return delivery.envelope

    async def settle(self, delivery: _Item, disposition: Disposition) -> None:
        self._transport.settle(delivery, disposition)
