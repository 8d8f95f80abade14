"""The audit as an operator reads it: every row in its order, ids and codes only."""

from typing import Any, Final

from hub.domain.exchange import Audited, Tree
from hub.ports import Store
from hub.services.trace import at

PAGE: Final = 500


async def audited(store: Store, hub: str, after: int, limit: int = PAGE) -> Tree:
    """Return a page of rows beyond the position *after*; *next* continues."""
    found = await store.audited(after, max(1, min(limit, PAGE)))
    body: dict[str, Any] = {"hub": hub, "rows": [_shown(place, row) for place, row in found]}
    if len(found) == limit:
        body["next"] = found[-1][0]
    return body


def _shown(position: int, row: Audited) -> dict[str, Any]:
    return {
        "position": position,
        "audit_id": row.audit_id,
        "at": at(row.at),
        "kind": row.kind,
        "actor": row.actor,
        "episode_id": row.episode_id,
        "service": row.service,
        "delivery_id": row.delivery_id,
        "code": row.code,
        "facts": dict(row.facts),
    }
