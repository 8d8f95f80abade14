"""Routes that say what they are for: no declaration, no route.

`DeclaredRoute` refuses an endpoint that does not declare who may call it and what it takes (default
deny, `reliability.md` 5.6).  Bodies stay bytes: nothing here turns one into a dict or a model.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from hub.api.auth import Principal
from hub.domain.partner import OPERATIONS, Partner

WHO: Final = frozenset({"public", "local", "operator", "partner", "signed"}) | OPERATIONS
"""Who may call: anybody; this machine only; whoever can open the operator socket; any accredited
partner; a partner that signed the body and may notify; or a partner with that operation."""

Takes = Literal["nothing", "json", "form", "message", "notice", "fhir", "resource"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a route is for: who may call it, what it takes and gives, and its documentation.

    *gives* empty means that the answer's content type is decided elsewhere (a rendered view).
    *document* is the OpenAPI operation object without the parts that follow from this declaration.
    """

    method: Literal["GET", "POST", "PUT"]
    path: str
    who: str
    gives: str
    takes: Takes = "nothing"
    idempotent: bool = False
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.who not in WHO:
            msg = f"{self.path}: nobody is called {self.who!r}"
            raise TypeError(msg)


@dataclass(slots=True)
class Call:
    """One request as an endpoint sees it: authenticated, bounded, and otherwise untouched."""

    request: Request
    principal: Principal | None
    body: bytes
    content_type: str
    key: str
    query: Mapping[str, str]
    accept: str

    @property
    def partner(self) -> Partner:
        """The calling partner; only asked for on routes that demand one."""
        if self.principal is None:
            msg = "this route takes callers without a name"
            raise TypeError(msg)
        return self.principal.partner

    @property
    def path(self) -> Mapping[str, str]:
        """The path parameters."""
        params: Mapping[str, str] = self.request.path_params
        return params

    def form(self) -> list[tuple[str, str]]:
        """Return the fields of a form body; ``ValueError`` where it is not one."""
        return parse_qsl(
            self.body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=10,
        )


Endpoint = Callable[[Call], Awaitable[Response]]


class DeclaredRoute(APIRoute):
    """A FastAPI route whose endpoint carries a `Declared` and a handler of its own."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        declared = getattr(endpoint, "declared", None)
        if not isinstance(declared, Declared) or declared.path != path:
            msg = f"{path}: a route must declare who may call it (hub.api.declared.Declared)"
            raise TypeError(msg)
        self.declared = declared
        super().__init__(path, endpoint, **kwargs)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as ever, but never take the name of a FHIR operation (``$…``) for a reference: what
        has that address answers to its own methods only.
        """
        match, child = super().matches(scope)
        if any(str(one).startswith("$") for one in child.get("path_params", {}).values()):
            return Match.NONE, {}
        return match, child

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the endpoint itself: it takes the raw request and answers with a response."""
        # FastAPI's own handler would read and parse the body first, unbounded.
        handler: Callable[[Request], Any] = self.endpoint
        return handler


def json_response(
    tree: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *tree* as JSON; the smallest response that Starlette makes."""
    return Response(
        orjson.dumps(tree), status, dict(headers) if headers else None, "application/json"
    )
