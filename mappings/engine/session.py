"""One reading of entries that refer to each other: recognise, read once, file by key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import Fault
from mappings.engine.model import Entry
from mappings.engine.reading import Positions, Reading, Take, Trail, merge, said, steps
from mappings.engine.shape import Piece, Shape


@dataclass(frozen=True, slots=True)
class Taken:
    """One entry, compiled from the wire.

    *asked*: it is read only if another entry asks for it.  *alone*: it is the message itself,
    neither one of several nor asked for.
    """

    name: str
    take: Take
    lists: tuple[tuple[str, ...], ...]
    key: str
    outer: str
    asked: bool
    alone: bool


def taken_of(entry: Entry, take: Take, lists: tuple[tuple[str, ...], ...]) -> Taken:
    """Return *entry* as a session takes it."""
    key = entry.key[-1].steps[-1].name if entry.key and entry.key[-1].steps else ""
    outer = next((path.steps[-1].name for path in entry.key if path.start == "outer"), "")
    asked = entry.of is not None
    return Taken(entry.name, take, lists, key, outer, asked, entry.each is None and not asked)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was read: the canonical message, what no rule knows, and what disagrees with itself."""

    message: dict[str, Any]
    unmapped: tuple[str, ...]
    faults: tuple[Fault, ...]


_Read = tuple[dict[str, Any], dict[str, Any]]
"""What one entry says: its item, and the item that encloses it."""
_BUSY: Final[_Read] = ({}, {})
"""Stands for an entry that is being read: it leads back to itself."""


class Session:
    """One reading of a document with entries that refer to each other."""

    def __init__(
        self,
        taken: Mapping[str, Callable[[Any], Taken | None]],
        shape: Shape,
        pieces: Sequence[Piece],
    ) -> None:
        """Recognise *pieces*: *taken* tells which entry a resource of a name is."""
        self._pieces = pieces
        self._kinds: list[Taken | None] = []
        self._by_address: dict[str, int] = {}
        known, resource_of = self._by_address, shape.resource_of
        for position, (_path, addresses, resource) in enumerate(pieces):
            recognise = taken.get(resource_of(resource))
            self._kinds.append(None if recognise is None else recognise(resource))
            for address in addresses:
                known.setdefault(address, position)
        self._done: dict[int, _Read] = {}
        self._filed: dict[int, _Index] = {}
        self._context = Reading({}, self._resolved)

    def run(self, take_envelope: Take, envelope: Mapping[str, Any]) -> ReadBack:
        """Read the envelope, then the entries; those on demand when another asks for them."""
        try:
            return self._run(take_envelope, envelope)
        finally:
            del self._context.resolve  # so that nothing waits for the garbage collector

    def _run(self, take_envelope: Take, envelope: Mapping[str, Any]) -> ReadBack:
        context = self._context
        take_envelope(envelope, context.root, context, ())
        asked = []
        for position, taken in enumerate(self._kinds):
            if taken is None:
                context.unknown(((), self._pieces[position].path))
            elif taken.asked:
                asked.append(position)
            else:
                item, outer = self._item(position, taken)
                if taken.lists:
                    self._file(taken, item, outer, ((), self._pieces[position].path))
        for position in asked:
            if position not in self._done:
                context.unknown(((), self._pieces[position].path))
        unmapped = context.unmapped
        if len(unmapped) > 1:
            unmapped = _Order(envelope, self._pieces, context.known).of(unmapped)
        shown = tuple(said(trail, context.known) for trail in unmapped)
        return ReadBack(context.root, shown, tuple(context.faults))

    def _item(self, position: int, taken: Taken) -> "_Read":
        """Return the item and enclosing item that the entry at *position* says, read once."""
        known = self._done.get(position)
        if known is not None:
            return known
        context, piece = self._context, self._pieces[position]
        self._done[position] = _BUSY
        item: dict[str, Any] = context.root if taken.alone else {}
        outer, later = context.outer, context.later
        mine = context.outer = {}
        taken.take(piece.resource, item, context, ((), piece.path))
        context.outer, context.later = outer, later
        made = self._done[position] = item, mine
        return made

    def _resolved(self, name: str, address: str) -> Any:
        position = self._by_address.get(address)
        taken = None if position is None else self._kinds[position]
        if position is None or taken is None or taken.name != name:
            return None
        known = self._done.get(position) or self._item(position, taken)
        if known is _BUSY:
            return None
        return dict(known[0]) if taken.asked else known[0].get(taken.key)

    def _file(
        self, taken: Taken, item: dict[str, Any], outer: dict[str, Any], trail: Trail
    ) -> None:
        """Put what was read into its list: with the item of the same key, or as a new one."""
        *above, last = taken.lists
        home = self._context.root
        if above:
            home = self._put(home, above[0], outer, taken.outer, trail)
        self._put(home, last, item, taken.key, trail)

    def _put(
        self,
        home: dict[str, Any],
        names: tuple[str, ...],
        item: dict[str, Any],
        key: str,
        trail: Trail,
    ) -> dict[str, Any]:
        if not item:
            return item
        for name in names[:-1]:
            home = home.setdefault(name, {})
        items = home.setdefault(names[-1], [])
        if key and key in item:
            index = self._filed.get(id(items))
            if index is None:
                index = self._filed[id(items)] = _Index(items, key)
            held = index.find(item[key])
            if held is not None:
                if held is not item:
                    merge(held, item, self._context, trail)
                return held
        items.append(item)
        return item


class _Index:
    """The items of a growing list by their key."""

    __slots__ = ("_items", "_key", "_known", "_seen")

    def __init__(self, items: list[dict[str, Any]], key: str) -> None:
        self._items = items
        self._key = key
        self._known: dict[Any, dict[str, Any]] = {}
        self._seen = 0

    def find(self, wanted: Any) -> dict[str, Any] | None:
        """Return the first item whose key is *wanted*."""
        for item in self._items[self._seen :]:
            said = item.get(self._key)
            if not isinstance(said, dict | list):  # a stranger may put one where a key belongs
                self._known.setdefault(said, item)
        self._seen = len(self._items)
        return None if isinstance(wanted, dict | list) else self._known.get(wanted)


class _Order:
    """The order of a document: the envelope first, then its pieces."""

    def __init__(
        self, envelope: Mapping[str, Any], pieces: Sequence[Piece], known: Positions
    ) -> None:
        self._envelope = envelope
        self._pieces = {piece.path: (n, piece.resource) for n, piece in enumerate(pieces, 1)}
        self._known = known
        self._members: dict[int, dict[Any, int]] = {}

    def of(self, trails: Sequence[Trail]) -> list[Trail]:
        """Return *trails* as what they lead to stands in the document."""
        return sorted(trails, key=self._places)

    def _places(self, trail: Trail) -> list[int]:
        first, *rest = steps(trail, self._known)
        here: Any
        number, here = self._pieces.get(first, (0, self._envelope))
        if not number:
            rest = [first, *rest]
        places = [number]
        for step in rest:
            if isinstance(step, int):
                places.append(step)
            else:
                if id(here) not in self._members:
                    self._members[id(here)] = {name: n for n, name in enumerate(here)}
                places.append(self._members[id(here)][step])
            here = here[step]
        return places
