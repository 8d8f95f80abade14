"""Partners' lives, on the operator's socket (`hub.partner_life`)."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.domain.exchange import Tree

JSON: Final = "application/json"

LISTED: Final = Declared("GET", "/admin/partners", "operator", JSON)
ACT: Final = Declared("POST", "/admin/partners/{name}", "operator", JSON, takes="json")
TEST: Final = Declared("POST", "/admin/partners/{name}/test", "operator", JSON, takes="json")
REMOVE: Final = Declared("POST", "/admin/partners/{name}/remove", "operator", JSON, takes="json")
ACTIVATE: Final = Declared("POST", "/admin/config/activate", "operator", JSON, takes="json")


class Life(Protocol):
    """What is asked of the hub."""

    async def listed(self) -> Tree:
        """Return every partner."""
        ...

    async def act(self, name: str, body: Mapping[str, Any]) -> Tree:
        """Suspend or resume one."""
        ...

    async def test(self, name: str, body: Mapping[str, Any]) -> Tree:
        """Send one a synthetic message."""
        ...

    async def remove(self, name: str, body: Mapping[str, Any]) -> Tree:
        """Say what removing one would do, or do it."""
        ...

    async def activate(self, body: Mapping[str, Any]) -> Tree:
        """Take what is in the folder."""
        ...


class Partnering:
    """The handlers of these routes; none where there is no *life*."""

    def __init__(self, life: Life | None, parsed: Callable[[bytes], Tree]) -> None:
        self._life, self._parsed = life, parsed

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's application."""
        if self._life is None:
            return []
        life = self._life

        async def listed(_call: Call) -> Response:
            return json_response(await life.listed())

        async def act(call: Call) -> Response:
            return json_response(await life.act(call.path["name"], self._parsed(call.body)))

        async def test(call: Call) -> Response:
            return json_response(await life.test(call.path["name"], self._parsed(call.body)))

        async def remove(call: Call) -> Response:
            return json_response(await life.remove(call.path["name"], self._parsed(call.body)))

        async def activate(call: Call) -> Response:
            return json_response(await life.activate(self._parsed(call.body)))

        return [(LISTED, listed), (ACT, act), (TEST, test), (REMOVE, remove), (ACTIVATE, activate)]
