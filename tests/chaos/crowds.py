"""Bad connections by the thousand: who connects, says little or nothing, and stays.

Each has an address of its own among a few (``127.0.x.1``), as a crowd has; whoever is hung up on
comes again at once, for as long as the crowd lasts.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice

ADDRESSES = 16
AGAIN_SECONDS = 0.2
DRIP_SECONDS = 1.0
HUGE = 4 * 1024 * 1024 * 1024 * 1024

Drip = tuple[bytes, bytes]
"""What is said at once, and what is added each second."""


def http(key: str) -> Mapping[str, Drip]:
    """Return how one misbehaves at the HTTP door; *key* is one that is good."""
    head = b"POST /messages HTTP/1.1\r\nhost: hub\r\n"
    known = (
        head + f"authorization: Bearer {key}\r\n".encode() + b"idempotency-key: slow\r\n"
        b"content-type: application/vnd.ecaf.message+json;version=1\r\n"
    )
    return {
        "silent": (b"", b""),
        "half a head": (head, b""),
        "a head for ever": (head, b"x-more: 1\r\n"),
        "a body for ever": (known + b"content-length: 5000000\r\n\r\n", b" "),
        "half a large body": (known + b"content-length: 5000000\r\n\r\n" + b" " * 300_000, b""),
        "chunks for ever": (known + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        "a huge length": (known + f"content-length: {HUGE}\r\n\r\n".encode(), b" "),
        "a stranger's body": (head + b"content-length: 5000000\r\n\r\n", b" " * 1_000),
        "no HTTP": (b"\x16\x03\x01\x02\x00" * 100, b"\x00"),
        "asks and reads nothing": (b"GET /docs HTTP/1.1\r\nhost: hub\r\n\r\n" * 20, b""),
    }


def mllp() -> Mapping[str, Drip]:
    """Return how one misbehaves at the MLLP door."""
    begun = b"\x0bMSH|^~\\&|PAS|RXX01|||20260901100000||ADT^A04|1|P|2.4\r"
    return {
        "silent": (b"", b""),
        "half a frame": (begun, b""),
        "a frame for ever": (begun, b"NTE|1||more\r"),
        "a large half": (begun + b"NTE|1||" + b"x" * 300_000, b""),
        "no frame": (b"MSH|^~\\&|PAS" * 10, b""),
    }


class Crowd:
    """Connections to one port, as many as *number*, each bad in its own way."""

    def __init__(self, port: int, ways: Mapping[str, Drip], number: int) -> None:
        self.port = port
        self.number = number
        self.open = 0
        self.times: Counter[str] = Counter()
        self._ways = ways
        self._tasks: Sequence[asyncio.Task[None]] = ()

    def start(self) -> None:
        """Begin to come."""
        ways = islice(cycle(self._ways), self.number)
        self._tasks = [
            asyncio.create_task(self._stay(way, f"127.0.{1 + n % ADDRESSES}.1"))
            for n, way in enumerate(ways)
        ]

    async def stop(self) -> None:
        """Go home."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _stay(self, way: str, address: str) -> None:
        at_once, more = self._ways[way]
        while True:
            self.times[way] += 1
            with contextlib.suppress(OSError):
                await self._hold(at_once, more, address)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _hold(self, at_once: bytes, more: bytes, address: str) -> None:
        # Read in small pieces, and only so far: the hub's answers are nobody's here.
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(address, 0), limit=1_024
        )
        self.open += 1
        try:
            writer.write(at_once)
            while not reader.at_eof() and reader.exception() is None:
                await asyncio.sleep(DRIP_SECONDS)
                writer.write(more)
                if "reads nothing" not in str(at_once):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.001):
                            await reader.read(1_024)
        finally:
            self.open -= 1
            writer.transport.abort()


@asynccontextmanager
async def crowds(*them: Crowd) -> AsyncIterator[None]:
    """All of them, while the block runs."""
    for one in them:
        one.start()
    try:
        yield
    finally:
        for one in them:
            await one.stop()
