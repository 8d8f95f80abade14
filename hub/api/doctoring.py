"""`ecaf doctor` and `ecaf audit` of a running hub, on the operator's socket, in bounded steps."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.api.facade import Hub
from hub.api.headers import whole_number
from hub.domain.exchange import Tree
from hub.services.audited import PAGE

DOCTOR: Final = Declared(
    "GET", "/admin/doctor", "operator", "application/json",
    query={"after": {"schema": {"type": "string"}}},
)  # fmt: skip
AUDIT: Final = Declared(
    "GET",
    "/admin/audit",
    "operator",
    "application/json",
    query={
        "after": {"schema": {"type": "integer", "minimum": 0, "default": 0}},
        "limit": {"schema": {"type": "integer", "minimum": 1, "maximum": PAGE, "default": PAGE}},
    },
)
CHECKS: Final = Declared("GET", "/admin/doctor/site", "operator", "application/json")


class Doctoring:
    """The handlers of these routes; *site* looks at what is beside the record."""

    def __init__(self, hub: Hub, site: Callable[[], Awaitable[Tree]] | None) -> None:
        self._hub, self._site = hub, site

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's application."""
        return [(DOCTOR, self.doctor), (CHECKS, self.checks), (AUDIT, self.audit)]

    async def doctor(self, call: Call) -> Response:
        """Judge the record from an episode on; *next* in the answer is where to go on."""
        return json_response(await self._hub.operations.doctor(call.query.get("after", "")))

    async def checks(self, _call: Call) -> Response:
        """Judge what is beside the record, as this process finds it."""
        nothing: Tree = {"episodes": 0, "law": {}, "findings": [], "counted": {}, "checks": []}
        return json_response(nothing if self._site is None else await self._site())

    async def audit(self, call: Call) -> Response:
        """Show a page of the audit; *next* in the answer is where to go on."""
        after = whole_number(call.query, "after", 0, most=2**62)
        limit = whole_number(call.query, "limit", PAGE, most=PAGE)
        return json_response(await self._hub.operations.audited(after, max(1, limit)))
