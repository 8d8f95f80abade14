"""Alerts and the scheduler at the doors: a partner's own, and all of them for the operator."""

from typing import Any, Final

from starlette.responses import Response

from hub.api.declared import Call, Declared, Endpoint, json_response
from hub.api.facade import Hub
from hub.api.headers import whole_number
from hub.api.problem import malformed
from hub.errors import Code
from hub.services.alerts import PAGE

JSON: Final = "application/json"
_FARTHEST: Final = 2**62
_QUERY: Final = {
    "all": {
        "description": "`1`: those too that somebody has acknowledged.",
        "schema": {"enum": ["1"]},
    },
    "after": {
        "description": "`next` of the previous page.",
        "schema": {"type": "integer", "minimum": 0, "default": 0},
    },
    "limit": {
        "description": "How many at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": PAGE, "default": PAGE},
    },
}


def _document(operation: str, summary: str, description: str, answer: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "answers": {200: (f"The {answer.lower()}.", answer)},
        "body": None,
        "refusals": (400, 401, 403, 404, 406, 500, 503),
    }


LIST: Final = Declared(
    "GET",
    "/alerts",
    "partner",
    JSON,
    query=_QUERY,
    document=_document(
        "listAlerts",
        "List alerts",
        "What somebody should look at: addressed to the lead professional's service, or to the "
        "administrator of the caller's organisation. Codes, dates and ids; nothing of the family.",
        "Alerts",
    ),
)
SEEN: Final = Declared(
    "POST",
    "/alerts/{alert_id}/ack",
    "partner",
    JSON,
    document=_document(
        "acknowledgeAlert", "Acknowledge an alert", "Somebody has seen it.", "Alert"
    ),
)
OPERATOR_LIST: Final = Declared(
    "GET",
    "/admin/alerts",
    "operator",
    JSON,
    query={**_QUERY, "audience": {"schema": {"type": "string"}}},
)
OPERATOR_SEEN: Final = Declared("POST", "/admin/alerts/{alert_id}/ack", "operator", JSON)
SCHEDULE: Final = Declared("POST", "/admin/schedule", "operator", JSON)
PARTNER_ROUTES: Final = (LIST, SEEN)


class Alerting:
    """The handlers of these routes; without a principal it is the operator who asks."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def for_partners(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the partners' application."""
        return [(LIST, self.alerts), (SEEN, self.acknowledge_alert)]

    def for_operator(self) -> list[tuple[Declared, Endpoint]]:
        """Return the routes of the operator's."""
        return [
            (OPERATOR_LIST, self.alerts),
            (OPERATOR_SEEN, self.acknowledge_alert),
            (SCHEDULE, self.schedule),
        ]

    async def alerts(self, call: Call) -> Response:
        """List the caller's alerts."""
        limit = whole_number(call.query, "limit", PAGE, most=PAGE, least=1)
        everything = call.query.get("all")
        if everything not in (None, "1"):
            raise malformed(Code.FORMAT, "query.all", "give 1, or leave it out")
        found = await self._hub.alerts.list(
            partner=call.principal.partner if call.principal else None,
            audience=call.query.get("audience"),
            everything=everything == "1",
            after=whole_number(call.query, "after", 0, most=_FARTHEST),
            limit=limit,
        )
        return json_response(found)

    async def acknowledge_alert(self, call: Call) -> Response:
        """Note that the caller has seen an alert."""
        partner = call.principal.partner if call.principal else None
        return json_response(
            await self._hub.alerts.acknowledge(call.path["alert_id"], partner=partner)
        )

    async def schedule(self, _call: Call) -> Response:
        """Let the scheduler look at everything now."""
        return json_response({"new": await self._hub.schedule()})
