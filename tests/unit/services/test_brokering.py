"""A vacancy and the authority's co-ordinator: it may name who leads, and nothing more (5.3)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.domain.partner import Coordinator
from hub.errors import Code, Conflict, HubError
from tests.unit.services.test_people import acting, alerts, duties, made, vouch
from tests.unit.services.test_people import said as asserted
from tests.unit.services.world import World, part

CO = "LA-A"


@pytest.fixture
async def world() -> World:
    """Ava's plan, whose lead may not act any more; the authority's co-ordinator is connected."""
    world = await made()
    mine = replace(
        world.partners["VCS-N"],
        name=CO,
        organisation=CO,
        services=(replace(world.partners["VCS-N"].services[0], ref=f"{CO}/FSW"),),
        vouches=False,
    )
    world.registry.partners[CO] = mine  # type: ignore[index]
    world.registry._by_service[f"{CO}/FSW"] = mine  # type: ignore[index]
    found = Coordinator("CAF co-ordinator", CO, service=f"{CO}/FSW")
    world.registry.coordinators["001"] = found  # type: ignore[index]
    return world


async def vacant(world: World) -> None:
    """Let the lead's enhanced DBS run out."""
    stopped = asserted("EHM-A", "p-lead", stopped_on="2026-09-02")
    await vouch(world, stopped)
    world.clock.move(timedelta(days=2))
    await duties(world)
    assert world.head.lead == "VACANT"


async def name(world: World, **changes: Any) -> Any:
    """Let the co-ordinator name the deputy as acting lead."""
    return await world.send(
        CO,
        "lead_professional.changed",
        episode={**acting(), **changes},
        event_detail={"acting": True},
    )


async def test_the_co_ordinator_hears_of_a_vacancy_and_fills_it(world: World) -> None:
    """Alerted by reference alone; whom it names acts, and the team hears of it (N3)."""
    await vacant(world)
    assert ("lead.vacant", f"lead:{CO}/FSW") in await alerts(world)
    world.take()
    receipt = await name(world)

    assert receipt.status == 202
    assert world.head.lead == "ACTING"
    assert "N3" in world.take()["SCH-A"]


async def test_while_somebody_leads_it_is_a_stranger(world: World) -> None:
    """The same refusal as for an episode that there is not."""
    refused = []
    for reference in ("e1", "e9"):
        with pytest.raises(HubError) as stopped:
            await name(world, episode_id=reference)
        refused.append((stopped.value.code, stopped.value.detail))

    assert refused[0] == refused[1]
    assert refused[0][0] is Code.CONSENT_NONE


async def test_it_writes_nothing_else_and_sees_nothing(world: World) -> None:
    """Neither with the naming nor beside it; no view, and nothing goes that it names to delete."""
    await vacant(world)
    before = dict(world.tree)
    with pytest.raises(Conflict) as refused:
        await name(world, conclusions={"need_level": "L1"})
    assert refused.value.code is Code.NOT_OWNER
    with pytest.raises(Conflict) as refused:
        await world.send(
            CO,
            "lead_professional.changed",
            episode=acting(),
            event_detail={"acting": True},
            message={"deletes": ["plan.action[id=a1]"]},
        )
    assert refused.value.code is Code.NOT_OWNER
    mine = world.partners[CO]
    for asked in (
        world.send(CO, "assessment.updated", episode=part(conclusions={"need_level": "L1"})),
        world.viewer.view(mine, f"{CO}/FSW", "e1", "PLAN", "application/fhir+json"),
    ):
        with pytest.raises(HubError) as stopped:
            await asked
        assert stopped.value.code in {Code.CONSENT_NONE, Code.NO_RELATIONSHIP}
    assert world.tree == before


async def test_another_authoritys_co_ordinator_stays_a_stranger(world: World) -> None:
    """Only that of the episode's home."""
    await vacant(world)
    world.registry.coordinators["002"] = world.registry.coordinators.pop("001")  # type: ignore[index,attr-defined]
    with pytest.raises(HubError) as stopped:
        await name(world)
    assert stopped.value.code is Code.CONSENT_NONE
