"""Operating the exchange, on the operator's socket (`hub.services.operating`)."""

from typing import Final

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.api.facade import Hub

JSON: Final = "application/json"

TRACE: Final = Declared("GET", "/admin/messages/{message_id}/trace", "operator", JSON)


class Operating:
    """The handlers of these routes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's application."""
        return [(TRACE, self.trace)]

    async def trace(self, call: Call) -> Response:
        """Show the whole way of a message."""
        return json_response(await self._hub.operations.trace(call.path["message_id"]))
