"""MLLP out: HL7 v2 to one partner over one kept connection, one message in flight.

Source: `reliability.md` P9, 5.5 and 5.11.  Several children are several messages; a delivery is
delivered when each is acknowledged under its own MSH-10, which is the same on every attempt (and
the only mark of a repeat that HL7 v2 has).  After anything but a sound acknowledgement the
connection is dropped, so that no late answer can be taken for the next one's.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from adapters.destinations.breaker import Breaker
from adapters.destinations.mllp_answer import heard, unknown
from adapters.destinations.webhook import HANDED_OVER
from adapters.mllp.framer import Broken, FrameLimits, Framer, framed
from adapters.mllp.header import apart, read_header
from adapters.outward import Reach, Resolve, Way, resolved
from adapters.trust import shown, trusted
from hub.domain.carriage import Outcome, Parcel
from hub.domain.partner import Delivering
from hub.errors import Code, Rejected, Unavailable

CONTENT_TYPE: Final = "application/hl7-v2"
_CHUNK: Final = 16 * 1024
_LOOK_SECONDS: Final = 0.001
PASSING: Final = 2
"""How often AR or CR ("cannot now") is believed to pass (`reliability.md` 5.5)."""


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """Seconds, and bytes of an answer; *total_seconds* is for a whole delivery, waiting for its
    turn included, and shorter than a lease.
    """

    connect_seconds: float = 5.0
    answer_seconds: float = 20.0
    total_seconds: float = 30.0
    answer_bytes: int = 64 * 1024


class MllpDestination:
    """Carries parcels to one receiver; keeps its connection until `close`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        limits: MllpLimits | None = None,
        breaker: Breaker | None = None,
        reach: Reach = "public",
        resolve: Resolve = resolved,
    ) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._way = Way(host, reach=reach, resolve=resolve)
        self._limits = limits or MllpLimits()
        self.breaker = breaker or Breaker()
        self._turn = asyncio.Lock()
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @classmethod
    def to(cls, delivering: Delivering, limits: MllpLimits | None = None) -> "MllpDestination":
        """Return the destination that a profile describes; raises `Misconfigured` for certificates
        that are none.
        """
        parts, reach = urlsplit(delivering.url or ""), delivering.reach
        if parts.scheme != "mllps":
            return cls(parts.hostname or "", parts.port or 0, limits=limits, reach=reach)
        tls = trusted(delivering.ca_file)
        if delivering.cert_file is not None and delivering.key_file is not None:
            shown(tls, delivering.cert_file, delivering.key_file)
        return cls(parts.hostname or "", parts.port or 0, tls=tls, limits=limits, reach=reach)

    async def send(self, parcel: Parcel) -> Outcome:
        """Send every message of *parcel*; delivered when the receiver has acknowledged each."""
        messages = _messages(parcel)
        until = asyncio.get_running_loop().time() + self._limits.total_seconds
        try:
            async with asyncio.timeout_at(until):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable(Code.UNAVAILABLE, "the receiver is busy with others") from None
        try:
            async with self.breaker.guard():
                codes = await self._carry(messages, parcel.attempt, until)
        finally:
            self._turn.release()
        delivered = parcel.message_type not in HANDED_OVER
        return Outcome(delivered, {"ack": codes[-1], "messages": len(codes)})

    async def _carry(
        self, messages: Sequence[tuple[str, bytes]], attempt: int, until: float
    ) -> Sequence[str]:
        """Send one message after the other and return their codes.

        What was taken before one that was not may have to be recalled: then nobody can say that
        the delivery did not arrive.
        """
        codes: list[str] = []
        for control_id, raw in messages:
            try:
                code = await self._exchange(control_id, raw, until)
            except Unavailable as error:
                raise unknown(error.detail) if codes else error from None
            _judge(code, attempt, partly=bool(codes))
            codes.append(code)
        return codes

    async def close(self) -> None:
        """Close the connection."""
        self._drop()

    async def _exchange(self, control_id: str, raw: bytes, until: float) -> str:
        """Send one message and return the code of its acknowledgement."""
        reader, writer = await self._connected()
        patience = asyncio.get_running_loop().time() + self._limits.answer_seconds
        try:
            async with asyncio.timeout_at(min(until, patience)):
                writer.write(framed(raw))
                await writer.drain()
                return heard(await self._answer(reader), control_id)
        except (OSError, ssl.SSLError, TimeoutError):
            self._drop()
            raise unknown("the receiver did not answer") from None
        except BaseException:
            self._drop()
            raise

    async def _answer(self, reader: asyncio.StreamReader) -> Sequence[bytes]:
        """Return the frames of one answer: the first, and whatever came or began with it."""
        framer = Framer(FrameLimits(self._limits.answer_bytes, self._limits.answer_seconds))
        frames: list[bytes] = []
        while not frames or not framer.idle:
            data = await reader.read(_CHUNK)
            events = framer.feed(data, time.monotonic()) if data else framer.end()
            for event in events:
                if isinstance(event, Broken):
                    raise unknown("the receiver's answer is no frame of MLLP")
                frames.append(event.body)
            if not data and not frames:
                raise unknown("the receiver closed without an answer")
            if not data:
                self._drop()
                break
        return frames

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the kept connection if it is quiet and open, else a new one."""
        if self._line is not None and await _quiet(*self._line):
            return self._line
        self._drop()
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                self._line = await self._dialled()
        except (OSError, ssl.SSLError, TimeoutError):
            raise Unavailable(Code.UNAVAILABLE, "no connection to the receiver") from None
        bare = self._line[1].get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        with suppress(AttributeError, OSError):  # the system's own pace will do
            bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        return self._line

    async def _dialled(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address that answers, under the name that its certificate has."""
        name = self._host if self._tls else None
        fault = OSError("no address")
        for address in await self._way.addresses(self._port):
            try:
                return await asyncio.open_connection(
                    address, self._port, ssl=self._tls, server_hostname=name
                )
            except OSError as refused:
                fault = refused
        raise fault

    def _drop(self) -> None:
        if self._line is not None:
            self._line[1].transport.abort()
            self._line = None


async def _quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Tell whether a connection may carry another message: open, and nothing unasked came."""
    if writer.is_closing():
        return False
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await reader.read(1)
    except TimeoutError:
        return not writer.is_closing()
    except (OSError, ssl.SSLError):
        return False
    return False


def _messages(parcel: Parcel) -> Sequence[tuple[str, bytes]]:
    """Return the messages of a parcel with their ids; `Rejected` for what cannot go over MLLP."""
    if parcel.thin or parcel.content_type != CONTENT_TYPE:
        raise Rejected(Code.CONTENT_TYPE, "MLLP carries whole HL7 v2 messages and nothing else")
    found = [(read_header(one).control_id, one) for one in apart(parcel.body)]
    if not found or not all(name for name, _ in found) or b"\x0b" in parcel.body:
        raise Rejected(Code.MAPPING, "a message without an id could not be acknowledged")
    if len({name for name, _ in found}) != len(found) or b"\x1c" in parcel.body:
        raise Rejected(Code.MAPPING, "two messages of one id could not be told apart")
    return found


def _judge(code: str, attempt: int, *, partly: bool) -> None:
    """Raise what a refusal means.  *partly*: messages before it were taken, and may have to be
    recalled, so that the delivery counts as perhaps arrived.
    """
    if code.endswith("A"):
        return
    if code.endswith("R") and attempt <= PASSING:
        doubt = Code.OUTCOME_UNKNOWN if partly else Code.UNAVAILABLE
        raise Unavailable(doubt, f"the receiver cannot take it now ({code})")
    reason = Code.OUTCOME_UNKNOWN if partly else Code.FORBIDDEN
    raise Rejected(reason, f"the receiver refused it ({code})")
