"""Agreement to be shown on the child index runs out with the decision that holds it."""

from datetime import timedelta

import pytest

from hub.services.duties import duties
from hub.services.index_duty import IndexDuty
from hub.services.scheduler import Due
from tests.unit.services.world import World, includes, opening, part

YEAR = timedelta(days=361)
AVA = {
    "identifiers": [{"system": "nhs-number", "value": "9990000018"}],
    "date_of_birth": "2016-05-14",
}
CLOSURE = {"closure_reason": "NEEDS_MET", "closure_summary": ".", "closed_on": "2026-11-01"}


@pytest.fixture
async def world() -> World:
    """Ava's plan runs and the index knows her; every consent ends after 360 days."""
    return await World().planned()


async def looks(world: World, by: timedelta = YEAR) -> Due:
    """Let time pass, let the duty look at the episode, and deliver what follows."""
    world.clock.move(by)
    duty, now = IndexDuty(world.registry), world.clock.now()
    due: Due = await world.store.run(lambda s: duty.due(s, "e1", now))
    world.hints.offer(due.offers)
    await world.drain()
    return due


async def asked(world: World) -> str:
    return str((await world.check("HV-A", **AVA))["result"])


async def test_with_the_decision_the_entry_goes(world: World) -> None:
    """No grace (4.4): the index is told to forget, once, and answers as if there had been none."""
    assert await asked(world) == "OPEN"
    await looks(world)

    assert world.take() == {"IDX": ["N14"]}
    assert await asked(world) == "NONE"
    assert (world.head.index, (world.head.facts or {})["index"]) == ("NONE", {})
    assert [one.facts for one in world.audit("index.lapsed")] == [{"subjects": ["s1"]}]
    await looks(world, timedelta())
    assert world.take() == {}


async def test_until_then_it_stays(world: World) -> None:
    """Not a day before."""
    await looks(world, timedelta(days=359))

    assert world.take() == {}
    assert await asked(world) == "OPEN"


async def test_sharing_that_ran_out_takes_nothing_off(world: World) -> None:
    """Sharing for a time is over; the decision, and with it the index consent, still stands."""
    items = [{**item, "to": "2026-10-01"} for item in includes("HV-A/HV")]
    await world.decide("EHM-A", world.decision(scope_includes=items))
    world.take()
    await looks(world, timedelta(days=60))

    assert world.take() == {}
    assert await asked(world) == "OPEN"


async def test_a_renewal_enters_it_anew(world: World) -> None:
    """N1 under another reference, and one live entry."""
    await looks(world)
    world.take()
    await world.decide("EHM-A", world.decision(scope_includes=includes("HV-A/HV")))
    await world.drain()

    assert "N1" in world.take()["IDX"]
    assert await asked(world) == "OPEN"
    assert world.head.index == "OPEN"


async def test_what_was_closed_before_stays_previous(world: World) -> None:
    """The index keeps the marker of a closed episode (1.1), whatever ends later."""
    await world.send("EHM-A", "episode.closed", episode=part(closure=CLOSURE))
    assert world.head.process == "CLOSED"
    world.take()
    await looks(world)

    assert world.take() == {}
    assert await asked(world) == "PREVIOUS"


async def test_whoever_leads_is_warned_that_duplicates_cannot_be_caught() -> None:
    """Refused: an alert to the lead for each child of whom the index may not know (4.4)."""
    world = World()
    await world.decide("SCH-A", world.store_only(index_consent="no"))
    await world.send("SCH-A", "episode.opened", episode=opening())
    (warned,) = (await looks(world, timedelta())).alerts
    agreed = await looks(await World().opened(), timedelta())

    assert (warned.kind, warned.audience) == ("index.without", "lead:SCH-A/SCH")
    assert warned.facts == {"subject_id": "s1"}
    assert list(agreed.alerts) == []


def test_the_scheduler_has_the_duty() -> None:
    """After the pause, so that a lapse is told whole."""
    names = [duty.name for duty in duties(World().registry)]
    assert names.index("consent.lapsed") < names.index("index")
