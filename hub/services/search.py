"""`ecaf messages search`: deliveries by ids, partner, state, time and codes, in bounded pages."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hub.domain.exchange import Delivery, State, Tree
from hub.domain.search import Search
from hub.errors import Code, Fault, InvalidContent
from hub.ports import Session, Store
from hub.services.trace import at

PAGE: Final = 50
LONGEST: Final = 500
NAMES: Final = ("episode", "partner", "service", "type", "state", "reason", "since", "until")
"""By what can be searched; together, all of them hold."""


def read_search(given: Mapping[str, str]) -> Search:
    """Return the search that *given* names (`NAMES`); raises `InvalidContent` with every fault."""
    faults = [
        Fault(Code.UNKNOWN_FIELD, name, "search by one of these", None, NAMES)
        for name in given
        if name not in NAMES
    ]
    states = tuple(state.value for state in State)
    state = given.get("state")
    if state is not None and state not in states:
        faults.append(Fault(Code.CODELIST, "state", "name a state", None, states))
    moments = {}
    for name in ("since", "until"):
        if (text := given.get(name)) is not None:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                faults.append(Fault(Code.FORMAT, name, "give a date or moment: 2026-09-01T09:00Z"))
            else:
                moments[name] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if faults:
        raise InvalidContent(faults[0].code, "nothing can be searched by that", faults)
    return Search(
        episode_id=given.get("episode"),
        partner=given.get("partner"),
        service=given.get("service"),
        message_type=given.get("type"),
        state=None if state is None else State(state),
        reason=given.get("reason"),
        since=moments.get("since"),
        until=moments.get("until"),
    )


async def search(store: Store, given: Mapping[str, str], after: int, limit: int) -> Tree:
    """Return one page in codes: newest first, in a state oldest first; *next* continues."""
    wanted = read_search(given)
    page, beyond = await store.search(wanted, after, max(1, min(limit, LONGEST)))
    body: dict[str, Any] = {"deliveries": [shown(one) for one in page]}
    if beyond is not None:
        body["next"] = beyond
    return body


def by_key(session: Session, partner: str, key: str) -> Tree:
    """Return what *partner* sent under its own *key*, if the hub keeps it."""
    entry = session.inbox(partner, key)
    found: Sequence[Tree] = ()
    if entry is not None:
        found = (
            {
                "message_id": entry.message_id,
                "partner": entry.partner,
                "received_at": at(entry.received_at),
                "answered": entry.status,
                "code": entry.answer.get("code"),
                "episode_id": entry.episode_id,
            },
        )
    return {"messages": list(found)}


def shown(one: Delivery) -> dict[str, Any]:
    """Return a delivery in ids, codes and times."""
    return {
        "delivery_id": one.delivery_id,
        "message": one.causation_id,
        "message_type": one.message_type,
        "partner": one.partner,
        "service": one.service,
        "episode_id": one.episode_id,
        "created_at": at(one.created_at),
        "state": one.state.value,
        "reason": one.reason,
        "attempts": one.attempts,
    }
