"""Taking in from a real RabbitMQ: in order, by hand, and whatever a sender writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from messaging.arrival import Arrival
from messaging.channel import Disposition
from messaging.rabbit import RabbitTransport
from messaging.rabbit_intake import RabbitIntake
from messaging.rabbit_tolerant import mended
from messaging.topology import Binding, Exchange, Queue, Topology
from tests.contract.raw_amqp import raw_channel
from tests.servers.rabbitmq import RabbitServer

SECONDS = 60.0
PATIENT: Any = {"deadline": 30.0, "heartbeat": 120}
"""A busy machine is no lost broker."""
OTHERS: dict[str, tuple[bytes, bytes]] = {
    "no UTF-8 in its id": (b"@@@@", b"\xff\xfe\x00\xff"),
    "half a character": (b"@@@@", b"abc\xc3"),
    "no UTF-8 in a header's name": (b"####", b"\xff\xfe\xfd\xfc"),
    "a time in nanoseconds": (b"\x00\x00\x00\x00\x0f\x0f\x0f\x0f", b"\x17\x00" * 4),
}


@dataclass
class Taken:
    """Takes what comes, and says of each what it is told to say."""

    say: dict[str, list[Disposition]] = field(default_factory=dict)
    seen: list[Arrival] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, arrival: Arrival) -> Disposition:
        self.seen.append(arrival)
        self.came.set()
        told = self.say.get(arrival.body.decode("latin-1"), [])
        return told.pop(0) if told else Disposition.ACK

    async def ready(self, queue: str) -> None:
        self.waits.append(queue)

    async def until(self, count: int) -> list[Arrival]:
        """Wait until so many have come."""
        async with asyncio.timeout(SECONDS):
            while len(self.seen) < count:
                self.came.clear()
                await self.came.wait()
        return self.seen


@dataclass(frozen=True)
class Names:
    """A partner's queue, one of another's, and that of what they gave up."""

    queue: str
    other: str
    unread: str


@asynccontextmanager
async def reading(
    server: RabbitServer, taken: Taken
) -> AsyncIterator[tuple[AbstractChannel, Names]]:
    """Read three queues of the test's own; give a channel to send on."""
    stem = f"test.{uuid4().hex[:8]}"
    names = Names(f"{stem}.in", f"{stem}.other", f"{stem}.unread")
    shape = Topology(
        publish_to=stem,
        dead_letter_exchange=f"{stem}.dlx",
        exchanges=(Exchange(stem), Exchange(f"{stem}.dlx"), Exchange(f"{names.queue}.x", "fanout")),
        queues=(
            Queue(names.unread, 10**6),
            *(
                Queue(one, 10**6, 20, names.unread, dead_letter_key=one, alone=True)
                for one in (names.queue, names.other)
            ),
        ),
        bindings=(
            Binding(f"{names.queue}.x", names.queue, ""),
            Binding(f"{stem}.dlx", names.unread, names.queue),
            Binding(f"{stem}.dlx", names.unread, names.other),
        ),
    )
    transport = RabbitTransport(server.url, **PATIENT)
    await transport.open()
    await transport.declare(shape)
    intake = RabbitIntake(
        server.url, (names.queue, names.other, names.unread), taken.take, taken.ready, **PATIENT
    )
    try:
        async with raw_channel(server.url, {}) as channel:
            intake.start()
            yield channel, names
    finally:
        await intake.stop()
        connection = await aio_pika.connect(server.url)
        wire = await (await connection.channel()).get_underlay_channel()
        for name in (names.queue, names.other, names.unread):
            await wire.queue_delete(name)
        await connection.close()
        await transport.close()


async def send(channel: AbstractChannel, names: Names, body: bytes, **said: object) -> None:
    """Send as the partner does."""
    await channel.basic_publish(
        body,
        exchange=f"{names.queue}.x",
        routing_key=str(said.pop("routing_key", "")),
        properties=Basic.Properties(**said),  # type: ignore[arg-type]
    )


@pytest.mark.broker
async def test_messages_come_in_order_with_what_their_sender_said(rabbitmq: RabbitServer) -> None:
    """One at a time; the routing key that a sender chose is not where it came from."""
    taken = Taken()
    async with reading(rabbitmq, taken) as (channel, names):
        for number in range(5):
            await send(
                channel, names, f"{number}".encode(), message_id=f"m-{number}", user_id="guest",
                content_type="a/b", content_encoding="c", correlation_id="d", routing_key="e",
            )  # fmt: skip
        got = await taken.until(5)

    assert [one.body for one in got] == [b"0", b"1", b"2", b"3", b"4"]
    first = replace(got[0], alive=bool)
    assert first == Arrival(names.queue, "e", b"0", "m-0", "d", "guest", "a/b", "c", alive=bool)


@pytest.mark.broker
async def test_what_is_not_taken_waits_and_comes_again_counted(rabbitmq: RabbitServer) -> None:
    """After its queue is ready, and before what is behind it."""
    taken = Taken({"first": [Disposition.RETRY, Disposition.RETRY]})
    async with reading(rabbitmq, taken) as (channel, names):
        await send(channel, names, b"first")
        await send(channel, names, b"second")
        got = await taken.until(4)

    assert [one.body for one in got] == [b"first", b"first", b"first", b"second"]
    assert [one.times for one in got] == [0, 1, 2, 0]
    assert taken.waits.count(names.queue) == 3
    assert taken.waits.count(names.other) == 1


@pytest.mark.broker
async def test_a_dead_letter_says_whose_it_was_whatever_its_sender_wrote(
    rabbitmq: RabbitServer,
) -> None:
    """By the key that its queue gives it; headers that a sender made up decide nothing."""
    taken = Taken({"refused": [Disposition.REJECT]})
    async with reading(rabbitmq, taken) as (channel, names):
        forged = {"x-first-death-queue": names.other, "x-first-death-reason": "expired"}
        await send(channel, names, b"refused", headers=forged, routing_key=names.other)
        refused = (await taken.until(2))[-1]

    assert (refused.queue, refused.key) == (names.unread, names.queue)


@pytest.mark.broker
async def test_no_senders_words_end_the_connection(rabbitmq: RabbitServer) -> None:
    """What the library cannot decode comes without its properties, whole otherwise, and what is
    behind it comes as it is.
    """
    taken = Taken()
    async with reading(rabbitmq, taken) as (_, names):
        for mark, instead in OTHERS.values():
            async with raw_channel(rabbitmq.url, {mark: instead}) as bad:
                await send(bad, names, b"bad", message_id="@@@@", headers={"####": "y"},
                           timestamp=datetime.fromtimestamp(0x0F0F0F0F, UTC))  # fmt: skip
        async with raw_channel(rabbitmq.url, {b"@@@@": b"\xff\xfe\xc3\xff"}) as bad:
            await send(bad, names, b"key", message_id="m-1", routing_key="@@@@")
        async with raw_channel(rabbitmq.url, {}) as good:
            await send(good, names, b"good", message_id="m-2")
        got = await taken.until(len(OTHERS) + 2)

    assert [one.body for one in got] == [b"bad"] * len(OTHERS) + [b"key", b"good"]
    assert [one.readable for one in got] == [False] * len(OTHERS) + [True, True]
    assert {one.message_id for one in got[: len(OTHERS)]} == {None}
    assert [one.message_id for one in got[-2:]] == ["m-1", "m-2"]
    assert taken.waits.count(names.queue) == 1, "one connection held through it all"


def nested(depth: int) -> bytes:
    """Return a table in a table and so on."""
    inner = b""
    for _ in range(depth):
        inner = b"\x01aF" + len(inner).to_bytes(4, "big") + inner
    return len(inner).to_bytes(4, "big") + inner


@pytest.mark.parametrize(
    ("flags", "properties"),
    [
        (b"\x20\x00", nested(20_000)),
        (b"\x20\x00", b"\x00\x00\x00\xff" + b"x"),
        (b"\x20\x00", b"\x00\x00\x00\x03\x01aZ"),
        (b"\x80\x00", b"\xff" + b"\xff" * 255),
        (b"\x00\x40", b"\xff" * 8),
        (b"\xff\xff", b"\xff" * 40),
    ],
    ids=["nested", "a length too long", "no such type", "no UTF-8", "a late time", "all of it"],
)
def test_a_header_that_cannot_be_decoded_is_made_empty(flags: bytes, properties: bytes) -> None:
    """Of the same length, with the body's size as it was."""
    data = b"\x00\x3c\x00\x00" + (7).to_bytes(8, "big") + flags + properties + b"\xce"
    with pytest.raises((ValueError, RecursionError)):
        ContentHeader().unmarshal(data[:-1])

    sound = mended(b"\x02", data)

    header = ContentHeader()
    header.unmarshal(sound[:-1])
    assert (len(sound), sound[-1:], header.body_size) == (len(data), b"\xce", 7)
    assert header.properties.cluster_id == "?"
    assert header.properties.message_id is None


def test_what_can_be_decoded_is_not_touched() -> None:
    """Neither headers nor bodies, which may hold anything."""
    header = ContentHeader(0, 7, Basic.Properties(message_id="m-1", headers={"a": "b"})).marshal()
    for kind, data in ((b"\x02", header + b"\xce"), (b"\x03", b"\xff" * 9), (b"\x08", b"\xce")):
        assert mended(kind, data) == data
