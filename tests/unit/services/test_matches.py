"""Notices that match nobody for certain: what waits, what a person sees of it, and decides."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.domain.exchange import Tree
from hub.errors import Code, Conflict, HubError, InvalidContent, Missing
from hub.services.matches import Matches
from hub.services.notice_duties import NoticeErasure
from tests import builders as b
from tests.unit.services.world import World, opening

AVA = b.notification()["subject"]
OTHER_DATE = {**AVA, "date_of_birth": "2016-05-15"}
LINK = {
    "action": "link",
    "by": "p-1",
    "reason": "CONFIRMED_BY_SENDER",
    "episode_id": "e1",
    "subject_id": "s1",
}
REFUSE = {"action": "refuse", "by": "p-1", "reason": "NOT_THIS_CHILD"}
CLAIM = {"action": "claim", "by": "p-1"}


@pytest.fixture
async def world() -> World:
    """Ava's plan is agreed; Mr Lead of EHM-A leads."""
    return await World().planned()


def matches(world: World) -> Matches:
    """Return the service on that world."""
    return Matches(world.store, world.registry, world.digester, world.clock, world.hints)


async def waits(world: World, **changes: Any) -> str:
    """Let a notice wait, and return its id."""
    await world.notify("SCH-A", **{"subject": OTHER_DATE, **changes})
    (one,) = (await matches(world).listed())["matches"]
    return str(one["notice_id"])


def kept(world: World) -> list[Any]:
    """Return the notices in the store."""
    return list(world.store._tables.notices.values())


async def erase(world: World) -> Any:
    """Let the duty look."""
    return await world.store.run(lambda s: NoticeErasure().due(s, "", world.clock.now()))


async def test_what_waits_is_listed_and_shown_without_a_value(world: World) -> None:
    """Sender, kind, times, and for each child it may be about what agrees and what differs."""
    name = await waits(world)
    listed = await matches(world).listed()
    shown = await matches(world).show(name)

    assert listed["matches"] == [
        {
            "notice_id": name,
            "from": "SCH-A",
            "kind": "attendance_concern",
            "state": "waiting",
            "reason": "UNCERTAIN",
            "received_at": "2026-09-01T09:00:00Z",
            "erased_at": "2026-09-02T09:00:00Z",
        }
    ]
    assert shown["candidates"] == [
        {
            "episode_id": "e1",
            "subject_id": "s1",
            "identifier": "agree",
            "date_of_birth": "differ",
            "family_name": "agree",
            "given_names": "agree",
        }
    ]
    assert shown["actions"] == ["claim", "link", "refuse"]
    for value in ("Ava", "Example", "W001", "2016", "ZZ99", "Absent"):
        assert value not in str((listed, shown))


async def test_a_page_says_where_the_next_begins(world: World) -> None:
    """By id, each once."""
    for number in range(5):
        await world.notify("SCH-A", key=f"k{number}", subject=OTHER_DATE)
    found, after = [], ""
    for _ in range(3):
        page = await matches(world).listed(after, 2)
        found += [one["notice_id"] for one in page["matches"]]
        after = page.get("next", "")

    assert after == ""
    assert found == sorted(n.notice_id for n in kept(world))


async def test_who_links_it_passes_it_on_as_if_it_had_matched(world: World) -> None:
    """To the lead and nobody else, under consent; the body goes, and the audit says who."""
    name = await waits(world)
    told = await matches(world).decide(name, LINK)
    await world.drain()

    assert (told["state"], told["deliveries"]) == ("routed", 1)
    assert world.last("EHM-A").facts["subject_id"] == "s1"
    assert world.take() == {"EHM-A": ["NOTICE"]}
    assert [(n.state, n.body, n.decider) for n in kept(world)] == [("routed", None, "p-1")]
    (row,) = world.audit("notice.link")
    assert (row.actor, row.episode_id, row.code) == ("operator", "e1", "ROUTED")
    assert row.facts["reason"] == "CONFIRMED_BY_SENDER"
    with pytest.raises(Missing):
        await matches(world).decide(name, LINK)


async def test_consent_decides_about_what_was_linked(world: World) -> None:
    """A person decides whose it is, not who may have it."""
    await world.decide(
        "EHM-A",
        world.decision(
            state="NARROWED",
            scope_includes=[],
            scope_excludes=[{"service": "EHM-A/FSW", "section": "sec.child.learning"}],
        ),
    )
    name = await waits(world)
    world.take()
    await matches(world).decide(name, LINK)
    await world.drain()

    assert world.take() == {}
    (one,) = world.deliveries(message_type="NOTICE")
    assert (one.reason, "notice" in one.facts) == ("E_CONSENT_SCOPE", False)


@pytest.mark.parametrize(
    "child", [{"subject_id": "s2"}, {"episode_id": "e9"}], ids=["other child", "other episode"]
)
async def test_a_notice_is_linked_to_nobody_whom_it_does_not_resemble(
    world: World, child: Tree
) -> None:
    """One slip of the hand does not tell another family's lead."""
    name = await waits(world)
    with pytest.raises(Conflict) as refused:
        await matches(world).decide(name, {**LINK, **child})

    assert refused.value.code is Code.STATE
    assert world.deliveries(message_type="NOTICE") == []


async def test_twins_under_one_number_wait_and_the_person_says_which() -> None:
    """Each is a candidate; what is linked tells of that one."""
    world = World()
    for child in ("s1", "s2"):
        await world.decide("SCH-A", world.store_only(subject_id=child))
    twin = b.subject(subject_id="s2", given_names=["Eva"])
    await world.send("SCH-A", "episode.opened", episode=opening(subjects=[b.subject(), twin]))
    await world.notify("HV-A", kind="contact_request")
    (one,) = (await matches(world).listed())["matches"]
    shown = await matches(world).show(one["notice_id"])

    told = [(c["subject_id"], c["identifier"], c["given_names"]) for c in shown["candidates"]]
    assert told == [("s1", "agree", "agree"), ("s2", "agree", "differ")]
    await matches(world).decide(one["notice_id"], {**LINK, "subject_id": "s2"})
    assert [n.state for n in kept(world)] == ["routed"]


async def test_a_number_that_is_used_again_is_not_linked_by_itself(world: World) -> None:
    """Another child's name and date under Ava's number: a person must look."""
    reused = {
        **AVA,
        "given_names": ["Zoe"],
        "family_name": "Sample",
        "date_of_birth": "2019-01-01",
    }
    name = await waits(world, subject=reused)
    (like,) = (await matches(world).show(name))["candidates"]

    assert (like["identifier"], like["date_of_birth"], like["family_name"]) == (
        "agree",
        "differ",
        "differ",
    )
    await matches(world).decide(name, REFUSE)
    assert [(n.state, n.body) for n in kept(world)] == [("refused", None)]
    assert world.take() == {}


async def test_who_claims_it_has_the_time_and_nobody_else(world: World) -> None:
    """Kept for 72 hours from the claim, which can be made again; then erased, and said so."""
    name = await waits(world)
    await matches(world).decide(name, CLAIM)
    for body in (CLAIM, REFUSE, LINK):
        with pytest.raises(Conflict) as refused:
            await matches(world).decide(name, {**body, "by": "p-2"})
        assert refused.value.code is Code.STATE
    world.clock.move(timedelta(hours=71))
    await erase(world)
    await matches(world).decide(name, CLAIM)
    world.clock.move(timedelta(hours=71, minutes=59))
    await erase(world)
    assert [n.body is not None for n in kept(world)] == [True]
    world.clock.move(timedelta(minutes=1))
    due = await erase(world)

    assert [(n.state, n.body) for n in kept(world)] == [("erased", None)]
    (alert,) = due.alerts
    assert (alert.kind, alert.audience, alert.facts["decider"]) == (
        "notice.undecided",
        "operator",
        "p-1",
    )
    assert [row.code for row in world.audit("notice.erased")] == ["WAITING"]


async def test_what_nobody_is_like_can_only_be_claimed_or_refused(world: World) -> None:
    """There is nobody to link it to."""
    name = await waits(world, subject={**AVA, "identifiers": [], "given_names": ["Zoe"]})
    shown = await matches(world).show(name)

    assert (shown["reason"], shown["candidates"]) == ("NO_MATCH", [])
    assert shown["actions"] == ["claim", "refuse"]


async def test_what_was_set_aside_is_matched_again(world: World) -> None:
    """After it was mended; until then it is not linked, for matching it fails."""
    name = await waits(world)
    (one,) = kept(world)
    world.store._tables.notices[one.partner, one.key] = aside(one)
    shown = await matches(world).show(name)
    assert shown["actions"] == ["claim", "refuse", "retry"]
    with pytest.raises(Conflict):
        await matches(world).decide(name, LINK)
    await matches(world).decide(name, {"action": "retry", "by": "p-1", "reason": "MENDED"})
    await world.drain()

    assert [(n.state, n.attempts) for n in kept(world)] == [("waiting", 1)]
    with pytest.raises(Conflict):
        await matches(world).decide(name, {"action": "retry", "by": "p-1", "reason": "MENDED"})


def aside(one: Any) -> Any:
    """Return a notice as it is when matching it has failed every time."""
    return replace(one, state="set_aside", reason="KeyError", attempts=5)


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({}, Code.CODELIST, "action"),
        ({**CLAIM, "action": "delete"}, Code.CODELIST, "action"),
        ({"action": "claim"}, Code.REQUIRED, "by"),
        ({**CLAIM, "by": "Mr Lead of the team"}, Code.FORMAT, "by"),
        ({**CLAIM, "by": ["p-1"]}, Code.FORMAT, "by"),
        ({**CLAIM, "note": "Ava's"}, Code.UNKNOWN_FIELD, ""),
        ({**REFUSE, "reason": "CONFIRMED_BY_SENDER"}, Code.CODELIST, "reason"),
        ({**REFUSE, "reason": None}, Code.CODELIST, "reason"),
        ({**LINK, "subject_id": None}, Code.REQUIRED, "subject_id"),
        ({**LINK, "episode_id": "e 1"}, Code.FORMAT, "episode_id"),
        ({**LINK, "ticket": "x" * 65}, Code.FORMAT, "ticket"),
    ],
)
async def test_what_nobody_could_mean_is_refused_by_code(
    world: World, body: Tree, code: Code, path: str
) -> None:
    """Every fault with its place, and nothing done."""
    name = await waits(world)
    with pytest.raises(InvalidContent) as refused:
        await matches(world).decide(name, body)

    assert (code, path) in [(f.code, f.path) for f in refused.value.faults]
    assert [n.state for n in kept(world)] == ["waiting"]


@pytest.mark.parametrize("name", ["unknown", "", "e1"])
async def test_what_does_not_wait_is_missing(world: World, name: str) -> None:
    """The same for what was routed as for what never was."""
    await world.notify("SCH-A")
    (routed,) = kept(world)
    for one in (name, routed.notice_id):
        for asked in (matches(world).show(one), matches(world).decide(one, CLAIM)):
            with pytest.raises(HubError) as refused:
                await asked
            assert refused.value.code is Code.NOT_FOUND
