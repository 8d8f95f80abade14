"""Scenario S1 through the services, on the memory store and on SQLite: who got what, per step."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.memory import MemoryStore
from tests import builders as b
from tests.unit.services.world import (
    PURPOSES,
    World,
    appointment,
    completion,
    includes,
    opening,
    part,
    subject,
)

NEW = b.practitioner(
    "p-new", name="Ms N Newlead", organisation="EHM-B", service_type="FSW", contact_tel="0114 1"
)
BEYOND = ("EHM-B/FSW", "SCH-B/SCH", "HV-B/HV")


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """The same services on either store."""
    store: Any = MemoryStore()
    if request.param == "sqlite":
        key = tmp_path / "vault.key"
        FileVault.create(key)
        store = SqlStore(f"sqlite:///{tmp_path}/e.db", FileVault(key))
    yield World(store=store)
    await store.close()


async def collect(world: World, name: str) -> list[str]:
    """Fetch and acknowledge everything that waits for a partner that pulls."""
    partner = world.partners[name]
    waiting = (await world.collector.inbox(partner, 0, 100))["deliveries"]
    for one in waiting:
        await world.collector.fetch(partner, one["delivery_id"])
        await world.collector.acknowledge(partner, one["delivery_id"], "APPLIED")
    await world.drain()
    return [one["message_type"] for one in waiting]


async def test_everybody_gets_what_s1_says_and_nothing_else(world: World) -> None:
    """Every step of the scenario leads to exactly the messages of its table."""
    ava = {"identifiers": [{"system": "nhs-number", "value": "9990000018"}]}
    asked = {**ava, "date_of_birth": "2016-05-14"}
    assert await world.check("SCH-A", **asked) == {"result": "NONE"}
    await world.decide("SCH-A", world.store_only())
    assert world.take() == {}
    await world.send("SCH-A", "episode.opened", episode=opening())
    assert world.take() == {"IDX": ["N1"]}

    world.clock.move(timedelta(days=7))
    housing = [
        {"service": "HOU-A/HOUS", "section": "sec.plan", "purpose": "REQUEST_SERVICE"},
        *includes()[3:],
    ]
    scope = [*includes()[:3], *housing]
    await world.decide("SCH-A", world.decision(scope_includes=scope, purpose=PURPOSES))
    await world.decide("SCH-A", world.own(scope_includes=scope, purpose=PURPOSES))
    assert world.take() == {}
    await world.send("SCH-A", "assessment.completed", episode=completion())
    assert "1.1" not in {
        e["element"] for s in world.last("HOU-A").episode["subjects"] for e in s["elements"]
    }
    assert world.take() == {"EHM-A": ["N7"], "HOU-A": ["N7"], "HV-A": ["N7"]}

    await world.send("EHM-A", "lead_professional.appointed", episode=appointment())
    both = ["N3", "N8"]
    assert world.take() == {"IDX": ["N3"], "SCH-A": both, "HV-A": both, "HOU-A": both}

    plan = b.plan()
    request = plan.pop("service_request")
    await world.send("EHM-A", "plan.agreed", episode=part(plan=plan))
    assert world.take() == {"SCH-A": ["N9"], "HV-A": ["N9"], "HOU-A": ["N9"]}
    await world.send(
        "EHM-A",
        "service.requested",
        event_detail={"request_id": "r1", "service": "HOU-A/HOUS"},
        episode=part(plan={"plan_id": "plan1", "service_request": request}),
    )
    assert world.take() == {"HOU-A": ["N16"]}
    await world.send(
        "HOU-A",
        "service.answered",
        event_detail={"request_id": "r1", "answer": "ACCEPTED"},
        contribution={
            "episode_id": "e1",
            "service_answer": {"request_id": "r1", "answer": "ACCEPTED"},
        },
    )
    assert world.take() == {"EHM-A": ["N16"], "SCH-A": ["N9"], "HV-A": ["N9"]}

    await world.notify("SCH-A")
    assert world.take() == {"EHM-A": ["NOTICE"]}

    world.clock.move(timedelta(days=14))
    await world.send(
        "EHM-A",
        "family.moved",
        event_detail={"receiving_authority": "002"},
        episode=part(subjects=subject(address=[b.address(postcode="ZZ99 4VZ")])),
    )
    moved = {"IDX": ["N5"], "SCH-A": ["N5"], "HV-A": ["N5"], "HOU-A": ["N5"]}
    assert world.take() == moved

    transfer = [{"service": "EHM-B/FSW", "section": "sec.identity", "purpose": "TRANSFER"}]
    await world.decide(
        "EHM-A",
        world.decision(state="WIDENED", purpose=["TRANSFER"], scope_includes=transfer),
    )
    offer = world.last("EHM-B")
    assert set(offer.episode) == {"episode_id", "responsible_practitioner", "subjects"}
    assert "commentary" not in offer.text
    assert world.take() == {"EHM-B": ["N11"]}

    wide = includes(*BEYOND)
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    await world.decide("EHM-A", world.own(state="WIDENED", scope_includes=wide))
    assert world.take() == {}
    for _ in range(2):
        await world.send("EHM-B", "transfer.accepted", episode=part(), key="accept-1")
    assert world.take() == {"EHM-A": ["N11"], "EHM-B": ["N7"], "SCH-B": ["N7"]}
    assert await collect(world, "HV-B") == ["N7"]

    world.clock.move(timedelta(days=7))
    members = b.plan()["team_member"]
    left = [{**m, "left": "2026-10-06"} for m in members if m["organisation"] != "EHM-A"]
    joined = [
        {"practitioner": NEW, "organisation": "EHM-B", "service_type": "FSW"},
        {"organisation": "SCH-B", "service_type": "SCH", "joined": "2026-10-06"},
        {"organisation": "HV-B", "service_type": "HV", "joined": "2026-10-06"},
    ]
    await world.send(
        "EHM-B",
        "lead_professional.changed",
        episode=part(
            services={"lead_professional": NEW, "lp_state": "APPOINTED"},
            plan={"plan_id": "plan1", "team_member": [*left, *joined]},
        ),
    )
    assert world.last("SCH-A").facts == {"code": "N8", "you_have_left": True}
    gone = {name: ["N8"] for name in ("SCH-A", "HV-A", "HOU-A")}
    assert world.take() == {"IDX": ["N3"], "EHM-A": both, "SCH-B": both, **gone}
    assert await collect(world, "HV-B") == both
    last = [{**m, "left": "2026-10-06"} for m in members if m["organisation"] == "EHM-A"]
    await world.send("EHM-B", episode=part(plan={"plan_id": "plan1", "team_member": last}))
    assert world.take() == {"EHM-A": ["N8"], "SCH-B": ["N8"]}
    assert await collect(world, "HV-B") == ["N8"]

    await world.decide(
        "EHM-B",
        world.decision(
            state="NARROWED",
            scope_includes=includes("SCH-B/SCH"),
            scope_excludes=[{"service": "SCH-B/SCH", "section": "sec.parenting"}],
        ),
    )
    recall = world.last("SCH-B")
    assert "sec.parenting" not in recall.facts["scope"]
    assert recall.facts["stop"] is False
    assert world.take() == {"SCH-B": ["N10"]}
    await world.collector.acknowledge(
        world.partners["SCH-B"], recall.parcel.delivery_id, "COPIES_LOCKED"
    )

    world.clock.move(timedelta(days=21))
    await world.send(
        "EHM-B",
        "episode.closed",
        episode=part(
            closure={
                "closed_on": "2026-10-27",
                "closure_reason": "NEEDS_MET",
                "closure_summary": "Ava is at school every day.",
                "child_view": [{"subject_id": "s1", "text": "I like my new school."}],
            }
        ),
    )
    assert "NEEDS_MET" not in world.last("IDX").text
    assert "closure" in world.last("SCH-B").episode
    assert world.take() == {"IDX": ["N2"], "SCH-B": ["N2"]}
    assert await collect(world, "HV-B") == ["N2"]
    found = await world.check("HV-A", **asked)
    assert found["result"] == "PREVIOUS"
    assert found["contact"]["name"] == "Ms N Newlead"
    counts = await world.store.counts()
    assert {k for k, v in counts.items() if v} <= {"delivered", "suppressed"}
