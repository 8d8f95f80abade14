"""The door itself: the same checks in the same order for every route.

Order: caller, accept, query, headers, body.  Who may not come in is told so before a byte of the
body is read, and a body is only read where a route takes one.
"""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from hub.api import cloud_events, headers
from hub.api.auth import Authenticator, Principal
from hub.api.certified import Certificates, proxied
from hub.api.declared import Call, Declared, Endpoint
from hub.api.facade import Hub
from hub.api.fhir.outcome import CONTENT_TYPE as FHIR
from hub.api.fhir.outcome import system_for
from hub.api.guard import BODY_READ, CODE, HELD, REQUEST_ID
from hub.api.limits import Limits, declared_length, read_body
from hub.api.problem import answer, malformed, missing, status_of
from hub.api.turns import Turns, Visit
from hub.domain.partner import OPERATIONS
from hub.errors import Code, HubError, Unavailable
from hub.logging import failure, log
from hub.settings import is_loopback

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
ALIKE: Final = frozenset({Code.NO_RELATIONSHIP, Code.NOT_FOUND})
"""Refusals that say nothing of whether there is such a thing; nor may the time that they take
(`reliability.md` P25).
"""
SEARCHES: Final = frozenset({"index", "override"})
"""Operations that look for people: who asks for many of them is looking around."""
_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


class Door:
    """Makes endpoints out of declarations and handlers."""

    def __init__(
        self,
        hub: Hub,
        authenticator: Authenticator,
        limits: Limits,
        certificates: Certificates | None = None,
    ) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._certificates = certificates or Certificates(hub, None)
        self._limits = limits
        self._turns = Turns(limits)

    def endpoint(
        self, declared: Declared, handler: Endpoint
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what a `DeclaredRoute` serves: *handler* behind every check of *declared*."""

        async def serve(request: Request) -> Response:
            began = time.monotonic()
            try:
                with self._turns.visit() as visit:
                    return await handler(await self._call(declared, request, visit))
            except HubError as error:
                if error.code in ALIKE:
                    await self._limits.until_the_step(time.monotonic() - began)
                return self.refusal(request, error)

        serve.declared = declared  # type: ignore[attr-defined]
        return serve

    def refusal(
        self,
        request: Request,
        error: HubError,
        members: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the problem answer for *error*; what is our own fault goes to the log as well."""
        own_fault = status_of(error) >= 500 and not isinstance(error, Unavailable)
        request.scope[CODE] = Code.INTERNAL if own_fault else error.code
        if own_fault:
            log.error(
                "door.failed",
                request_id=request.scope[REQUEST_ID],
                code=error.code,
                **failure(error),
            )
        return answer(
            error,
            support_contact=self._hub.registry.support_contact,
            request_id=request.scope[REQUEST_ID],
            members=members,
            headers=extra,
            fhir=system_for(request.scope["path"], self._hub.settings.canonical_url),
        )

    async def _call(self, declared: Declared, request: Request, visit: Visit) -> Call:
        scope = request.scope
        given = headers.single(scope["headers"])
        principal = self._caller(declared, scope, given)
        if principal is not None:
            searching = declared.who in SEARCHES
            visit.by(principal.partner.name, declared.path, searching=searching)
        elif declared.takes != "nothing" and declared.who in ("public", "signed"):
            # Whose proof must be looked at first is counted by where it comes from.
            address = "" if request.client is None else request.client.host
            visit.by(f"at {address}", declared.path)
        wanted = headers.accept(given)
        if declared.gives and not headers.accepts(wanted, declared.gives):
            raise headers.not_acceptable([declared.gives])
        query = headers.query(scope["query_string"], declared.query)
        for value in request.path_params.values():
            if not REFERENCE.fullmatch(value):
                raise missing()
        key = self._key(declared, given)
        kind, body = "", b""
        if declared.takes != "nothing":
            kind = headers.content_type(given, self._readable(declared))
            limit = (
                self._limits.body_bytes
                # Whoever may be nobody is not given much room.
                if declared.takes in ("message", "notice", "fhir") and declared.who != "signed"
                else self._limits.small_body_bytes
            )
            body = await read_body(
                request.receive,
                declared_length(given, limit),
                limit=limit,
                seconds=self._limits.body_seconds,
                held=scope[HELD],
            )
            scope[BODY_READ] = True
            if not body:
                raise malformed(Code.REQUIRED, "body", "send a body")
            if declared.who == "signed":
                principal, key = self._signed(request.path_params["partner"], given, body)
                self._certificates.check(scope, given, principal.partner.name)
        elif declared.method != "GET":
            await self._nothing(request, given)
        return Call(
            request=request,
            principal=principal,
            body=body,
            content_type=kind,
            key=key,
            query=query,
            accept=wanted or "*/*",
        )

    def _key(self, declared: Declared, given: Mapping[bytes, bytes]) -> str:
        """Return the key under which this is known again; an event has one of its own."""
        if not declared.idempotent:
            return ""
        own = declared.takes == "notice" and cloud_events.is_event(given)
        return "" if own and b"idempotency-key" not in given else headers.idempotency_key(given)

    def _signed(
        self, name: str, given: Mapping[bytes, bytes], body: bytes
    ) -> tuple[Principal, str]:
        """Return who signed *body*, and their id of it."""
        text = {key.decode("latin-1"): value.decode("latin-1") for key, value in given.items()}
        return self._authenticator.signed(name, text, body, "notify")

    async def _nothing(self, request: Request, given: Mapping[bytes, bytes]) -> None:
        """Refuse a body that nobody would read: its sender means something by it."""
        scope = request.scope
        limit = self._limits.small_body_bytes
        body = await read_body(
            request.receive,
            declared_length(given, limit),
            limit=limit,
            seconds=self._limits.body_seconds,
            held=scope[HELD],
        )
        scope[BODY_READ] = True
        if body:
            raise malformed(Code.UNKNOWN_FIELD, "body", "send none: this operation takes no body")

    def _readable(self, declared: Declared) -> Collection[str]:
        if declared.takes == "message":
            return self._hub.reader.content_types()
        if declared.takes == "notice":
            return {JSON, cloud_events.STRUCTURED, *self._hub.reader.content_types()}
        return {"form": (FORM,), "fhir": (FHIR,), "resource": (FHIR,)}.get(declared.takes, (JSON,))

    def _caller(
        self, declared: Declared, scope: Mapping[str, Any], given: Mapping[bytes, bytes]
    ) -> Principal | None:
        """Return who is calling; whatever is not declared as open needs a partner."""
        if declared.who in ("public", "operator", "signed"):
            # The operator's application listens on a socket that only the operator can open; who
            # signs a body is known when that is read.
            return None
        if declared.who == "local":
            client = scope.get("client")
            far = client is not None and not is_loopback(client[0])
            if far or proxied(self._hub.settings) or any(name in given for name in _FORWARDED):
                raise missing()
            return None
        credential = given.get(b"authorization", b"")[: self._limits.authorization_bytes]
        principal = self._authenticator.principal(
            credential.decode("latin-1") or None,
            declared.who if declared.who in OPERATIONS else None,
        )
        self._certificates.check(scope, given, principal.partner.name)
        return principal.acting_for(headers.user(given))
