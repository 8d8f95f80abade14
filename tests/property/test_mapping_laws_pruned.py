"""Laws of every two-way mapping about what the gate left: a document that a recipient got from the
hub, and gives back, is read, whatever was cut out of it (`design.md` sections 4 and 6).
"""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import HubError, InvalidContent
from hub.services.prune import prune
from mappings.commands import translator
from mappings.formats.canonical_json import read_message
from tests import builders
from tests.property import laws
from tests.property.families import families, message
from tests.property.gate_model import thaw
from tests.property.test_gate import Says, permits
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
