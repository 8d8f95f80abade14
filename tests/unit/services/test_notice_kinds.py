"""Every kind of notice: matched, routed under consent, and what a demographic change leads to."""

from datetime import timedelta
from typing import Any

import pytest

from hub.domain.codes import code_list
from hub.errors import Code, Unavailable
from hub.services.pass_on import CONTACT, SECTIONS
from tests.unit.services.world import World, part, subject

SENSITIVE = frozenset({"sec.child.health"})


@pytest.fixture
async def world() -> World:
    """Ava's plan is agreed; Mr Lead of EHM-A leads."""
    return await World().planned()


def test_every_kind_has_its_section() -> None:
    """A kind of the list without a section of its own would need the most guarded one."""
    assert set(code_list("notification-kinds").codes) == {*SECTIONS, CONTACT}


async def only(world: World, *sections: str) -> None:
    """Let the lead's service see these sections, the sensitive ones named, and nothing else."""
    scope = [
        {"service": "EHM-A/FSW", "section": section, "sensitive": section in SENSITIVE}
        for section in sections
    ]
    await world.decide("EHM-A", world.decision(scope_includes=scope))
    world.take()


@pytest.mark.parametrize(("kind", "section"), sorted(SECTIONS.items()))
async def test_a_notice_goes_to_the_lead_where_its_section_is_agreed(
    world: World, kind: str, section: str
) -> None:
    """To nobody else of the team, with the child, the kind and the sender's own words."""
    await only(world, section)
    await world.notify("HV-A", kind=kind, codes=[{"system": "urn:x", "code": "E"}])

    told = world.last("EHM-A").facts
    assert world.take() == {"EHM-A": ["NOTICE"]}
    assert (told["kind"], told["subject_id"], told["from"]) == (kind, "s1", "HV-A")
    assert told["notice"]["codes"] == [{"system": "urn:x", "code": "E"}]
    assert "subject" not in told["notice"]


@pytest.mark.parametrize(("kind", "section"), sorted(SECTIONS.items()))
async def test_a_notice_goes_nowhere_where_its_section_is_not_agreed(
    world: World, kind: str, section: str
) -> None:
    """Every other section does not help, and its body is not left in the record."""
    others = {"sec.identity", "sec.child.learning", "sec.child.health", "sec.plan"} - {section}
    await only(world, *sorted(others))
    await world.notify("HV-A", kind=kind)

    assert world.take() == {}
    (one,) = world.deliveries(message_type="NOTICE")
    assert (one.reason, "notice" in one.facts) == ("E_CONSENT_SCOPE", False)


async def test_a_contact_request_is_a_wish_to_be_rung(world: World) -> None:
    """N12 to the lead, with how to ring back and nothing of what was noticed."""
    await world.notify("HV-A", kind=CONTACT)

    assert world.take() == {"EHM-A": ["N12"]}


async def test_a_demographic_change_reaches_the_index_by_whoever_keeps_the_record(
    world: World,
) -> None:
    """The notice changes nothing by itself; the lead's system says what is true, and that is N5."""
    changed: dict[str, Any] = {"family_name": "Sample"}
    await world.notify("HV-A", kind="demographic_change", text="Now registered as Sample.")
    assert world.take() == {"EHM-A": ["NOTICE"]}
    head = world.store._tables.heads["e1"].version
    await world.send("EHM-A", "demographics.changed", episode=part(subjects=subject(**changed)))

    told = world.take()
    assert told["IDX"] == ["N5"]
    assert {name for name, types in told.items() if "N5" in types} >= {"IDX", "HV-A", "SCH-A"}
    assert "EHM-A" not in told
    assert world.store._tables.heads["e1"].version == head + 1


YOUTH = "VCS-N/YOUTH"


async def named_for_the_team(world: World, section: str, /, **item: Any) -> None:
    """Let the youth service join for this section, as *item* says; the others see all."""
    scope = [{"service": YOUTH, "section": section, "sensitive": True, **item}]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=scope))
    world.take()


@pytest.mark.parametrize(("kind", "section"), sorted(SECTIONS.items()))
async def test_a_member_of_the_team_hears_of_what_the_family_named_for_it(
    world: World, kind: str, section: str
) -> None:
    """The lead's system and whoever is named for the section: the same words, and nobody else."""
    await named_for_the_team(world, section)
    await world.notify("SCH-A", kind=kind, text="Said by the school.")

    assert world.last("VCS-N").facts["notice"]["text"] == "Said by the school."
    assert world.take() == {"EHM-A": ["NOTICE"], "VCS-N": ["NOTICE"]}


@pytest.mark.parametrize(
    "item",
    [
        {"section": "all"},
        {"section": "sec.parenting"},
        {"sensitive": False},
        {"purpose": "ASSESS"},
        {"from": "2026-12-01"},
    ],
)
async def test_a_member_that_was_not_named_for_it_is_not_even_asked(
    world: World, item: dict[str, Any]
) -> None:
    """All that may be shared, another section, no sensitive leaves, another purpose, another time:
    no delivery is made, so none can be counted."""
    await named_for_the_team(world, "sec.child.learning", **item)
    await world.notify("SCH-A")

    assert world.take() == {"EHM-A": ["NOTICE"]}
    assert [one.service for one in world.deliveries(message_type="NOTICE")] == ["EHM-A/FSW"]


async def test_what_a_sensitive_service_noticed_is_for_the_lead_alone(world: World) -> None:
    """Who sent it would tell the team of that service (F6)."""
    await named_for_the_team(world, "sec.child.health")
    await world.notify("CAMHS-A", kind="missed_appointment")

    assert world.take() == {"EHM-A": ["NOTICE"]}


async def test_the_gate_asks_again_before_a_member_is_told(world: World) -> None:
    """Sensitive leaves agreed to until a notice could be sent: it is not, and its words go."""
    named: dict[str, Any] = {"service": YOUTH, "section": "sec.child.learning"}
    scope = [named, {**named, "sensitive": True, "to": "2026-09-02"}]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=scope))
    world.doubles["VCS-N"].faults.append(Unavailable(Code.UNAVAILABLE, "not now"))
    await world.notify("SCH-A")
    world.clock.move(timedelta(days=2))
    await world.drain()

    assert "NOTICE" not in world.take()["VCS-N"]
    (waited,) = [one for one in world.deliveries(message_type="NOTICE") if one.service == YOUTH]
    assert (waited.reason, "notice" in waited.facts) == ("E_CONSENT_SCOPE", False)
