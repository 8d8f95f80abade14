"""Keeps what an item of a list is known by, where it stands deeper than in the item itself.

``group[OBR.4.1=PLAN]`` makes items that say PLAN at ``OBR.4.1``.  A constant goes only in company,
and the company of this one is the whole item, not the object that it happens to stand in: without
it nobody could tell what the item is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mappings.engine.paths import Kind, Path
from mappings.engine.tree import Constant, Listed, Object, Part, Slot, structural

Steps = Sequence[tuple[str, bool]]
"""Names on the way, each with whether it is a list of one."""


def keeper(part: Part) -> Callable[[Any], Any] | None:
    """Return what adds to an item of *part* the conditions that it may have lost; None if none."""
    loose = [
        (_steps(path), _fixed(part, path, text))
        for path, text in part.where
        if _loose(part.content, path)
    ]
    if not loose:
        return None
    near: dict[Steps, list[str]] = {}
    for steps, _value in loose:
        if steps[-1][1]:
            near.setdefault(steps, [])
        else:
            near.setdefault(steps[:-1], []).append(steps[-1][0])

    def keep(item: Any) -> Any:
        if _all_stand(item, near):  # nearly always
            return item
        for steps, value in loose:
            if not _stands(item, steps):
                item = _with(item, steps, value)
        return item

    return keep


def _all_stand(item: Any, near: Mapping[Steps, Sequence[str]]) -> bool:
    """Return whether everything stands in *item*; neighbours are looked for on one way."""
    for above, names in near.items():
        inner = _at(item, above)
        if inner is None:
            return False
        for name in names:
            if inner.get(name) is None:
                return False
    return True


def _at(here: Any, steps: Steps) -> Any:
    """Return the object at *steps* of *here*; None if there is none."""
    for name, listed in steps:
        here = here.get(name)
        if not here:
            return None
        if listed:
            here = here[0]
    return here


def _stands(here: Any, steps: Steps) -> bool:
    """Return whether something stands at *steps* of *here*."""
    for name, listed in steps:
        here = here.get(name)
        if here is None:
            return False
        if listed:
            if not here:
                return False
            here = here[0]
    return True


def _steps(path: Path) -> Steps:
    return tuple((step.name, step.kind is Kind.ONLY) for step in path.steps)


def _loose(slot: Slot, path: Path) -> bool:
    """Return whether the constant at *path* stands in an object that may be absent."""
    if len(path.steps) == 1 or not isinstance(slot, Object):
        return False
    inner = slot.fields.get(path.steps[0].name)
    return inner is not None and not structural(inner)


def _fixed(part: Part, path: Path, text: str) -> Any:
    here: Slot | None = part.content
    for step in path.steps:
        if isinstance(here, Listed):
            here = here.parts[0].content
        here = here.fields.get(step.name) if isinstance(here, Object) else None
    return here.value if isinstance(here, Constant) else text


def _with(item: Mapping[str, Any], steps: Steps, value: Any) -> Mapping[str, Any]:
    """Return *item* with *value* at *steps*, unless something stands there; nothing is changed in
    place, because equal subtrees are shared.
    """
    (name, listed), *rest = steps
    held = item.get(name)
    if not rest:
        return item if held is not None else {name: value, **item}
    inner = (held[0] if held else {}) if listed else held or {}
    made = _with(inner, rest, value)
    if made is inner:
        return item
    return {**item, name: [made, *(held or [])[1:]] if listed else made}
