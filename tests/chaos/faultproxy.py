"""A TCP proxy that does to connections what networks do, by a seed (`reliability.md` 2.1).

One proxy stands before one server.  Every connection draws what will be done to it, and after how
many bytes, and draws anew if that was not its end; what came up is counted in `done`.  All kinds
are drawn before any is drawn again.  `calm` ends all of that.

What a network never does is not done either: bytes that arrive other than they were sent.  TCP's
sums and TLS see to that, and to who listens it is a connection that breaks; so ``corrupt`` is an
answer that is no answer, on HTTP alone, whose client must doubt it.
"""

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

ANY: Final = ("delay", "cut", "reset", "half-open", "drip", "black hole")
"""What may happen to any stream."""
HTTP: Final = (*ANY, "duplicate", "corrupt")
"""And to one of HTTP, whose requests can be told apart."""
LINE: Final = (*ANY, "corrupt")
"""What may yet happen to a connection that is under way."""
_CHUNK: Final = 64 * 1024
_GARBAGE: Final = b"\x00\xff no protocol of anybody's\r\n\r\n"
_RESET: Final = struct.pack("ii", 1, 0)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class FaultProxy:
    """Listens on *port* and passes on to *upstream*.

    Once it has begun, connections meet one of *faults* until one has come up, and from then on
    *share* of them do: few are made to a server whose clients keep theirs, and who only drew by
    chance might strike none.

    A connection on which nothing moves any more is dropped after *patience* seconds.
    """

    upstream: int
    random: Random
    faults: tuple[str, ...] = ANY
    share: float = 0.3
    patience: float = 3.0
    most_bytes: int = 20_000
    most_back: int = 2_000
    """After at most how many bytes of what a client says, or hears, its fault comes up."""
    port: int = 0
    done: Counter[str] = field(default_factory=Counter)
    twice: Counter[str] = field(default_factory=Counter)
    """How often the request with which ``webhook-id`` was sent once more than its sender did."""
    _deck: list[str] = field(default_factory=list)
    _begun: bool = False
    _server: asyncio.Server | None = None
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        """Begin to listen, on a free port if none is given."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def begin(self) -> None:
        """Let faults happen, and drop what was connected before."""
        self._begun = True
        for task in self._running:
            task.cancel()

    def calm(self) -> None:
        """Do nothing to what connects from now on, and drop what may yet meet its fault."""
        self.begin()
        self._begun = False

    async def close(self) -> None:
        """Stop to listen and drop everything."""
        if self._server is not None:
            self._server.close()
        while self._running:
            for task in tuple(self._running):
                task.cancel()
            await asyncio.wait(set(self._running), timeout=1.0)

    def draw(self, among: tuple[str, ...]) -> str:
        """Return the next fault that is one of *among*.

        >>> proxy = FaultProxy(0, Random(1))
        >>> sorted(proxy.draw(LINE) for _ in ANY) == sorted(ANY)
        True
        """
        while True:
            if not self._deck:
                self._deck = self.random.sample(self.faults, len(self.faults))
            for fault in self._deck:
                if fault in among:
                    self._deck.remove(fault)
                    return fault
            self._deck.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await self._serve((reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one side went away, or the proxy is calmed: both connections end below
        finally:
            self._running.discard(task)
            writer.transport.abort()

    async def _serve(self, near: Streams) -> None:
        owed = self.share > 0 and not self.done
        struck = self._begun and (owed or self.random.random() < self.share)
        fault = self.draw(self.faults) if struck else None
        far = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            if fault == "duplicate":
                await self._twice(near, far)
                fault = self.draw(LINE)
            await _Line(self, near, far, fault).run()
        finally:
            far[1].transport.abort()

    async def _twice(self, near: Streams, far: Streams) -> None:
        """Pass on one request twice, as a network that lost the first answer makes a client do."""
        head = await near[0].readuntil(b"\r\n\r\n")
        request = head + await near[0].readexactly(_length(head))
        other = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            other[1].write(request)
            await _answer(other[0])
        finally:
            other[1].transport.abort()
        self.done["duplicate"] += 1
        self.twice[_named(head)] += 1
        far[1].write(request)
        near[1].write(await _answer(far[0]))
        await near[1].drain()


class _Line:
    """One connection that is passed on, until its fault comes up."""

    def __init__(self, proxy: FaultProxy, near: Streams, far: Streams, fault: str | None) -> None:
        self._proxy, self._near, self._far = proxy, near, far
        self._silent = False
        self._meet(fault)

    def _meet(self, fault: str | None) -> None:
        """Say which way *fault* comes up, and after how many bytes."""
        proxy, self._fault = self._proxy, fault
        # A fault of one direction: the request's, or the answer's.
        self._backwards = fault in {"cut", "corrupt"} or proxy.random.random() < 0.5
        self._left = proxy.random.randrange(
            proxy.most_back if self._backwards else proxy.most_bytes
        )

    async def run(self) -> None:
        """Pass on both ways until either ends."""
        ways = [
            asyncio.ensure_future(self._pass(self._near, self._far, back=False)),
            asyncio.ensure_future(self._pass(self._far, self._near, back=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, source: Streams, sink: Streams, *, back: bool) -> None:
        while data := await source[0].read(_CHUNK):
            hit = self._fault is not None and back is self._backwards
            if hit and self._left < len(data):
                if await self._strike(data, sink):
                    return
                continue
            if hit:
                self._left -= len(data)
            if self._silent:
                continue  # swallowed: the other side hears nothing more
            sink[1].write(data)
            await sink[1].drain()

    async def _strike(self, data: bytes, sink: Streams) -> bool:
        """Do what was drawn; return whether that is the end of the connection."""
        fault, proxy = self._fault, self._proxy
        proxy.done[str(fault)] += 1
        if fault == "delay":
            await asyncio.sleep(proxy.random.uniform(0.2, 1.5))
            self._meet(proxy.draw(LINE))
            sink[1].write(data)
            return False
        if fault == "drip":
            for first in range(0, min(len(data), 60), 3):
                sink[1].write(data[first : first + 3])
                await sink[1].drain()
                await asyncio.sleep(0.02)
            sink[1].write(data[60:])
            self._meet(proxy.draw(LINE))
            return False
        if fault == "corrupt":
            sink[1].write(_GARBAGE)
            await sink[1].drain()
            return True
        if fault in {"half-open", "black hole"}:
            # One way goes nowhere, or neither: nobody is told, until somebody loses patience.
            self._silent = fault == "black hole"
            await asyncio.sleep(proxy.patience)
            return True
        sink[1].write(data[: self._left])  # cut in the middle
        if fault == "reset":
            bare = sink[1].get_extra_info("socket")
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            with suppress(OSError):
                await sink[1].drain()
        return True


def _length(head: bytes) -> int:
    return int(_header(head, b"content-length") or 0)


def _named(head: bytes) -> str:
    return _header(head, b"webhook-id").decode()


def _header(head: bytes, wanted: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == wanted:
            return value.strip()
    return b""


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(_length(head))
