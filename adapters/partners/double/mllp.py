"""A receiver of HL7 v2 over MLLP: keeps what comes, and acknowledges it under its own MSH-10.

Frames and fields are cut here by themselves; nothing of the hub's own framing is used.
"""

import asyncio
import contextlib
import ssl
import time

from adapters.partners.double.partner import Double
from adapters.partners.double.sight_hl7v2 import Segment, cut, id_of, observed

START, END = b"\x0b", b"\x1c\r"
CONTENT_TYPE = "application/hl7-v2"
MOST = 16 * 1024 * 1024


class MllpListener:
    """Listens on one address while it is open; closing refuses and cuts every connection."""

    def __init__(self, host: str, port: int, double: Double, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._double, self._tls = host, port, double, tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Start to listen; nothing happens if it already does."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._converse, self._host, self._port, ssl=self._tls, limit=MOST
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
            while True:
                try:
                    await reader.readuntil(START)
                except asyncio.IncompleteReadError:
                    return
                body = (await reader.readuntil(END))[: -len(END)]
                with self._double.working():
                    answer = await self._answer(body)
                if answer is None:
                    writer.transport.abort()
                    return
                writer.write(START + answer + END)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return  # the other side went away; it will come back or it will not
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _answer(self, body: bytes) -> bytes | None:
        """Keep one message and return its acknowledgement; ``None`` to hang up instead."""
        mood = self._double.mood()
        if mood == "slow":
            await asyncio.sleep(self._double.manners.seconds)
        if mood == "status":  # the nearest that HL7 v2 has to a server's error: not now
            return acknowledgement(body, "AR")
        if not id_of(body):
            self._double.fault("an HL7 v2 message without an id")
            return acknowledgement(body, "AE")
        headers = {
            "content-type": CONTENT_TYPE,
            # One delivery may be several messages, one a child: each is kept under its own id.
            "message-id": observed(body, "message_id") or id_of(body),
            "part": id_of(body),
        }
        await self._double.take(body, headers, via="mllp")
        return None if mood == "drop" else acknowledgement(body, "AA")


def acknowledgement(body: bytes, code: str) -> bytes:
    """Return the acknowledgement of the message *body*."""
    header = next((one for one in cut(body) if one.name == "MSH"), Segment("MSH", ()))
    now = time.strftime("%Y%m%d%H%M%S+0000", time.gmtime())
    first = "|".join(
        (
            *("MSH", "^~\\&", header.get(5), header.get(6), header.get(3), header.get(4), now, ""),
            *(f"ACK^{header.get(9, 2)}", f"A{time.time_ns() % 10**15}", header.get(11) or "P"),
            header.get(12) or "2.4",
        )
    )
    return f"{first}\rMSA|{code}|{header.get(10)}\r".encode()
