"""Asking to be rung (N12): to who is responsible, or to the co-ordinator, and nothing else told."""

import json
from typing import Any

import pytest

from hub.domain.partner import Coordinator
from tests import builders as b
from tests.unit.services.world import World, part, subject

TEACH = b.practitioner("p-teach", organisation="SCH-B", service_type="SCH")


def with_desk(world: World, service: str | None = "CSC-A/CSC") -> World:
    """Give authority 001 a co-ordinator whose requests a connected service takes."""
    world.registry.coordinators["001"] = Coordinator(  # type: ignore[index]
        "CAF co-ordinator", "LA-001", "0113 496 0999", service=service
    )
    return world


async def ask(world: World, **changes: Any) -> Any:
    """Let another school ask to be rung about Ava."""
    return await world.notify("SCH-B", kind="contact_request", **changes)


async def test_the_lead_is_asked_to_ring_back() -> None:
    """Who asks and how to ring them; of the family not a word."""
    world = await World().planned()
    receipt = await ask(world, practitioner=TEACH)
    got = world.last("EHM-A", "N12")

    assert receipt.status == 202
    assert world.take() == {"EHM-A": ["N12"]}
    assert got.facts.keys() == {"code", "asker", "purpose", "call_back", "episode_ref"}
    assert got.facts["asker"] == "SCH-B"
    assert got.facts["call_back"]["contact_tel"] == TEACH["contact_tel"]
    assert "Ava" not in got.text
    assert "9990000018" not in got.text


async def test_without_a_name_the_askers_service_is_to_be_rung() -> None:
    """The profile's own contact stands in."""
    world = await World().planned()
    raw = b.notification(kind="contact_request")
    del raw["practitioner"]
    body = b.wire({"notification": raw})
    await world.notifier.notice(world.partners["SCH-B"], body, "k-plain", raw)
    await world.drain()

    assert world.last("EHM-A", "N12").facts["call_back"]["organisation"] == "SCH-B"


@pytest.mark.parametrize("why", ["sensitive", "whereabouts"])
async def test_where_nobody_may_be_named_the_co_ordinator_is_asked(why: str) -> None:
    """For a sensitive lead and for a shield alike, and the request says neither."""
    world = with_desk(await World().planned())
    if why == "sensitive":
        lead = b.practitioner("p-mind", organisation="EHM-A", service_type="CAMHS")
        tree = part(services={"lead_professional": lead, "lp_state": "APPOINTED"})
        await world.send("EHM-A", "lead_professional.changed", episode=tree)
    else:
        await world.send("EHM-A", episode=part(subjects=subject(shielding=why)))
    world.inbox.clear()
    await ask(world)
    got = world.last("CSC-A")

    assert world.take() == {"CSC-A": ["N12"]}
    assert "CAMHS" not in got.text
    assert "shield" not in got.text


async def test_a_co_ordinator_without_a_system_is_alerted() -> None:
    """The request is not lost: an alert for the administrator of their organisation."""
    world = with_desk(await World().planned(), service=None)
    await world.send("EHM-A", episode=part(subjects=subject(shielding="whereabouts")))
    world.inbox.clear()
    await ask(world)
    (told,) = [one for one in world.store._tables.alerts.values() if "contact" in one.kind]

    assert world.take() == {}
    assert (told.kind, told.audience) == ("contact.requested", "administrator:LA-001")
    assert "Ava" not in json.dumps(dict(told.facts))


@pytest.mark.parametrize("how", ["no index", "full", "unknown"])
async def test_who_cannot_be_found_cannot_be_asked_after(how: str) -> None:
    """Not on the index, shielded in full, nobody at all: the same answer, and nobody is told."""
    world = with_desk(await World().planned())
    changes: dict[str, Any] = {}
    if how == "no index":
        record = world.decision(
            index_consent="no",
            state="NARROWED",
            scope_includes=[{"service": "SCH-A/SCH", "section": "all"}],
        )
        await world.decide("EHM-A", record)
    elif how == "full":
        await world.send("EHM-A", episode=part(subjects=subject(shielding="full")))
    else:
        numbers = [{"system": "nhs-number", "value": "9990000026"}]
        changes["subject"] = {**b.notification()["subject"], "identifiers": numbers}
    world.inbox.clear()
    there = await World().planned()

    assert await ask(world, **changes) == await ask(there)
    assert "N12" not in {got.type for got in world.inbox}
