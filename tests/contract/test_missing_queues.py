"""A broker that lacks what was declared says so before it is made again."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import pytest

from messaging.errors import TransportUnavailable
from messaging.rabbit import RabbitTransport
from messaging.topology import Queue, Topology
from tests.servers.rabbitmq import RabbitServer

pytestmark = pytest.mark.broker


@pytest.fixture
def topology() -> Topology:
    """One queue that nobody else has."""
    name = f"test.{uuid4().hex}"
    return Topology(
        publish_to="test",
        dead_letter_exchange="test",
        exchanges=(),
        queues=(Queue(name, max_length_bytes=10_000),),
        bindings=(),
    )


class Told:
    """Who is told; fails the first *failures* times."""

    def __init__(self, failures: int = 0) -> None:
        self.names: list[str] = []
        self._failures = failures

    async def missing(self, names: Sequence[str]) -> None:
        self.names.extend(names)
        if self._failures:
            self._failures -= 1
            raise TransportUnavailable("the store is away")


@contextlib.asynccontextmanager
async def connected(url: str, told: Told) -> AsyncIterator[RabbitTransport]:
    """A transport that tells *told*."""
    transport = RabbitTransport(url, on_missing=told.missing)
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


async def test_only_what_is_missing_is_told(rabbitmq: RabbitServer, topology: Topology) -> None:
    """The first declaration finds the queue missing, the second finds it there."""
    told, later = Told(), Told()

    async with connected(rabbitmq.url, told) as transport:
        await transport.declare(topology)
    async with connected(rabbitmq.url, later) as transport:
        await transport.declare(topology)

    assert told.names == [topology.queues[0].name]
    assert later.names == []


async def test_what_cannot_be_seen_to_is_told_again(
    rabbitmq: RabbitServer, topology: Topology
) -> None:
    """If whoever is told fails, the queue stays missing, so that nothing is forgotten."""
    told = Told(failures=1)

    async with connected(rabbitmq.url, told) as transport:
        with pytest.raises(TransportUnavailable):
            await transport.declare(topology)
        await transport.declare(topology)

    assert told.names == [topology.queues[0].name] * 2
