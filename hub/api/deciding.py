"""Notices that wait for a person, on the operator's socket (`hub.services.matches`)."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.api.facade import Hub
from hub.api.headers import whole_number
from hub.services.matches import PAGE
from hub.services.search import LONGEST

JSON: Final = "application/json"
_PAGED: Final[Mapping[str, Mapping[str, Any]]] = {
    "after": {"schema": {"type": "string"}},
    "limit": {"schema": {"type": "integer", "minimum": 1, "maximum": LONGEST, "default": PAGE}},
}
MATCHES: Final = Declared("GET", "/admin/matches", "operator", JSON, query=_PAGED)
MATCH: Final = Declared("GET", "/admin/matches/{notice_id}", "operator", JSON)
DECIDE: Final = Declared("POST", "/admin/matches/{notice_id}", "operator", JSON, takes="json")


class Deciding:
    """The handlers of these routes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's application."""
        return [(MATCHES, self.matches), (MATCH, self.match), (DECIDE, self.decide)]

    async def matches(self, call: Call) -> Response:
        """List what waits."""
        limit = whole_number(call.query, "limit", PAGE, most=LONGEST)
        found = await self._hub.noticing.matches.listed(call.query.get("after", ""), limit)
        return json_response(found)

    async def match(self, call: Call) -> Response:
        """Show one, by what agrees and differs."""
        return json_response(await self._hub.noticing.matches.show(call.path["notice_id"]))

    async def decide(self, call: Call) -> Response:
        """Claim, link, refuse or try again."""
        body = self._hub.parsed(call.body)
        told = await self._hub.noticing.matches.decide(call.path["notice_id"], body)
        return json_response(told)
