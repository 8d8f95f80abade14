"""The MLLP door: HL7 v2 messages in, acknowledgements out, one connection a task.

Source: `design.md` section 2 (the door hands over, and answers after the commit), `standards.md`
section 5, `reliability.md` P5, P13, P16, P18 and 5.11.  While a message is worked on, its
connection is not read; while the hub cannot take any, none is, and senders wait where TCP makes
them.  What was not recorded for certain is not answered: the sender sends it again, and the inbox
knows it.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from adapters.doors.mllp_large import LargePlaces, sender_of
from adapters.doors.mllp_senders import Known, Peer, Senders
from adapters.mllp import answers
from adapters.mllp.answers import TAKEN, Answerer, Verdict, verdict_on, wanted
from adapters.mllp.framer import Broken, Event, Frame, FrameLimits, Framer, framed
from adapters.mllp.header import Header, messages_in, read_header
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, HubError, Unavailable, Withheld
from hub.ports import Clock
from hub.services.receipt import Receipt

log = logging.getLogger("hub.mllp")

CONTENT_TYPE: Final = "application/hl7-v2"
REFERRAL: Final = ("REF", "I12")
_CHUNK: Final = 64 * 1024
_LINGER_BYTES: Final = 8 * 1024 * 1024


class Intake(Protocol):
    """What the door asks of the hub (`hub.hub.Hub`)."""

    @property
    def registry(self) -> Registry:
        """The active partners."""
        ...

    @property
    def clock(self) -> Clock:
        """The business clock."""
        ...

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Accept one message durably, or say why not."""
        ...

    async def taken_at(self, partner: Partner, key: str) -> datetime | None:
        """Return when a message was recorded."""
        ...


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Bounds of the door: bytes, seconds, and numbers of things at once (`reliability.md` 5.11).

    So many *connections* may have a whole message answered at once; up to *waiting* in all are held
    open, of which who never said anything goes first to make room, and up to *per_address* from one
    place.  *strangers* bounds a message of who is not known yet.  *large* messages (of more than
    64 KiB) are read and worked on at once at most, *large_each* of one sender; one below waits for
    its sender in nobody's way, and *waiting* times 128 KiB is the most that half messages can fill.
    A connection that has sent something may rest for *rest_seconds*, any other for *idle_seconds*.
    """

    frame: FrameLimits = field(default_factory=FrameLimits)
    strangers: int = 64 * 1024
    connections: int = 256
    waiting: int = 1_024
    per_address: int = 64
    at_once: int = 64
    large: int = 8
    large_each: int = 2
    idle_seconds: float = 60.0
    rest_seconds: float = 600.0
    write_seconds: float = 10.0
    busy_seconds: float = 30.0
    linger_seconds: float = 2.0
    drain_seconds: float = 8.0


@dataclass(slots=True)
class _Line:
    """One connection: its framer, who is behind it, whether it said anything yet (*heard*), and
    whether a message of it was taken (*used*) or is being worked on (*busy*).
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    framer: Framer
    peer: Peer
    busy: bool = False
    used: bool = False
    heard: bool = False
    large: str | None = None


class MllpDoor:
    """Listens until `close`; port 0 chooses a free one."""

    def __init__(
        self,
        hub: Intake,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        limits: DoorLimits | None = None,
    ) -> None:
        self._hub = hub
        self._host, self._port, self._tls = host, port, tls
        self._limits = limits or DoorLimits()
        self._senders = Senders(lambda: hub.registry, lambda: hub.clock.now().date())
        self._answerer = Answerer(hub.registry.hub)
        self._turns = asyncio.Semaphore(self._limits.at_once)
        self._seats = asyncio.Semaphore(self._limits.connections)
        self._large = LargePlaces(self._limits.large, self._limits.large_each)
        self._lines: dict[asyncio.Task[Any], _Line] = {}
        self._from: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    async def open(self) -> None:
        """Begin to listen; raises ``OSError`` where the address cannot be used."""
        tls: dict[str, Any] = {}
        if self._tls is not None:
            tls = {"ssl": self._tls, "ssl_handshake_timeout": 10.0}
        self._server = await asyncio.start_server(
            self._connected, self._host, self._port, limit=_CHUNK, **tls
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take nothing new, end and answer what is being worked on, and let everybody go."""
        self._stopping.set()
        if self._server is not None:
            self._server.close()
        for task, line in list(self._lines.items()):
            if not line.busy:
                task.cancel()
        busy = set(self._lines)
        if busy:
            await asyncio.wait(busy, timeout=self._limits.drain_seconds)
        while self._lines:
            for task in list(self._lines):
                task.cancel()
            await asyncio.wait(set(self._lines), timeout=0.5)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        address = str((writer.get_extra_info("peername") or ("",))[0])
        crowded = self._from.get(address, 0) >= self._limits.per_address
        if task is None or self._stopping.is_set() or crowded or not self._room():
            writer.transport.abort()
            return
        self._from[address] += 1
        try:
            await self._welcome(task, reader, writer)
        finally:
            self._from[address] -= 1
            if not self._from[address]:
                del self._from[address]

    async def _welcome(
        self, task: asyncio.Task[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer = Peer.of(writer.get_extra_info("ssl_object"))
        most = self._limits.frame
        if not self._senders.knows(peer):
            most = FrameLimits(self._limits.strangers, most.seconds, most.tail_seconds)
        line = _Line(reader, writer, Framer(most), peer)
        self._lines[task] = line
        try:
            await self._converse(line)
        except asyncio.CancelledError:
            log.info("connection ended by the stop")  # half a message is sent again
        except (ConnectionError, TimeoutError, ssl.SSLError):
            log.info("connection lost")
        finally:
            self._release(line)
            self._lines.pop(task, None)
            writer.transport.abort() if line.busy else writer.close()

    def _room(self) -> bool:
        """Return whether one more may come: while it is full, for the one that has been silent the
        longest since it connected.
        """
        if len(self._lines) < self._limits.waiting:
            return True
        for task, line in self._lines.items():
            if not (line.used or line.busy or line.heard):
                self._lines.pop(task)
                task.cancel()
                return True
        return False

    async def _converse(self, line: _Line) -> None:
        """Read, work and answer until one side has enough.

        Who says nothing, or half of something, takes no seat: hundreds of such connections keep
        nobody waiting.
        """
        while not self._stopping.is_set():
            rest = self._limits.rest_seconds if line.used else self._limits.idle_seconds
            try:
                async with asyncio.timeout(rest):
                    data = await line.reader.read(_CHUNK)
            except TimeoutError:
                return
            if not data:
                return
            line.heard = True
            events: Sequence[Event] | None = line.framer.feed(data, time.monotonic())
            while events is not None:
                if events and not await self._attend(line, events):
                    return
                if line.framer.deadline is None:
                    break
                events = await self._events(line)
            else:
                return

    async def _attend(self, line: _Line, events: Sequence[Event]) -> bool:
        """Answer what has come whole; ``False`` where the connection must end."""
        before = time.monotonic()
        # Beyond the number that are answered, others wait without being read on.
        async with self._seats:
            for event in events:
                line.busy = True
                more = await self._take(line, event)
                if not more or self._stopping.is_set():
                    await self._linger(line)
                    line.busy = False
                    return False
                line.busy = False
        # What has begun behind these waited for them, not for its sender.
        line.framer.extend(time.monotonic() - before)
        if line.framer.held <= _CHUNK:
            self._release(line)
        return True

    async def _events(self, line: _Line) -> Sequence[Event] | None:
        """Return what came next of a message that was begun; ``None`` where nothing more will."""
        framer = line.framer
        if framer.held > _CHUNK and line.large is None:
            before = time.monotonic()
            sender = sender_of(self._senders, line.peer, framer.begun)
            line.large = await self._large.take(sender)
            framer.extend(time.monotonic() - before)
        patience = max((framer.deadline or 0.0) - time.monotonic(), 0.0)
        try:
            async with asyncio.timeout(patience):
                data = await line.reader.read(_CHUNK)
        except TimeoutError:
            return framer.expire(time.monotonic())
        if not data:
            return framer.end() or None
        return framer.feed(data, time.monotonic())

    def _release(self, line: _Line) -> None:
        if line.large is not None:
            self._large.give(line.large)
            line.large = None

    async def _take(self, line: _Line, event: Event) -> bool:
        """Answer one event; ``False`` where the connection must end."""
        if isinstance(event, Broken):
            fault = Fault(event.code, "", event.remedy)
            letter = "E" if event.code in (Code.TOO_LARGE, Code.TIMEOUT) else "R"
            broken = Verdict(letter, event.code.value, "the frame cannot be read", (fault,))
            await self._refuse(line, read_header(event.begun), broken)
            return False
        header = read_header(event.body)
        try:
            if not header.seen:
                raise answers.no_message()
            known = self._senders.who(line.peer, header)
        except HubError as error:
            await self._refuse(line, header, verdict_on(error))
            return False
        async with self._turns:
            said = await self._work(known, header, event)
        if said is None:
            return False
        line.used = True
        for answer in said:
            await self._write(line, answer)
        return True

    async def _work(self, known: Known, header: Header, frame: Frame) -> Sequence[bytes] | None:
        """Return the answers to one message; ``None`` where nobody knows whether it was taken."""
        key = "/".join(("mllp", *known.names, header.control_id))
        began, pause = time.monotonic(), 0.25
        while True:
            receipt: Receipt | None = None
            at: datetime | None = None
            try:
                _sound(header, frame.body)
                receipt = await self._hub.receive(known.partner, CONTENT_TYPE, frame.body, key)
                at = await self._hub.taken_at(known.partner, key)
                verdict = TAKEN
            except Unavailable as error:
                # Nothing else is read meanwhile: that is all the back-pressure MLLP has.
                patience = self._limits.busy_seconds - (time.monotonic() - began)
                if patience <= pause or self._stopping.is_set():
                    log.warning("unanswered", extra={"code": error.code.value})
                    return None
                await asyncio.sleep(pause)
                pause = min(pause * 2, 4.0)
                continue
            except HubError as error:
                verdict = verdict_on(error)
                if isinstance(error, Withheld):
                    at = await self._kept(known.partner, key)
            except Exception as error:
                log.exception("door failed", extra={"error_class": type(error).__name__})
                verdict = verdict_on(HubError(Code.INTERNAL, ""))
            return self._said(known, header, verdict, key, at, receipt)

    async def _kept(self, partner: Partner, key: str) -> datetime | None:
        """Return when a refusal was recorded; it is only for the answer's own date."""
        with contextlib.suppress(Unavailable):
            return await self._hub.taken_at(partner, key)
        return None

    def _said(
        self,
        known: Known,
        header: Header,
        verdict: Verdict,
        key: str,
        at: datetime | None,
        receipt: Receipt | None,
    ) -> Sequence[bytes]:
        if verdict.code:
            log.info("refused", extra={"code": verdict.code})
        episode = None
        referral = (header.kind, header.event) == REFERRAL and known.sender.referrals == "rri"
        if receipt is not None and referral:
            episode = receipt.body.get("episode_id")
        return [
            self._answerer.answer(
                header,
                code,
                verdict,
                to=known.names,
                at=at or self._hub.clock.now(),
                seed=f"{known.partner.name}/{key}",
                episode=episode if code == "AA" else None,
            )
            for code in wanted(header, verdict)
        ]

    async def _refuse(self, line: _Line, header: Header, verdict: Verdict) -> None:
        """Answer who is not known, or what is no message: always, whatever it asks for."""
        log.info("refused", extra={"code": verdict.code})
        now = self._hub.clock.now()
        code = f"C{verdict.letter}" if header.enhanced else f"A{verdict.letter}"
        seed = f"{header.control_id}/{now.isoformat()}"
        await self._write(
            line, self._answerer.answer(header, code, verdict, to=None, at=now, seed=seed)
        )

    async def _write(self, line: _Line, answer: bytes) -> None:
        line.writer.write(framed(answer))
        async with asyncio.timeout(self._limits.write_seconds):
            await line.writer.drain()

    async def _linger(self, line: _Line) -> None:
        """Let the last answer be read: a connection that closes upon unread bytes is reset."""
        with contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
            if line.writer.can_write_eof():
                line.writer.write_eof()
            dropped = 0
            async with asyncio.timeout(self._limits.linger_seconds):
                while dropped < _LINGER_BYTES and (data := await line.reader.read(_CHUNK)):
                    dropped += len(data)


def _sound(header: Header, raw: bytes) -> None:
    """Refuse what this door does not take, whatever it says: raises `Malformed` and its kin."""
    if messages_in(raw) > 1:
        raise answers.one_at_a_time()
    if not header.control_id:
        raise answers.no_id()
    if header.processing != "P":
        raise answers.not_live()
