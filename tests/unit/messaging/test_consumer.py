"""The consumer sorts errors by the most specific class, and never loses what it cannot sort."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from messaging.channel import Disposition
from messaging.consumer import Consumer
from messaging.envelope import Envelope
from messaging.memory import MemoryTransport
from messaging.topology import Topology

TOPOLOGY = Topology.from_mapping(
    {
        "version": 1,
        "publish_to": "x",
        "dead_letter_exchange": "x",
        "exchanges": {"x": {}},
        "queues": {"work": {"max_length_bytes": 100}, "parked": {"max_length_bytes": 100}},
        "bindings": [
            {"exchange": "x", "routing_key": "work", "queue": "work"},
            {"exchange": "x", "routing_key": "parked", "queue": "parked"},
        ],
    }
)


class General(Exception):
    """The family."""


class Specific(General):
    """A member with a rule of its own."""


class Child(Specific):
    """A member without."""


@pytest.fixture
async def broker() -> AsyncIterator[MemoryTransport]:
    transport = MemoryTransport()
    await transport.open()
    await transport.declare(TOPOLOGY)
    yield transport
    await transport.close()


def consumer(broker: MemoryTransport, error: Exception | None, parked: str = "parked") -> Consumer:
    async def handle(_: Envelope) -> None:
        if error is not None:
            raise error

    return Consumer(
        broker,
        "work",
        handle,
        concurrency=1,
        dispositions={General: Disposition.REJECT, Specific: Disposition.RETRY},
        publisher=broker,
        parked=parked,
    )


@pytest.mark.parametrize(
    ("error", "disposition"),
    [
        (None, Disposition.ACK),
        (General(), Disposition.REJECT),
        (Specific(), Disposition.RETRY),
        (Child(), Disposition.RETRY),
    ],
)
async def test_the_most_specific_class_decides(
    broker: MemoryTransport, error: Exception | None, disposition: Disposition
) -> None:
    """An error is looked up by its own class first, then by each ancestor."""
    found = await consumer(broker, error).receive(Envelope("d-1", "work", b"{}"))

    assert found is disposition
    assert await broker.depth("parked") == 0


async def test_the_unplanned_is_parked_and_acknowledged(broker: MemoryTransport) -> None:
    """An error that is not in the table parks the message and takes it off its channel."""
    found = await consumer(broker, KeyError("x")).receive(Envelope("d-1", "work", b"{}"))

    assert found is Disposition.ACK
    assert await broker.depth("parked") == 1


@pytest.mark.parametrize(("parked", "size"), [("nobody.reads.this", 2), ("parked", 101)])
async def test_what_cannot_be_parked_is_retried(
    broker: MemoryTransport, parked: str, size: int
) -> None:
    """If parking fails the message stays where it is: it is never acknowledged unparked."""
    envelope = Envelope("d-1", "work", b"x" * size)

    found = await consumer(broker, KeyError("x"), parked).receive(envelope)

    assert found is Disposition.RETRY


async def test_cancellation_is_no_error(broker: MemoryTransport) -> None:
    """A cancelled handler is neither parked nor sorted: its message goes back."""
    started = asyncio.Event()

    async def handle(_: Envelope) -> None:
        started.set()
        await asyncio.sleep(60)

    running = Consumer(
        broker,
        "work",
        handle,
        concurrency=1,
        dispositions={},
        publisher=broker,
        parked="parked",
    )
    await broker.publish(Envelope("d-1", "work", b"{}"))
    await running.start()
    await started.wait()

    await running.stop(deadline=0.05)

    assert await broker.depth("work") == 1
    assert await broker.depth("parked") == 0
