"""The trace of one message: every step with its time and ground, and nothing of the family."""

import json
from datetime import timedelta

import pytest

from hub.domain.exchange import State
from hub.errors import Code, Missing, Rejected, Unavailable
from hub.services.operating import Operations
from tests.unit.services.world import Tree, World, includes, part

HOUR = timedelta(hours=1)


@pytest.fixture
async def world() -> World:
    """Ava's assessment, shared with everybody whom Mia agreed to."""
    world = await World().shared()
    world.take()
    return world


def operations(world: World) -> Operations:
    """Return what the operator asks of this world."""
    return Operations(
        world.store, world.registry, world.clock, lambda: world.translator, world.hints
    )


async def level(world: World, to: str) -> str:
    """Change what everybody sees and return the id of the message."""
    receipt = await world.send(
        "SCH-A", "assessment.updated", episode=part(conclusions={"need_level": to})
    )
    return str(receipt.body["message_id"])


def to(found: Tree, service: str) -> Tree:
    """Return the one delivery to *service*."""
    (one,) = [one for one in found["deliveries"] if one["service"] == service]
    return dict(one)


async def test_the_way_of_a_message_is_told_from_receipt_to_end(world: World) -> None:
    """Receipt, version, and for a delivery its lane, decisions, mapping, answer and end."""
    message_id = await level(world, "L3")

    found = dict(await operations(world).trace(message_id))

    received = found["message"]
    assert (received["partner"], received["answered"], received["status"]) == (
        "SCH-A", 202, "accepted",
    )  # fmt: skip
    assert received["version"] == world.head.version
    assert [one["code"] for one in found["recorded"]] == ["assessment.updated"]
    assert {one["service"] for one in found["deliveries"]} == {
        "EHM-A/FSW", "HOU-A/HOUS", "HV-A/HV",
    }  # fmt: skip
    one = to(found, "HOU-A/HOUS")
    assert (one["state"], one["attempts"], one["lane"]) == ("delivered", 1, "HOU-A e1")
    intended, delivered = one["steps"]
    assert intended["what"] == "disclosure.intended"
    assert intended["decisions"]
    assert intended["mapping"] == "caf-json/1"
    assert (delivered["what"], delivered["status"]) == ("delivered", 200)


async def test_every_attempt_has_its_time_and_what_was_answered(world: World) -> None:
    """Two failures and a success: three attempts, two answers, and when the next would be."""
    world.doubles["HOU-A"].faults += [
        Unavailable(Code.UNAVAILABLE, "the destination answered 503"),
        Unavailable(Code.OUTCOME_UNKNOWN, "the destination did not answer"),
    ]
    message_id = await level(world, "L3")
    waiting = to(dict(await operations(world).trace(message_id)), "HOU-A/HOUS")
    for _ in range(2):
        world.clock.move(HOUR)
        await world.drain()

    one = to(dict(await operations(world).trace(message_id)), "HOU-A/HOUS")

    assert (waiting["state"], waiting["reason"]) == ("pending", "E_UNAVAILABLE")
    assert waiting["next_attempt_at"] == waiting["steps"][-1]["next"].replace("+00:00", ".000Z")
    assert [step["what"] for step in one["steps"]] == [
        "disclosure.intended", "retry", "disclosure.intended", "retry", "disclosure.intended",
        "delivered",
    ]  # fmt: skip
    assert [step["attempt"] for step in one["steps"]] == [1, 1, 2, 2, 3, 3]
    assert one["steps"][1]["said"] == "the destination answered 503"
    assert len({step["at"] for step in one["steps"]}) == 3


async def test_what_holds_a_delivery_is_named(world: World) -> None:
    """Behind a quarantined delivery the next one waits, and says for which."""
    world.doubles["HOU-A"].faults.append(Rejected(Code.FORBIDDEN, "refused (422)"))
    first = await level(world, "L3")
    second = await level(world, "L4")

    held = to(dict(await operations(world).trace(second)), "HOU-A/HOUS")
    (stopped,) = world.deliveries(state=State.QUARANTINED)
    behind = to(dict(await operations(world).trace(first)), "HOU-A/HOUS")

    assert held["held_by"] == stopped.delivery_id == behind["delivery_id"]
    assert behind["steps"][-1]["said"] == "refused (422)"


async def test_a_delivery_id_shows_that_delivery_and_its_heirs(world: World) -> None:
    """What came in the place of a superseded delivery is shown with it; the others are not."""
    world.doubles["HV-A"].faults.append(Unavailable(Code.UNAVAILABLE, "down"))
    message = await level(world, "L3")
    (old,) = world.deliveries(service="HV-A/HV", state=State.PENDING)
    await world.decide(
        "SCH-A",
        world.decision(
            state="NARROWED",
            scope_includes=includes("HV-A/HV"),
            scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
        ),
    )
    recall = world.last("HV-A", "N10").parcel.delivery_id
    await world.collector.acknowledge(world.partners["HV-A"], recall, "COPIES_LOCKED")
    world.clock.move(HOUR)
    await world.drain()

    found = dict(await operations(world).trace(old.delivery_id))

    assert found["deliveries"][0]["delivery_id"] == old.delivery_id
    assert [one["reason"] for one in found["deliveries"]] == ["SUPERSEDED", None]
    assert {one["service"] for one in found["deliveries"]} == {"HV-A/HV"}
    whole = await operations(world).trace(message)
    heirs = [one for one in whole["deliveries"] if one["service"] == "HV-A/HV"]
    assert heirs == found["deliveries"]


async def test_an_unknown_id_is_missing(world: World) -> None:
    """What was refused at the door left nothing; the error says where to look."""
    with pytest.raises(Missing, match="refused at the door"):
        await operations(world).trace("nothing")


async def test_a_trace_holds_no_value_of_the_family(world: World) -> None:
    """Names, addresses and texts of the episode stand nowhere in it."""
    message_id = await level(world, "L3")

    told = json.dumps(await operations(world).trace(message_id))

    for value in ("Ava", "Mia", "Example", "ZZ99", "L3", "9990000018"):
        assert value not in told
