"""The authority's co-ordinator, no member: how consent stands, and what was opened twice (5.3)."""

from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Code, Conflict, HubError, Withheld
from tests.unit.services.test_brokering import CO
from tests.unit.services.test_brokering import world as connected
from tests.unit.services.world import World, includes, part, subject

world = connected


async def close(world: World, episode_id: str = "e1", **said: Any) -> Any:
    """Let the co-ordinator end the episode, as a duplicate if nothing else is said."""
    sent = {"closure": {"closure_reason": "DUPLICATE"}, **said, "episode_id": episode_id}
    return await world.send(CO, "episode.closed", episode=sent)


async def asked(world: World, episode_id: str = "e1") -> Any:
    """Let the co-ordinator ask how consent stands."""
    return await world.lookup.consents(world.partners[CO], episode_id)


async def refusals(world: World, episode_id: str = "e1") -> list[tuple[Code, str, int]]:
    """Return what the co-ordinator is told of an episode that it may not know."""
    found = []
    for attempt in (asked(world, episode_id), close(world, episode_id)):
        with pytest.raises(HubError) as refused:
            await attempt
        found.append((refused.value.code, refused.value.detail, len(refused.value.faults)))
    return found


def facts(world: World, **changes: Any) -> None:
    """Change what the head of Ava's episode remembers."""
    heads = world.store._tables.heads
    heads["e1"] = replace(world.head, facts={**world.head.facts, **changes})


async def test_it_is_told_how_consent_stands_and_nothing_more(world: World) -> None:
    """State and days of the child's newest decision; nobody's name, service or section."""
    last = world.decision(scope_includes=includes(), state="NARROWED")
    await world.decide("SCH-A", last)

    told = await asked(world)

    days = {"signed_on": last["signed_at"][:10], "expires_on": last["expires_at"][:10]}
    assert told == {"decisions": [{"state": "NARROWED", **days}]}
    assert [one.actor for one in world.audit("consents.read")] == [CO]


async def test_it_ends_what_was_opened_twice(world: World) -> None:
    """Everybody who knew of it hears that it is closed (N2); the index not why."""
    world.take()

    receipt = await close(world)

    assert (receipt.status, receipt.body["state"]) == (202, "CLOSED")
    assert world.tree["closure"]["closure_reason"] == "DUPLICATE"
    assert world.tree["closure"]["closed_on"] == world.clock.now().date().isoformat()
    assert "DUPLICATE" not in world.last("IDX", "N2").text
    assert world.take() == dict.fromkeys(("IDX", "SCH-A", "EHM-A", "HV-A", "HOU-A"), ["N2"])


@pytest.mark.parametrize("state", ["ASSESSED", "TEAM_FORMING", "IN_REVIEW", "TRANSFER_PENDING"])
async def test_it_ends_it_wherever_it_is(world: World, state: str) -> None:
    """What is wrong about a record does not wait for a review."""
    world.store._tables.heads["e1"] = replace(world.head, process=state)

    assert (await close(world)).body["state"] == "CLOSED"


@pytest.mark.parametrize(
    "said",
    [
        {"closure": {"closure_reason": "NEEDS_MET"}},
        {"closure": {"closure_reason": "DIED"}},
        {"closure": {}},
        {"closure": {"closure_reason": "ERROR", "closure_summary": "Opened twice."}},
        {"closure": {"closure_reason": "ERROR", "closed_on": "2026-09-01"}},
        {"conclusions": {"need_level": "L1"}},
        {"subjects": subject(gender="M")},
    ],
)
async def test_it_ends_for_no_other_reason_and_says_no_more(
    world: World, said: dict[str, Any]
) -> None:
    """DUPLICATE and ERROR alone; a judgement about the family is the lead professional's."""
    before = dict(world.tree)

    with pytest.raises(Conflict) as refused:
        await close(world, **said)

    only_reason = said.keys() == {"closure"} and said["closure"].keys() <= {"closure_reason"}
    assert refused.value.code is (Code.STATE if only_reason else Code.NOT_OWNER)
    assert (world.tree, world.head.process) == (before, "PLAN_ACTIVE")


async def test_it_deletes_nothing_with_it(world: World) -> None:
    """Whatever it names beside the reason stays."""
    with pytest.raises(Conflict) as refused:
        await world.send(
            CO,
            "episode.closed",
            episode={"episode_id": "e1", "closure": {"closure_reason": "ERROR"}},
            message={"deletes": ["plan.action[id=a1]"]},
        )

    assert refused.value.code is Code.NOT_OWNER
    assert world.head.process == "PLAN_ACTIVE"


async def test_others_close_as_they_did(world: World) -> None:
    """The lead's DUPLICATE still needs the family's views; a team member closes nothing."""
    closure = {"closure_reason": "DUPLICATE", "closed_on": "2026-09-01"}
    sent = {"episode_id": "e1", "closure": closure}
    for who, code in (("EHM-A", Code.STATE), ("HV-A", Code.NOT_OWNER)):
        with pytest.raises(HubError) as refused:
            await world.send(who, "episode.closed", episode=sent)
        assert refused.value.code is code
    with pytest.raises(Withheld):
        await world.send("VCS-N", "episode.closed", episode=sent)


@pytest.mark.parametrize("why", ["full", "unindexed", "elsewhere", "unsaid", "closed"])
async def test_a_hidden_episode_is_as_absent(world: World, why: str) -> None:
    """What the index may not tell of, another authority's, and what has ended: the same answers as
    for no episode at all.
    """
    absent = await refusals(world, "e9")
    if why == "full":
        await world.send("SCH-A", episode=part(subjects=subject(shielding="full")))
    if why == "unindexed":
        await world.decide("SCH-A", world.decision(scope_includes=includes(), index_consent="no"))
    if why == "elsewhere":
        world.store._tables.heads["e1"] = replace(world.head, home_authority="002")
    if why == "unsaid":
        facts(world, shield=None)
    if why == "closed":
        await close(world)

    assert await refusals(world) == absent
    assert [code for code, _, _ in absent] == [Code.NO_RELATIONSHIP, Code.CONSENT_NONE]


async def test_where_the_family_is_need_not_be_known(world: World) -> None:
    """A shield of whereabouts hides the place, not that there is an episode."""
    await world.send("SCH-A", episode=part(subjects=subject(shielding="whereabouts")))

    assert (await asked(world))["decisions"][0].keys() == {"state", "signed_on", "expires_on"}
    assert (await close(world)).body["state"] == "CLOSED"


async def test_content_stays_out_of_its_reach(world: World) -> None:
    """Before it closes, and after."""
    mine = world.partners[CO]
    for _ in range(2):
        with pytest.raises(HubError) as refused:
            await world.viewer.view(mine, f"{CO}/FSW", "e1", "PLAN", "application/fhir+json")
        assert refused.value.code is Code.NO_RELATIONSHIP
        if world.head.process != "CLOSED":
            await close(world)
    assert CO not in world.take()
