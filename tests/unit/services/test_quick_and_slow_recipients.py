"""Recipients that answer sooner than the hub writes, or later than it hopes; queues that forget."""

from dataclasses import replace
from typing import Any

import pytest

from hub.domain.carriage import Outcome, Parcel
from hub.domain.exchange import State
from hub.errors import Code, Missing, Rejected, Unavailable
from hub.relaying import Refill
from hub.services.collect import Collector
from tests import builders as b
from tests.unit.services.world import PARTNERS, World, completion, includes, partner

UPDATE = {"episode_id": "e1", "conclusions": {**b.episode()["conclusions"], "need_level": "L3"}}
UNKNOWN = Unavailable(Code.OUTCOME_UNKNOWN, "the destination did not answer")


def wire(event: str, episode: Any) -> bytes:
    """A message as bytes."""
    return b.wire({"event": event, "episode": episode})


async def completed(world: World) -> World:
    """Ava's assessment complete and shared, with nothing delivered yet."""
    await world.opened()
    for record in (world.decision, world.own):
        await world.decide("SCH-A", record(scope_includes=includes()))
    await world.post("SCH-A", wire("assessment.completed", completion()))
    return world


async def test_an_update_follows_what_has_not_left_yet() -> None:
    """Who is still to get version 1 gets version 2 after it, and is not left with the old one."""
    world = await completed(World())

    await world.post("SCH-A", wire("assessment.updated", UPDATE))
    await world.drain()

    assert world.take()["HV-A"] == ["N7", "N6"]


async def test_an_update_waits_behind_what_is_quarantined() -> None:
    """What is set aside is still owed, and so is what comes after it."""
    world = World()
    world.doubles["HV-A"].faults.append(Rejected(Code.FORBIDDEN, "refused"))
    await completed(world)
    await world.drain()

    await world.send("SCH-A", "assessment.updated", episode=UPDATE)

    assert world.states("N7")["HV-A"] == ["quarantined"]
    assert world.states("N6")["HV-A"] == ["pending"]


@pytest.mark.parametrize(
    ("fault", "recalled"),
    [(UNKNOWN, ["N10"]), (Unavailable(Code.UNAVAILABLE, "no connection"), [])],
)
async def test_what_may_have_arrived_is_recalled(fault: Unavailable, recalled: list[str]) -> None:
    """A send without an answer counts as received when the family narrows its consent."""
    world = World()
    world.doubles["HOU-A"].faults.append(fault)
    await completed(world)
    await world.drain()

    withheld = [{"service": "HOU-A/HOUS", "section": "sec.env.housing"}]
    narrowed = world.decision(state="NARROWED", scope_includes=includes(), scope_excludes=withheld)
    await world.decide("SCH-A", narrowed)

    assert [one.message_type for one in world.deliveries(partner="HOU-A", message_type="N10")] == (
        recalled
    )


async def collect(world: World, parcel: Parcel) -> None:
    """Fetch and acknowledge at once, before the hub has written down that it was sent."""
    collector: Collector = world.collector
    who = world.partners[parcel.partner]
    if parcel.thin:
        await collector.fetch(who, parcel.delivery_id)
    await collector.acknowledge(who, parcel.delivery_id, "APPLIED")


@pytest.mark.parametrize("body", ["thin", "full"])
async def test_a_quick_recipient_is_believed(body: str) -> None:
    """An acknowledgement that overtakes the hub's own note of the send ends the delivery."""
    quick = partner("HV-A", "HV", body=body)
    world = World(partners=[quick if one.name == "HV-A" else one for one in PARTNERS])
    world.doubles["HV-A"].during = lambda parcel: collect(world, parcel)

    await completed(world)
    await world.drain()

    assert world.states("N7")["HV-A"] == ["delivered"]
    (delivered,) = world.deliveries(partner="HV-A", message_type="N7")
    assert (delivered.evidence or {})["acknowledged"] == "APPLIED"


async def test_an_unsent_delivery_can_be_neither_fetched_nor_acknowledged() -> None:
    """Before its first attempt a delivery does not exist for its recipient."""
    world = await completed(World())
    (waiting,) = world.deliveries(partner="HV-A", message_type="N7")
    who = world.partners["HV-A"]

    with pytest.raises(Missing):
        await world.collector.fetch(who, waiting.delivery_id)
    with pytest.raises(Missing):
        await world.collector.acknowledge(who, waiting.delivery_id, "APPLIED")


class Queue:
    """A queue at the broker: it confirms, and the recipient has said nothing yet."""

    def __init__(self, attempts: list[Parcel]) -> None:
        self._attempts = attempts

    async def send(self, parcel: Parcel) -> Outcome:
        self._attempts.append(parcel)
        return Outcome(delivered=False, evidence={"confirmed": True})


async def test_an_emptied_queue_is_filled_again() -> None:
    """What a lost queue held goes again under the same id; what was acknowledged does not."""
    own = partner("HV-A", "HV", channel="amqp")
    world = World(partners=[own if one.name == "HV-A" else one for one in PARTNERS])
    double = world.doubles["HV-A"]
    world.dispatcher = replace(
        world.dispatcher, destinations={**world.doubles, "HV-A": Queue(double.attempts)}
    )
    await completed(world)
    await world.post("SCH-A", wire("assessment.updated", UPDATE))
    await world.drain()
    first, second = (parcel.delivery_id for parcel in double.attempts)
    await world.collector.acknowledge(own, first, "APPLIED")
    refill = Refill(world.store, world.clock, {"caf.out.HV-A": "HV-A"})

    await refill.missing(["caf.work", "caf.out.HV-A"])
    await world.drain()

    assert [parcel.delivery_id for parcel in double.attempts] == [first, second, second]
    assert double.attempts[-1].possible_duplicate
    assert double.attempts[-1].body == double.attempts[-2].body
    (again,) = world.deliveries(delivery_id=second)
    assert again.state is State.HANDED_OVER
