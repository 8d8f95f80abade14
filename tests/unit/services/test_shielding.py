"""A shield set, raised and lowered where others hold the episode; who may know the place."""

import json
from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Code, Conflict, HubError
from tests import builders as b
from tests.unit.services.world import PURPOSES, Tree, World, includes, part, subject

PLACE = "1 Example Road"
NHS = {"identifiers": [{"system": "nhs-number", "value": "9990000018"}]}


@pytest.fixture
async def world() -> World:
    """Ava's episode with an agreed plan, held by four services, known to the index."""
    return await World().planned()


async def shield(world: World, how: str, who: str = "EHM-A") -> Any:
    """Let the lead's system say how Ava is shielded."""
    return await world.send(who, episode=part(subjects=subject(shielding=how)))


async def asks(world: World) -> Tree:
    """Ask the index about Ava by number and date of birth."""
    return await world.check("HV-A", **NHS, date_of_birth="2016-05-14")


def place_of(tree: Tree) -> str:
    """Return Ava's address as the builders wrote it."""
    return str(tree["subjects"][0]["address"][0]["address_lines"][0])


async def test_everybody_who_holds_the_place_is_told_to_lock_it(world: World) -> None:
    """One N10 for each service, by which nobody learns why; none to who set the shield."""
    secret = place_of(world.tree)
    receipt = await shield(world, "whereabouts")
    told = [got for got in world.inbox if got.type == "N10"]

    assert sorted(got.partner for got in told) == ["HOU-A", "HV-A", "SCH-A"]
    for got in told:
        assert got.facts["copies"] == "LOCK"
        assert got.facts["scope"]
        assert got.facts["stop"] is False
        assert got.facts.keys() == {"code", "copies", "scope", "stop"}
        for word in ("shield", "whereabouts", secret):
            assert word not in got.text
    assert receipt.status == 202


async def test_content_waits_until_the_recall_is_acknowledged(world: World) -> None:
    """What comes after N10 is held, and then shows no place."""
    secret = place_of(world.tree)
    await shield(world, "whereabouts")
    world.inbox.clear()
    changed = {"conclusions": {**b.episode()["conclusions"], "goals": ["Sleep"]}}
    await world.send("EHM-A", episode=part(**changed))
    assert "HV-A" not in world.take()

    for recall in world.deliveries(message_type="N10", partner="HV-A"):
        await world.collector.acknowledge(
            world.partners["HV-A"], recall.delivery_id, "COPIES_LOCKED"
        )
    await world.drain()
    shown = world.last("HV-A", "N6").text
    assert "Sleep" in shown
    assert secret not in shown


async def test_the_index_loses_the_place_and_names_the_authority(world: World) -> None:
    """By N5 and N3 under the same reference: one entry, mediated, without an address."""
    before = (await asks(world))["result"]
    await shield(world, "whereabouts")
    after = await asks(world)
    (entry,) = world.store._tables.index.values()

    assert (before, after["result"]) == ("OPEN", "MEDIATED")
    assert after["contact"]["name"] == "CAF co-ordinator"
    assert "address" not in entry.match
    assert all(held["system"] == "nhs-number" for held in entry.match["identifiers"])
    assert place_of(world.tree) not in repr(entry)


async def test_a_full_shield_takes_the_entry_away_and_stops_everything(world: World) -> None:
    """The index answers NONE, holders are told to stop, and a view looks like no episode."""
    await shield(world, "full")
    told = [got for got in world.inbox if got.type == "N10"]

    assert (await asks(world)) == {"result": "NONE"}
    assert {got.partner for got in told} == {"HOU-A", "HV-A", "SCH-A"}
    assert all((got.facts["stop"], got.facts["scope"]) == (True, []) for got in told)
    world.inbox.clear()
    await world.send("EHM-A", episode=part(subjects=subject(given_names=["Eva"])))
    assert world.take() == {}


async def test_a_new_agreement_under_a_full_shield_makes_no_entry(world: World) -> None:
    """The index stays silent until the shield is lowered; then the entry is there."""
    await shield(world, "full")
    await world.decide(
        "EHM-A",
        world.decision(state="WIDENED", purpose=PURPOSES, scope_includes=includes("CSC-A/CSC")),
    )
    assert (await asks(world)) == {"result": "NONE"}
    await shield(world, "whereabouts")
    assert (await asks(world))["result"] == "MEDIATED"


async def test_lowered_it_flows_again(world: World) -> None:
    """Content by N7 once the recall is acknowledged, and the index knows place and contact."""
    secret = place_of(world.tree)
    await shield(world, "full")
    await shield(world, "none")
    for recall in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(
            world.partners[recall.partner], recall.delivery_id, "COPIES_LOCKED"
        )
    await world.drain()

    assert secret in world.last("HV-A", "N7").text
    assert (await asks(world))["result"] == "OPEN"
    (entry,) = [one for one in world.store._tables.index.values() if one.caf_state == "OPEN"]
    assert secret in repr(entry.match)


async def test_whereabouts_lowered_gives_the_index_back_what_it_had(world: World) -> None:
    """The same entry, with the address and the practitioner."""
    (before,) = world.store._tables.index.values()
    await shield(world, "whereabouts")
    await shield(world, "none")
    (after,) = world.store._tables.index.values()

    assert replace(after, last_sequence=0) == replace(
        before, last_sequence=0, verified_at=after.verified_at
    )


async def test_without_a_co_ordinator_the_entry_goes_altogether(world: World) -> None:
    """Nobody to ring in the practitioner's stead: not even the name stays."""
    world.registry.coordinators.clear()  # type: ignore[attr-defined]
    await shield(world, "whereabouts")

    assert (await asks(world)) == {"result": "NONE"}


@pytest.mark.parametrize("how", ["none", "whereabouts", "full"])
async def test_a_team_member_can_neither_lift_nor_set_it(world: World, how: str) -> None:
    """Its "none" is silence; anything else is not its to say, right guess or wrong."""
    await shield(world, "whereabouts")
    if how == "none":
        await shield(world, how, "HV-A")
    else:
        with pytest.raises(Conflict) as refused:
            await shield(world, how, "HV-A")
        assert refused.value.code is Code.NOT_OWNER
    assert world.tree["subjects"][0]["shielding"] == "whereabouts"


def knowing(world: World, service: str, person: str = "s1", **changes: Any) -> Tree:
    """Return a decision that lets a service know where the family is."""
    make = world.own if person == "c1" else world.decision
    item = {"service": service, "section": "sec.identity", "sensitive": True, "action": "locate"}
    return make(state="WIDENED", purpose=PURPOSES, scope_includes=[item], **changes)


async def test_who_is_allowed_to_know_keeps_the_place(world: World) -> None:
    """A service that the family named for it is not recalled, and is told of the next move by
    another that knows the place.
    """
    await world.decide("EHM-A", knowing(world, "HV-A/HV"))
    await world.decide("EHM-A", knowing(world, "EHM-A/FSW"))
    await shield(world, "whereabouts")
    assert "N10" not in {got.type for got in world.inbox if got.partner == "HV-A"}
    world.inbox.clear()
    home = [b.address(address_lines=["5 New Way", "Exampleton"], postcode="ZZ99 8NW")]
    await world.send("EHM-A", episode=part(subjects=subject(address=home)))

    assert "5 New Way" in world.last("HV-A", "N5").text
    assert all("5 New Way" not in got.text for got in world.inbox if got.partner != "HV-A")


async def test_who_is_no_longer_allowed_is_recalled(world: World) -> None:
    """Taking the name off the list recalls the place from that service alone."""
    await world.decide("EHM-A", knowing(world, "HV-A/HV"))
    await shield(world, "whereabouts")
    world.inbox.clear()
    record = world.decision(state="NARROWED", scope_includes=includes("HV-A/HV"), scope_excludes=[])
    await world.decide("EHM-A", record)

    assert world.take() == {"HV-A": ["N10"]}


async def test_everybody_who_is_shielded_must_have_agreed(world: World) -> None:
    """A mother who is shielded herself decides herself who may know the place."""
    await world.decide("EHM-A", knowing(world, "HV-A/HV"))
    mother = [{"parent_carer_id": "c1", "shielding": "whereabouts"}]
    await world.send("EHM-A", episode=part(parents_carers=mother))
    world.inbox.clear()
    home = [b.address(address_lines=["5 New Way", "Exampleton"], postcode="ZZ99 8NW")]
    await world.send("EHM-A", episode=part(subjects=subject(address=home)))

    assert all("5 New Way" not in got.text for got in world.inbox)


@pytest.mark.parametrize("change", [{"section": "all"}, {"sensitive": False}])
async def test_nobody_comes_to_know_the_place_by_all(world: World, change: Tree) -> None:
    """The place is allowed by its own name, as sensitive, or not at all."""
    record = knowing(world, "HV-A/HV")
    record["scope_includes"][0].update(change)

    with pytest.raises(HubError) as refused:
        await world.decide("EHM-A", record)
    assert refused.value.code is Code.RULE


@pytest.mark.parametrize(
    ("restriction", "hidden"),
    [
        ("none", ()),
        ("no_address", ("2 Mother Lane",)),
        ("no_contact", ("2 Mother Lane", "0113 496 0555")),
        ("court_order", ("2 Mother Lane", "0113 496 0555")),
        ("informed_by_professional_only", ("2 Mother Lane", "0113 496 0555")),
    ],
)
async def test_an_adult_whom_nobody_may_reach_is_in_no_view_to_be_reached(
    restriction: str, hidden: tuple[str, ...]
) -> None:
    """Address, or every way of contact, stays out of every message in every format."""
    mother = b.mother(
        contact_restriction=restriction,
        address=[b.address(address_lines=["2 Mother Lane", "Exampleton"], postcode="ZZ99 2ML")],
        contact_tel=["0113 496 0555"],
    )
    world = await World().shared(parents_carers=[mother])
    said = " ".join(got.text for got in world.inbox if got.partner in {"HV-A", "EHM-A", "SCH-A"})

    for secret in ("2 Mother Lane", "0113 496 0555"):
        assert (secret in said) is (secret not in hidden)
    assert "contact_restriction" not in said


async def test_a_notice_does_not_say_where_it_comes_from_under_a_shield(world: World) -> None:
    """The school that reports the absence is the school where the child is."""
    await shield(world, "whereabouts")
    for recall in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(
            world.partners[recall.partner], recall.delivery_id, "COPIES_LOCKED"
        )
    await world.notify("SCH-A")
    facts = world.last("EHM-A", "NOTICE").facts

    assert facts["kind"] == "attendance_concern"
    assert "from" not in facts
    assert "SCH-A" not in json.dumps(facts)


CLOSURE = {"closure_reason": "NEEDS_MET", "closure_summary": ".", "closed_on": "2026-11-01"}


async def after_closure(world: World, how: str) -> None:
    """Say how Ava is shielded once nothing but her details can change any more (T17)."""
    changed = part(subjects=subject(shielding=how))
    await world.send("EHM-A", "demographics.changed", episode=changed)


@pytest.mark.parametrize(
    ("lowered", "answer"), [("none", "PREVIOUS"), ("whereabouts", "MEDIATED"), ("full", "NONE")]
)
async def test_the_marker_of_a_closed_episode_returns_with_the_shield_lowered(
    world: World, lowered: str, answer: str
) -> None:
    """Shielded in full the index answers NONE of a closed episode too; lowered, as it did before
    (B39: "whether one existed previously").
    """
    await world.send("EHM-A", "episode.closed", episode=part(closure=CLOSURE))
    before = (await asks(world))["result"]
    await after_closure(world, "full")
    hidden = (await asks(world))["result"]
    await after_closure(world, lowered)

    assert (before, hidden) == ("PREVIOUS", "NONE")
    assert (await asks(world))["result"] == answer
    assert {one.caf_state for one in world.store._tables.index.values()} <= {"VOID", "PREVIOUS"}
    assert world.head.index == "PREVIOUS"


async def test_a_shield_raised_after_closure_is_lowered_where_it_was_closed_under_it(
    world: World,
) -> None:
    """Closed while shielded in full: the index never heard of the closure, and then knows it."""
    await shield(world, "full")
    await world.send("EHM-A", "episode.closed", episode=part(closure=CLOSURE))
    assert (await asks(world))["result"] == "NONE"
    await after_closure(world, "none")

    assert (await asks(world))["result"] == "PREVIOUS"
