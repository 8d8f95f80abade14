"""The hub's own register: a decision that is missing from the store stops everything, for now."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.domain.exchange import State
from hub.errors import Code, Unavailable
from tests import builders as b
from tests.unit.services.world import World, completion, includes


async def withdrawn_but_lost() -> World:
    """A shared episode whose newest decision, a withdrawal from housing, is lost from the store."""
    world = await World().shared()
    no = world.decision(
        state="WITHDRAWN",
        withdrawal_type="SHARE_SERVICE",
        share_decision="no",
        scope_includes=[],
        scope_excludes=[{"service": "HOU-A/HOUS", "section": "all"}],
    )
    await world.decide("SCH-A", no, drain=False)
    decisions = world.store._tables.decisions
    decisions.pop(list(decisions)[-1])
    world.inbox.clear()
    return world


async def test_a_lost_decision_lets_nothing_leave() -> None:
    """Who cannot read the family's no must not act on the yes before it."""
    world = await withdrawn_but_lost()
    n10 = world.deliveries(message_type="N10")
    assert n10
    for delivery in world.deliveries():
        if delivery.message_type == "N7":
            again = replace(delivery, delivery_id="again", state=State.PENDING, sequence=None)
            world.put(replace(again, digest=None, evidence=None, lane_sequence=99, attempts=0))
            break
    for delivery in n10:
        world.put(delivery, state=State.DELIVERED)
    await world.dispatcher.deliver("again")
    held = world.deliveries(delivery_id="again")[0]
    assert world.inbox == []
    assert (held.state, held.reason, held.attempts) == (State.PENDING, "E_REGISTER", 0)
    assert held.next_attempt_at is not None
    assert held.next_attempt_at > world.clock.now()
    rows = world.audit("delivery.held")
    assert [(row.delivery_id, row.code) for row in rows] == [("again", "E_REGISTER")]
    await world.dispatcher.deliver("again")
    assert len(world.audit("delivery.held")) == 1


async def test_a_view_is_refused_for_now_and_only_to_who_belongs_there() -> None:
    """A stranger learns as little as ever: the relationship is asked before the register."""
    world = await withdrawn_but_lost()
    for one in world.deliveries(message_type="N10"):
        world.put(one, state=State.DELIVERED)
    with pytest.raises(Unavailable) as refused:
        await world.viewer.view(
            world.partners["HV-A"], "HV-A/HV", "e1", "ASSESS", "application/fhir+json"
        )
    assert refused.value.code is Code.REGISTER
    errors = []
    for episode in ("e1", "e2"):
        with pytest.raises(Exception) as hidden:
            await world.viewer.view(
                world.partners["CAMHS-A"], "CAMHS-A/CAMHS", episode, "ASSESS",
                "application/fhir+json",
            )  # fmt: skip
        errors.append((type(hidden.value), str(hidden.value)))
    assert errors[0] == errors[1]


async def test_what_is_whole_again_leaves() -> None:
    """A hold ends by itself."""
    world = await World().opened()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    message = {"event": "assessment.completed", "episode": completion()}
    await world.post("SCH-A", b.wire(message))
    lost = world.store._tables.decisions
    key = list(lost)[-1]
    kept = lost.pop(key)
    await world.drain()
    assert [got for got in world.inbox if got.partner == "HV-A"] == []
    lost[key] = kept
    world.clock.move(timedelta(seconds=10))
    await world.drain()
    assert world.last("HV-A").episode
