"""Nobody changes what they may not see, and nobody learns from trying what there is."""

import copy
import random
from typing import Any

import pytest

from hub.domain.dictionary import episode_tree
from hub.domain.merge import _leaves
from hub.domain.rules import pointer
from hub.errors import Code, HubError
from tests import builders as b
from tests.unit.services.world import (
    CANONICAL,
    Tree,
    World,
    appointment,
    completion,
    includes,
    opening,
    part,
    subject,
)

LEAD = "EHM-A/FSW"
HIDDEN = ("1.1", "3.1")
"""Elements of sections that the family keeps from the lead here."""
SEES = ("sec.identity", "sec.conclusions", "sec.plan", "sec.services", "sec.parenting")


def cut(*extra: str) -> list[Tree]:
    """Return a scope by which the lead sees some sections, and the others of the team all."""
    mine = [
        {"service": LEAD, "section": section, "sensitive": True, "action": "contribute"}
        for section in (*SEES, *extra)
    ]
    return [*includes("SCH-A/SCH", "HV-A/HV", "HOU-A/HOUS"), *mine]


async def led(chance: random.Random | None = None, *extra: str) -> World:
    """Return an episode of which its lead sees a part; *chance* writes what is kept from it."""
    world = World()
    await world.decide("SCH-A", world.store_only())
    tree, done = opening(), completion()
    if chance is not None:
        tree, done = secret(tree, chance), secret(done, chance)
    await world.send("SCH-A", "episode.opened", episode=tree)
    for decision in (world.decision, world.own):
        await world.decide("SCH-A", decision(scope_includes=cut(*extra), scope_excludes=[]))
    await world.send("SCH-A", "assessment.completed", episode=done)
    await world.send("EHM-A", "lead_professional.appointed", episode=appointment())
    return world


def secret(tree: Tree, chance: random.Random) -> Tree:
    """Return the same with other words, or none, where the lead may not read."""
    made = copy.deepcopy(tree)
    for child in made.get("subjects", ()):
        elements = child.get("elements", [])
        for element in elements:
            if element["element"] in HIDDEN:
                element["commentary"] = f"CANARY {chance.random()}"
        if chance.random() < 0.5:
            child["elements"] = [one for one in elements if one["element"] not in HIDDEN[:1]]
        if chance.random() < 0.5:
            child.get("characteristics", {}).pop("religion", None)
    return made


def element(tree: Tree, number: str) -> Tree | None:
    """Return one element of the child's assessment."""
    found = [one for one in tree["subjects"][0]["elements"] if one["element"] == number]
    return found[0] if found else None


def rewritten(chance: random.Random) -> Tree:
    """Return explicit values for what the lead sees and for what it does not."""
    elements = [
        {"element": number, "commentary": f"The lead's words {chance.random()}.", "kind": "NEED"}
        for number in (*HIDDEN, "2.1")
    ]
    return part(
        subjects=subject(elements=elements, characteristics={"religion": "MUS"}),
        conclusions={"conclusions": f"The lead's view {chance.random()}."},
        family={"current_family_and_home_situation": "The lead's guess."},
    )


def touched(world: World) -> list[Any]:
    """Return the alerts about fields that were left as they were."""
    return [one for one in world.store._tables.alerts.values() if one.kind == "content.untouched"]


async def test_a_lead_replaces_what_it_sees_and_nothing_else() -> None:
    """Stored words that are kept from the lead stay; who opened the episode hears of the try."""
    world = await led()
    before = copy.deepcopy(dict(world.tree))
    receipt = await world.send("EHM-A", episode=rewritten(random.Random(1)))

    assert receipt.status == 202
    for number in HIDDEN:
        assert element(world.tree, number) == element(before, number)
    assert "The lead's words" in str(element(world.tree, "2.1"))
    assert world.tree["family"] == before["family"]
    assert "The lead's view" in world.tree["conclusions"]["conclusions"]
    (told,) = touched(world)
    assert told.audience == "administrator:SCH-A"
    assert "subjects[].elements[].commentary" in told.facts["fields"]
    assert "lead's" not in str(told)


async def test_a_lead_cannot_delete_what_it_does_not_see() -> None:
    """To delete it is answered as to delete nothing."""
    world = await led()
    said = []
    for place in ("subjects[subject_id=s1].elements[element=1.1]",
                  "subjects[subject_id=s1].elements[element=1.9]"):  # fmt: skip
        with pytest.raises(HubError) as refused:
            await world.send("EHM-A", message={"deletes": [place]}, episode=part())
        said.append((refused.value.code, [fault.remedy for fault in refused.value.faults]))

    assert said[0] == said[1]
    assert element(world.tree, "1.1") is not None


async def test_a_lead_amends_what_it_wrote_itself() -> None:
    """Also where it may not see the section: it knows what it wrote."""
    world = await led()
    await world.send("EHM-A", episode=part(reviews=[review("First words.")]))
    await world.send("EHM-A", episode=part(reviews=[review("Better words.")]))

    assert world.tree["reviews"] == [review("Better words.")]
    assert not touched(world)
    await world.send("SCH-A", episode=part(reviews=[review("The school's words.")]))
    await world.send("EHM-A", episode=part(reviews=[review("Over them.")]))
    assert world.tree["reviews"] == [review("The school's words.")]


def review(notes: str) -> Tree:
    """Return a review, of a section that the lead may not see here."""
    return {"review_id": "rev1", "review_date": "2026-10-19", "review_notes": notes}


async def test_a_shielded_place_stays_where_the_lead_does_not_know_it() -> None:
    """Only who is on the allow-list says where the family has moved to (D-41)."""
    world = await led()
    place = world.tree["subjects"][0]["address"]
    await world.send("EHM-A", episode=part(subjects=subject(shielding="whereabouts")))
    moved = [b.address(address_lines=["5 New Way", "Exampleton"], postcode="ZZ99 8NW")]
    await world.send("EHM-A", episode=part(subjects=subject(address=moved)))

    assert world.tree["subjects"][0]["shielding"] == "whereabouts"
    assert world.tree["subjects"][0]["address"] == place
    assert touched(world)


async def test_guessing_why_the_lead_changed_tells_the_team_nothing() -> None:
    """That access was ended (ACCEND) looks like no reason (S8), to who tries codes as well; who
    names the next lead says why in its place, and what one was shown may come back.
    """
    world = await led()
    await world.send("SCH-A", episode=part(services={"lp_change_reason": "ACCEND"}))
    for guess in ("ACCEND", "MOVED"):
        with pytest.raises(HubError) as refused:
            await world.send("HV-A", episode=part(services={"lp_change_reason": guess}))
        assert refused.value.code is Code.NOT_OWNER

    named = appointment("p-next")
    named["services"]["lp_change_reason"] = "LEFTRL"
    await world.send("HV-A", "lead_professional.changed", episode=named)
    assert world.tree["services"]["lp_change_reason"] == "LEFTRL"
    back = await world.send("HV-A", episode=part(services={"lp_change_reason": "LEFTRL"}))
    assert back.status == 202
    assert not touched(world)


@pytest.mark.parametrize("seed", range(2, 10))
async def test_trying_tells_a_lead_nothing(seed: int) -> None:
    """Two families that differ in what is kept from the lead: the same answers, views, messages."""
    said = []
    for secrets in (0, seed):
        world = await led(random.Random(secrets))
        answers = []
        for step in range(3):
            receipt = await world.send("EHM-A", episode=rewritten(random.Random(step)))
            answers.append({k: v for k, v in receipt.body.items() if k != "message_id"})
        shown = await world.viewer.view(world.partners["EHM-A"], LEAD, "e1", "PLAN", CANONICAL)
        text = shown.body.decode()
        assert "CANARY" not in text
        episode = text[text.index('"episode":') :]
        mine = [got.type for got in world.inbox if got.partner == "EHM-A"]
        said.append((answers, episode, mine))

    assert said[0] == said[1]


@pytest.mark.parametrize("seed", range(12))
async def test_no_stored_leaf_that_a_lead_does_not_see_ever_changes(seed: int) -> None:
    """Whatever it sends, of anything that the dictionary has: over a random cut."""
    chance = random.Random(seed)
    sections = ("sec.child.health", "sec.env.family", "sec.family", "sec.assess_meta",
                "sec.characteristics", "sec.closure")  # fmt: skip
    world = await led(None, *chance.sample(sections, chance.randrange(len(sections))))
    mine = world.partners["EHM-A"]
    shown = await world.viewer.view(mine, LEAD, "e1", "PLAN", CANONICAL)
    before, visible = dict(world.tree), shown.body.decode()
    await world.send("EHM-A", episode=other(before, chance))

    for leaf, where in _leaves_of(before):
        was, now = (_value(tree, where) for tree in (before, world.tree))
        if was != now:
            free = leaf.section == "sec.admin" or "lead_professional" in where or "lp_" in where[-1]
            texts = was if isinstance(was, list | tuple) else [was]
            assert free or all(str(one) in visible for one in texts), pointer(where)


def other(tree: Tree, chance: random.Random) -> Tree:
    """Return the child's and family's parts with other texts throughout."""
    made: Tree = {"episode_id": "e1"}
    for name in ("assessment", "family", "conclusions", "parents_carers"):
        if name in tree:
            made = {**made, name: _changed(tree[name], chance)}
    child = tree["subjects"][0]
    keep = {k: child[k] for k in ("subject_id", "is_unborn")}
    elements = [
        {"element": one["element"], "commentary": f"Other {chance.random()}"}
        for one in child["elements"]
    ]
    return {**made, "subjects": [{**keep, "elements": elements, "given_names": ["Other"]}]}


def _changed(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        return {
            name: held if name.endswith(("_id", "code")) else _changed(held, chance)
            for name, held in value.items()
        }
    if isinstance(value, list | tuple):
        return [_changed(item, chance) for item in value]
    return f"{value} changed" if isinstance(value, str) and " " in value else value


def _leaves_of(tree: Tree) -> list[tuple[Any, tuple[Any, ...]]]:
    found = []
    for name, value in tree.items():
        found += list(_leaves(value, episode_tree()[name], (name,)))
    return found


def _value(tree: Any, where: tuple[Any, ...]) -> Any:
    for step in where:
        try:
            tree = tree[step]
        except (KeyError, IndexError):
            return None
    return tree
