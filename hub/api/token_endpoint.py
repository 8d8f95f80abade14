"""POST /token: client credentials by ``private_key_jwt`` (SMART Backend Services, RFC 7523).

Refusals are problem bodies like everywhere at this door, with OAuth 2's ``error`` beside the code.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from starlette.responses import Response

from hub.api.declared import Call, json_response
from hub.api.facade import Hub
from hub.api.guard import CODE, REQUEST_ID
from hub.api.problem import answer, malformed
from hub.errors import Code, Fault, Forbidden, HubError, Unauthorised
from hub.secrets import Secret

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_KNOWN: Final = frozenset(
    {"grant_type", "client_assertion_type", "client_assertion", "client_id", "scope"}
)


class GrantedToken(Protocol):
    """An access token with its life and what it allows."""

    @property
    def access_token(self) -> Secret:
        """The token."""
        ...

    @property
    def expires_in(self) -> int:
        """Seconds."""
        ...

    @property
    def operations(self) -> frozenset[str]:
        """What it allows."""
        ...


class Desk(Protocol):
    """What exchanges assertions (`adapters.tokens.TokenDesk`)."""

    async def grant(
        self, assertion: str, *, client_id: str | None = None, scope: str | None = None
    ) -> GrantedToken:
        """Return a token, or raise `Unauthorised` or `Forbidden`."""
        ...


class TokenEndpoint:
    """The token endpoint; accreditation is checked here as at every other address."""

    def __init__(self, hub: Hub, desk: Desk) -> None:
        self._hub = hub
        self._desk = desk

    async def exchange(self, call: Call) -> Response:
        """Answer one token request; never stored by anybody (RFC 6749 section 5.1)."""
        try:
            fields = self._fields(call)
            granted = await self._desk.grant(
                fields["client_assertion"],
                client_id=fields.get("client_id"),
                scope=fields.get("scope"),
            )
        except HubError as error:
            return self._refusal(call, error)
        return json_response(
            {
                "access_token": granted.access_token.reveal(),
                "token_type": "Bearer",
                "expires_in": granted.expires_in,
                "scope": " ".join(sorted(granted.operations)),
            },
            headers={"pragma": "no-cache"},
        )

    def _fields(self, call: Call) -> Mapping[str, str]:
        try:
            pairs = call.form()
        except ValueError:
            raise malformed(Code.SYNTAX, "body", "send a form of name=value pairs") from None
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise malformed(Code.DUPLICATE_KEY, "body", "send every field once")
        if not set(fields) <= _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            raise malformed(Code.UNKNOWN_FIELD, "body", f"send only: {known}")
        needed = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        for name, value in needed.items():
            if fields.get(name) != value:
                raise malformed(Code.REQUIRED, name, f"must be {value}")
        if not fields.get("client_assertion"):
            raise malformed(Code.REQUIRED, "client_assertion", "send a signed assertion")
        return fields

    def _refusal(self, call: Call, error: HubError) -> Response:
        if isinstance(error, Unauthorised):
            oauth = "invalid_client"
        elif isinstance(error, Forbidden):
            oauth = "invalid_scope"
            error = malformed(error.code, "scope", _remedy(error.faults[0]))
        elif any(fault.path == "grant_type" for fault in error.faults):
            oauth = "unsupported_grant_type"
        elif error.code in (Code.STORE, Code.UNAVAILABLE, Code.OUTCOME_UNKNOWN):
            oauth = "temporarily_unavailable"
        else:
            oauth = "invalid_request"
        call.request.scope[CODE] = error.code
        return answer(
            error,
            support_contact=self._hub.registry.support_contact,
            request_id=call.request.scope[REQUEST_ID],
            members={"error": oauth},
        )


def _remedy(fault: Fault) -> str:
    return f"{fault.remedy}: {' '.join(fault.allowed)}" if fault.allowed else fault.remedy
