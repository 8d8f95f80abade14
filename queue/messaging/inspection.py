"""Looking whether a RabbitMQ has what a topology names, without making or changing anything."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from messaging.errors import TransportUnavailable
from messaging.rabbit_declare import arguments
from messaging.rabbit_link import answer_within
from messaging.topology import Exchange, Queue, Topology


@dataclass(frozen=True, slots=True)
class Difference:
    """What the broker has otherwise: *name* is an exchange's or a queue's."""

    name: str
    kind: Literal["missing", "different"]


async def inspect(
    url: str, topology: Topology, *, deadline: float = 5.0, tls: ssl.SSLContext | None = None
) -> tuple[Difference, ...]:
    """Return how the broker at *url* differs from *topology*, over a connection of its own.

    Raises `TransportUnavailable`; *deadline*, in seconds, bounds each question.
    """
    async with answer_within(deadline, "connecting"):
        connection = await aio_pika.connect(url, ssl_context=tls)
    questions: list[tuple[str, Ask, Ask]] = [
        (one.name, partial(_exchange, one, passive=True), partial(_exchange, one, passive=False))
        for one in topology.exchanges
    ]
    questions += [
        (one.name, partial(_queue, one, None), partial(_queue, one, arguments(one, topology)))
        for one in topology.queues
    ]
    try:
        found = [await _asked(connection, name, deadline, *asks) for name, *asks in questions]
    finally:
        async with answer_within(deadline, "closing"):
            await connection.close()
    return tuple(one for one in found if one is not None)


Ask = Callable[[AbstractChannel], Awaitable[object]]


async def _exchange(one: Exchange, channel: AbstractChannel, *, passive: bool) -> object:
    return await channel.declare_exchange(one.name, one.type, durable=True, passive=passive)


async def _queue(one: Queue, wanted: dict[str, Any] | None, channel: AbstractChannel) -> object:
    """Ask for a queue: that it is there, or with *wanted* that it is this very one."""
    if wanted is None:
        return await channel.declare_queue(one.name, passive=True)
    return await channel.declare_queue(one.name, durable=True, arguments=wanted)


async def _asked(
    connection: AbstractConnection, name: str, deadline: float, there: Ask, same: Ask
) -> Difference | None:
    """Ask *there* and then *same*, which changes nothing of what is there already.

    Each on a channel of its own: the broker answers a no by closing the channel.
    """
    kinds: tuple[tuple[Ask, Literal["missing", "different"]], ...] = (
        (there, "missing"),
        (same, "different"),
    )
    for ask, kind in kinds:
        try:
            async with answer_within(deadline, f"asking for {name}"):
                channel = await connection.channel()
                try:
                    await ask(channel)
                finally:
                    await channel.close()
        except TransportUnavailable as fault:
            if isinstance(fault.__cause__, ChannelNotFoundEntity | ChannelPreconditionFailed):
                return Difference(name, kind)
            raise
    return None
