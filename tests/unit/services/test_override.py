"""Seeing past a shield for one view: who may, what it lifts, and who is told of it at once."""

from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Code, Forbidden, HubError, InvalidContent, Missing
from hub.services.override import read_lift
from tests.unit.services.world import CANONICAL, PURPOSES, World, includes, part, subject

BODY = {"purpose": "PLAN", "basis": "S47", "reference": "CP/2026/0042", "warned": True}
CSC = "CSC-A/CSC"


@pytest.fixture
async def world() -> World:
    """Ava's episode, shielded in full, with social care among those that the family named."""
    world = await World().planned()
    record = world.decision(state="WIDENED", purpose=PURPOSES, scope_includes=includes(CSC))
    await world.decide("EHM-A", record)
    await world.send("EHM-A", episode=part(subjects=subject(shielding="full")))
    for recall in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(
            world.partners[recall.partner], recall.delivery_id, "COPIES_LOCKED"
        )
    world.inbox.clear()
    return world


async def see(world: World, who: str = "CSC-A", service: str = CSC, **changes: Any) -> str:
    """Ask past the shield as the door does, and return what is shown."""
    partner = replace(world.partners[who], acting="p-social")
    lift = read_lift(partner, service, {**BODY, **changes})
    viewer, about = world.viewer, changes.get("about", "e1")
    shown = await viewer.view(partner, service, about, lift.purpose, CANONICAL, lift=lift)
    return shown.body.decode()


def alerts(world: World) -> list[Any]:
    """Return the alerts about shields."""
    kept = world.store._tables.alerts.values()
    return [one for one in kept if one.kind == "shield.override"]


async def test_one_view_shows_what_the_shield_hides_and_alerts_at_once(world: World) -> None:
    """Audited and alerted in the same transaction; nothing of it outlives the answer."""
    place = world.tree["subjects"][0]["address"][0]["address_lines"][0]
    assert place in await see(world)
    (told,) = alerts(world)

    assert told.audience == "data-protection:001"
    assert told.facts == {
        "partner": "CSC-A", "practitioner": "p-social", "basis": "S47",
        "reference": "CP/2026/0042", "outcome": "SHOWN",
    }  # fmt: skip
    assert [row.delivery_id for row in world.audit("view.overridden")] == [told.delivery_id]
    with pytest.raises(Missing):
        await world.viewer.view(world.partners["CSC-A"], CSC, "e1", "PLAN", CANONICAL)
    await see(world)
    assert len(alerts(world)) == 2


async def test_the_access_report_counts_a_view_past_a_shield(world: World) -> None:
    """A line of its own, with what was seen and on whose agreement (`domain.md` 5.2 A5)."""
    before = await world.lookup.access_report(world.partners["EHM-A"], "e1", "c1")
    await see(world)
    after = await world.lookup.access_report(world.partners["EHM-A"], "e1", "c1")

    (line,) = [one for one in after["disclosures"] if one not in before["disclosures"]]
    assert line["service"] == CSC
    assert "in spite of a shield" in line["what"]
    assert line["sections"]
    assert line["ground"]


async def test_without_the_right_relationship_it_looks_like_no_episode(world: World) -> None:
    """Unrelated and unknown are refused alike, and each try is alerted without an episode."""
    stranger = replace(
        world.partners["CSC-A"],
        acting="p-social",
        services=(replace(world.partners["CSC-A"].services[0], ref="CSC-X/CSC"),),
    )
    lift = read_lift(stranger, "CSC-X/CSC", BODY)
    said = []
    for about in ("e1", "e-unknown"):
        with pytest.raises(Missing) as refused:
            await world.viewer.view(stranger, "CSC-X/CSC", about, "PLAN", CANONICAL, lift=lift)
        said.append((refused.value.code, refused.value.detail))

    assert said[0] == said[1]
    assert [one.episode_id for one in alerts(world)] == [None, None]
    assert {one.facts["outcome"] for one in alerts(world)} == {"E_NO_RELATIONSHIP"}


async def test_it_lifts_the_shield_and_not_the_consent(world: World) -> None:
    """Where the family has withdrawn, child protection discloses or asks (N13), not this."""
    record = world.decision(
        state="WITHDRAWN", withdrawal_type="SHARE_ALL", share_decision="no", scope_includes=[]
    )
    await world.decide("EHM-A", record)

    with pytest.raises(HubError) as refused:
        await see(world)
    assert refused.value.code is not Code.NO_RELATIONSHIP
    assert alerts(world)[-1].facts["outcome"] == refused.value.code.value


@pytest.mark.parametrize(
    "changes",
    [{"warned": False}, {"warned": "yes"}, {"basis": "BORED"}, {"reference": ""},
     {"reference": "Ava Example 2016"}, {"why": "x"}],
)  # fmt: skip
async def test_ground_reference_and_warning_are_needed(world: World, changes: Any) -> None:
    """Refused before anything is looked up, and the remedy says what to show the practitioner."""
    with pytest.raises(InvalidContent) as refused:
        await see(world, **changes)
    assert not alerts(world)
    if "warned" in changes:
        assert "immediate investigation" in refused.value.faults[0].remedy


async def test_a_practitioner_must_be_named(world: World) -> None:
    """A machine identity alone lifts nothing."""
    with pytest.raises(InvalidContent):
        read_lift(world.partners["CSC-A"], CSC, BODY)


async def test_no_other_service_may(world: World) -> None:
    """Even with the right in its profile."""
    with pytest.raises(Forbidden):
        await see(world, "SCH-A", "SCH-A/SCH")
