"""Operating the exchange, on the operator's socket (`hub.services.operating`)."""

from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.api.facade import Hub
from hub.api.headers import whole_number
from hub.api.problem import malformed
from hub.errors import Code
from hub.services.lanes import PAGE as STANDING
from hub.services.search import LONGEST, NAMES, PAGE

JSON: Final = "application/json"

_TEXT: Final = {"schema": {"type": "string"}}
_PAGED: Final = {
    "after": {"schema": {"type": "integer", "minimum": 0, "default": 0}},
    "limit": {"schema": {"type": "integer", "minimum": 1, "maximum": LONGEST, "default": PAGE}},
}
_FARTHEST: Final = 2**62

TRACE: Final = Declared("GET", "/admin/messages/{message_id}/trace", "operator", JSON)

SEARCH: Final = Declared(
    "GET", "/admin/messages", "operator", JSON, query={**dict.fromkeys(NAMES, _TEXT), **_PAGED}
)
RECEIVED: Final = Declared(
    "GET", "/admin/received", "operator", JSON, query={"from": _TEXT, "key": _TEXT}
)
WHY_NOT: Final = Declared(
    "GET", "/admin/episodes/{ref}/why-not", "operator", JSON, query={"service": _TEXT}
)
LANES: Final = Declared(
    "GET",
    "/admin/lanes",
    "operator",
    JSON,
    query={"partner": _TEXT, "limit": _PAGED["limit"]},
)

QUARANTINE: Final = Declared(
    "GET", "/admin/quarantine", "operator", JSON, query={"partner": _TEXT, **_PAGED}
)
SET_ASIDE: Final = Declared("GET", "/admin/quarantine/{delivery_id}", "operator", JSON)
ACT: Final = Declared("POST", "/admin/quarantine/{delivery_id}", "operator", JSON, takes="json")
REPLAY: Final = Declared("POST", "/admin/replay", "operator", JSON, takes="json")
KNOWN: Final = Declared(
    "GET", "/admin/episodes/{ref}/known", "operator", JSON, query={"service": _TEXT, "at": _TEXT}
)
TOP: Final = Declared("GET", "/admin/top", "operator", JSON)


class Operating:
    """The handlers of these routes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's application."""
        return [
            (TRACE, self.trace),
            (SEARCH, self.search),
            (RECEIVED, self.received),
            (WHY_NOT, self.why_not),
            (LANES, self.lanes),
            (QUARANTINE, self.quarantine),
            (SET_ASIDE, self.set_aside),
            (ACT, self.act),
            (REPLAY, self.replay),
            (KNOWN, self.known),
            (TOP, self.top),
        ]

    async def trace(self, call: Call) -> Response:
        """Show the whole way of a message."""
        return json_response(await self._hub.operations.trace(call.path["message_id"]))

    async def search(self, call: Call) -> Response:
        """List deliveries by ids, codes and times."""
        given = {name: value for name, value in call.query.items() if name not in _PAGED}
        after = whole_number(call.query, "after", 0, most=_FARTHEST)
        limit = whole_number(call.query, "limit", PAGE, most=LONGEST)
        return json_response(await self._hub.operations.search(given, after, limit))

    async def received(self, call: Call) -> Response:
        """Find a message by its sender's own key."""
        sender, key = required(call, "from"), required(call, "key")
        return json_response(await self._hub.operations.by_key(sender, key))

    async def why_not(self, call: Call) -> Response:
        """Name the first thing that stops."""
        asked = (call.path["ref"], required(call, "service"))
        paused = bool((await self._hub.summary()).get("paused"))
        return json_response(await self._hub.operations.why_not(*asked, paused=paused))

    async def lanes(self, call: Call) -> Response:
        """List the lanes that stand longest."""
        limit = whole_number(call.query, "limit", STANDING, most=LONGEST)
        found = await self._hub.operations.lanes(call.query.get("partner"), limit)
        return json_response(found)

    async def quarantine(self, call: Call) -> Response:
        """List what was set aside."""
        after = whole_number(call.query, "after", 0, most=_FARTHEST)
        limit = whole_number(call.query, "limit", PAGE, most=LONGEST)
        found = await self._hub.operations.quarantine(call.query.get("partner"), after, limit)
        return json_response(found)

    async def set_aside(self, call: Call) -> Response:
        """Show one that was set aside."""
        return json_response(await self._hub.operations.quarantined(call.path["delivery_id"]))

    async def act(self, call: Call) -> Response:
        """Fix, release, supersede or skip one."""
        body = self._hub.parsed(call.body)
        return json_response(await self._hub.operations.act(call.path["delivery_id"], body))

    async def replay(self, call: Call) -> Response:
        """Show what a replay would send; with its own word, send that."""
        return json_response(await self._hub.operations.replay(self._hub.parsed(call.body)))

    async def known(self, call: Call) -> Response:
        """Show what a service had been given by a moment."""
        service, text = required(call, "service"), required(call, "at")
        try:
            at = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            raise malformed(Code.SYNTAX, "query.at", "give a moment with its offset") from None
        return json_response(await self._hub.operations.known(call.path["ref"], service, at))

    async def top(self, _call: Call) -> Response:
        """Show how the exchange does."""
        summary = await self._hub.summary()
        now = {name: summary[name] for name in ("busy", "paused") if name in summary}
        return json_response({**await self._hub.operations.top(), **now})


def required(call: Call, name: str) -> str:
    """Return a query parameter that must be there; raises `Malformed` (``E_REQUIRED``)."""
    found = call.query.get(name)
    if found is None:
        raise malformed(Code.REQUIRED, f"query.{name}", "say which")
    return found
