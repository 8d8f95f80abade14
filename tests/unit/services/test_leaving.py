"""A partner that leaves: what it must be told ends only where somebody says that it was told."""

import pytest

from hub.domain.exchange import Delivery, State
from hub.errors import Conflict
from hub.services.leaving import counted, end_all, still_open
from hub.services.quarantine import Ground
from tests.unit.services.world import World


async def opened(world: World, **changes: object) -> Delivery:
    """Share, and leave one delivery to HV-A open, changed like this."""
    await world.shared()
    await world.drain()
    one = world.deliveries(partner="HV-A")[0]
    return world.put(one, settled_at=None, **changes)


@pytest.mark.parametrize(
    ("changes", "reason", "remedy"),
    [
        ({"state": State.SENDING}, "SENT_OTHERWISE", "wait"),
        ({"state": State.HANDED_OVER, "message_type": "N10"}, "NOT_NEEDED", "tell it"),
        ({"state": State.PENDING, "message_type": "N14"}, "TEST", "tell it"),
    ],
)
async def test_what_may_not_end_so_stays(
    changes: dict[str, object], reason: str, remedy: str
) -> None:
    """Something on the wire, and what must be told: refused with the remedy, nothing has ended."""
    world = World()
    one = await opened(world, **changes)
    with pytest.raises(Conflict) as refused:
        await end_all(world.store, world.clock, "HV-A", Ground(reason, "staff-1"))
    assert remedy in refused.value.faults[0].remedy
    (left,) = await still_open(world.store, "HV-A")
    assert (left.delivery_id, left.state) == (one.delivery_id, one.state)


async def test_what_was_told_otherwise_ends_with_who_and_why() -> None:
    """A recall ends expired, with an audit row that says by whom; again there is nothing to end."""
    world = World()
    one = await opened(world, state=State.HANDED_OVER, message_type="N10")
    assert counted([one])["must_be_told"][0]["message_type"] == "N10"
    ground = Ground("SENT_OTHERWISE", "staff-1", "T-1")
    assert await end_all(world.store, world.clock, "HV-A", ground) == 1
    ended = world.deliveries(delivery_id=one.delivery_id)[0]
    assert (ended.state, ended.reason) == (State.EXPIRED, "PARTNER_REMOVED")
    (row,) = world.audit("partner.ended")
    assert (row.facts["by"], row.facts["reason"], row.facts["ticket"]) == (
        "staff-1", "SENT_OTHERWISE", "T-1",
    )  # fmt: skip
    assert await end_all(world.store, world.clock, "HV-A", ground) == 0
