"""Frames of MLLP out of a stream of bytes, without a socket: bytes and the time in, frames out.

MLLP (HL7 Version 2 Implementation Support Guide, appendix C) is ``<VT> message <FS><CR>``.  Nothing
in a stream that breaks this says where the next message begins, so what is wrong ends the stream:
whoever reads it answers with a code and closes.  A message is never guessed at, because half of one
that looks whole would be recorded as whole (`reliability.md` P18-P20).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.errors import Code

START: Final = b"\x0b"
END: Final = b"\x1c"
CLOSE: Final = b"\x0d"
_MARK: Final = re.compile(rb"[\x0b\x1c]")
_BETWEEN: Final = b"\r\n"
"""What some senders put behind a frame; it says nothing and is passed over."""
SHOWN: Final = 4_096
"""How much of a broken frame is kept: enough to find the id of the message in it."""


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Bytes of one message, and seconds from its first byte to its last (`reliability.md` 5.11).

    *tail_seconds* is how long the CR behind a FS may take: a sender that leaves it out hears of it
    soon, not when its patience ends.
    """

    size: int = 5 * 1024 * 1024
    seconds: float = 30.0
    tail_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole message as it stood between its marks; empty if nothing stood there."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """Why the stream cannot be read on; *begun* is the beginning of the message in hand."""

    code: Code
    remedy: str
    begun: bytes = b""


Event = Frame | Broken

GARBAGE: Final = "begin every message with VT (0x0B), and send nothing between messages"
NESTED: Final = "end a message with FS CR (0x1C 0x0D) before the next VT (0x0B)"
NO_CLOSE: Final = "end a message with FS CR (0x1C 0x0D): behind the FS stood something else"
STRAY: Final = "begin a message with VT (0x0B) before FS (0x1C) ends it"
HALF: Final = "send the whole message, to FS CR (0x1C 0x0D), before the connection ends"


def framed(body: bytes) -> bytes:
    r"""Return *body* in a frame; ``ValueError`` where it holds a mark, for it would be cut there.

    >>> framed(b"MSH|")
    b'\x0bMSH|\x1c\r'
    """
    if _MARK.search(body):
        raise ValueError("a message that holds VT or FS cannot be framed")
    return START + body + END + CLOSE


class Framer:
    r"""Cuts one stream into frames; holds at most one message, and after `Broken` nothing.

    >>> framer = Framer()
    >>> framer.feed(b"\x0bMSH|a\x1c\r\x0bMSH", now=0.0)
    [Frame(body=b'MSH|a')]
    >>> framer.feed(b"|b\x1c\r", now=1.0), framer.deadline
    ([Frame(body=b'MSH|b')], None)
    """

    def __init__(self, limits: FrameLimits | None = None) -> None:
        self._limits = limits or FrameLimits()
        self._held = bytearray()
        self._inside = False
        self._ending = False
        self._broken = False
        self._deadline: float | None = None

    @property
    def deadline(self) -> float | None:
        """When what was begun must be whole, on the clock of `feed`; ``None`` between messages."""
        return self._deadline

    @property
    def held(self) -> int:
        """Return how many bytes of a message wait for the rest."""
        return len(self._held)

    @property
    def begun(self) -> bytes:
        """The beginning of the message in hand."""
        return bytes(self._held[:SHOWN])

    @property
    def idle(self) -> bool:
        """Whether nothing was begun: the stream may end here."""
        return not (self._inside or self._ending or self._broken)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Return what *data* completes, in order; *now* is monotonic seconds."""
        events: list[Event] = []
        at = 0
        while at < len(data) and not self._broken:
            if self._ending:
                if data[at : at + 1] != CLOSE:
                    return [*events, self._break(Code.SYNTAX, NO_CLOSE)]
                events.append(Frame(self._whole()))
                at += 1
            elif self._inside:
                at = self._read_on(data, at, now, events)
            elif data[at] in _BETWEEN:
                at += 1
            elif data[at : at + 1] == START:
                self._inside = True
                self._deadline = now + self._limits.seconds
                at += 1
            else:
                stray = data[at : at + 1] == END
                return [*events, self._break(Code.SYNTAX, STRAY if stray else GARBAGE)]
        return events

    def expire(self, now: float) -> Sequence[Event]:
        """Return what the time has broken by *now*: a message that takes too long."""
        if self._deadline is None or now < self._deadline or self._broken:
            return ()
        if self._ending:
            return (self._break(Code.TIMEOUT, NO_CLOSE),)
        remedy = f"send the whole message within {self._limits.seconds:g} seconds"
        return (self._break(Code.TIMEOUT, remedy),)

    def end(self) -> Sequence[Event]:
        """Return what the end of the stream leaves broken: half a message."""
        if self.idle or self._broken:
            return ()
        return (self._break(Code.SYNTAX, NO_CLOSE if self._ending else HALF),)

    def extend(self, seconds: float) -> None:
        """Let the message in hand take longer: it was the reader who did not read."""
        if self._deadline is not None:
            self._deadline += seconds

    def _read_on(self, data: bytes, at: int, now: float, events: list[Event]) -> int:
        """Take the message up to its next mark; return where to go on."""
        mark = _MARK.search(data, at)
        end = mark.start() if mark else len(data)
        if len(self._held) + end - at > self._limits.size:
            self._held += data[at : at + SHOWN]
            remedy = f"send at most {self._limits.size} bytes in one message"
            events.append(self._break(Code.TOO_LARGE, remedy))
            return len(data)
        self._held += data[at:end]
        if mark is None:
            return end
        if mark[0] == START:
            events.append(self._break(Code.SYNTAX, NESTED))
            return len(data)
        self._inside, self._ending = False, True
        self._deadline = now + self._limits.tail_seconds
        return end + 1

    def _whole(self) -> bytes:
        body = bytes(self._held)
        self._held.clear()
        self._ending, self._deadline = False, None
        return body

    def _break(self, code: Code, remedy: str) -> Broken:
        begun = bytes(self._held[:SHOWN])
        self._held = bytearray()
        self._broken, self._deadline = True, None
        return Broken(code, remedy, begun)
