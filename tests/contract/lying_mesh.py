"""A MESH that does as it is told: whatever bytes a test wants it to answer with.

It shares no code with the hub or with the sandbox.
"""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

NOTHING = b""
"""Close the connection without a word."""
SILENCE = None
"""Say nothing, and keep the connection."""


def http(status: str, body: bytes = b"", length: int | None = None, **headers: str) -> bytes:
    """Return an HTTP answer; *length* may lie about the body."""
    told = {"content-length": str(len(body) if length is None else length), **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{k.replace('_', '-')}: {v}" for k, v in told.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class LyingMesh:
    """What came in, and what is answered: by method and the end of the path, then by method."""

    port: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    answers: dict[str, deque[bytes | None]] = field(default_factory=lambda: defaultdict(deque))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, method: str, part: str) -> int:
        """Return how often something was asked for."""
        return sum(1 for m, path in self.requests if m == method and part in path)

    def say(self, which: str, *answers: bytes | None) -> None:
        """Answer with these, in turn, and go on with the last."""
        self.answers[which].extend(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while True:
                method, path, body = await _request(reader)
                self.requests.append((method, path))
                self.bodies.append(body)
                answer = self._answer(method, path)
                if answer is SILENCE:
                    await reader.read()
                    break
                writer.write(answer)
                await writer.drain()
                if b"drip: " in answer:
                    await reader.read()
                if not _whole(answer):
                    break
        writer.close()

    def _answer(self, method: str, path: str) -> bytes | None:
        for which, waiting in self.answers.items():
            wanted, _, part = which.partition(" ")
            if wanted == method and path.partition("?")[0].endswith(part):
                return waiting.popleft() if len(waiting) > 1 else waiting[0]
        return http("200 OK", b"{}")


def _whole(answer: bytes) -> bool:
    """Return whether an answer is as long as it says, so that another may follow."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return f"content-length: {len(body)}\r\n".encode() in head + b"\r\n"


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return method, path, body
    return method, path, await reader.readexactly(int(headers.get("content-length", "0")))


@asynccontextmanager
async def lying_mesh() -> AsyncIterator[LyingMesh]:
    """Keep one up while the block runs."""
    one = LyingMesh()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for writer in one.writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await asyncio.sleep(0)  # lets what served them end
