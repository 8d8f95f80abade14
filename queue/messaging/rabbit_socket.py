"""aio-pika's connection with a socket of our own: it writes in batches, and can be cut off."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aio_pika
import aiormq
from aio_pika.abc import UnderlayConnection
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL


class Wire(aiormq.Connection):
    """aiormq's connection with room for a whole batch between publishers and socket.

    With its ten places, publishers queue for a lock, and each message takes a turn of the event
    loop and a write of its own.
    """

    FRAME_BUFFER_SIZE = 256


class _Underlay(UnderlayConnection):
    @classmethod
    async def make_connection(
        cls, url: URL, timeout: float | None = None, **kwargs: Any
    ) -> aiormq.abc.AbstractConnection:
        connection = Wire(url, **kwargs)
        async with asyncio.timeout(timeout):
            await connection.connect()
            await connection.ready()
        return connection


class Connection(aio_pika.Connection):
    """aio-pika's plain connection, over a `Wire`."""

    async def connect(self, timeout: float | None = None) -> None:
        self.transport = await _Underlay.connect(
            self.url, self._on_connection_close, timeout=timeout, **self.kwargs
        )
        await self._on_connected()


class Sockets(TransportFactory):
    """Opens sockets as aiormq would, and remembers them so that they can be cut off.

    A stopped broker takes no more bytes, and closing a socket politely waits until it does.
    """

    def __init__(self, *, tls: bool) -> None:
        self._inner = TLSTransportFactory() if tls else TCPTransportFactory()
        self._writers: list[asyncio.StreamWriter] = []

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self._inner.create(url, **kwargs)
        self._writers.append(writer)
        return reader, cast("asyncio.StreamWriter", _JoiningWriter(writer))

    def abort(self) -> None:
        """Cut off whatever is still open."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


class _JoiningWriter:
    """Writes everything of one turn of the event loop at once.

    aiormq writes every message apart. Joined, the same messages cost the broker half the work.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._parts: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    async def drain(self) -> None:
        self._flush()
        await self._writer.drain()

    def write_eof(self) -> None:
        self._flush()
        self._writer.write_eof()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._parts:
            joined = b"".join(self._parts)
            self._parts.clear()
            if not self._writer.is_closing():
                self._writer.write(joined)
