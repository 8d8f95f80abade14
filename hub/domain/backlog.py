"""What has not ended, counted: what an operator's alarms are made of (`reliability.md` 5.13)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.domain.exchange import HOLDING, Delivery, Priority, State

RECALL = "N10"


@dataclass(frozen=True, slots=True)
class Open:
    """Deliveries of one partner and class in one state: how many, and when the oldest was made."""

    partner: str
    priority: int
    state: State
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """Everything open or set aside.  *withdrawn_since* is the time of the oldest recall while
    content from before it is still being sent to the same recipient.
    """

    open: Sequence[Open]
    withdrawn_since: datetime | None = None


def backlog_of(deliveries: Iterable[Delivery]) -> Backlog:
    """Return the backlog of these deliveries (the rule that every store follows)."""
    groups: dict[tuple[str, int, State], list[datetime]] = {}
    sending: dict[tuple[str, str], datetime] = {}
    recalls: list[Delivery] = []
    for one in deliveries:
        if one.state not in HOLDING:
            continue
        groups.setdefault((one.partner, one.priority, one.state), []).append(one.created_at)
        if one.message_type == RECALL:
            recalls.append(one)
        elif one.state is State.SENDING and one.priority >= Priority.CONTENT:
            lane = (one.partner, one.episode_id)
            sending[lane] = min(one.created_at, sending.get(lane, one.created_at))
    waiting = [
        recall.created_at
        for recall in recalls
        if (before := sending.get((recall.partner, recall.episode_id))) is not None
        and before <= recall.created_at
    ]
    found = [Open(*group, len(times), min(times)) for group, times in sorted(groups.items())]
    return Backlog(tuple(found), min(waiting, default=None))
