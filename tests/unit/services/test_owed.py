"""To whom a newer version is owed: the short way says what the whole history says."""

from itertools import product
from typing import Any

import pytest

from adapters.memory import MemoryStore
from hub.domain.exchange import Delivery, State
from hub.ports import Session
from hub.services.holding import CONTENT, may_hold, owed
from tests.contract.records import delivery, released

HERE, ELSEWHERE = "HOU-A/HOUS", "EHM-A/FSW"
OPEN = {State.PENDING, State.QUARANTINED, State.HANDED_OVER}
EVIDENCE = (None, {"unknown": True}, {"fetched": True}, {"carried": True})


def says_so(one: Delivery) -> bool:
    """Return whether this delivery alone makes its service one to whom more is owed."""
    waits = one.state in OPEN or one.reason == "NOT_COLLECTED"
    return one.message_type in CONTENT and (waits or may_hold(one))


async def asked(*history: Delivery, ledger: bool, told: list[str] | None = None) -> frozenset[str]:
    """Return to whom more is owed after *history*; to *told* is added who reads all of it."""
    store = MemoryStore()

    def write(session: Session) -> None:
        for one in history:
            session.put_delivery(one)
            if ledger:
                given = {"message_type": one.message_type, "service": one.service}
                session.add_released(released(one.delivery_id, **given))

    await store.run(write)

    def ask(session: Session) -> frozenset[str]:
        everything, waiting = session.deliveries, session.unsettled("e1")

        def noted(episode_id: str) -> Any:
            if told is not None:
                told.append(episode_id)
            return everything(episode_id)

        session.deliveries = noted  # type: ignore[method-assign]
        session.unsettled = lambda *_: waiting  # type: ignore[method-assign]
        return owed(session, "e1", {HERE, ELSEWHERE})

    return await store.run(ask)


@pytest.mark.parametrize("ledger", [True, False])
async def test_the_short_way_agrees_with_the_whole_history(ledger: bool) -> None:
    """Of one delivery in every state, of every kind, with every evidence, and one after it."""
    later = delivery("d2", 2, message_type="N3", state=State.DELIVERED)
    for state, kind, reason, evidence in product(
        State, ("N3", "N6", "N7"), (None, "NOT_COLLECTED"), EVIDENCE
    ):
        one = delivery(state=state, message_type=kind, reason=reason, evidence=evidence)
        expected = {HERE} if says_so(one) else set()
        assert await asked(one, later, ledger=ledger) == expected, (state, kind, reason, evidence)


@pytest.mark.parametrize(
    ("state", "ledger"),
    [(State.HANDED_OVER, False), (State.PENDING, False), (State.DELIVERED, True)],
)
async def test_what_is_open_or_was_given_last_is_enough(state: State, ledger: bool) -> None:
    """An episode with a long past costs no more: its past is not read."""
    read: list[str] = []
    both = delivery(state=state), delivery("d2", 2, service=ELSEWHERE, state=State.HANDED_OVER)

    assert await asked(*both, ledger=ledger, told=read) == {HERE, ELSEWHERE}
    assert not read


async def test_nobody_is_owed_anything_who_was_not_asked_about() -> None:
    """Who left the team has open deliveries, too."""
    store = MemoryStore()

    def ask(session: Session) -> frozenset[str]:
        session.put_delivery(delivery(state=State.PENDING))
        session.put_delivery(delivery("d2", 2, service=ELSEWHERE, state=State.PENDING))
        return owed(session, "e1", {HERE})

    assert await store.run(ask) == {HERE}
