"""Laws of every two-way mapping about what the gate left: a document that a recipient got from the
hub, and gives back, is read, whatever was cut out of it (`design.md` sections 4 and 6).
"""

from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import HubError, InvalidContent
from hub.services.prune import prune
from hub.services.rights import named_alone
from hub.services.views import MEMBERS, of_sections
from mappings.commands import translator
from mappings.formats.canonical_json import read_message
from tests import builders
from tests.property import laws
from tests.property.families import families, message
from tests.property.gate_model import thaw
from tests.property.test_gate import Says, family, permits
from tests.strategies import cuts, episodes

Tree = dict[str, Any]

SEVERE = Says(1, 0.0)
"""Answers that let hardly anything through."""


def released(tree: Tree, answers: Says) -> Tree:
    """Return what the hub's own cut leaves of the episode *tree*."""
    left: Tree = thaw(prune(tree, permits(tree, answers)))
    return left


def about(episode: Tree) -> Tree:
    """Return the message in which the hub tells of *episode*."""
    return message(episode, episode_id=episode["episode_id"])


def given_back(name: str, tree: Tree) -> None:
    """Read what the format wrote as the hub's doors do, its canonical reader included."""
    raw = laws.rendered(name, tree)
    one = laws.FORMATS[name]
    found = translator().read_format(one, raw)
    if name in SAID_WHOLE:
        before, after = laws.by_place(tree), laws.by_place(dict(found.message))
        assert {place for place, _ in after.values()} <= {place for place, _ in before.values()}


SAID_WHOLE = [name for name in laws.EPISODES_BOTH if name != "caf-json"]
"""`caf-json` hands its input on as it is."""


@pytest.mark.parametrize("name", laws.EPISODES_BOTH)
@laws.about(3)
@given(data=st.data())
def test_what_the_gate_left_comes_back(name: str, data: st.DataObject) -> None:
    """Put-get over families as the gate cuts them, through the reader of the doors."""
    whole = data.draw(families(full=True))
    answers = Says(data.draw(st.integers(0, 9999)), data.draw(st.sampled_from([0.0, 0.5, 0.9])))
    for episode in laws.sayable(name, released(whole, answers)):
        tree = about(episode)
        if not _sayable(name, tree):
            continue
        laws.kept_comes_back(name, tree)
        given_back(name, tree)


def _sayable(name: str, tree: Tree) -> bool:
    """Whether the format says anything of it: an ADT needs a child, and says so (`E_MAPPING`)."""
    if "subjects" in tree["episode"] or not name.startswith("hl7v2/adt"):
        return True
    assert laws.rendered_or_refused(name, tree) is None
    return False


@pytest.mark.parametrize("name", laws.EPISODES_BOTH)
@laws.about(2)
@given(data=st.data())
def test_what_the_canonical_door_takes_is_said_or_refused(name: str, data: st.DataObject) -> None:
    """Cut anywhere: a part that the hub's own format holds is written in each other one and read
    again, or refused with `E_MAPPING`; no format hands out what it cannot take back.
    """
    episode = data.draw(episodes(full=True).flatmap(cuts))
    for part in laws.sayable(name, episode):
        tree = about(part)
        if not _lawful(tree) or laws.rendered_or_refused(name, tree) is None:
            continue
        given_back(name, tree)


def _lawful(tree: Tree) -> bool:
    try:
        read_message(orjson.dumps(tree))
    except InvalidContent:
        return False
    return True


NEEDS_A_CHILD: Final = {"cda-r2/document", "hl7v2/adt-person", "hl7v2/adt-merge"}
"""Formats that are about a child, and say so where none is shown."""
NEEDS_A_FACT: Final = {"hl7v2/adt-merge": "MRG", "ssd/early-help": "earl_person_id"}
"""What else a format refuses to go without: the number of a child, a number that was given up."""


def extract(tree: Tree, sections: set[str]) -> Tree:
    """Return the named part of the episode *tree* for a recipient who may see all of it."""
    answers = Says(0, 1.0)
    allowed = permits(tree, answers)
    allowed.rights = named_alone(answers.levels, sections)
    left: Tree = thaw(prune(of_sections(tree, sections), allowed))
    return left


def said_or_lawfully_refused(name: str, left: Tree) -> bool:
    """Write what was left in a format, each child's part where it wants that; True if all was."""
    refused = [
        (part, error)
        for part in laws.sayable(name, left)
        if (error := refusal(name, about(part))) is not None
    ]
    for part, error in refused:
        childless = name in NEEDS_A_CHILD and "subjects" not in part
        assert error.code == "E_MAPPING"
        assert childless or NEEDS_A_FACT.get(name, "?") in str(error), error
    return not refused


def refusal(name: str, tree: Tree) -> HubError | None:
    """Return why the format does not say *tree*, or None if it does."""
    try:
        laws.rendered(name, tree)
    except HubError as error:
        return error
    return None


@pytest.mark.parametrize("name", laws.EPISODES)
def test_an_extract_of_any_part_is_said(name: str) -> None:
    """No part is too small for a format: the family alone, without a word of the child, is
    written; only what a format is about may be missing, and is then named.
    """
    trees = (builders.episode(), family())
    for section in (*sorted(set(MEMBERS.values())), "sec.identity"):
        for tree in trees:
            said = said_or_lawfully_refused(name, extract(tree, {section}))
            if section == "sec.family":
                assert said or name in NEEDS_A_FACT


@pytest.mark.slow
@pytest.mark.parametrize("name", laws.EPISODES)
def test_severe_cuts_are_said(name: str) -> None:
    """Two thousand cuts that leave next to nothing, the same ones every time."""
    for seed in range(1000):
        for tree in (builders.episode(), family()):
            said_or_lawfully_refused(name, released(tree, Says(seed, 0.0)))


def test_the_severest_cut_leaves_something_to_read() -> None:
    """The law is about cut families: this one has lost much of what it said, and is still told."""
    whole = builders.episode()
    left = released(whole, SEVERE)
    assert 0 < len(laws.by_place(left)) < len(laws.by_place(whole)) * 2 / 3


def test_an_item_cut_apart_is_taken_by_no_door() -> None:
    """The gate treats system and value of an identifier alike, so a half of one is nobody's
    redaction: the canonical door refuses it, and CAF XML does not write it.
    """
    tree = about(builders.episode())
    del tree["episode"]["subjects"][0]["identifiers"][0]["value"]
    assert not _lawful(tree)
    with pytest.raises(HubError, match=r"Identifier\[0\]") as refused:
        laws.rendered("caf-xml/1", tree)
    assert refused.value.code == "E_MAPPING"
