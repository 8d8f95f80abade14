"""What the table of routes is written in: common refusals, and the documentation of one route."""

from collections.abc import Mapping
from typing import Any, Final

JSON: Final = "application/json"
# Refusals that any route can give, by status.
ALWAYS: Final = (400, 406, 500, 503)


def documented(
    operation: str,
    summary: str,
    description: str,
    *,
    answers: Mapping[int, tuple[str, str | None]],
    body: str | None = None,
    refusals: tuple[int, ...] = (),
) -> Mapping[str, Any]:
    """Return what `hub.api.openapi` needs: *answers* are status → (description, schema name)."""
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "answers": answers,
        "body": body,
        "refusals": tuple(sorted({*ALWAYS, *refusals})),
    }


CODE: Final = {"type": "string", "minLength": 1, "maxLength": 128}
PARTNER: Final = (401, 403)
BODY: Final = (408, 413, 415)
