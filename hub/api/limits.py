"""Limits of the HTTP door: how much it takes at once, from whom, and how long it waits.

Source: `reliability.md` 5.11 and promise P13.  Excess is refused before it is accepted.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import Receive

from hub.api.problem import malformed
from hub.bounds import Bounds
from hub.errors import Code, Fault, Malformed, Unavailable


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and requests; what a site can move is `hub.bounds`, with the same defaults.

    *in_flight_bytes* bounds the bodies held at once over all requests, so that many large ones
    cannot fill the memory; requests are cheap, so more of them than the document's 64 are let in
    together (they share one commit).  No partner has more than *client_in_flight* of them, nor
    more than so many a second (`hub.api.turns`).  *refusal_seconds*: a refusal that must not tell
    whether there is such a thing leaves at a multiple of this time after the request came, so that
    a row more or less in the store does not show.
    """

    body_bytes: int = 5 * 1024 * 1024
    small_body_bytes: int = 64 * 1024
    body_seconds: float = 30.0
    in_flight: int = 512
    in_flight_bytes: int = 128 * 1024 * 1024
    authorization_bytes: int = 8 * 1024
    refusal_seconds: float = 0.1
    client_in_flight: int = 256
    client_per_second: int = 500
    client_searches_per_second: int = 50

    @classmethod
    def of(cls, bounds: Bounds) -> "Limits":
        """Return the limits that a site has set."""
        return cls(
            body_bytes=bounds.body_bytes,
            body_seconds=float(bounds.body_seconds),
            in_flight=bounds.in_flight,
            in_flight_bytes=bounds.in_flight_bytes,
            client_in_flight=bounds.client_in_flight,
            client_per_second=bounds.client_per_second,
            client_searches_per_second=bounds.client_searches_per_second,
        )

    async def until_the_step(self, seconds: float) -> None:
        """Wait for the end of the step of *refusal_seconds* in which *seconds* fall."""
        if self.refusal_seconds > 0:
            await asyncio.sleep(-seconds % self.refusal_seconds)


@dataclass
class Load:
    """What is being worked on now; one per process, touched by the event loop's thread only."""

    limits: Limits
    requests: int = 0
    bytes: int = 0

    def enter(self) -> None:
        """Count one request in; `Unavailable` with ``E_BUSY`` when there are too many."""
        if self.requests >= self.limits.in_flight:
            raise busy()
        self.requests += 1

    def leave(self) -> None:
        """Count one request out."""
        self.requests -= 1


@dataclass
class Held:
    """The body bytes that one request holds; given back when it ends."""

    load: Load
    bytes: int = field(default=0)

    def take(self, count: int) -> None:
        """Hold *count* more bytes; `Unavailable` with ``E_BUSY`` when the process holds too
        many.
        """
        if self.load.bytes + count > self.load.limits.in_flight_bytes:
            raise busy()
        self.load.bytes += count
        self.bytes += count

    def release(self) -> None:
        """Give everything back."""
        self.load.bytes -= self.bytes
        self.bytes = 0


def busy() -> Unavailable:
    """Return the refusal of a request that came when there were too many."""
    remedy = "send the same request again after Retry-After, with the same Idempotency-Key"
    return Unavailable(Code.BUSY, "too much is being worked on", [Fault(Code.BUSY, remedy=remedy)])


def _too_large(limit: int) -> Malformed:
    remedy = f"send at most {limit} bytes"
    return malformed(Code.TOO_LARGE, "body", remedy)


def declared_length(headers: Mapping[bytes, bytes], limit: int) -> int | None:
    """Return the Content-Length, or ``None``; refused where it is no number or above *limit*."""
    given = headers.get(b"content-length")
    if given is None:
        return None
    if not given.isdigit() or len(given) > 19:
        raise malformed(Code.SYNTAX, "header.content-length", "give one whole number")
    if int(given) > limit:
        raise _too_large(limit)
    return int(given)


async def read_body(
    receive: Receive, declared: int | None, *, limit: int, seconds: float, held: Held
) -> bytes:
    """Return the whole body, never holding more than *limit* bytes nor waiting longer than
    *seconds*.

    A body that is longer than it may be is refused as soon as that is known, whatever its headers
    said; one that is shorter or longer than its Content-Length is refused too.
    """
    chunks: list[bytes] = []
    total = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise malformed(Code.SYNTAX, "body", "send the whole body")
                chunk: bytes = event.get("body", b"")
                if chunk:
                    total += len(chunk)
                    if total > limit:
                        raise _too_large(limit)
                    held.take(len(chunk))
                    chunks.append(chunk)
                if not event.get("more_body", False):
                    break
    except TimeoutError:
        raise malformed(
            Code.TIMEOUT, "body", f"send the whole body within {seconds:g} seconds"
        ) from None
    if declared is not None and total != declared:
        raise malformed(Code.SYNTAX, "header.content-length", "give the length of the body")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
