"""Consent that runs out pauses the episode, tells who holds it, and a renewal brings it back."""

from datetime import timedelta
from typing import Any

import pytest

from hub.errors import Code, HubError, Withheld
from hub.services.duties import duties
from hub.services.lapse import LapseDuty
from tests import builders as b
from tests.unit.services.world import CANONICAL, PURPOSES, Tree, World, includes, part

YEAR = timedelta(days=361)
CLOSURE = {"closure_reason": "DISENGAGED", "closure_summary": ".", "closed_on": "2027-09-01"}


@pytest.fixture
async def world() -> World:
    """Ava's plan runs; every consent ends after 360 days."""
    return await World().planned()


async def looks(world: World) -> None:
    """Let the duty look at the episode, and deliver what follows."""
    duty, now = LapseDuty(world.registry), world.clock.now()
    due = await world.store.run(lambda s: duty.due(s, "e1", now))
    world.hints.offer(due.offers)
    await world.drain()


async def later(world: World, by: timedelta = YEAR) -> None:
    world.clock.move(by)
    await looks(world)


async def acknowledged(world: World) -> None:
    """Let everybody who was told to stop say that they have."""
    for recall in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(
            world.partners[recall.partner], recall.delivery_id, "COPIES_LOCKED"
        )


async def test_a_lapse_pauses_as_a_withdrawal_does(world: World) -> None:
    """T21b: who holds data is told to stop, once; the lead's own system hears by an alert."""
    await later(world)

    assert (world.head.process, world.head.resume_to) == ("PAUSED", "PLAN_ACTIVE")
    assert world.tree["status"] == "PAUSED"
    told = {got.partner: got.facts for got in world.inbox}
    assert told.keys() == {"SCH-A", "HV-A", "HOU-A"}
    for facts in told.values():
        assert facts == {"code": "N10", "stop": True, "scope": [], "copies": "LOCK"}
    assert len(world.audit("consent.lapsed")) == 1
    world.inbox.clear()
    await looks(world)
    assert world.take() == {}


async def test_the_pause_itself_changes_nothing_on_the_index(world: World) -> None:
    """The regions move independently: sharing that ran out takes nobody off the index (4.4)."""
    before = world.head.index
    await later(world)
    assert (before, world.head.index) == ("OPEN", "OPEN")


async def test_until_then_nothing_happens(world: World) -> None:
    """Not a day before, and not while one service is left."""
    await later(world, timedelta(days=359))
    assert world.head.process == "PLAN_ACTIVE"
    await world.decide(
        "EHM-A",
        world.decision(state="WIDENED", purpose=PURPOSES, scope_includes=includes("HV-A/HV")),
    )
    world.take()
    await later(world, timedelta(days=30))
    assert world.head.process == "PLAN_ACTIVE"
    assert world.take() == {}


async def test_a_renewal_brings_it_back(world: World) -> None:
    """T22: a new decision, where it was, and content once the recall is acknowledged."""
    await later(world)
    world.inbox.clear()
    await world.decide("EHM-A", world.decision(scope_includes=includes("HV-A/HV")))
    assert world.head.process == "PLAN_ACTIVE"
    assert world.tree["status"] == "PLAN_ACTIVE"
    await acknowledged(world)
    await world.drain()

    assert world.take() == {"HV-A": ["N7"]}
    await looks(world)
    assert world.head.process == "PLAN_ACTIVE"


async def test_storing_renewed_alone_shares_nothing(world: World) -> None:
    """T22a: still paused."""
    await later(world)
    await world.decide("EHM-A", world.store_only())
    assert world.head.process == "PAUSED"


async def test_an_adults_own_renewal_opens_nothing(world: World) -> None:
    """What Mia decides about herself neither pauses nor resumes Ava's episode."""
    await later(world)
    await world.decide("EHM-A", world.own(scope_includes=includes("HV-A/HV")))
    assert world.head.process == "PAUSED"


async def test_sharing_for_a_period_lapses_and_storing_stays() -> None:
    """The period of the items is over; the episode may be kept, and is paused."""
    world = await World().opened()
    items = [{**item, "to": "2026-10-01"} for item in includes("HV-A/HV", "SCH-A/SCH")]
    await world.decide("SCH-A", world.decision(scope_includes=items))
    await world.send("SCH-A", "assessment.completed", episode=part(
        assessment_completed_on="2026-09-04", conclusions=b.episode()["conclusions"]
    ))  # fmt: skip
    world.take()
    await later(world, timedelta(days=31))

    assert world.head.process == "PAUSED"
    assert world.take() == {"HV-A": ["N10"]}


async def test_a_period_that_is_still_to_come_is_no_lapse() -> None:
    """Between two agreed periods the gate shares nothing; the second begins by itself."""
    world = await World().opened()
    items = [
        *({**item, "to": "2026-10-01"} for item in includes("HV-A/HV")),
        *({**item, "from": "2026-11-01"} for item in includes("HV-A/HV")),
    ]
    await world.decide("SCH-A", world.decision(scope_includes=items))
    await later(world, timedelta(days=31))
    assert world.head.process == "ASSESSING"


async def test_where_nothing_was_ever_shared_storing_decides() -> None:
    """An assessment that nobody else sees goes on until storing itself runs out."""
    world = await World().opened()
    await later(world, timedelta(days=100))
    assert world.head.process == "ASSESSING"
    world.take()
    await later(world, timedelta(days=300))
    assert world.head.process == "PAUSED"
    assert world.take() == {}


async def test_who_was_told_to_stop_is_not_told_again(world: World) -> None:
    """It would learn that something else has happened."""
    gone = [{"service": "HOU-A/HOUS", "section": "all"}]
    record = world.decision(
        state="NARROWED", scope_includes=includes("HV-A/HV", "SCH-A/SCH", "EHM-A/FSW"),
        scope_excludes=gone,
    )  # fmt: skip
    await world.decide("EHM-A", record)
    assert "HOU-A" in world.take()
    await later(world)

    assert world.take().keys() == {"SCH-A", "HV-A"}


async def test_nothing_leaves_once_it_has_lapsed(world: World) -> None:
    """A view and an update are refused by the gate, whether or not the duty has looked."""
    world.clock.move(YEAR)
    partner = world.partners["HV-A"]
    for _ in range(2):
        with pytest.raises(Withheld):
            await world.viewer.view(partner, "HV-A/HV", "e1", "PLAN", CANONICAL)
        await looks(world)
        await acknowledged(world)


@pytest.mark.parametrize("looked", [False, True])
async def test_what_has_lapsed_can_still_be_taken_back(world: World, looked: bool) -> None:
    """T24: storage withdrawn after it ran out closes the episode all the same."""
    world.clock.move(YEAR)
    if looked:
        await looks(world)
    record = world.store_only(state="WITHDRAWN", store_decision="no", withdrawal_type="STORE")
    await world.decide("EHM-A", record)
    assert world.head.process == "CLOSED"


async def ended(world: World, **episode: Any) -> Tree:
    await later(world)
    world.take()
    receipt = await world.send("EHM-A", "episode.closed", episode=part(**episode))
    return dict(receipt.body)


async def test_a_lapsed_episode_can_be_closed(world: World) -> None:
    """T23: the lead decides the outcome, by the closure and nothing else."""
    assert (await ended(world, closure=CLOSURE))["state"] == "CLOSED"
    assert world.take()["IDX"] == ["N2"]


async def test_and_nothing_else_is_kept_by_that(world: World) -> None:
    """No content comes in with a closure that nobody agreed to keep."""
    with pytest.raises(HubError) as refused:
        await ended(world, closure=CLOSURE, conclusions={"need_level": "L1"})
    assert refused.value.code is Code.CONSENT_NONE
    with pytest.raises(HubError) as kept:
        await world.send("EHM-A", episode=part(closure=CLOSURE))
    assert kept.value.code is Code.CONSENT_NONE


def test_the_scheduler_has_the_duty() -> None:
    """It is asked after the alerts, so that the lead hears first."""
    names = [duty.name for duty in duties(World().registry)]
    assert names.index("consent") < names.index("consent.lapsed")
