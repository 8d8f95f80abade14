"""A broker that says what a test wants when something is published to it, and is honest before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pamqp import commands, frame
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

GIBBERISH = b"\x08\xff\xff\x00\x00\x00\x04taken\xce"


@dataclass
class Talk:
    """One connection to it: what it may say."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, what: Any, channel: int) -> None:
        self.writer.write(frame.marshal(what, channel))

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def heard(self) -> tuple[int, Any]:
        """Return the next frame and its channel."""
        head = await self.reader.readexactly(7)
        rest = await self.reader.readexactly(int.from_bytes(head[3:7], "big") + 1)
        _, channel, told = frame.unmarshal(head + rest)
        return channel, told


Lie = Callable[[Talk, int, int], Awaitable[None]]
"""What it does about a message: the talk, the channel, and the message's number there."""


@dataclass
class LyingBroker:
    """Where it listens, what it does about messages, and the ids of those that it saw."""

    port: int = 0
    lie: Lie | None = None
    seen: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"amqp://hub:secret@127.0.0.1:{self.port}/"


ANSWERS: dict[type, Any] = {
    commands.Channel.Open: commands.Channel.OpenOk(),
    commands.Channel.Close: commands.Channel.CloseOk(),
    commands.Confirm.Select: commands.Confirm.SelectOk(),
    commands.Basic.Qos: commands.Basic.QosOk(),
    commands.Exchange.Declare: commands.Exchange.DeclareOk(),
    commands.Queue.Declare: commands.Queue.DeclareOk(queue="q", message_count=0, consumer_count=0),
    commands.Queue.Bind: commands.Queue.BindOk(),
    commands.Connection.Close: commands.Connection.CloseOk(),
}
CAN: Any = {"publisher_confirms": True, "basic.nack": True, "connection.blocked": True}


@asynccontextmanager
async def lying_broker() -> AsyncIterator[LyingBroker]:
    """Keep one up on loopback."""
    broker = LyingBroker()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await _converse(broker, Talk(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


async def _converse(broker: LyingBroker, talk: Talk) -> None:
    await talk.reader.readexactly(8)
    talk.say(commands.Connection.Start(0, 9, {"capabilities": CAN}, "PLAIN", "en_US"), 0)
    await talk.heard()
    talk.say(commands.Connection.Tune(100, 131_072, 0), 0)
    await talk.heard()
    await talk.heard()
    talk.say(commands.Connection.OpenOk(), 0)
    numbers: dict[int, int] = {}
    while True:
        channel, told = await talk.heard()
        if isinstance(told, commands.Basic.Publish):
            _, header = await talk.heard()
            left = header.body_size
            while left > 0:
                left -= len((await talk.heard())[1].value)
            numbers[channel] = numbers.get(channel, 0) + 1
            broker.seen.append(header.properties.message_id)
            if broker.lie is not None:
                await broker.lie(talk, channel, numbers[channel])
        elif type(told) in ANSWERS:
            talk.say(ANSWERS[type(told)], channel)


def saying(*what: Any, on: int | None = None) -> Lie:
    """Say these, as if they were the answer."""

    async def lie(talk: Talk, channel: int, _number: int) -> None:
        for one in what:
            talk.say(one, channel if on is None else on)

    return lie


def numbered(kind: type, add: int = 0, **more: Any) -> Lie:
    """Confirm or refuse, but perhaps another message."""

    async def lie(talk: Talk, channel: int, number: int) -> None:
        talk.say(kind(delivery_tag=number + add, **more), channel)

    return lie


def writing(data: Callable[[int, int], bytes], *, close: bool = False) -> Lie:
    """Write bytes, and perhaps go."""

    async def lie(talk: Talk, channel: int, number: int) -> None:
        talk.raw(data(channel, number))
        if close:
            talk.writer.close()

    return lie


def both(*lies: Lie) -> Lie:
    """One after the other."""

    async def lie(talk: Talk, channel: int, number: int) -> None:
        for one in lies:
            await one(talk, channel, number)

    return lie


async def silence(_talk: Talk, _channel: int, _number: int) -> None:
    """Say nothing."""


async def beating(talk: Talk, _channel: int, _number: int) -> None:
    """Say that it is alive, and nothing else."""
    for _ in range(20):
        talk.raw(frame.marshal(Heartbeat(), 0))
        await asyncio.sleep(0.02)


async def gone(talk: Talk, _channel: int, _number: int) -> None:
    """Close without a word."""
    talk.writer.close()


def returned(talk: Talk, channel: int) -> None:
    """Give the message back, as unroutable."""
    talk.say(commands.Basic.Return(312, "NO_ROUTE", "t", "caf.out.EHM-A"), channel)
    properties = commands.Basic.Properties(message_id="d-1")
    talk.raw(frame.marshal(ContentHeader(0, 0, properties), channel))


def confirm(channel: int, number: int) -> bytes:
    """Return the bytes of an honest confirm."""
    return frame.marshal(commands.Basic.Ack(delivery_tag=number), channel)
