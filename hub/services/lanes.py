"""Lanes as an operator looks at them: how many wait on each, since when, and what holds them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from hub.domain.exchange import Delivery, State, Tree
from hub.domain.search import Search
from hub.ports import Needs, Session, Store
from hub.services.lane import holds
from hub.services.trace import at

STANDING: Final = (State.QUARANTINED, State.SENDING, State.PENDING, State.HANDED_OVER)
OLDEST: Final = 250
"""How many of each state are looked at: the lanes shown are those that stand longest."""
PAGE: Final = 50


async def lanes(store: Store, partner: str | None, limit: int = PAGE) -> Tree:
    """Return the lanes with anything on them, longest standing first; of one *partner* if named."""
    found: dict[tuple[str, str], Delivery] = {}
    for state in STANDING:
        oldest, _ = await store.search(Search(partner=partner, state=state), 0, OLDEST)
        for one in oldest:
            lane = (one.partner, one.episode_id)
            known = found.get(lane)
            if known is None or one.created_at < known.created_at:
                found[lane] = one
    first = sorted(found, key=lambda lane: (found[lane].created_at, lane))[: max(1, limit)]

    def unit(session: Session) -> list[dict[str, Any]]:
        return [lane_of(session.unsettled(episode, name)) for name, episode in first]

    episodes = tuple(sorted({episode for _, episode in first}))
    shown = await store.run(unit, Needs(episodes=episodes)) if first else []
    return {"lanes": [one for one in shown if one], "more": len(found) > len(first)}


def lane_of(lane: Sequence[Delivery]) -> dict[str, Any]:
    """Return one lane in codes and numbers; nothing if it has emptied meanwhile."""
    if not lane:
        return {}
    oldest = min(lane, key=lambda one: one.created_at)
    held = next(
        (
            (one, other)
            for one in lane
            if one.state is State.PENDING
            for other in lane
            if holds(other, one)
        ),
        None,
    )
    states = Counter(one.state.value for one in lane)
    body: dict[str, Any] = {
        "partner": oldest.partner,
        "episode_id": oldest.episode_id,
        "depth": len(lane),
        "states": dict(sorted(states.items())),
        "oldest_at": at(oldest.created_at),
        "head": _shown(_head(lane)),
        "held_by": None if held is None else _shown(held[1]),
    }
    return body


def _head(lane: Sequence[Delivery]) -> Delivery:
    """Return what goes next, or what stands first where nothing may go."""
    free = (
        one
        for one in lane
        if one.state in {State.PENDING, State.SENDING} and not any(holds(o, one) for o in lane)
    )
    return next(free, lane[0])


def _shown(one: Delivery) -> dict[str, Any]:
    due = one.next_attempt_at if one.state is State.PENDING else None
    return {
        "delivery_id": one.delivery_id,
        "message_type": one.message_type,
        "service": one.service,
        "state": one.state.value,
        "reason": one.reason,
        "attempts": one.attempts,
        "next_attempt_at": None if due is None else at(due),
    }
