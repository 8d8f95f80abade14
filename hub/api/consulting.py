"""Looking up consent, on the operator's socket (`hub.services.consent_look`)."""

from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.api.facade import Hub
from hub.api.problem import malformed
from hub.errors import Code

JSON: Final = "application/json"
_TEXT: Final = {"schema": {"type": "string"}}
_AT: Final = {"at": _TEXT}

DECISIONS: Final = Declared("GET", "/admin/episodes/{ref}/consent", "operator", JSON, query={**_AT})
MATRIX: Final = Declared(
    "GET",
    "/admin/episodes/{ref}/consent/matrix",
    "operator",
    JSON,
    query={**_AT, "service": _TEXT},
)
WHY: Final = Declared(
    "GET",
    "/admin/episodes/{ref}/consent/why",
    "operator",
    JSON,
    query={**_AT, "service": _TEXT, "field": _TEXT, "purpose": _TEXT},
)
REPORT: Final = Declared(
    "GET", "/admin/episodes/{ref}/disclosures", "operator", JSON, query={"person": _TEXT}
)
PREVIEW: Final = Declared("POST", "/admin/consent/preview", "operator", JSON, takes="json")


class Consulting:
    """The handlers of these routes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's application."""
        return [
            (DECISIONS, self.decisions),
            (MATRIX, self.matrix),
            (WHY, self.why),
            (REPORT, self.report),
            (PREVIEW, self.preview),
        ]

    async def decisions(self, call: Call) -> Response:
        """List the decisions about an episode."""
        return json_response(await self._hub.consent.decisions(call.path["ref"], _at(call)))

    async def matrix(self, call: Call) -> Response:
        """Show who may see what."""
        service = call.query.get("service")
        return json_response(await self._hub.consent.matrix(call.path["ref"], service, _at(call)))

    async def why(self, call: Call) -> Response:
        """Say why a field reaches a service, or not."""
        service, field = _required(call, "service"), _required(call, "field")
        purpose, ref = _required(call, "purpose"), call.path["ref"]
        return json_response(await self._hub.consent.why(ref, service, field, purpose, _at(call)))

    async def report(self, call: Call) -> Response:
        """Report who received what."""
        person = call.query.get("person")
        return json_response(await self._hub.consent.report(call.path["ref"], person))

    async def preview(self, call: Call) -> Response:
        """Say what a decision would change."""
        return json_response(await self._hub.preview_consent(call.body))


def _required(call: Call, name: str) -> str:
    found = call.query.get(name)
    if found is None:
        raise malformed(Code.REQUIRED, f"query.{name}", "say which")
    return found


def _at(call: Call) -> datetime | None:
    """Return the moment that is asked about; None is now."""
    given = call.query.get("at")
    if given is None:
        return None
    try:
        return datetime.fromisoformat(given).astimezone(UTC)
    except ValueError:
        raise malformed(Code.SYNTAX, "query.at", "give a moment with its offset") from None
