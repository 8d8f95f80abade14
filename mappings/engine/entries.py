"""Entries: which there are, in which order, under which address; and those made on demand."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.errors import Code, Rejected
from mappings.engine.access import Scope
from mappings.engine.model import Entry
from mappings.engine.paths import Path
from mappings.engine.rendering import Rendering
from mappings.engine.source import Source


def twice(name: str) -> None:
    """Refuse two items that would be one entry."""
    raise Rejected(Code.MAPPING, f"{name}: two items have the same key")


def joined(*values: Any) -> str:
    """Return *values* as one key."""
    return "/".join([str(value or "") for value in values])


def demand(context: Rendering, place: tuple[str, Any], block: Any) -> str:
    """Note that the entry of *block* is wanted, and return its address.

    *place* is the entry's name and the block's key; unequal blocks of one key get their own.
    """
    name, key = place
    known = context.made.setdefault(place, [])
    url = context.address(f"{name}/{key}/{len(known)}" if known else f"{name}/{key}")
    known.append((block, url))
    context.waiting.append((name, block, url))
    return url


def first(context: Rendering, names: tuple[str, ...]) -> str | None:
    """Return the address of the first entry under any of *names*, and keep it."""
    url = next((url for name in names for url in context.urls[name].values()), None)
    if url is not None:
        context.firsts[names] = url
    return url


def every(context: Rendering, names: Sequence[str]) -> list[str]:
    """Return the addresses of all entries under *names*."""
    return [url for name in names for url in context.urls[name].values()]


NAMES: Final[Mapping[str, Any]] = {
    "twice": twice,
    "joined": joined,
    "demand": demand,
    "first": first,
    "every": every,
}
"""What generated addressing, and references to entries, expect in the namespace."""


def demands(source: Source, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Return, by entry, the names of the functions (block, context) that demand it.

    Equal blocks share an entry.
    """
    made: dict[str, str] = {}
    for name, entry in entries.items():
        if entry.of is None:
            continue
        scope = Scope(source, item="i")
        keys = ", ".join(scope.value(path) for path in entry.key)
        key = keys if len(entry.key) == 1 else f"joined({keys})"
        scope.line(f"place = ({source.literal(name)}, {key})")
        known = scope.inside("for block, url in c.made.get(place, ()):")
        equal = known.inside("if block is i or block == i:")
        equal.inside("if c.notes is not None:").line("c.notes.shared.append((block, i))")
        equal.line("return url")
        scope.line("return demand(c, place, i)")
        made[name] = source.function("i, c", scope)
    return made


def addressing(source: Source, entries: Sequence[tuple[Entry, str]]) -> str:
    """Return the name of the function (context) that gives every instance its address.

    *entries* go with the functions that build them.  It returns the instances in order: (build,
    item, enclosing item, address).
    """
    scope = Scope(source, item="r", outer="r")
    scope.top.append("r, address = c.root, c.address")
    scope.line("found = []")
    for entry, build in entries:
        _instances(source, scope, entry, build)
    scope.line("return found")
    return source.function("c", scope)


def _instances(source: Source, scope: Scope, entry: Entry, build: str) -> None:
    known, url = source.fresh(), source.fresh()
    prefix = source.literal(f"{entry.name}/")
    scope.line(f"{known} = c.urls[{source.literal(entry.name)}] = {{}}")
    if entry.each is None:
        if holds := scope.holds(entry.when):
            scope = scope.inside(f"if {holds}:")
        scope.line(f"{known}[''] = {url} = address({prefix})")
        scope.line(f"found.append(({build}, r, r, {url}))")
        return
    position = source.fresh()
    scope.line(f"{position} = -1")
    item, outer = "r", "r"
    for steps in levels(entry.each):
        items = f"{scope.value(Path(steps))} or ()"
        outer, item = item, source.fresh()
        scope = scope.inside(f"for {item} in {items}:", item=item, outer=outer)
    scope.line(f"{position} += 1")
    if holds := scope.holds(entry.when):
        scope = scope.inside(f"if {holds}:")
    key, text = _key(source, scope, entry, position)
    scope.inside(f"if {key} in {known}:").line(f"twice({source.literal(entry.name)})")
    scope.line(f"{known}[{key}] = {url} = address({prefix} + {text})")
    scope.line(f"found.append(({build}, {item}, {outer}, {url}))")


def _key(source: Source, scope: Scope, entry: Entry, position: str) -> tuple[str, str]:
    """Return the variable that holds the key of an instance, and the expression of its text."""
    key = source.fresh()
    if len(entry.key) == 1:
        scope.line(f"{key} = {scope.value(entry.key[0])}")
        scope.inside(f"if {key} is None:").line(f"{key} = f'#{{{position}}}'")
        return key, f"str({key})"
    values = "".join(f"{scope.value(path)}, " for path in entry.key)
    scope.line(f"{key} = ({values})")
    scope.inside(f"if not {key} or None in {key}:").line(f"{key} = (f'#{{{position}}}',)")
    return key, f"'/'.join(map(str, {key}))"


def levels(each: Path | None) -> list[tuple[Any, ...]]:
    """Return the steps of *each*, cut after every list."""
    levels: list[tuple[Any, ...]] = []
    rest = None if each is None else Path(each.steps)
    while rest is not None and rest.steps:
        parts = rest.split()
        if parts is None:
            break
        levels.append(parts[0].steps)
        rest = parts[1]
    return levels
