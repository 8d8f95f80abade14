"""Taking trees apart by child, and putting them together."""

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.database.parts import PLACES, join, split
from hub.domain.dictionary import Node, episode_tree
from tests.contract.records import TREE

_CHILD = st.sampled_from(["c1", "c2", "c3"])
_ITEM = st.fixed_dictionaries({"subject_id": _CHILD}, optional={"text": st.text(max_size=5)})
_ADULT = st.fixed_dictionaries(
    {"parent_carer_id": st.text(max_size=3)},
    optional={"relationships": st.lists(_ITEM, max_size=4)},
)
TREES = st.fixed_dictionaries(
    {"episode_id": st.just("e1")},
    optional={
        "subjects": st.lists(_ITEM, max_size=4),
        "parents_carers": st.lists(_ADULT, max_size=3),
        "conclusions": st.fixed_dictionaries(
            {}, optional={"child_comment": st.lists(_ITEM, max_size=4), "goals": st.just(["g"])}
        ),
        "reviews": st.lists(
            st.fixed_dictionaries({}, optional={"child_comment": st.lists(_ITEM, max_size=2)}),
            max_size=2,
        ),
        "plan": st.fixed_dictionaries({}, optional={"child_comment": st.lists(_ITEM, max_size=2)}),
        "closure": st.fixed_dictionaries({}, optional={"child_view": st.lists(_ITEM, max_size=2)}),
    },
)


def joined(shared: Any, parts: Any) -> Any:
    """Join as the store does: after a round trip through bytes."""
    return join(orjson.loads(orjson.dumps(shared)), orjson.loads(orjson.dumps(parts)))


@given(TREES)
def test_what_was_split_joins_to_the_same(tree: dict[str, Any]) -> None:
    """Split and joined, every tree is equal to itself, order included, and was not changed."""
    before = copy.deepcopy(tree)

    shared, parts = split(tree)

    assert tree == before
    assert joined(shared, parts) == tree


@given(TREES)
def test_the_shared_part_holds_nothing_of_any_child(tree: dict[str, Any]) -> None:
    """No item that names a child is in the shared part or in another child's part."""
    shared, parts = split(tree)

    assert "subject_id" not in orjson.dumps(shared).decode()
    for child, part in parts.items():
        assert {item["subject_id"] for _, item in part} == {child}


@given(TREES, _CHILD)
def test_a_missing_part_leaves_no_trace(tree: dict[str, Any], child: str) -> None:
    """Joined without one child's part, the tree is as if the child had never been in it."""
    shared, parts = split(tree)
    parts.pop(child, None)

    left = joined(shared, parts)

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items()}
        if isinstance(value, list):
            return [
                without(v)
                for v in value
                if not (isinstance(v, dict) and v.get("subject_id") == child)
            ]
        return value

    assert left == without(tree)


def test_odd_trees_stay_whole() -> None:
    """What is not shaped as the dictionary says is kept in the shared part, not lost."""
    for tree in (
        {},
        {"subjects": "x", "parents_carers": {"a": 1}, "conclusions": []},
        {"subjects": [{"subject_id": ""}, {"subject_id": 7}, "c1", {}]},
        {"parents_carers": ["x", {"relationships": {"subject_id": "c1"}}]},
    ):
        shared, parts = split(tree)
        assert parts == {}
        assert joined(shared, parts) == tree


def lists_of_items_that_name_a_child(nodes: Any) -> Iterator[str]:
    for node in nodes:
        child: Node = node
        if child.kind == "list" and "subject_id" in child.children:
            yield child.path
        yield from lists_of_items_that_name_a_child(child.children.values())


def test_every_place_that_names_a_child_is_known() -> None:
    """A new list in the data dictionary whose items name a child must be sealed under its key."""
    tree = episode_tree()
    nodes = tree.children.values() if isinstance(tree, Node) else tree.values()

    assert sorted(lists_of_items_that_name_a_child(nodes)) == sorted(PLACES)


@pytest.mark.parametrize("child", ["c1", "c2"])
def test_the_sample_family_splits(child: str) -> None:
    """The family of the contract tests has something of each child everywhere."""
    _, parts = split(TREE)

    assert len(parts[child]) == {"c1": 2, "c2": 3}[child]
