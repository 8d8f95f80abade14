"""Places in a mapping being read: texts filled in, paths parsed and looked up."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any, Final, Literal, cast

from hub.positioned import Problems, Value
from mappings.engine.canonical import NoSuchPlace, Resolved, Scope
from mappings.engine.model import Lost, When
from mappings.engine.overlays import Overlay
from mappings.engine.paths import SELF, Kind, Path, PathError, Step, parse
from mappings.engine.tables import NAME, Shelf, Table, read_rows, replaced, table_of

WHEN: Final = ("present", "absent", "several", "any", "is", "not")


@dataclass(slots=True)
class Loader:
    """What is known while one mapping is read."""

    folder: FilePath
    codes: Shelf
    shown: str
    overlay: Overlay | None = None
    problems: Problems = field(default_factory=Problems)
    let: dict[str, str] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Value] = field(default_factory=dict)
    written: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Here:
    """The place in the mapping: the item in scope, what stands before both paths, what ``<…>``
    means.

    *within* is the place of the item on the wire, seen from its entry.  *own* is false inside the
    rules of an overlay, which nothing replaces.
    """

    scope: Scope
    entry: str = ""
    resource: str = ""
    caf: Path = SELF
    wire: Path = SELF
    names: Mapping[str, str] = field(default_factory=dict)
    when: tuple[When, ...] = ()
    using: tuple[str, ...] = ()
    within: Path = SELF
    own: bool = True


def looked_up(
    loader: Loader, value: Value, here: Here, *, bare: bool = False
) -> tuple[Path, Resolved]:
    path = here.caf.joined(needed(loader, value, here.names))
    try:
        return path, here.scope.resolve(path)
    except NoSuchPlace as wrong:
        if bare and "is a list" in str(wrong):
            last = path.steps[-1]
            listed = Path((*path.steps[:-1], Step(last.name, Kind.EACH)), path.start)
            return path, here.scope.resolve(listed)
        value.error(str(wrong))


def when(loader: Loader, value: Value | None, here: Here) -> tuple[When, ...]:
    if value is None:
        return ()
    if value.kind() == "list":
        return tuple(met for one in value.sequence() for met in when(loader, one, here))
    fields = value.mapping(*WHEN)
    if len(fields.names()) != 1:
        value.error(f"when has exactly one of {', '.join(WHEN)}")
    test = fields.names()[0]
    if test in {"is", "not"}:
        return (_is(loader, fields.need(test), here, cast(Any, test)),)
    given = fields.need(test)
    listed = given.sequence() if given.kind() == "list" else (given,)
    found = [looked_up(loader, one, here, bare=True) for one in listed]
    keys = tuple(key for path, place in found for key in conditions(path, place.path))
    return (When(cast(Any, test), tuple(path for path, _place in found), keys=keys),)


def conditions(path: Path, covers: str) -> Iterator[str]:
    """Yield the generic places that the conditions of *path*, which leads to *covers*, ask for."""
    for position, step in enumerate(path.steps):
        for where, _value in step.where:
            behind = len(path.steps) - position - 1
            above = covers.split(".")
            yield ".".join([*above[: len(above) - behind], str(where)])


def _is(loader: Loader, value: Value, here: Here, test: Literal["is", "not"]) -> When:
    """Return the condition that ``path=value`` writes, or ``path=one|other``.

    The value has the type of its leaf; an absent one is ``not`` any value.
    """
    text, equals, wanted = filled(loader, value, here.names).rpartition("=")
    if not equals or not wanted:
        value.error(f"{test} has a path, = and a value")
    path = here.caf.joined(parsed(value, text))
    try:
        found = here.scope.resolve(path)
    except NoSuchPlace as wrong:
        value.error(str(wrong))
    several = tuple(wanted.split("|"))
    if not all(several):
        value.error("a value is missing beside |")
    typed: Any = several if len(several) > 1 else wanted
    node = found.node
    if node is not None and node.leaf is not None and node.leaf.form == "bool":
        if wanted not in {"true", "false"}:
            value.error(f"{text} is true or false")
        typed = wanted == "true"
    return When(test, (path,), typed, (*conditions(path, found.path), found.path))


def table(loader: Loader, value: Value | None) -> Table | None:
    if value is None:
        return None
    name = value.text()
    if name not in loader.tables:
        found = loader.codes.find(name) if NAME.fullmatch(name) else None
        if found is None:
            near = get_close_matches(name, loader.codes.names(), 1)
            value.error(f"there is no code table {name}" + (f": {near[0]}?" if near else ""))
        file, shown = found
        rows = read_rows(file, shown)
        if loader.overlay is not None:
            rows = replaced(rows, loader.overlay.rows_of(name))
        loader.tables[name] = table_of(name, shown, rows, loader.let)
    return loader.tables[name]


def path(loader: Loader, value: Value | None, names: Mapping[str, str]) -> Path | None:
    return None if value is None else needed(loader, value, names)


def needed(loader: Loader, value: Value, names: Mapping[str, str]) -> Path:
    return parsed(value, filled(loader, value, names))


def parsed(value: Value, text: str) -> Path:
    try:
        return parse(text)
    except PathError as wrong:
        same = text == value.text()
        shown = "" if same else f" in {text}"
        value.error(f"{wrong}{shown}", at=wrong.at if same else 0)


def filled(loader: Loader, value: Value, names: Mapping[str, str]) -> str:
    return fill(loader, value, value.text(), names)


def fill(loader: Loader, value: Value, text: str, names: Mapping[str, str]) -> str:
    """Return *text* with ``${name}`` and ``<name>`` put in."""

    def put(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        known: Mapping[str, str] = loader.let if found[1] else names
        if name not in known:
            value.error(f"nothing is called {name} here", at=found.start())
        return known[name]

    return re.sub(r"\$\{([^}]*)\}|<([^>]*)>", put, text)
