"""A partner leaves: what is still open for it is ended with evidence, or it stays.

Nothing is lost in silence: every delivery that ends by this has its audit row with who and why, and
what its recipient must be told (N10, N13, N14) ends only where somebody says that it was told in
another way.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from hub.domain.exchange import Delivery, State, Tree
from hub.domain.search import Search
from hub.errors import Code, Conflict, Fault
from hub.ports import Clock, Needs, Session, Store
from hub.services.audit import of_delivery
from hub.services.quarantine import OWED, Ground
from hub.services.settle import settle

OPEN: Final = (State.QUARANTINED, State.SENDING, State.PENDING, State.HANDED_OVER)
REASON: Final = "PARTNER_REMOVED"
PAGE: Final = 200


async def still_open(store: Store, name: str) -> Sequence[Delivery]:
    """Return every delivery to *name* that has not ended."""
    found: dict[str, Delivery] = {}
    for state in OPEN:
        after: int | None = 0
        while after is not None:
            page, after = await store.search(Search(partner=name, state=state), after, PAGE)
            found |= {one.delivery_id: one for one in page}
    return list(found.values())


def counted(found: Sequence[Delivery]) -> Tree:
    """Return how many are open, by state, and how many of them must be told."""
    states = Counter(one.state.value for one in found)
    owed = [one for one in found if one.message_type in OWED]
    return {
        "open": len(found),
        "states": dict(sorted(states.items())),
        "must_be_told": [
            {"delivery_id": one.delivery_id, "message_type": one.message_type} for one in owed[:50]
        ],
    }


async def end_all(store: Store, clock: Clock, name: str, ground: Ground) -> int:
    """End everything that is open for *name*; raises `Conflict` where it may not be ended so.

    Safe to repeat after an interruption: what has ended is left alone.
    """
    found = await still_open(store, name)
    if any(one.state is State.SENDING for one in found):
        fault = Fault(Code.STATE, "", "wait until it has ended (a minute at most), then again")
        raise Conflict(Code.STATE, "something is on the wire to it", (fault,))
    if ground.reason != "SENT_OTHERWISE" and any(one.message_type in OWED for one in found):
        fault = Fault(
            Code.STATE, "reason", "tell it in another way first", None, ("SENT_OTHERWISE",)
        )
        raise Conflict(Code.STATE, "its services must still be told something", (fault,))
    for first in range(0, len(found), PAGE):
        ids = tuple(one.delivery_id for one in found[first : first + PAGE])
        await store.run(partial(_end, ids, clock, ground), Needs(deliveries=ids))
    return len(found)


def _end(ids: Sequence[str], clock: Clock, ground: Ground, session: Session) -> None:
    now = clock.now()
    for delivery_id in ids:
        one = session.delivery(delivery_id)
        if one is None or one.state not in OPEN or one.state is State.SENDING:
            continue
        facts: dict[str, Any] = {**ground.facts, "was": one.reason or one.state.value}
        session.add_audit(of_delivery("partner.ended", one, at=now, code=REASON, facts=facts))
        settle(session, one, State.EXPIRED, REASON, {}, now)
