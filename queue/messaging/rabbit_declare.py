"""Making a topology exist on RabbitMQ, with every argument explicit."""

from __future__ import annotations

from typing import Any

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from messaging.errors import TopologyMismatch
from messaging.rabbit_link import answer_within
from messaging.topology import Queue, Topology

UNLIMITED = 1_000_000
"""Delivery limit of a queue that has none: from RabbitMQ 4 on, silence would mean 20."""


async def declare(connection: AbstractConnection, topology: Topology, deadline: float) -> None:
    """Declare everything that *topology* names; what is there already stays as it is.

    Raises `TopologyMismatch` if something is there with other arguments, and
    `TransportUnavailable`. *deadline* bounds each step, not the whole.
    """
    # A channel of its own: the broker answers a mismatch by closing the channel.
    async with answer_within(deadline, "opening a channel"):
        channel = await connection.channel()
    named = ""
    try:
        for exchange in topology.exchanges:
            named = exchange.name
            async with answer_within(deadline, f"declaring exchange {named}"):
                await channel.declare_exchange(named, exchange.type, durable=True)
        for queue in topology.queues:
            named = queue.name
            async with answer_within(deadline, f"declaring queue {named}"):
                await channel.declare_queue(
                    named, durable=True, arguments=arguments(queue, topology)
                )
        for binding in topology.bindings:
            named = f"{binding.exchange} to {binding.queue}"
            async with answer_within(deadline, f"binding {named}"):
                bound = await channel.get_queue(binding.queue, ensure=False)
                await bound.bind(binding.exchange, binding.routing_key)
    except Exception as error:
        if isinstance(error.__cause__, ChannelPreconditionFailed):
            raise TopologyMismatch(
                f"{named}: the broker has it with other arguments; "
                "empty and delete it there, or put the topology back"
            ) from error.__cause__
        raise
    finally:
        if not channel.is_closed:
            async with answer_within(deadline, "closing a channel"):
                await channel.close()


async def missing(
    connection: AbstractConnection, topology: Topology, deadline: float
) -> tuple[str, ...]:
    """Return the names of the queues of *topology* that the broker does not have.

    Raises `TransportUnavailable`; *deadline* bounds each question.
    """
    found = []
    for queue in topology.queues:
        # A channel of its own: the broker answers a missing queue by closing the channel.
        async with answer_within(deadline, f"asking for queue {queue.name}"):
            channel = await connection.channel()
            try:
                await channel.declare_queue(queue.name, passive=True)
            except ChannelNotFoundEntity:
                found.append(queue.name)
            finally:
                await channel.close()
    return tuple(found)


def arguments(queue: Queue, topology: Topology) -> dict[str, Any]:
    """Return the arguments that *queue* is declared with."""
    given: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-max-length-bytes": queue.max_length_bytes,
        # Refuse, so that the publisher knows; the default drops the oldest without a word, and
        # at-least-once dead-lettering falls back to at-most-once under it.
        "x-overflow": "reject-publish",
        "x-delivery-limit": queue.delivery_limit or UNLIMITED,
    }
    if queue.dead_letter is not None:
        given["x-dead-letter-exchange"] = topology.dead_letter_exchange
        given["x-dead-letter-routing-key"] = queue.dead_letter_key or queue.dead_letter
        given["x-dead-letter-strategy"] = "at-least-once"
    if queue.message_ttl is not None:
        given["x-message-ttl"] = int(queue.message_ttl * 1000)
    if queue.alone:
        given["x-single-active-consumer"] = True
    return given
