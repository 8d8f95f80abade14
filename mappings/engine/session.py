"""One reading of entries that refer to each other: recognise, read once, file by key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.errors import Fault
from mappings.engine.model import Entry
from mappings.engine.paths import Path
from mappings.engine.read import Take, merge
from mappings.engine.reading import Reading, Trail
from mappings.engine.shape import Piece, Shape


@dataclass(frozen=True, slots=True)
class Taken:
    """One entry, compiled from the wire."""

    entry: Entry
    take: Take
    resource: str
    matches: Callable[[Any], bool]
    lists: tuple[tuple[str, ...], ...]
    key: str


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was read: the canonical message, what no rule knows, and what disagrees with itself."""

    message: dict[str, Any]
    unmapped: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class Session:
    """One reading of a document with entries that refer to each other."""

    taken: Mapping[str, Sequence[Taken]]
    shape: Shape
    pieces: Sequence[Piece]
    by_address: dict[str, int] = field(default_factory=dict)
    kinds: dict[int, Taken | None] = field(default_factory=dict)
    done: dict[int, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)

    def run(self, take_envelope: Take, envelope: Mapping[str, Any]) -> ReadBack:
        for position, piece in enumerate(self.pieces):
            for address in piece.addresses:
                self.by_address.setdefault(address, position)
            self.kinds[position] = self._kind(piece)
        context = Reading({}, lambda _name, _value: None)
        context.resolve = lambda name, address: self._resolved(name, address, context)
        take_envelope(envelope, context.root, context, ())
        for position, piece in enumerate(self.pieces):
            taken = self.kinds[position]
            if taken is None:
                context.unmapped.append(piece.path)
            elif taken.entry.of is None:
                item, outer = self._item(position, context)
                if taken.lists:
                    self._file(taken, item, outer, context, ((), piece.path))
        for position, piece in enumerate(self.pieces):
            taken = self.kinds[position]
            if taken is not None and taken.entry.of is not None and position not in self.done:
                context.unmapped.append(piece.path)
        return ReadBack(context.root, tuple(context.unmapped), tuple(context.faults))

    def _kind(self, piece: Piece) -> Taken | None:
        for taken in self.taken.get(self.shape.resource_of(piece.resource), ()):
            if taken.matches(piece.resource):
                return taken
        return None

    def _item(self, position: int, context: Reading) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the item and enclosing item that the entry at *position* says, read once."""
        known = self.done.get(position)
        if known is not None:
            return known
        taken, piece = self.kinds[position], self.pieces[position]
        if taken is None:
            return {}, {}
        self.busy.add(position)
        alone = taken.entry.each is None and taken.entry.of is None
        item: dict[str, Any] = context.root if alone else {}
        outer, later = context.outer, context.later
        context.outer = {}
        taken.take(piece.resource, item, context, ((), piece.path))
        self.done[position] = (item, context.outer)
        context.outer, context.later = outer, later
        self.busy.discard(position)
        return self.done[position]

    def _resolved(self, name: str, address: str, context: Reading) -> Any:
        position = self.by_address.get(address)
        if position is None or position in self.busy:
            return None
        taken = self.kinds[position]
        if taken is None or taken.entry.name != name:
            return None
        item, _outer = self._item(position, context)
        if taken.entry.of is not None:
            return dict(item)
        return item.get(taken.key)

    def _file(
        self,
        taken: Taken,
        item: dict[str, Any],
        outer: dict[str, Any],
        context: Reading,
        trail: Trail,
    ) -> None:
        """Put what was read into its list: with the item of the same key, or as a new one."""
        *above, last = taken.lists
        home = context.root
        if above:
            home = _filed(home, above[0], outer, _outer_key(taken.entry), context, trail)
        _filed(home, last, item, taken.key, context, trail)


def _filed(
    home: dict[str, Any],
    names: tuple[str, ...],
    item: dict[str, Any],
    key: str,
    context: Reading,
    trail: Trail,
) -> dict[str, Any]:
    if not item:
        return item
    for name in names[:-1]:
        home = home.setdefault(name, {})
    items = home.setdefault(names[-1], [])
    if key and key in item:
        for held in items:
            if held.get(key) == item[key]:
                if held is not item:
                    _join(held, item, context, trail)
                return held  # type: ignore[no-any-return]
    items.append(item)
    return item


def _join(held: dict[str, Any], item: dict[str, Any], context: Reading, trail: Trail) -> None:
    merge(held, item, context, trail)


def _outer_key(entry: Entry) -> str:
    for path in entry.key:
        if path.start == "outer":
            return path.steps[-1].name
    return ""


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
