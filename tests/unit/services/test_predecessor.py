"""T31: a new episode names the one before it, if that is closed, the same child's, and theirs."""

from typing import Any

import pytest

from hub.errors import Code, Conflict
from hub.services.predecessor import heads_of, same_child
from tests import builders as b
from tests.unit.services.world import Tree, World, opening, part

CLOSURE = {"closure_reason": "NEEDS_MET", "closure_summary": ".", "closed_on": "2026-11-01"}
NEW = "e-new"


async def closed() -> World:
    """Go to where Ava's episode is closed."""
    world = await World().planned()
    await world.send("EHM-A", "episode.closed", episode=part(closure=CLOSURE))
    world.take()
    return world


async def reopen(
    world: World, who: str = "SCH-A", event: str | None = "episode.reopened", **changes: Any
) -> Any:
    """Store consent asked anew, then the new episode."""
    await world.decide(who, world.store_only(episode_id=NEW))
    tree = opening(**{"episode_id": NEW, "previous_episode_id": "e1", **changes})
    return await world.send(who, event, episode=tree)


async def test_the_child_of_a_closed_episode_comes_back() -> None:
    """A new episode that says which came before; the old one stays closed, the index knows both."""
    world = await closed()
    receipt = await reopen(world)

    assert receipt.body["state"] == "ASSESSING"
    assert world.head.process == "CLOSED"
    assert world.store._tables.heads[NEW].process == "ASSESSING"
    assert world.take() == {"IDX": ["N1"]}
    states = sorted(one.caf_state for one in world.store._tables.index.values())
    assert states == ["OPEN", "PREVIOUS"]


async def test_nothing_of_the_old_agreement_carries_over() -> None:
    """The team of the old episode is no team of the new one, whatever was agreed to then."""
    world = await closed()
    await reopen(world)

    assert world.store._tables.decisions.keys() >= {("e1", "d2")}
    shared = [d for d in world.store._tables.decisions.values() if d.episode_id == NEW]
    assert [one.record["share_decision"] for one in shared] == ["no"]
    related = [one for one in world.store._tables.involvements.values() if one.episode_id == NEW]
    assert {one.service for one in related} == {"SCH-A/SCH"}


OTHER: Tree = b.subject(
    identifiers=[{"system": "nhs-number", "value": "9990000034", "verified": True}],
    given_names=["Cal"],
    date_of_birth="2015-09-03",
)


async def refusal(world: World, who: str = "SCH-A", **changes: Any) -> tuple[Any, ...]:
    """Return all that can be read of a refusal."""
    with pytest.raises(Conflict) as refused:
        await reopen(world, who, **changes)
    error = refused.value
    return error.code, error.detail, error.faults


async def test_every_episode_that_cannot_be_followed_is_refused_alike() -> None:
    """Unknown, still open, another child's, somebody else's, shielded: one answer."""
    unknown = await refusal(await closed(), previous_episode_id="e-none")
    assert unknown[0] is Code.STATE

    assert await refusal(await World().planned()) == unknown
    assert await refusal(await closed(), subjects=[OTHER]) == unknown
    assert await refusal(await closed(), who="VCS-N") == unknown
    assert await refusal(await closed(), previous_episode_id=NEW) == unknown
    shielded = await closed()
    await shielded.send(
        "SCH-A", "demographics.changed", episode=part(subjects=[b.subject(shielding="full")])
    )
    assert await refusal(shielded, who="HV-A") == unknown


async def test_who_keeps_a_shielded_record_may_follow_it() -> None:
    """A shield hides that there was one; not from who wrote it."""
    world = await closed()
    await world.send(
        "SCH-A", "demographics.changed", episode=part(subjects=[b.subject(shielding="full")])
    )
    receipt = await reopen(world, subjects=[b.subject(shielding="full")])

    assert receipt.body["state"] == "ASSESSING"


async def test_a_team_member_of_then_may_follow() -> None:
    """Health visiting was in the team of the closed episode, and begins the new one."""
    world = await closed()
    assert (await reopen(world, "HV-A")).status == 202


async def test_social_care_that_stepped_it_up_may_step_it_down() -> None:
    """It was told by law and decided; coming back, the child's new episode may name the old one."""
    world = await World().planned()
    await world.disclose("SCH-A", b.disclosure(), episode=b.episode())
    await world.send(
        "CSC-A", "social_care.decision", event_detail={"decision": "CIN"}, episode=part()
    )
    assert world.head.process == "CLOSED"

    assert (await reopen(world, "CSC-A")).body["state"] == "ASSESSING"


@pytest.mark.parametrize("event", [None, "episode.opened"])
async def test_no_other_opening_names_what_it_cannot_follow(event: str | None) -> None:
    """The reference is checked wherever it is said for the first time."""
    world = await closed()
    with pytest.raises(Conflict) as refused:
        await reopen(world, event=event, previous_episode_id="e-none")
    assert refused.value.code is Code.STATE
    assert (await reopen(await closed(), event=event)).body["state"] == "ASSESSING"


async def test_nor_does_a_later_message() -> None:
    """An open episode cannot be linked to another child's afterwards; its own link may be said
    again.
    """
    world = await closed()
    await reopen(world)
    with pytest.raises(Conflict):
        await world.send("SCH-A", episode={"episode_id": NEW, "previous_episode_id": "e-none"})
    again = await world.send("SCH-A", episode={"episode_id": NEW, "previous_episode_id": "e1"})
    assert again.body["status"] == "unchanged"


async def test_what_is_imported_may_follow_what_no_hub_has_kept() -> None:
    """Paper and legacy systems had episodes before, too."""
    world = World()
    await world.decide("SCH-A", world.store_only(episode_id=NEW))
    tree = opening(episode_id=NEW, previous_episode_id="paper-7", opened_at="2025-01-10T09:00:00Z")
    receipt = await world.send("SCH-A", "episode.imported", episode=tree)
    assert receipt.body["state"] == "ASSESSING"


def child(**changes: Any) -> Tree:
    """Return what identifies a child."""
    numbers = [{"system": "nhs-number", "value": "9990000018"}]
    return {
        "identifiers": numbers,
        "given_names": ["Ava"],
        "family_name": "Example",
        "date_of_birth": "2016-05-14",
        **changes,
    }


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"family_name": "Other", "given_names": ["Eva"]}, True),
        ({"identifiers": []}, True),
        ({"identifiers": [], "given_names": ["Eva"]}, False),
        ({"identifiers": [], "date_of_birth": "2016-05-15"}, False),
        ({"date_of_birth": "2016-05-15"}, False),
        ({"identifiers": [{"system": "nhs-number", "value": "9990000026"}]}, False),
        ({"identifiers": [], "date_of_birth": None}, False),
    ],
)
def test_whether_two_records_are_of_one_child(change: Tree, same: bool) -> None:
    """By number and date, or by name and date; anything that contradicts makes two children."""
    assert same_child(child(), child(**change)) is same
    assert same_child(child(**change), child()) is same


def test_both_heads_are_named_before_they_are_read() -> None:
    """So that the store locks them in one order, whoever follows whom."""
    assert heads_of("e2", {"previous_episode_id": "e1"}) == ("e2", "e1")
    assert heads_of("e2", {"previous_episode_id": "e2"}) == ("e2",)
    assert heads_of("e2", {}) == ("e2",)
