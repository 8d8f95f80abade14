"""Places in a mapping being read: texts filled in, paths parsed and looked up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, cast

from hub.positioned import Problems, Value
from mappings.engine.canonical import NoSuchPlace, Resolved, Scope
from mappings.engine.model import Lost, When
from mappings.engine.paths import SELF, Kind, Path, PathError, Step, parse
from mappings.engine.tables import Table, read_table


@dataclass(slots=True)
class Loader:
    """What is known while one mapping is read."""

    folder: FilePath
    codes: FilePath
    shown: str
    problems: Problems = field(default_factory=Problems)
    let: dict[str, str] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Value] = field(default_factory=dict)
    written: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True)
class Here:
    """The place in the mapping: the item in scope, what stands before both paths, what ``<…>``
    means.
    """

    scope: Scope
    caf: Path = SELF
    wire: Path = SELF
    names: Mapping[str, str] = field(default_factory=dict)
    when: tuple[When, ...] = ()
    using: tuple[str, ...] = ()


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
    fields = value.mapping("present", "absent", "several", "any")
    if len(fields.names()) != 1:
        value.error("when has exactly one of present, absent, several, any")
    test = fields.names()[0]
    given = fields.need(test)
    listed = given.sequence() if given.kind() == "list" else (given,)
    paths = tuple(looked_up(loader, one, here, bare=True)[0] for one in listed)
    return (When(cast(Any, test), paths),)


def table(loader: Loader, value: Value | None) -> Table | None:
    if value is None:
        return None
    name = value.text()
    if name not in loader.tables:
        file = loader.codes / f"{name}.csv"
        if not re.fullmatch(r"[a-z0-9-]+", name) or not file.exists():
            value.error(f"there is no code table {name}")
        loader.tables[name] = read_table(file, f"codes/{name}.csv", loader.let)
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
