"""Laws of the canonical model: what is lawful is read, and partial senders lose nothing."""

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.checks import check_episode
from hub.domain.dictionary import Leaf, Node, episode_tree, leaves
from hub.domain.merge import merge
from hub.errors import Code, Conflict, Malformed
from mappings.formats.canonical_json import read_message
from mappings.formats.json_locate import locate
from mappings.formats.json_strict import DEFAULT, parse
from tests.strategies import cuts, episodes, redactions

FEW = settings(max_examples=25)


def _anything(_: Leaf) -> bool:
    return True


def _nothing(_: Leaf) -> bool:
    return False


@FEW
@given(episodes())
def test_a_lawful_family_is_read_as_it_was_sent(tree: dict[str, Any]) -> None:
    """Reading changes nothing, and finds nothing wrong with the whole either."""
    assert check_episode(tree, whole=True) == []
    read, _ = read_message(orjson.dumps({"episode": tree}))
    assert read == {"episode": tree}


@FEW
@given(st.data())
def test_a_redacted_copy_posted_back_changes_nothing(data: st.DataObject) -> None:
    """Any cut of an episode, merged into it, leaves it as it was, whatever may be written."""
    before = data.draw(episodes())
    kept = copy.deepcopy(before)
    cut = data.draw(cuts(before))
    assert merge(before, cut, writable=_nothing) == before == kept
    assert merge(before, cut, writable=_anything) == before == kept


@FEW
@given(st.data())
def test_a_redacted_copy_is_lawful_to_send(data: st.DataObject) -> None:
    """Whatever the gate may have cut, its recipient can send the rest back."""
    cut = data.draw(redactions(data.draw(episodes())))
    read, _ = read_message(orjson.dumps({"episode": cut}))
    assert read["episode"] == cut


def _scalars(
    item: Any, nodes: Any, where: tuple[Any, ...] = ()
) -> list[tuple[tuple[Any, ...], Node]]:
    """Return every leaf that stands in groups and keyed lists, which merge leaf by leaf."""
    found = []
    for name, held in item.items():
        node = nodes[name]
        if node.leaf is not None:
            if not node.leaf.key and name != "episode_id":
                found.append(((*where, name), node))
        elif node.kind == "object" and node.type.__name__ in (
            "Characteristics",
            "Conclusions",
            "AssessmentInformation",
            "Plan",
            "FamilyAndHome",
            "Closure",
        ):
            found += _scalars(held, node.children, (*where, name))
        elif node.kind == "list" and any(
            child.leaf is not None and child.leaf.key for child in node.children.values()
        ):
            for place, child in enumerate(held):
                found += _scalars(child, node.children, (*where, name, place))
    return found


def _at(tree: Any, where: tuple[Any, ...]) -> Any:
    for step in where:
        tree = tree[step]
    return tree


def _other(value: Any) -> Any:
    """Return a value of the same kind that differs."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return [*value, *value] if isinstance(value, list) else f"{value}x"


@FEW
@given(st.data())
def test_a_change_lands_and_nothing_else_moves(data: st.DataObject) -> None:
    """One changed leaf in a redacted copy changes that leaf of the whole and no other."""
    before = data.draw(episodes())
    cut = data.draw(cuts(before))
    sites = _scalars(cut, episode_tree())
    where, _ = data.draw(st.sampled_from(sites)) if sites else ((), None)
    if not where:
        return
    sent = copy.deepcopy(cut)
    _at(sent, where[:-1])[where[-1]] = _other(_at(sent, where))
    after = merge(before, sent, writable=_anything)
    expected = copy.deepcopy(before)
    target: Any = expected
    seen: Any = sent
    for step in where[:-1]:
        if isinstance(step, int):
            key = next(name for name in seen[step] if _key_name(where, name))
            target = next(item for item in target if item[key] == seen[step][key])
        else:
            target = target[step]
        seen = seen[step]
    target[where[-1]] = seen[where[-1]]
    if where[-1] == "date_of_birth":
        target.pop("expected_date_of_delivery", None)
    assert after == expected


def _key_name(where: tuple[Any, ...], name: str) -> bool:
    """Tell whether *name* is a key leaf of the list that *where* passes through."""
    names = [step for step in where[:-1] if isinstance(step, str)]
    node: Any = None
    nodes: Any = episode_tree()
    keys = set()
    for step in names:
        node = nodes[step]
        nodes = node.children
        keys |= {key for key, child in nodes.items() if child.leaf is not None and child.leaf.key}
    return name in keys


@FEW
@given(st.data())
def test_what_is_not_the_senders_cannot_be_changed(data: st.DataObject) -> None:
    """The same changed leaf, when it may not be written, is refused at its place."""
    before = data.draw(episodes())
    sites = _scalars(before, episode_tree())
    where, node = data.draw(st.sampled_from(sites))
    sent = copy.deepcopy(before)
    _at(sent, where[:-1])[where[-1]] = _other(_at(sent, where))
    with pytest.raises(Conflict) as refused:
        merge(before, sent, writable=lambda leaf: leaf.path != node.leaf.path)
    told = [(fault.code, fault.path) for fault in refused.value.faults]
    assert told == [(Code.NOT_OWNER, "".join(f"/{step}" for step in where))]


@FEW
@given(st.data())
def test_a_right_guess_looks_like_a_wrong_one(data: st.DataObject) -> None:
    """Who was never given a leaf and may not write it learns nothing by sending its true value."""
    before = data.draw(episodes())
    where, node = data.draw(st.sampled_from(_scalars(before, episode_tree())))
    told = []
    for value in (_at(before, where), _other(_at(before, where))):
        sent = copy.deepcopy(before)
        _at(sent, where[:-1])[where[-1]] = value
        with pytest.raises(Conflict) as refused:
            merge(
                before,
                sent,
                writable=lambda leaf: leaf.path != node.leaf.path,
                given=lambda leaf, _: leaf.path != node.leaf.path,
            )
        told.append(refused.value.faults)
    assert told[0] == told[1]


# Strict JSON

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**29), 10**29) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
_refused = {chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]} - set("\t\n\r")


@given(_json, st.booleans(), st.sampled_from([None, 1]))
def test_lawful_json_means_what_the_standard_library_says(
    value: Any, ascii_only: bool, indent: int | None
) -> None:
    """However it is laid out, it is read as `json` reads it, or refused for a character."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if _refused & set(_strings(value)):
        with pytest.raises(Malformed):
            parse(text.encode())
    else:
        assert parse(text.encode()) == json.loads(text)


def _strings(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(key + _strings(held) for key, held in value.items())
    if isinstance(value, list):
        return "".join(map(_strings, value))
    return value if isinstance(value, str) else ""


@given(st.text(alphabet='{}[]:,"\\u0aE.-+1tfn ', max_size=40))
def test_both_passes_agree_on_rubbish(text: str) -> None:
    """The slow pass clears nothing that cannot be parsed, and the fast one lets nothing through
    that it refuses.
    """
    faults = locate(text, DEFAULT)
    if faults:
        with pytest.raises(Malformed) as refused:
            parse(text.encode())
        assert refused.value.faults == faults
    else:
        assert parse(text.encode()) == json.loads(text)


def test_every_leaf_of_the_dictionary_can_be_drawn() -> None:
    """The strategies reach the whole model: every leaf turns up in some family."""
    seen: set[str] = set()

    @settings(max_examples=10, database=None, derandomize=True)
    @given(episodes(full=True))
    def draw(tree: dict[str, Any]) -> None:
        _note(tree, episode_tree(), seen)
        assert check_episode(tree, whole=True) == []

    draw()
    assert set(leaves()) - seen == set()


def _note(item: Any, nodes: Any, seen: set[str]) -> None:
    for name, held in item.items():
        node = nodes[name]
        if node.leaf is not None:
            seen.add(node.leaf.path)
        elif node.kind == "object":
            _note(held, node.children, seen)
        else:
            for child in held:
                _note(child, node.children, seen)
