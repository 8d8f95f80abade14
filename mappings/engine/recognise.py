"""Recognises the items of received lists, and entries: which part of a plan one is."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from mappings.engine.paths import Path
from mappings.engine.tree import Constant, Listed, Object, Part, Slot

Recognise = Callable[[Any], Any]
"""An item to the name of its part, or None."""


def told_by(parts: Sequence[Part]) -> tuple[str, list[Any]] | None:
    """Return the one member (``url``, ``linkId``, ``system``) that tells all *parts*, and by what.

    None if they are not told so.
    """
    members = {tuple(step.name for step in path.steps) for part in parts for path, _ in part.where}
    if len(members) != 1 or any(len(part.where) != 1 for part in parts):
        return None
    (names,) = members
    values = [_fixed(part.content, *part.where[0]) for part in parts]
    return (names[0], values) if len(names) == 1 else None


def quick(
    value: list[Any], member: str, known: AbstractSet[Any], many: Sequence[Any]
) -> dict[Any, Any] | None:
    """Return the items of *value* by what *member* says: one each, or a list for those in *many*.

    None if it is not as plain as that: `sort` can tell more.
    """
    try:
        if len(value) == 1:  # most lists
            name = value[0][member]
            return {name: value if name in many else value[0]} if name in known else None
        found = {one[member]: one for one in value}
    except (TypeError, KeyError):
        return None
    if len(found) != len(value) or not found.keys() <= known:
        return None
    for name in many:
        if name in found:
            found[name] = [found[name]]
    return found


def sort(
    value: list[Any], recognise: Recognise, many: Sequence[Any]
) -> tuple[dict[Any, Any], list[int]]:
    """Return the items of *value* by the names of their parts: one each, or a list for *many*.

    With them go the positions of what nobody recognises, or stands there once too often.
    """
    found: dict[Any, Any] = {}
    strange: list[int] = []
    for position, one in enumerate(value):
        name = recognise(one)
        if name is None or (name in found and name not in many):
            strange.append(position)
        elif name not in many:
            found[name] = one
        elif name in found:
            found[name].append(one)
        else:
            found[name] = [one]
    return found, strange


def recogniser(parts: Sequence[Part], names: Sequence[Any]) -> Recognise:
    """Return what tells the name of the part that an item is; the earlier part wins.

    Neighbours that ask the same places are told apart by what stands there.
    """
    tables: list[tuple[Callable[[Any], Any], dict[Any, Any]]] = []
    asked: list[tuple[str, ...]] | None = None
    for part, name in zip(parts, names, strict=True):
        paths = [tuple(step.name for step in path.steps) for path, _text in part.where]
        if paths != asked:
            asked = paths
            tables.append((_asking(paths), {}))
        fixed = tuple(_fixed(part.content, path, text) for path, text in part.where)
        tables[-1][1].setdefault(fixed[0] if len(fixed) == 1 else fixed, name)

    def recognise(value: Any) -> Any:
        for ask, table in tables:
            try:
                name = table.get(ask(value))
            except TypeError:  # a stranger may put a list where a code belongs
                continue
            if name is not None:
                return name
        return None

    return recognise


def _asking(paths: list[tuple[str, ...]]) -> Callable[[Any], Any]:
    """Return what fetches the value at *paths*, or a tuple of the values, if they are several."""
    if not paths:
        return lambda _value: ()
    if len(paths) == 1:
        (path,) = paths
        if len(path) == 1:
            (only,) = path
            return lambda value: value.get(only) if type(value) is dict else None
        return lambda value: _at(value, path)
    above = paths[0][:-1]
    if any(path[:-1] != above for path in paths):
        return lambda value: tuple([_at(value, path) for path in paths])
    last = [path[-1:] for path in paths]

    def ask(value: Any) -> tuple[Any, ...]:
        here = _at(value, above)
        return tuple([_at(here, name) for name in last])

    return ask


def _at(here: Any, names: Sequence[str]) -> Any:
    """Return what stands at *names*, through the first items of lists; None if nothing does."""
    for name in names:
        if type(here) is list:
            here = here[0] if here else None
        if type(here) is not dict:
            return None
        here = here.get(name)
    return here


def met(where: tuple[tuple[Path, Any], ...]) -> AbstractSet[str]:
    """Return the members of which *where* has said what they hold."""
    return {path.steps[0].name for path, _text in where if len(path.steps) == 1}


def _fixed(slot: Slot, path: Path, text: str) -> Any:
    """Return the typed constant at *path* below *slot*; *text* if the format types nothing."""
    here: Slot = slot
    for step in path.steps:
        if isinstance(here, Listed):
            here = here.parts[0].content
        if not isinstance(here, Object) or step.name not in here.fields:
            return text
        here = here.fields[step.name]
    return here.value if isinstance(here, Constant) else text
