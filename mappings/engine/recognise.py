"""Recognises the items of received lists, and entries: which part of a plan one is."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from mappings.engine.paths import Path
from mappings.engine.source import Block, Source
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


def sort(
    value: list[Any], recognise: Recognise, many: AbstractSet[Any]
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
    """Return what tells the name of the part that an item is; the earlier part wins."""
    sorted_by = _tables(parts, names)
    if not sorted_by[0][0]:  # the first takes whatever comes
        first = sorted_by[0][1][()]
        return lambda _value: first
    tables = [(_asking(paths), table) for paths, table in sorted_by]

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


def sorter(source: Source, parts: Sequence[Part], names: Sequence[Any]) -> str:
    """Return the name of a function (list) that does what `sort` does for *parts*, written out.

    A list in which some code is no code goes to `sort` itself.
    """
    many = source.bind(several(parts, names))
    loop = Block()
    for number, (paths, table) in enumerate(_tables(parts, names)):
        above = loop
        if number:
            loop.line("if n is None:")
            above = Block()
            loop.body.append(above)
        above.line(f"n = {_asked(source, paths, table)}")
    for text in (
        "if n is None:",
        " s.append(p)",
        f"elif n in {many}:",
        " f.setdefault(n, []).append(y)",
        "elif f.setdefault(n, y) is not y:",
        " s.append(p)",
    ):
        loop.line(text)
    slow = source.bind(recogniser(parts, names))
    whole = Block()
    whole.line("f, s = {}, []")
    whole.line("try:")
    whole.line(" for p, y in enumerate(x):")
    whole.body.append(Block())
    whole.body[-1].body.append(loop)  # type: ignore[union-attr]
    whole.line("except Unhashable:")
    whole.line(f" return sort(x, {slow}, {many})")
    whole.line("return f, s")
    return source.function("x", whole)


def _asked(source: Source, paths: list[tuple[str, ...]], table: dict[Any, Any]) -> str:
    """Return the expression of the name that *table* has for what stands at *paths* of ``y``."""
    if not paths:
        return source.literal(table[()])
    found = source.bind(table.get)
    if len(paths) == 1 and len(paths[0]) == 1:
        return f"{found}(y.get({source.literal(paths[0][0])})) if type(y) is dict else None"
    return f"{found}({source.bind(_asking(paths))}(y))"


def several(parts: Sequence[Part], names: Sequence[Any]) -> AbstractSet[Any]:
    """Return the names of the parts of which there may be several items."""
    return frozenset(name for name, part in zip(names, parts, strict=True) if part.rule)


def _tables(
    parts: Sequence[Part], names: Sequence[Any]
) -> list[tuple[list[tuple[str, ...]], dict[Any, Any]]]:
    """Return which places to ask, one set after the other, and the name for each answer.

    Neighbours that ask the same places are told apart by what stands there.
    """
    tables: list[tuple[list[tuple[str, ...]], dict[Any, Any]]] = []
    for part, name in zip(parts, names, strict=True):
        paths = [tuple(step.name for step in path.steps) for path, _text in part.where]
        if not tables or paths != tables[-1][0]:
            tables.append((paths, {}))
        fixed = tuple(_fixed(part.content, path, text) for path, text in part.where)
        tables[-1][1].setdefault(fixed[0] if len(fixed) == 1 else fixed, name)
    return tables


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
    last = [path[-1] for path in paths]

    def ask(value: Any) -> tuple[Any, ...]:
        here = _at(value, above)
        here = here[0] if type(here) is list and here else here
        return tuple([here.get(name) if type(here) is dict else None for name in last])

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
