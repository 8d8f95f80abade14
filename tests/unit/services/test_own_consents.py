"""A team member reads its own scope of each decision, and not that others were narrowed."""

from typing import Any

import pytest

from hub.services.own_consents import own_decisions
from mappings.commands import translator
from tests import builders as b
from tests.unit.domain.decisions import item, record, recorded
from tests.unit.services import world as services_world
from tests.unit.services.world import World, includes, part

HOUSING = ("sec.identity", "sec.env.housing", "sec.conclusions", "sec.plan")


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Ava's assessment is shared with three services in whole, and in part with housing."""
    monkeypatch.setattr(services_world, "translator", lambda _url: translator())
    return await World().shared()


async def known(world: World, who: str = "HOU-A") -> list[dict[str, Any]]:
    """What a member's system is told of the decisions."""
    told = await world.lookup.consents(world.partners[who], "e1")
    return [dict(one) for one in told["decisions"]]


async def decided(
    world: World,
    state: str,
    services: Any,
    housing: tuple[str, ...],
    never: tuple[str, ...] = (),
) -> None:
    """Mia signs a whole new record: all of it for *services*, and these sections for housing, which
    is *never* to see others.
    """
    scope = [
        {"service": one, "section": "all", "sensitive": True, "action": "contribute"}
        for one in services
    ]
    scope += [{"service": "HOU-A/HOUS", "section": section} for section in housing]
    out = [{"service": "HOU-A/HOUS", "section": section} for section in never]
    await world.decide(
        "SCH-A", world.decision(state=state, scope_includes=scope, scope_excludes=out)
    )


@pytest.mark.parametrize(
    ("state", "services"),
    [("NARROWED", b.SERVICES[:2]), ("WIDENED", (*b.SERVICES[:3], "CAMHS-A/CAMHS"))],
)
async def test_what_becomes_of_others_is_not_told(
    world: World, state: str, services: tuple[str, ...]
) -> None:
    """Health visiting is taken away, or a sensitive service joins: housing reads what it read."""
    before = await known(world)

    await decided(world, state, services, HOUSING)

    assert await known(world) == before
    assert len(world.store._tables.decisions) > len(before)


async def test_a_message_names_the_decision_that_its_recipient_knows(world: World) -> None:
    """After somebody else's narrowing too; once its own part changes, the newest one."""
    known_before = {one["consent_decision_id"] for one in await known(world)}
    await decided(world, "NARROWED", b.SERVICES[:2], HOUSING)
    await change(world, "A dry room")

    assert cited(world) <= known_before

    await decided(world, "WIDENED", b.SERVICES[:2], (*HOUSING, "sec.services"))
    await change(world, "A dry, warm room")

    assert cited(world) - known_before
    assert cited(world) <= {one["consent_decision_id"] for one in await known(world)}


async def test_what_was_withdrawn_and_given_again_is_told_again(world: World) -> None:
    """The same scope as before the withdrawal is news: a decision of its own."""
    before = await known(world)
    await world.decide(
        "SCH-A",
        world.decision(
            state="WITHDRAWN", share_decision="no", scope_includes=[], withdrawal_type="SHARE_ALL"
        ),
    )
    await decided(world, "SHARE", b.SERVICES[:3], HOUSING)

    after = await known(world)
    assert after[: len(before)] == before
    assert [one["state"] for one in after[len(before) :]] == ["SHARE"]


async def change(world: World, goal: str) -> None:
    """Say something new in a section that housing reads."""
    goals = {"conclusions": {**b.episode()["conclusions"], "goals": [goal]}}
    await world.send("SCH-A", episode=part(**goals))


def cited(world: World) -> set[str]:
    """The decisions that housing's last message names."""
    return set(world.last("HOU-A").message["message"]["consent_decision_id"])


async def test_what_is_excluded_for_it_is_its_own_part_too(world: World) -> None:
    """Something taken from housing by an exclusion is told; repeated beside others' news, not."""
    await decided(world, "NARROWED", b.SERVICES[:3], HOUSING, never=("sec.family",))
    told = await known(world)
    await decided(world, "NARROWED", b.SERVICES[:2], HOUSING, never=("sec.family",))

    assert told[-1]["state"] == "NARROWED"
    assert await known(world) == told


@pytest.mark.parametrize(
    ("said", "housing", "told"),
    [
        ("NARROWED", HOUSING[:2], "NARROWED"),
        ("WIDENED", (*HOUSING, "sec.services"), "WIDENED"),
        ("WIDENED", HOUSING[:1], "NARROWED"),
        ("SHARE", (*HOUSING[1:], "sec.services"), "SHARE"),
    ],
)
async def test_the_state_is_that_of_its_own_part(
    world: World, said: str, housing: tuple[str, ...], told: str
) -> None:
    """One record narrows one service and widens another: each reads what became of itself."""
    await decided(world, said, includes_all_but_health(), housing)

    *_, newest = await known(world)
    assert newest["state"] == told
    assert [one["section"] for one in newest["scope_includes"]] == list(housing)
    assert "HV-A" not in str(newest)


def includes_all_but_health() -> list[str]:
    """The services that get everything, without health visiting."""
    return [one["service"] for one in includes() if one["service"] != "HV-A/HV"][:2]


async def test_who_keeps_the_record_reads_what_was_signed(world: World) -> None:
    """The assessor's system has every record whole, in the words of the family."""
    await decided(world, "NARROWED", b.SERVICES[:2], HOUSING)

    *_, newest = await known(world, "SCH-A")
    assert newest["state"] == "NARROWED"
    assert newest["given_by_person"] == "c1"


HOU = "HOU-A/HOUS"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (record(scope_includes=[item(HOU, "sec.plan")]), [("d1", "SHARE")]),
        (
            record(scope_includes=[dict(reversed(item(HOU, "sec.plan").items())), item(HOU)]),
            [("d1", "SHARE"), ("d2", "WIDENED")],
        ),
        (
            record("NARROWED", scope_excludes=[item(HOU, "sec.plan")]),
            [("d1", "SHARE"), ("d3", "SHARE")],
        ),
    ],
    ids=["repeated", "reworded", "excluded"],
)
def test_what_changes_nothing_is_not_told_and_what_was_taken_is_told_anew(
    second: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    """The order of a record's members says nothing; what an exclusion took, the next gives anew."""
    first = record(scope_includes=[item(HOU, "sec.plan")])
    records = [first, second] if "scope_excludes" not in second else [first, second, first]

    shown = own_decisions(recorded(*records), {HOU})

    assert [(one["consent_decision_id"], one["state"]) for one in shown] == told
