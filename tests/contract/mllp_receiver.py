"""A partner's HL7 v2 receiver that does as it is told, and often that is nothing good.

Cuts frames and fields by itself: it shares no code with the hub's own framing.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamWriter, str], Awaitable[None]]
"""What is done with one message, given where to write and the message's MSH-10."""


@dataclass
class Hospital:
    """What came in, and how the next messages are answered; AA when nothing is said."""

    port: int = 0
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    received: list[bytes] = field(default_factory=list)
    answers: deque[Behaviour] = field(default_factory=deque)
    stop: Callable[[], None] = lambda: None

    @property
    def ids(self) -> list[str]:
        """MSH-10 of what came in."""
        return [one.split(b"|")[9].decode() for one in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read messages on one connection and answer each by the next behaviour."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                assert await reader.readexactly(1) == b"\x0b"
                body = (await reader.readuntil(b"\x1c\r"))[:-2]
                self.received.append(body)
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    answer = self.answers.popleft() if self.answers else said("AA")
                    await answer(writer, body.split(b"|")[9].decode())
                finally:
                    self.at_once -= 1


def ack(
    code: str, about: str, *, kind: str = "ACK^I12", processing: str = "P", more: str = ""
) -> bytes:
    """Return an acknowledgement as bytes."""
    header = f"MSH|^~\\&|TIE|RXX01|urn:ecaf:hub|Hub|20260901||{kind}|A1|{processing}|2.4\r"
    return f"{header}MSA|{code}|{about}\r{more}".encode()


def frame(body: bytes) -> bytes:
    """Return *body* between the marks."""
    return b"\x0b" + body + b"\x1c\r"


def said(code: str, *, after: float = 0.0, **how: str) -> Behaviour:
    """Acknowledge with *code*, after a while."""
    return raw(lambda about: frame(ack(code, about, **how)), after=after)


def raw(made: Callable[[str], bytes], *, after: float = 0.0) -> Behaviour:
    """Answer with the bytes that are made of the message's id."""

    async def answer(writer: asyncio.StreamWriter, about: str) -> None:
        await asyncio.sleep(after)
        writer.write(made(about))
        await writer.drain()

    return answer


def pieces(*made: Callable[[str], bytes], pause: float = 0.01) -> Behaviour:
    """Answer piece by piece."""

    async def answer(writer: asyncio.StreamWriter, about: str) -> None:
        for one in made:
            writer.write(one(about))
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def hung_up(made: Callable[[str], bytes] = lambda _: b"") -> Behaviour:
    """Say something, or nothing, and close."""

    async def answer(writer: asyncio.StreamWriter, about: str) -> None:
        writer.write(made(about))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    return answer


async def reset(writer: asyncio.StreamWriter, _about: str) -> None:
    """Drop the connection: the reply is lost."""
    writer.transport.abort()


async def silence(_writer: asyncio.StreamWriter, _about: str) -> None:
    """Take the message and never answer."""
    await asyncio.sleep(60)


async def endless(writer: asyncio.StreamWriter, _about: str) -> None:
    """Begin an answer and never stop talking."""
    writer.write(b"\x0bMSH|^~\\&|")
    while not writer.is_closing():
        writer.write(b"x" * 4096)
        await writer.drain()


async def trickle(writer: asyncio.StreamWriter, about: str) -> None:
    """Answer a byte now and then."""
    for byte in frame(ack("AA", about)):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.2)


@asynccontextmanager
async def hospital(trust: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Hospital]:
    """A receiver on a free loopback port."""
    one = Hospital()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # Cancelled when the test is over; asyncio would report that as a failure of the server.
        with contextlib.suppress(asyncio.CancelledError):
            await one.serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=trust)
    one.port, one.stop = server.sockets[0].getsockname()[1], server.close
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
