"""A glance: how the exchange does right now, in numbers, for `ecaf top`."""

from datetime import datetime
from typing import Any, Final

from hub.domain.exchange import State, Tree
from hub.domain.search import Search
from hub.ports import Store
from hub.services.lanes import lanes
from hub.services.quarantine import listed
from hub.services.search import shown
from hub.services.trace import at

ROWS: Final = 8
MOST: Final = 1_000


async def glance(store: Store, now: datetime) -> Tree:
    """Return counts by state, what is due, the longest standing, quarantine and open alerts."""
    counts = {state.value: 0 for state in State}
    counts.update(await store.counts())
    oldest: dict[str, Any] = {}
    for state in (State.PENDING, State.SENDING, State.HANDED_OVER):
        page, _ = await store.search(Search(state=state), 0, 1)
        if page:
            age = int((now - page[0].created_at).total_seconds())
            oldest[state.value] = {**shown(page[0]), "seconds": max(age, 0)}
    standing = await lanes(store, None, ROWS)
    return {
        "at": at(now),
        "deliveries": counts,
        "due": len(await store.due(now, MOST)),
        "oldest": oldest,
        "lanes": standing["lanes"],
        "quarantine": (await listed(store, None, 0, ROWS))["quarantine"],
        "alerts": len(await store.alerts(0, MOST)),
    }
