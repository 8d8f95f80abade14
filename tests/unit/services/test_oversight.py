"""The audit of an episode, looked over by its lead, by the authority's co-ordinator, by others."""

from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Code, Missing
from tests import builders as b
from tests.unit.services.test_brokering import CO
from tests.unit.services.test_brokering import world as brokered
from tests.unit.services.test_overseeing import facts
from tests.unit.services.world import CANONICAL, World, includes

connected = brokered


@pytest.fixture
def world(connected: World) -> World:
    """Ava's plan and a co-ordinator; who acts for a system is another test's."""
    for name, one in tuple(connected.partners.items()):
        connected.registry.partners[name] = replace(one, vouches=False)  # type: ignore[index]
    return connected


async def audit(world: World, who: str, after: int = 0, limit: int = 200) -> Any:
    return await world.lookup.audit(world.partners[who], "e1", after, limit)


async def rows(world: World, who: str) -> set[tuple[str, ...]]:
    """Return what a partner sees: what, by whom, to which service, of what type."""
    found = (await audit(world, who))["rows"]
    names = ("what", "by", "service", "message_type")
    return {tuple(one.get(name, "") for name in names) for one in found}


async def view(world: World, who: str, service: str) -> None:
    await world.viewer.view(world.partners[who], service, "e1", "PLAN", CANONICAL)


async def test_the_co_ordinator_sees_who_did_what_and_no_more(world: World) -> None:
    """Who wrote, decided, looked, and was given what type; no id, code, person or section."""
    await view(world, "HV-A", "HV-A/HV")

    seen = await rows(world, CO)

    assert {
        ("WROTE", "SCH-A", "", ""),
        ("RECORDED_CONSENT", "SCH-A", "", ""),
        ("GIVEN", "hub", "HV-A/HV", "N7"),
        ("VIEWED", "HV-A", "HV-A/HV", ""),
    } <= seen
    told = (await audit(world, CO))["rows"]
    assert {name for one in told for name in one} <= {"at", "what", "by", "service", "message_type"}
    assert [one.actor for one in world.audit("audit.read")] == [CO, CO]


async def test_the_lead_sees_the_whole_episode_and_others_their_own(world: World) -> None:
    """5.3: "episode" for who leads, "own" for who is at work there."""
    await view(world, "HV-A", "HV-A/HV")

    led, own = await rows(world, "EHM-A"), await rows(world, "HOU-A")

    assert ("VIEWED", "HV-A", "HV-A/HV", "") in led
    assert ("GIVEN", "hub", "HOU-A/HOUS", "N7") in led
    assert {by for _, by, _, _ in own} <= {"HOU-A"}


async def test_nobody_is_told_what_was_tried_in_vain_for_itself(world: World) -> None:
    """What was withheld after it could not be sent is not given away here, to the lead neither."""
    for who in ("EHM-A", "HOU-A", "HV-A"):
        assert not [one for one in await rows(world, who) if who in one[2]]


async def test_a_sensitive_service_leaves_no_trace_for_the_co_ordinator(world: World) -> None:
    """A6: neither its name nor a gap; the lead, who works with it, sees it."""
    agreed = {"state": "WIDENED", "purpose": ["STORE", "ASSESS", "PLAN"]}
    items = includes("CAMHS-A/CAMHS")
    await world.decide("EHM-A", world.decision(scope_includes=items, **agreed))
    before = await audit(world, CO)
    await view(world, "CAMHS-A", "CAMHS-A/CAMHS")
    after = await audit(world, CO)

    assert "CAMHS" not in str(after)
    assert [one for one in after["rows"] if one not in before["rows"]] == [
        one for one in after["rows"] if one["what"] == "LOOKED_AT_AUDIT"
    ][-1:]
    assert ("VIEWED", "CAMHS-A", "CAMHS-A/CAMHS", "") in await rows(world, "EHM-A")


async def test_what_the_law_takes_is_not_in_it(world: World) -> None:
    """4.6: invisible to all others, the lead and the co-ordinator too."""
    before = await rows(world, "EHM-A"), await rows(world, CO)
    await world.disclose("SCH-A", b.disclosure())

    after = await rows(world, "EHM-A"), await rows(world, CO)

    assert "CSC-A" not in str(after)
    looked = {("LOOKED_AT_AUDIT", "EHM-A", "", ""), ("LOOKED_AT_AUDIT", CO, "", "")}
    assert [seen - looked for seen in after] == [seen - looked for seen in before]


async def test_where_the_index_may_not_know_there_is_none(world: World) -> None:
    """A stranger, and a co-ordinator under a full shield, are told the same."""
    for who, change in (("SCH-B", {}), (CO, {"shield": "full"})):
        facts(world, **change)
        with pytest.raises(Missing) as refused:
            await audit(world, who)
        assert refused.value.code is Code.NO_RELATIONSHIP


async def test_it_comes_in_pages(world: World) -> None:
    """As many as asked for, and where to go on."""
    first = await audit(world, CO, 0, 3)
    second = await audit(world, CO, first["next"], 3)

    whole = (await audit(world, CO))["rows"]
    assert [*first["rows"], *second["rows"]] == whole[:6]
