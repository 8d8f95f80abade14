"""A small HTTP/1.1 server that can also be rude: it may cut the connection instead of answering.

A framework would send an error page where a broken partner sends nothing, and nothing is what the
hub must survive.  Bodies come with a length or in chunks; at most sixteen mebibytes are read.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

MOST = 16 * 1024 * 1024
REASONS = {200: "OK", 202: "Accepted", 204: "No Content", 400: "Bad Request", 401: "Unauthorized"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer; *cut* closes the connection without a word."""

    status: int = 204
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


Handler = Callable[[Request], Awaitable[Answer]]


class Listener:
    """Listens on one address while it is open; closing refuses and cuts every connection."""

    def __init__(self, host: str, port: int, handler: Handler, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._handler, self._tls = host, port, handler, tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Start to listen; nothing happens if it already does."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._converse, self._host, self._port, ssl=self._tls
            )

    async def close(self) -> None:
        """Stop to listen, as a machine that is switched off."""
        if self._server is not None:
            self._server.close()
            self._server = None
            for writer in tuple(self._open):
                writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await read_request(reader)) is not None:
                answer = await self._handler(request)
                if answer.cut:
                    writer.transport.abort()
                    return
                writer.write(encode(answer))
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    return
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return  # the other side went away; it will come back or it will not
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request, or ``None`` when the other side is done."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        length = int(headers.get("content-length", "0"))
        if length > MOST:
            raise ConnectionError("larger than any message")
        body = await reader.readexactly(length)
    return Request(method, target, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
        if sum(map(len, parts)) > MOST:
            raise ConnectionError("larger than any message")
    await reader.readline()
    return b"".join(parts)


def encode(answer: Answer) -> bytes:
    """Return the bytes of *answer*."""
    lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Other')}"]
    if answer.status != 204:
        lines += [f"content-length: {len(answer.body)}", f"content-type: {answer.content_type}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
