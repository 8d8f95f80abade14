"""A sender that writes what no AMQP library would: chosen bytes in the place of marks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.connection import TCPTransportFactory, TransportFactory
from yarl import URL


class _Writer:
    def __init__(self, writer: asyncio.StreamWriter, marks: Mapping[bytes, bytes]) -> None:
        self._writer, self._marks = writer, marks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write(self, data: bytes) -> None:
        for mark, instead in self._marks.items():
            data = data.replace(mark, instead)
        self._writer.write(data)


class _Sockets(TransportFactory):
    def __init__(self, marks: Mapping[bytes, bytes]) -> None:
        self._marks = marks

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await TCPTransportFactory().create(url, **kwargs)
        return reader, cast("asyncio.StreamWriter", _Writer(writer, self._marks))


@asynccontextmanager
async def raw_channel(url: str, marks: Mapping[bytes, bytes]) -> AsyncIterator[AbstractChannel]:
    """Give a channel with confirms, on which each mark is sent as the bytes given instead of it."""
    assert all(len(mark) == len(instead) for mark, instead in marks.items()), "frames have lengths"
    connection = aiormq.Connection(url, transport_factory=_Sockets(marks))
    await connection.connect()
    try:
        channel = await connection.channel(publisher_confirms=True)
        yield channel
    finally:
        await connection.close()
