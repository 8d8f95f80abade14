"""`ecaf doctor` of a running hub, on the operator's socket: one bounded step a call."""

from typing import Final

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.api.facade import Hub

DOCTOR: Final = Declared(
    "GET", "/admin/doctor", "operator", "application/json",
    query={"after": {"schema": {"type": "string"}}},
)  # fmt: skip


class Doctoring:
    """The handler of this route."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's application."""
        return [(DOCTOR, self.doctor)]

    async def doctor(self, call: Call) -> Response:
        """Judge the record from an episode on; *next* in the answer is where to go on."""
        return json_response(await self._hub.operations.doctor(call.query.get("after", "")))
