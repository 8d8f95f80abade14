"""A plan that is changed and changed back: each is news to who saw the one before."""

import copy

from tests import builders as b
from tests.unit.services.world import World


async def test_a_plan_that_is_changed_back_is_told_again() -> None:
    """The last that a service was given counts, not whether it ever had the same (N9)."""
    world = await World().planned()
    first = b.plan()["desired_outcome"]
    second = copy.deepcopy(first)
    second[0]["text"] = "Another aim."
    told = []
    for outcome in (second, first, first):
        plan = {"plan_id": "plan1", "desired_outcome": outcome}
        await world.send("EHM-A", episode={"episode_id": "e1", "plan": plan})
        told.append([got.text for got in world.inbox if (got.partner, got.type) == ("HV-A", "N9")])
        world.inbox.clear()

    assert [len(one) for one in told] == [1, 1, 0]
    assert "Another aim." in told[0][0]
    assert first[0]["text"] in told[1][0]
    assert "Another aim." not in told[1][0]
