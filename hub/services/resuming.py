"""The end of a suspension: what waited for the partner is due at once."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from hub.domain.exchange import State
from hub.domain.search import Search
from hub.errors import Code
from hub.ports import Clock, Handover, Needs, Session, Store
from hub.services.audit import of_delivery

PAGE: Final = 200


async def wake(store: Store, partner: str, clock: Clock, handover: Handover) -> int:
    """Make due what waits for the end of *partner*'s suspension; return how many deliveries.

    Safe to repeat: what is no longer waiting for it is left alone.
    """
    wanted = Search(partner=partner, state=State.PENDING, reason=Code.SUSPENDED.value)
    woken, after = 0, 0
    waiting: list[str] = []
    while True:  # all of them first: what is woken is found no more, and pages would shift
        page, following = await store.search(wanted, after, PAGE)
        waiting += [one.delivery_id for one in page]
        if following is None:
            break
        after = following
    for first in range(0, len(waiting), PAGE):
        ids = tuple(waiting[first : first + PAGE])
        found = await store.run(partial(_due, ids, clock), Needs(deliveries=ids))
        handover.offer(found)
        woken += len(found)
    return woken


def _due(ids: Sequence[str], clock: Clock, session: Session) -> tuple[str, ...]:
    now, found = clock.now(), []
    for delivery_id in ids:
        one = session.delivery(delivery_id)
        if one is None or one.state is not State.PENDING or one.reason != Code.SUSPENDED.value:
            continue
        session.put_delivery(replace(one, reason=None, next_attempt_at=now))
        session.add_audit(of_delivery("delivery.resumed", one, at=now, code="OK"))
        found.append(delivery_id)
    return tuple(found)
