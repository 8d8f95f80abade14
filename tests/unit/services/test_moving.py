"""Moving to another authority (T25-T27): offered, accepted or refused, reviewed, and what hangs."""

from datetime import timedelta
from typing import Any

import pytest

from hub.errors import Code, Conflict, Withheld
from hub.services.transfer_duties import TransferDuty
from tests import builders as b
from tests.unit.services.world import Tree, World, includes, part, subject

WEEK = timedelta(weeks=1)


async def moved() -> World:
    """Return a world where the family has moved to authority B, and nothing was agreed about it."""
    world = await World().planned()
    await world.send(
        "EHM-A", "family.moved", event_detail={"receiving_authority": "002"},
        episode=part(subjects=subject(address=[b.address(postcode="ZZ99 4AA")])),
    )  # fmt: skip
    world.inbox.clear()
    return world


def agreement(world: World, **changes: Any) -> Tree:
    """Return the family's decision that authority B be told."""
    return world.decision(
        **{
            "state": "WIDENED",
            "purpose": ["TRANSFER"],
            "scope_includes": [
                {"service": "EHM-B/FSW", "section": "sec.identity", "purpose": "TRANSFER"}
            ],
            **changes,
        }
    )


async def offered() -> World:
    """Return a world where authority B was told of the move."""
    world = await moved()
    await world.decide("EHM-A", agreement(world))
    return world


async def accepted() -> World:
    """Return a world where authority B has accepted, under consent that names its services."""
    world = await offered()
    everything = includes("EHM-B/FSW", "SCH-B/SCH")
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=everything))
    await world.decide("EHM-A", world.own(state="WIDENED", scope_includes=everything))
    world.inbox.clear()
    await world.send("EHM-B", "transfer.accepted", episode=part())
    return world


async def duties(world: World) -> list[Any]:
    """Return what is due now."""
    return list(
        (await world.store.run(lambda s: TransferDuty().due(s, "e1", world.clock.now()))).alerts
    )


async def test_nothing_goes_to_the_other_authority_before_it_is_agreed() -> None:
    """The move itself is told to the team and the index, and no offer is made."""
    world = await moved()

    assert world.head.process == "TRANSFER_PENDING"
    assert not world.deliveries(partner="EHM-B")
    with pytest.raises(Withheld):
        await world.send("EHM-B", "transfer.accepted", episode=part())


async def test_the_offer_holds_identity_and_whom_to_ring() -> None:
    """Agreed: the child's identity and the lead's contact, nothing of the assessment."""
    world = await offered()

    got = world.last("EHM-B")
    assert world.take() == {"EHM-B": ["N11"]}
    assert got.episode.keys() <= {"episode_id", "subjects", "responsible_practitioner", "status"}
    assert got.episode["responsible_practitioner"]["name"] == "Mr L Lead"
    assert "elements" not in got.episode["subjects"][0]


async def test_acceptance_brings_the_history_with_its_own_dates() -> None:
    """Content follows the acceptance; both authorities take part until one leaves."""
    world = await accepted()

    got = world.last("EHM-B", "N7")
    dates = {one["authored_at"] for one in got.episode["subjects"][0]["elements"]}
    assert dates == {"2026-09-01T09:30:00Z"}
    assert world.head.process == "PLAN_ACTIVE"
    live = {i.service for i in world.store._tables.involvements.values() if i.until is None}
    assert {"EHM-A/FSW", "EHM-B/FSW"} <= live
    assert world.last("EHM-A", "N11").facts["kind"] == "accepted"


async def test_an_accepted_episode_is_at_home_in_the_receiving_authority() -> None:
    """The head and the record both say so: protocols, co-ordinator and register are theirs now."""
    world = await accepted()

    assert world.head.home_authority == "002"
    assert world.tree["home_authority"] == "002"


async def test_a_refused_transfer_closes_and_nobody_is_told_why() -> None:
    """T27: the reason is kept, and neither the index nor authority B hears it."""
    world = await moved()

    await world.decide(
        "EHM-A",
        agreement(world, state="REFUSED", share_decision="no", refusal_scope="AUTHORITY",
                  scope_includes=[]),
    )  # fmt: skip

    assert world.head.process == "CLOSED"
    assert world.head.facts["closure_reason"] == "MOVED_NO_CONSENT"
    assert "MOVED" not in world.last("IDX", "N2").text
    assert not world.deliveries(partner="EHM-B")


async def test_an_offer_that_nobody_accepts_is_said_to_the_lead() -> None:
    """After two weeks and after four, once each; and no more when it is accepted."""
    world = await offered()
    assert await duties(world) == []

    world.clock.move(2 * WEEK)
    (first,) = await duties(world)
    assert (first.kind, first.audience) == ("transfer.unanswered", "lead:EHM-A/FSW")
    world.clock.move(WEEK)
    assert [one.alert_id for one in await duties(world)] == [first.alert_id]
    world.clock.move(WEEK)
    assert [one.facts["days"] for one in await duties(world)] == [14, 28]

    await world.decide(
        "EHM-A", world.decision(state="WIDENED", scope_includes=includes("EHM-B/FSW"))
    )
    await world.send("EHM-B", "transfer.accepted", episode=part())
    assert await duties(world) == []


async def test_the_receiving_authority_reviews_within_four_weeks() -> None:
    """Whoever leads is warned a week before and told at the end; a review ends it."""
    world = await accepted()
    assert await duties(world) == []
    at = world.clock.now()

    world.clock.move(3 * WEEK)
    (warning,) = await duties(world)
    assert (warning.kind, warning.due_at) == ("transfer.review", at + 4 * WEEK)
    world.clock.move(WEEK)
    assert [one.facts["days"] for one in await duties(world)] == [21, 28]

    day = world.clock.now().date().isoformat()
    review = b.review(review_date=day)
    await world.send("EHM-A", "review.opened", episode=part(reviews=[review]))
    assert await duties(world) == []


async def test_only_the_named_authority_accepts() -> None:
    """A system of another authority is not the receiving one."""
    world = await offered()
    with pytest.raises((Conflict, Withheld)) as refused:
        await world.send("HV-A", "transfer.accepted", episode=part())
    assert refused.value.code in {Code.NOT_OWNER, Code.STATE}
