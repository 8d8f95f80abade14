"""Publishing to RabbitMQ: confirmed, mandatory, persistent, pipelined, and never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import aiormq
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic
from pamqp.common import FieldValue

from messaging.envelope import Envelope
from messaging.errors import (
    ChannelFull,
    NotConnected,
    TransportError,
    TransportUnavailable,
    Unroutable,
)
from messaging.rabbit_link import Link, answer_within, was_cancelled
from messaging.topology import Topology

POSSIBLE_DUPLICATE = "possible-duplicate"
"""Header by which a publisher says that it may have sent the message before."""

PERSISTENT = 2
"""AMQP 0-9-1 delivery mode; quorum queues store everything, an exchange beside them may not."""

SMALL_BODY = 64 * 1024
"""Up to this size a message is not waited for on the socket: `in_flight` bounds what piles up."""


class RabbitPublisher:
    """Publishes over one confirm channel, with at most *in_flight* messages unconfirmed."""

    def __init__(self, link: Link, deadline: float, in_flight: int) -> None:
        self.topology: Topology | None = None
        self._link = link
        self._deadline = deadline
        self._room = asyncio.Semaphore(in_flight)
        self._channel: aiormq.Channel | None = None
        self._underway: dict[str, asyncio.Event] = {}

    async def attach(self, connection: AbstractConnection) -> None:
        """Open the confirm channel on a fresh connection; its end is the connection's end."""
        async with answer_within(self._deadline, "opening the confirm channel"):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            # Not through aio-pika's exchange, which waits for the socket after every message.
            wire = cast("aiormq.Channel", await channel.get_underlay_channel())
        self._channel = wire
        wire.closing.add_done_callback(lambda _: self._on_closed(wire))

    async def publish(self, envelope: Envelope) -> None:
        error = await self._attempt(envelope)
        if error is not None:
            raise error

    async def publish_many(self, envelopes: Sequence[Envelope]) -> list[TransportError | None]:
        return list(await asyncio.gather(*map(self._attempt, envelopes)))

    async def _attempt(self, envelope: Envelope) -> TransportError | None:
        name = envelope.channel
        try:
            async with asyncio.timeout(self._deadline), self._room:
                await self._send(envelope)
        except TransportError as error:
            return error
        except PublishError:
            # `from None` in effect: the library's error holds the returned body.
            return Unroutable(f"{name}: no queue takes it")
        except DeliveryError:
            return ChannelFull(f"{name}: the broker refused the message")
        except TimeoutError:
            return await self._unanswered(name)
        except asyncio.CancelledError:
            if was_cancelled():
                raise
            return TransportUnavailable(f"{name}: the connection was closed")
        except Exception as error:  # noqa: BLE001 - aiormq rejects with a bare Exception, too
            return TransportUnavailable(f"{name}: {type(error).__name__}")
        return None

    async def _send(self, envelope: Envelope) -> None:
        topology = self.topology
        if topology is None:
            raise Unroutable("no topology has been declared")
        # aiormq finds a returned message by its id. With one id twice in flight it would take
        # the second's return for the first's, and report an unroutable message as confirmed.
        while (earlier := self._underway.get(envelope.message_id)) is not None:
            await earlier.wait()
        done = self._underway[envelope.message_id] = asyncio.Event()
        try:
            try:
                transport = self._link.connection.transport
            except TransportUnavailable:
                transport = None
            channel = self._channel
            if transport is None or channel is None:
                raise NotConnected("the broker is not connected")
            await transport.ready()  # waits while the broker has blocked us
            await channel.basic_publish(
                envelope.body,
                exchange=topology.publish_to,
                routing_key=_routing_key(envelope, topology),
                properties=_properties(envelope),
                mandatory=True,
                wait=len(envelope.body) > SMALL_BODY,
            )
        finally:
            del self._underway[envelope.message_id]
            done.set()

    def _on_closed(self, wire: aiormq.Channel) -> None:
        if wire is self._channel:
            self._link.lose()

    async def _unanswered(self, name: str) -> TransportUnavailable:
        try:
            blocked = await self._link.blocked()
        except TransportUnavailable as error:
            return error
        if blocked:
            # An alarm passes, and a new connection would be blocked as well.
            return TransportUnavailable(f"{name}: the broker has an alarm and takes nothing")
        self._link.lose()
        return TransportUnavailable(f"{name}: no answer within {self._deadline:g} s")


def _routing_key(envelope: Envelope, topology: Topology) -> str:
    if envelope.priority:
        queue = topology.queue(envelope.channel)
        if queue is not None and queue.express is not None:
            return queue.express
    return envelope.channel


def _properties(envelope: Envelope) -> Basic.Properties:
    headers: dict[str, FieldValue] = dict(envelope.headers)
    if envelope.possible_duplicate:
        headers[POSSIBLE_DUPLICATE] = "true"
    return Basic.Properties(
        message_id=envelope.message_id,
        correlation_id=envelope.correlation_id,
        content_type=envelope.content_type,
        delivery_mode=PERSISTENT,
        headers=headers,
    )
