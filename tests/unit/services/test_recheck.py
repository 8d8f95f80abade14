"""The hub asks its index itself as an episode opens and before the first share (7.1, B38)."""

from dataclasses import replace
from typing import Any

import pytest

from mappings.commands import translator
from tests import builders as b
from tests.unit.services import world as services_world
from tests.unit.services.world import World, completion, includes, opening

HERE = {"episode_id": "e2", "unique_ref_no": "EP2"}
"""A second episode of the same child, as another practitioner begins it."""


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every world of this file reads by the same compiled mappings."""
    monkeypatch.setattr(services_world, "translator", lambda _url: translator())


async def stored(world: World, **changes: Any) -> None:
    """Mia lets health visiting keep an episode of its own."""
    await world.decide("HV-A", world.store_only(**{"episode_id": "e2", **changes}))


async def begun(world: World, **changes: Any) -> dict[str, Any]:
    """Health visiting opens its episode; the receipt's body."""
    told = {**opening(**changes), **HERE}
    told["services"]["assessor"] = [b.practitioner("p-visit")]
    return dict((await world.send("HV-A", "episode.opened", episode=told)).body)


async def completed(world: World) -> dict[str, Any]:
    """Health visiting completes the assessment, as its family agreed to share; the receipt."""
    shared = world.decision(episode_id="e2", scope_includes=includes())
    await world.decide("HV-A", shared)
    told = completion() | HERE
    return dict((await world.send("HV-A", "assessment.completed", episode=told)).body)


def alerts(world: World) -> list[tuple[str, str | None, Any]]:
    """What was said to whoever leads about the index."""
    found = world.store._tables.alerts.values()
    return [(a.audience, a.episode_id, a.facts) for a in found if a.kind == "index.duplicate"]


def warned(body: dict[str, Any]) -> list[tuple[str, str]]:
    """The code and place of each warning of a receipt, other than about consent and form."""
    told = body.get("warnings", ())
    return [(one["code"], one["path"]) for one in told if one["code"] == "E_DUPLICATE"]


async def test_an_episode_opens_without_an_index_and_the_hub_looks_itself() -> None:
    """It is open at once; the receipt and the lead's alert say what the index holds."""
    world = await World().opened()
    await stored(world)

    body = await begun(world, index_check_result="UNAVAILABLE")

    assert body["state"] == "ASSESSING"
    assert warned(body) == [("E_DUPLICATE", "/episode/subjects/0")]
    assert "OPEN" in str(body["warnings"])
    assert alerts(world) == [("lead:HV-A/HV", "e2", {"subject_id": "s1", "result": "OPEN"})]
    (asked,) = world.audit("index.checked")
    assert (asked.actor, asked.code, len(asked.facts["tokens"])) == ("HV-A", "OPEN", 3)


async def test_it_looks_again_before_the_first_share() -> None:
    """Nothing was there as it opened; by the time of sharing another has been entered."""
    world = World()
    await stored(world)
    assert warned(await begun(world, index_check_result="UNAVAILABLE")) == []
    await world.opened()

    body = await completed(world)

    assert body["state"] == "ASSESSED"
    assert warned(body) == [("E_DUPLICATE", "/episode/subjects/0")]
    assert ("lead:HV-A/HV", "e2", {"subject_id": "s1", "result": "OPEN"}) in alerts(world)


async def test_its_own_entry_is_no_duplicate() -> None:
    """An episode alone is warned of nothing, as it opens and as it shares."""
    world = World()
    await stored(world)

    assert warned(await begun(world)) == warned(await completed(world)) == []
    assert alerts(world) == []


async def test_who_was_told_already_is_not_told_again() -> None:
    """The practitioner asked, was answered, and says so in the message."""
    world = await World().opened()
    await stored(world)

    assert warned(await begun(world, index_check_result="OPEN")) == []
    assert world.audit("index.checked") == []


@pytest.mark.parametrize("index", ["no", "yes"])
@pytest.mark.parametrize("shielding", ["none", "whereabouts", "full"])
async def test_it_says_what_the_index_says_and_no_more(index: str, shielding: str) -> None:
    """A family that refused the index, or hides in full, is not found here either."""
    world = World()
    await world.decide("SCH-A", world.store_only(index_consent=index))
    told = opening()
    told["subjects"][0]["shielding"] = shielding
    await world.send("SCH-A", "episode.opened", episode=told)
    (child,) = b.episode()["subjects"]
    asked = {name: child[name] for name in ("identifiers", "date_of_birth")}
    answer = (await world.check("HV-A", **asked))["result"]
    await stored(world)

    body = await begun(world, index_check_result="UNAVAILABLE")

    hidden = index == "no" or shielding == "full"
    assert (answer == "NONE") is hidden
    assert bool(warned(body)) is not hidden
    assert [facts["result"] for _, _, facts in alerts(world)] == ([] if hidden else [answer])


async def test_a_system_that_may_not_ask_the_index_is_told_nothing() -> None:
    """Its right to send is no right to ask: the operator hears instead."""
    partners = World().partners
    mute = replace(partners["HV-A"], operations=partners["HV-A"].operations - {"index"})
    world = await World(partners={**partners, "HV-A": mute}.values()).opened()
    await stored(world)

    body = await begun(world, index_check_result="UNAVAILABLE")

    assert "warnings" not in body or warned(body) == []
    assert [audience for audience, _, _ in alerts(world)] == ["operator"]
