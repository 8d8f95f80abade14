"""The outermost layer of the door: request ids, limits, headers, measurements, and no leak.

A plain ASGI middleware.  Nothing passes it that is not an answer of ours: an exception that reaches
it is logged as class and place, and the caller gets ``E_INTERNAL`` with the request id.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.fhir.outcome import system_for
from hub.api.limits import Held, Load
from hub.api.problem import answer, internal
from hub.errors import HubError, Unavailable
from hub.logging import failure, log
from hub.metrics import Metrics

REQUEST_ID: Final = "ecaf.request_id"
HELD: Final = "ecaf.held"
CODE: Final = "ecaf.code"
BODY_READ: Final = "ecaf.body_read"

_BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})
_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


def route_of(scope: MutableMapping[str, Any]) -> str:
    """Return the template of the matched route, or ``none``; never the path, which holds ids."""
    route = scope.get("route")
    return str(getattr(route, "path", "none"))


def _has_body(scope: MutableMapping[str, Any]) -> bool:
    return any(name in _BODY_HEADERS for name, _value in scope["headers"])


class Guard:
    """Wraps the application; one `Load` and one `Metrics` per process."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        load: Load,
        metrics: Metrics,
        support_contact: Callable[[], str],
        canonical_url: str,
    ) -> None:
        self._app = app
        self._load = load
        self._metrics = metrics
        self._support_contact = support_contact
        self._canonical_url = canonical_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        held = Held(self._load)
        scope[REQUEST_ID] = request_id
        scope[HELD] = held
        own = [*_ALWAYS, (b"x-request-id", request_id.encode())]
        started = time.perf_counter()
        status = 0

        async def send_ours(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *own]
                if status >= 400 and BODY_READ not in scope and _has_body(scope):
                    # Nobody will read it, so the next request cannot be found behind it.
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        entered = False
        try:
            self._load.enter()
            entered = True
            await self._app(scope, receive, send_ours)
        except Unavailable as error:
            await self._refuse(error, scope, receive, send_ours, started=status != 0)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the last place before the server prints it whole
            log.error("door.failed", request_id=request_id, **failure(error))
            await self._refuse(internal(), scope, receive, send_ours, started=status != 0)
        finally:
            held.release()
            if entered:
                self._load.leave()
            self._record(scope, request_id, status, time.perf_counter() - started)

    async def _refuse(
        self, error: HubError, scope: Scope, receive: Receive, send: Send, *, started: bool
    ) -> None:
        if started:
            # Half an answer is out; only closing the connection can still say that it is wrong.
            raise ConnectionAbortedError from None
        scope[CODE] = error.code
        response = answer(
            error,
            support_contact=self._support_contact(),
            request_id=scope[REQUEST_ID],
            fhir=system_for(scope["path"], self._canonical_url),
        )
        await response(scope, receive, send)

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route, code = route_of(scope), scope.get(CODE)
        method = scope["method"] if scope["method"] in ("GET", "POST", "PUT") else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        self._metrics.in_flight.set(self._load.requests)
        self._metrics.body_bytes.set(self._load.bytes)
        if code is not None:
            self._metrics.refusals.labels(code).inc()
        log.info(
            "request",
            request_id=request_id,
            method=method,
            route=route,
            status=status,
            code=code,
            ms=round(seconds * 1000, 2),
        )
