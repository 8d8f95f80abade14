"""Taking an episode's tree apart by whose it is, and putting it together again.

Each child's part is sealed under a key of its own (`design.md` section 7), so that one child's
data can be destroyed and the brother's kept.  What belongs to a child is every list item that
names a `subject_id`: the subject itself, an adult's relationship to it, its own comment.  A
``None`` stands where an item was taken from (the canonical tree knows no null); without the
child's part these are left out on joining.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PLACES = (
    "subjects",
    "parents_carers[].relationships",
    "conclusions.child_comment",
    "plan.child_comment",
    "reviews[].child_comment",
    "closure.child_view",
)
"""The lists whose items belong to the child that they name, by the data dictionary (tested)."""

_SPLIT = tuple(tuple(place.split(".")) for place in PLACES)

Part = list[list[Any]]
"""What one child owns: [way, item] pairs; the way is the keys and indexes that lead to it."""


def split(tree: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Part]]:
    """Return the shared part and each child's part; *tree* itself is not touched.

    >>> shared, parts = split({"subjects": [{"subject_id": "c1", "family_name": "Example"}]})
    >>> shared
    {'subjects': [None]}
    >>> parts
    {'c1': [[['subjects', 0], {'subject_id': 'c1', 'family_name': 'Example'}]]}
    """
    parts: dict[str, Part] = {}
    shared: Any = tree
    for steps in _SPLIT:
        shared = _take(shared, steps, (), parts)
    return (shared if shared is not tree else dict(tree)), parts


def _take(
    value: Any, steps: Sequence[str], way: tuple[str | int, ...], parts: dict[str, Part]
) -> Any:
    """Return a copy of *value*, along *steps* only, with ``None`` for the children's items."""
    if not isinstance(value, Mapping):
        return value
    name = steps[0].removesuffix("[]")
    inner = value.get(name)
    if inner is None:
        return value
    if len(steps) == 1:
        if not isinstance(inner, list):
            return value
        left: Any = []
        for at, item in enumerate(inner):
            owner = item.get("subject_id") if isinstance(item, Mapping) else None
            if isinstance(owner, str) and owner:
                parts.setdefault(owner, []).append([[*way, name, at], item])
                left.append(None)
            else:
                left.append(item)
    elif steps[0].endswith("[]"):
        if not isinstance(inner, list):
            return value
        left = [_take(item, steps[1:], (*way, name, at), parts) for at, item in enumerate(inner)]
    else:
        left = _take(inner, steps[1:], (*way, name), parts)
    return {**value, name: left}


def join(shared: dict[str, Any], parts: Mapping[str, Part]) -> dict[str, Any]:
    """Return the tree, made of *shared* itself; children whose part is missing are left out."""
    for part in parts.values():
        for way, item in part:
            place: Any = shared
            for step in way[:-1]:
                place = place[step]
            place[way[-1]] = item
    for items in _lists(shared):
        if None in items:
            items[:] = [item for item in items if item is not None]
    return shared


def _lists(shared: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yield the lists of `PLACES` that are there."""
    for steps in _SPLIT:
        values: list[Any] = [shared]
        for step in steps:
            found = [v.get(step.removesuffix("[]")) for v in values if isinstance(v, Mapping)]
            values = (
                [item for inner in found if isinstance(inner, list) for item in inner]
                if step.endswith("[]")
                else [inner for inner in found if inner is not None]
            )
        yield from (v for v in values if isinstance(v, list))
