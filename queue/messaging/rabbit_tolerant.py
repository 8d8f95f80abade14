"""Sockets over which no sender's properties can end the connection.

RabbitMQ hands out what a sender put into a message's properties and routing key without a look at
it; pamqp decodes it strictly, and a fault ends aiormq's reader, and with it the connection of
everybody: bytes that are no UTF-8, a timestamp in nanoseconds, a table nested beyond Python's
depth.  The message would come again and end the next connection.  So the frames that hold a
sender's words are looked at before the library sees them, and what it could not read is made empty.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from pamqp.commands import Basic
from pamqp.header import ContentHeader
from yarl import URL

from messaging.rabbit_socket import Sockets

UNREADABLE: Final = "?"
"""``cluster_id`` of a message whose properties could not be read; AMQP 0-9-1 forbids its use."""

_METHOD, _HEADER = b"\x01", b"\x02"
_DELIVER: Final = b"\x00\x3c\x00\x3c"
_FLAGS: Final = b"\x00\x04"
_FIXED: Final = 12
"""Class, weight and body size of a content header (AMQP 0-9-1 section 4.2.6.1)."""


class TolerantSockets(Sockets):
    """Opens sockets whose reader gives only frames that can be decoded."""

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await super().create(url, **kwargs)
        return cast("asyncio.StreamReader", _Reader(reader)), writer


class _Reader:
    """Reads as aiormq does (one byte, six, the rest of the frame), and mends what it reads."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._kind = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def readexactly(self, number: int) -> bytes:
        data = await self._reader.readexactly(number)
        if number == 1:
            self._kind = data
        elif number != 6 or self._kind not in (_METHOD, _HEADER):
            return mended(self._kind, data)
        return data


def mended(kind: bytes, data: bytes) -> bytes:
    """Return the payload of a frame, of the same length, such that pamqp can decode it."""
    if kind == _HEADER:
        try:
            ContentHeader().unmarshal(data[:-1])
        except Exception:  # noqa: BLE001 - whatever it is, the message is its sender's to mend
            mark = _FLAGS + bytes([len(UNREADABLE)]) + UNREADABLE.encode()
            return (data[:_FIXED] + mark).ljust(len(data) - 1, b"\0") + data[-1:]
    elif kind == _METHOD and data.startswith(_DELIVER):
        try:
            Basic.Deliver().unmarshal(data[4:-1])
        except Exception:  # noqa: BLE001 - as above: a routing key is the sender's word, too
            return _plain(data)
    return data


def _plain(data: bytes) -> bytes:
    """Return a delivery with question marks where its routing key is not ASCII; all else in it is
    the broker's or ours.
    """
    key = 4 + 1 + data[4] + 8 + 1
    key += 1 + data[key]
    return (
        data[: key + 1]
        + bytes(byte if byte < 128 else 63 for byte in data[key + 1 : -1])
        + (data[-1:])
    )
