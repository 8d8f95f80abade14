"""HTTP/1.1 as uvicorn speaks it, with limits on what comes before the body.

httptools bounds neither the size of a request's head nor how long it may take, so a client that
sends headers for ever would be kept for ever (`reliability.md` 5.11: header 10 s).  Refusals here
happen before there is a request, and still are problem bodies.
"""

import asyncio
import secrets
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from hub.api.crowd import Crowd, Place
from hub.api.fhir import outcome
from hub.api.fhir.outcome import system_for
from hub.api.problem import CONTENT_TYPE, body_of, malformed
from hub.errors import Code
from hub.logging import log

HEAD_BYTES: Final = 32 * 1024
HEAD_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 2.0
STOPPING_SECONDS: Final = 5.0
STANDING_SECONDS: Final = 2.0
"""How long somebody for whom there is no seat may take to ask, and be told to come again."""


AGAIN: Final = "retry-after: 1\r\n"


class _Polite:
    """A transport that does not hang up on a client that is still sending.

    Closing with unread bytes makes the kernel reset the connection, and the client would lose the
    very answer that tells it what was wrong.
    """

    def __init__(self, transport: asyncio.Transport, part: Callable[[], bool]) -> None:
        self._transport = transport
        self._part = part
        self._parting = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        """Close now, or as soon as the client has ended, in `LINGER_SECONDS` at the latest."""
        if self._parting:
            return
        self._parting = True
        if self._part() and self._transport.can_write_eof():
            self._transport.write_eof()

    def is_closing(self) -> bool:
        """Whether nothing more will be said."""
        return self._parting or self._transport.is_closing()


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with a cap and a deadline for the head of each request.

    *support_contact* and the limits are set on a subclass by `bounded`.
    """

    support_contact: str = ""
    canonical_url: str = ""
    head_bytes: int = HEAD_BYTES
    head_seconds: float = HEAD_SECONDS
    crowd: Crowd = Crowd(sys.maxsize, sys.maxsize)

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = True
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._parting: asyncio.TimerHandle | None = None
        self._stopping: asyncio.TimerHandle | None = None
        self._place: Place = "none"
        self._address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first head: a connection that says nothing is closed too."""
        self._wire = transport
        super().connection_made(cast("asyncio.Transport", _Polite(transport, self._part)))
        self._address = self.client[0] if self.client is not None else ""
        self._place = self.crowd.enter(self._address)
        if self._place == "none":
            log.info("door.full")
            transport.abort()
            return
        seated = self._place == "seated"
        patience = self.head_seconds if seated else min(self.head_seconds, STANDING_SECONDS)
        self._deadline = self.loop.call_later(patience, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks, and leave the place to somebody else."""
        self._stop()
        if self._place != "none":
            self._place = "none"
            self.crowd.leave(self._address)
        for clock in (self._parting, self._stopping):
            if clock is not None:
                clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head, then parse as ever; drop what comes after a refusal."""
        if self._parting is not None:
            return
        if self._in_head:
            self._head_size += len(data)
            if self._deadline is None:
                self._deadline = self.loop.call_later(self.head_seconds, self._too_slow)
            if self._head_size > self.head_bytes and not self._ends_head(data):
                self._refuse(431, Code.TOO_LARGE, f"send a head of at most {self.head_bytes} bytes")
                return
        super().data_received(data)

    def _ends_head(self, data: bytes) -> bool:
        """Whether the head ends within the limit: the rest of a first packet may be the body."""
        end = data.find(b"\r\n\r\n")
        return end >= 0 and self._head_size - len(data) + end <= self.head_bytes

    def on_headers_complete(self) -> None:
        """Leave the head: from here on the body's own limits hold."""
        if self._place == "standing":
            self._refuse(503, Code.BUSY, "come again after Retry-After: there are too many now")
            return
        self._in_head = False
        self._stop()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on what belongs to a request; behind a refusal nothing does."""
        if self._parting is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next head on this connection."""
        if self._parting is not None:
            return
        super().on_message_complete()
        self._in_head, self._head_size = True, 0

    def shutdown(self) -> None:
        """Let requests end; who is still sending after `STOPPING_SECONDS` has not been accepted,
        and is hung up on.
        """
        super().shutdown()
        self._stopping = self.loop.call_later(STOPPING_SECONDS, self._cut)

    def _cut(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete and cycle.more_body:
            self._wire.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        del msg
        self._refuse(400, Code.SYNTAX, "send a well-formed HTTP/1.1 request")

    def _part(self) -> bool:
        """End the connection: at once between requests, after the rest of a request otherwise."""
        self._stop()
        if self._in_head and not self._head_size:
            self._wire.close()
            return False
        self._parting = self.loop.call_later(LINGER_SECONDS, self._wire.close)
        self._wire.resume_reading()
        return True

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._head_size:
            seconds = f"{self.head_seconds:g}"
            self._refuse(408, Code.TIMEOUT, f"send the head within {seconds} seconds")
        else:
            self.transport.close()

    def _asked(self) -> str:
        """Return the path of the request under way, as far as it was read."""
        url: bytes = getattr(self, "url", b"")
        return url.partition(b"?")[0].decode("latin-1")

    def _refuse(self, status: int, code: Code, remedy: str) -> None:
        self._stop()
        if self.transport.is_closing():
            return
        request_id = secrets.token_hex(8)
        log.info("request", request_id=request_id, route="none", status=status, code=code)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self._in_head or cycle.response_started or self.pipeline:
                # An answer to an earlier request is under way: add nothing to it.
                self.transport.close()
                return
            # It is this request's own body; nobody waits for it any more.
            cycle.disconnected = True
            cycle.message_event.set()
        error = malformed(
            code, "body" if cycle is not None and not self._in_head else "head", remedy
        )
        system = system_for(self._asked(), self.canonical_url)
        if system is None:
            kind = CONTENT_TYPE
            body = body_of(
                error, status, support_contact=self.support_contact, request_id=request_id
            )
        else:
            kind = outcome.CONTENT_TYPE
            body = outcome.body_of(
                error, system=system, support_contact=self.support_contact, request_id=request_id
            )
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n"
            f"cache-control: no-store\r\nx-request-id: {request_id}\r\n"
            f"{AGAIN if status == HTTPStatus.SERVICE_UNAVAILABLE else ''}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def bounded(
    support_contact: str,
    *,
    canonical_url: str = "",
    head_bytes: int = HEAD_BYTES,
    head_seconds: float = HEAD_SECONDS,
    crowd: Crowd | None = None,
) -> type[BoundedHttp]:
    """Return the protocol class with these limits and this contact in its refusals."""

    class Bounded(BoundedHttp):
        """One server's protocol."""

    Bounded.support_contact = support_contact
    Bounded.canonical_url = canonical_url
    Bounded.head_bytes = head_bytes
    Bounded.head_seconds = head_seconds
    Bounded.crowd = crowd or Crowd(sys.maxsize, sys.maxsize)
    return Bounded
