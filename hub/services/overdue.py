"""Looks for deliveries past their deadline: alerts them lane by lane, and ends what has run out.

An alert `delivery.overdue` is about a lane and a class (`hub.domain.exchange.Priority`), and names
the oldest delivery there: codes, counts and ids, never a child.  One is raised for each delivery
that has come to be the oldest, so that a lane that stands for a week is said once.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from hub.domain.exchange import UNSETTLED, Alert, Delivery, State
from hub.domain.search import Search
from hub.errors import Unavailable
from hub.ports import Clock, Handover, Needs, Session, Store
from hub.services.alerts import alert
from hub.services.deadlines import LEAST, NOT_COLLECTED, class_of, due_of, expires_at
from hub.services.settle import settle

log = logging.getLogger("hub.services.overdue")

OVERDUE: Final = "delivery.overdue"
TURN: Final = "overdue"
TURN_SECONDS: Final = 45.0
EVERY_SECONDS: Final = 15.0
"""How often it looks: an alert comes within 30 seconds of its deadline (`reliability.md` P3)."""
PAGE: Final = 500
"""Deliveries of each state that a round looks at, those that stand longest; urgent ones apart."""
STATES: Final = (State.PENDING, State.SENDING, State.HANDED_OVER)


@dataclass(slots=True)
class Overdue:
    """Runs the rounds; of several workers one at a time, named by *owner*."""

    store: Store
    clock: Clock
    handover: Handover
    owner: str

    async def forever(self) -> None:
        """Run a round every quarter of a minute."""
        while True:
            try:
                await self.round()
            except Unavailable as fault:
                log.warning("round failed", extra={"code": fault.code.value})
            except Exception:  # ours: the next round is soon
                log.exception("round failed")
            await asyncio.sleep(EVERY_SECONDS)

    async def round(self) -> int:
        """Look once, if it is this process's turn; return how many alerts are new."""
        if not await self.store.take_turn(TURN, self.owner, TURN_SECONDS):
            return 0
        now = self.clock.now()
        late = [one for one in await self._oldest(now) if due_of(one) <= now]
        lanes: dict[tuple[str, str, int], list[Delivery]] = {}
        for one in late:
            lanes.setdefault((one.partner, one.episode_id, class_of(one)), []).append(one)
        new = 0
        for lane in lanes.values():
            needs = Needs(deliveries=tuple(one.delivery_id for one in lane))
            said, offers = await self.store.run(partial(_unit, lane, now), needs)
            new += said
            self.handover.offer(offers)
        return new

    async def _oldest(self, now: datetime) -> list[Delivery]:
        found: dict[str, Delivery] = {}
        for state in STATES:
            for urgent in (True, None):
                wanted = Search(state=state, until=now - LEAST, urgent=urgent)
                page, _ = await self.store.search(wanted, 0, PAGE)
                found.update((one.delivery_id, one) for one in page)
        return sorted(found.values(), key=lambda one: (one.created_at, one.lane_sequence))


def _unit(lane: Sequence[Delivery], now: datetime, session: Session) -> tuple[int, tuple[str, ...]]:
    """Judge one class of a lane again under its lock: meanwhile somebody may have come on."""
    late = []
    offers: tuple[str, ...] = ()
    for seen in lane:
        one = session.delivery(seen.delivery_id)
        if one is None or one.state not in UNSETTLED or due_of(one) > now:
            continue
        until = expires_at(one)
        if until is not None and until <= now and one.state is not State.SENDING:
            offers += settle(session, one, State.EXPIRED, NOT_COLLECTED, {}, now)
            continue
        late.append(one)
    new = sum(session.add_alert(said) for said in _alerts(late, now))
    return new, offers


def _alerts(late: Sequence[Delivery], now: datetime) -> Sequence[Alert]:
    if not late:
        return ()
    oldest = late[0]
    return (
        alert(
            OVERDUE,
            "operator",
            oldest.partner,
            class_of(oldest).name,
            oldest.delivery_id,
            oldest.state.value,
            at=now,
            episode_id=oldest.episode_id,
            service=oldest.service,
            delivery_id=oldest.delivery_id,
            due_at=due_of(oldest),
            facts={
                "partner": oldest.partner,
                "class": class_of(oldest).name,
                "waiting": len(late),
                "state": oldest.state.value,
                "reason": oldest.reason or "-",
                "attempts": oldest.attempts,
            },
        ),
    )
