"""Paths into plain trees."""

from typing import Any

import pytest

from hub.scenarios.paths import drop, put, values

TREE = {"a": [{"id": "x", "n": 1}, {"id": "y", "n": 2}], "b": {"c": ["p", "q"]}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a[id=y].n", [2]),
        ("a[0].n", [1]),
        ("a[].n", [1, 2]),
        ("a.n", [1, 2]),
        ("b.c", [["p", "q"]]),
        ("b.c[1]", ["q"]),
        ("b.d", []),
    ],
)
def test_values_are_found_by_name_place_and_key(path: Any, found: Any) -> None:
    """A list in the middle means every item; one at the end is a value."""
    assert list(values(TREE, path)) == found


def test_put_makes_what_is_missing() -> None:
    """A change can name an item that is not there yet."""
    tree: dict[str, Any] = {}

    put(tree, "plan.action[id=a1].action_status", "DONE")

    assert tree == {"plan": {"action": [{"id": "a1", "action_status": "DONE"}]}}


def test_drop_removes_one_item() -> None:
    """Only the item that is named goes."""
    tree = {"a": [{"id": "x"}, {"id": "y"}]}

    drop(tree, "a[id=x]")

    assert tree == {"a": [{"id": "y"}]}


def test_nonsense_is_no_path() -> None:
    """A slip is an error, not an empty answer."""
    with pytest.raises(ValueError, match="not a path"):
        list(values(TREE, "a..b"))
