"""Chains: what holds at most one value behind fixed words, such as the one coding of a concept.

Most of FHIR is made of them.  A chain that looks as the mapping writes it is met by a handful of
expressions, and no value is touched before all of them agree; whatever looks different is walked
step by step (`Walk`), and what nobody knows is noted.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from mappings.engine.reading import FROM, Pick, Reading, Trail, only, strange
from mappings.engine.recognise import met, recogniser, sort, told_by
from mappings.engine.source import Source
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot

LONGEST: Final = 10
"""Levels of one chain; what is longer is read level by level."""

ODD: Final = (KeyError, TypeError, ValueError)
"""What the expressions of a chain raise where the value looks different."""

Walk = Callable[[Any, Reading, Trail], Any]
"""(wire value, context, trail) to the value at the chain's end, None if there is none; whatever the
chain does not know is noted.
"""


@dataclass(slots=True)
class Chain:
    """One chain from a variable: its *leaf* (none, if it is all words), and how to come there.

    *binds* are the statements that name what stands on the way, *holds* what must be true of it;
    *end* is the expression of the value, *level* the last one that has a variable.  *steps* are
    those of its trail.
    """

    leaf: Leaf | None
    walk: Walk
    level: int
    binds: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    end: str = ""
    steps: tuple[Any, ...] = ()


def chain(
    source: Source, slot: Slot, value: str, level: int, known: AbstractSet[str]
) -> Chain | None:
    """Return *slot* as a chain from the variable *value* of *level*; None if it is no chain.

    Members in *known* have been looked at.
    """
    if not isinstance(slot, Object | Listed):
        return None
    found = list(_leaves(slot, known, LONGEST))
    if None in found or len(found) > 1:
        return None
    made = Chain(found[0] if found else None, _walk(slot, known), level)
    _Way(source, made).down(slot, value, known, ())
    if any(isinstance(step, Pick) for step in made.steps):
        made.steps = (FROM, *made.steps)
    return made


def _leaves(slot: Slot, known: AbstractSet[str], levels: int) -> Iterator[Leaf | None]:
    """Yield the leaves below *slot*, and None for whatever may not be part of a chain."""
    if isinstance(slot, Leaf):
        yield slot
    elif isinstance(slot, Constant):
        return
    elif not levels:
        yield None
    elif isinstance(slot, Object):
        if not slot.fields:
            yield None
        for name, inner in slot.fields.items():
            if name not in known:
                yield from _leaves(inner, frozenset(), levels - 1)
    else:
        part = slot.parts[0]
        told = not part.where or _told(part) is not None
        if len(slot.parts) > 1 or part.rule or not told or isinstance(part.content, Listed):
            yield None
        else:
            yield from _leaves(part.content, met(part.where), levels - 1)


def _told(part: Part) -> tuple[str, str] | None:
    """Return the one member that tells *part*, and by which text; None if it is not told so."""
    told = told_by([part])
    return (told[0], told[1][0]) if told is not None and type(told[1][0]) is str else None


@dataclass(slots=True)
class _Way:
    """Writes the expressions of a chain."""

    source: Source
    chain: Chain

    def down(self, slot: Slot, value: str, known: AbstractSet[str], steps: tuple[Any, ...]) -> None:
        """Write what leads from *value* to the end of *slot*."""
        chain, literal = self.chain, self.source.literal
        if isinstance(slot, Constant):
            chain.holds.append(f"{value} == {literal(slot.value)}")
        elif isinstance(slot, Leaf):
            chain.end, chain.steps = value, steps
        elif isinstance(slot, Object):
            members = {name: inner for name, inner in slot.fields.items() if name not in known}
            chain.holds.append(f"len({value}) == {len(known) + len(members)}")
            for name, inner in members.items():
                there = f"{value}[{literal(name)}]"
                if isinstance(inner, Object):
                    there = self._bound(there)
                self.down(inner, there, frozenset(), (*steps, name))
        else:
            self._item(slot.parts[0], value, steps)

    def _item(self, part: Part, value: str, steps: tuple[Any, ...]) -> None:
        chain, told = self.chain, _told(part) if part.where else None
        if not isinstance(part.content, Object):  # only a list has items; only an object, members
            value = self._bound(value)
            chain.holds.append(f"type({value}) is list")
        item = self._bound(value, "({},)")
        step: Any = 0
        if told is not None:
            step = Pick(*told)
            literal = self.source.literal
            chain.holds.append(f"{item}[{literal(told[0])}] == {literal(told[1])}")
        self.down(part.content, item, met(part.where), (*steps, step))

    def _bound(self, value: str, shown: str = "{}") -> str:
        """Give *value* a variable, and return it."""
        self.chain.level += 1
        name = f"x{self.chain.level}"
        self.chain.binds.append(f"{shown.format(name)} = {value}")
        return name


def _walk(slot: Slot, known: AbstractSet[str]) -> Walk:
    """Return what walks *slot* level by level."""
    if isinstance(slot, Leaf):
        return lambda value, _context, _trail: value
    if isinstance(slot, Constant):
        return _word(slot.value)
    if isinstance(slot, Object):
        return _members(slot, known)
    part = slot.parts[0]
    inner = _walk(part.content, met(part.where))
    return _picked(part, inner) if part.where else _only(inner)


def _word(wanted: Any) -> Walk:
    def walk(value: Any, context: Reading, trail: Trail) -> None:
        if value != wanted:
            context.unknown(trail)

    return walk


def _members(slot: Object, known: AbstractSet[str]) -> Walk:
    walks = {
        name: _walk(inner, frozenset()) for name, inner in slot.fields.items() if name not in known
    }
    names = frozenset((*known, *walks))

    def walk(value: Any, context: Reading, trail: Trail) -> Any:
        found = None
        if type(value) is dict:
            for name, inner in walks.items():
                if (held := value.get(name)) is not None:
                    said = inner(held, context, (trail, name))
                    found = said if found is None else found
        strange(value, names, context, trail)
        return found

    return walk


def _only(inner: Walk) -> Walk:
    def walk(value: Any, context: Reading, trail: Trail) -> Any:
        held = only(value, context, trail)
        return None if held is None else inner(held, context, (trail, 0))

    return walk


def _picked(part: Part, inner: Walk) -> Walk:
    recognise = recogniser([part], [True])

    def walk(value: Any, context: Reading, trail: Trail) -> Any:
        if type(value) is not list:
            context.unknown(trail)
            return None
        found, strangers = sort(value, recognise, frozenset())
        for position in strangers:
            context.unknown((trail, position))
        if not found:
            return None
        (held,) = found.values()
        position = next(at for at, one in enumerate(value) if one is held)
        return inner(held, context, (trail, position))

    return walk
