"""A partner's web server that does as it is told, and often that is nothing good."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came in, and how the next requests are answered; 204 when nothing is said."""

    port: int = 0
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    received: list[Received] = field(default_factory=list)
    answers: deque[Behaviour] = field(default_factory=deque)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests on one connection and answer each by the next behaviour."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.received.append(Received(head[0].split()[1], headers, body))
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    await (self.answers.popleft() if self.answers else status(204))(writer)
                finally:
                    self.at_once -= 1


def status(code: int, *headers: str, after: float = 0.0) -> Behaviour:
    """Answer with *code*, after a while."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after)
        lines = [f"HTTP/1.1 {code} X", "Content-Length: 0", *headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await writer.drain()

    return answer


async def silence(writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await asyncio.sleep(30)


async def reset(writer: asyncio.StreamWriter) -> None:
    """Take the request and drop the connection: the reply is lost."""
    writer.transport.abort()
    await asyncio.sleep(0)


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Answer in another language."""
    writer.write(b"\x16\x03\x01 what?\r\n\r\n")
    writer.close()


async def endless(writer: asyncio.StreamWriter) -> None:
    """Answer 200 and never stop talking."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Answer 200 and then a byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def half(writer: asyncio.StreamWriter) -> None:
    """Begin a status line and stop."""
    writer.write(b"HTTP/1.1 20")
    await writer.drain()
    await asyncio.sleep(30)


@asynccontextmanager
async def receiver(trust: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free loopback port."""
    one = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # Cancelled when the test is over; asyncio would report that as a failure of the server.
        with contextlib.suppress(asyncio.CancelledError):
            await one.serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=trust)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
