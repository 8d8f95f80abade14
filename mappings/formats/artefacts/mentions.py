"""What the FHIR mappings mention: extensions, identifier systems, codes and forms, read off their
plans.

A plan knows every place that a mapping may fill, with FHIR's type of it; so what is published
cannot differ from what is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mappings.engine.catalogue import Format
from mappings.engine.model import Entry, Rule
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot, plan

FHIR: Final = "fhir-r4"
EXTENSION: Final = "extension"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a resource: its path as FHIR writes it (``Patient.name``), and what fills it."""

    path: str
    slot: Slot
    within: Object
    many: bool
    entry: Entry

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the rules that fill it."""
        return (self.slot.rule, *self.slot.also) if isinstance(self.slot, Leaf) else ()


@dataclass(slots=True)
class Extended:
    """An extension: where it stands, what values it has, or what parts."""

    url: str
    contexts: set[str] = field(default_factory=set)
    values: dict[str, list[Rule]] = field(default_factory=dict)
    parts: "dict[str, Extended]" = field(default_factory=dict)
    many: bool = False


def formats(found: Mapping[str, Format]) -> list[Format]:
    """Return the FHIR mappings of a catalogue."""
    return [one for one in found.values() if one.written.format == FHIR]


def plans(one: Format) -> Iterator[tuple[Entry, Object]]:
    """Yield envelope and entries of a mapping with their plans."""
    for entry in (one.written.envelope, *one.written.entries.values()):
        yield entry, plan(entry.resource.name, entry.rules, one.wire.shape, entry.resource)


def places(one: Format) -> Iterator[Place]:
    """Yield every place that a mapping may fill with a value, those inside extensions too."""
    for entry, top in plans(one):
        yield from _places(top, entry.resource.name, entry, top, many=False)


def _places(slot: Slot, path: str, entry: Entry, within: Object, *, many: bool) -> Iterator[Place]:
    if isinstance(slot, Object):
        for name, inner in slot.fields.items():
            yield from _places(inner, f"{path}.{name}", entry, slot, many=many)
    elif isinstance(slot, Listed):
        for part in slot.parts:
            again = many or part.rule is not None
            yield from _places(part.content, path, entry, within, many=again)
    else:
        yield Place(path, slot, within, many, entry)


def extensions(ones: Sequence[Format], base: str) -> dict[str, Extended]:
    """Return every extension of ours, by url; *base* is the canonical base of the site."""
    found: dict[str, Extended] = {}
    for one in ones:
        for entry, top in plans(one):
            _extensions(top, entry.resource.name, f"{base}/", found)
    return found


def _extensions(slot: Slot, path: str, base: str, found: dict[str, Extended]) -> None:
    if isinstance(slot, Listed):
        for part in slot.parts:
            _extensions(part.content, path, base, found)
        return
    if not isinstance(slot, Object):
        return
    for name, inner in slot.fields.items():
        if name == EXTENSION and isinstance(inner, Listed):
            for part in inner.parts:
                _extension(part, path, base, found)
        else:
            # ``_birthDate`` is where birthDate keeps its extensions
            _extensions(inner, f"{path}.{name.removeprefix('_')}", base, found)


def _extension(part: Part, path: str, base: str, found: dict[str, Extended]) -> None:
    url = next((str(value) for where, value in part.where if str(where) == "url"), "")
    content = part.content
    if not isinstance(content, Object):
        return
    if url.startswith(base):
        held = found.setdefault(url, Extended(url))
        held.contexts.add(path)
        held.many = held.many or part.rule is not None
        _held(held, content)
    for name, inner in content.fields.items():
        _extensions(inner, f"{path}.{name}", base, found)


def _held(held: Extended, content: Object) -> None:
    """Add the values and parts of one use of an extension."""
    for name, inner in content.fields.items():
        if name.startswith("value"):
            held.values.setdefault(name, []).extend(_rules(inner))
        elif name == EXTENSION and isinstance(inner, Listed):
            for part in inner.parts:
                named = next(str(value) for where, value in part.where if str(where) == "url")
                below = held.parts.setdefault(named, Extended(named))
                below.many = below.many or part.rule is not None
                if isinstance(part.content, Object):
                    _held(below, part.content)


def _rules(slot: Slot) -> list[Rule]:
    if isinstance(slot, Leaf):
        return [slot.rule, *slot.also]
    if isinstance(slot, Object):
        return [rule for inner in slot.fields.values() for rule in _rules(inner)]
    if isinstance(slot, Listed):
        return [rule for part in slot.parts for rule in _rules(part.content)]
    return []


def constants(one: Format) -> Iterator[tuple[str, str, Object]]:
    """Yield every constant with the name of its place and the object in which it stands."""
    for place in places(one):
        name = place.path.rpartition(".")[2]
        if isinstance(place.slot, Constant):
            yield name, str(place.slot.value), place.within
        for rule in place.rules:
            if rule.const is not None:
                yield name, str(rule.const), place.within


def systems(one: Format) -> Iterator[tuple[str, Object]]:
    """Yield every system that a mapping writes, with the object that has it."""
    for name, value, within in constants(one):
        if name == "system":
            yield value, within


def code_of(within: Object) -> list[str]:
    """Return the codes that may stand in *within*: constants, and those of tables."""
    slot = within.fields.get("code")
    if isinstance(slot, Constant):
        return [str(slot.value)]
    if not isinstance(slot, Leaf):
        return []
    found: list[str] = []
    for rule in (slot.rule, *slot.also):
        if rule.const is not None:
            found.append(str(rule.const))
        if rule.codes is not None:
            found += [row.wire for row in rule.codes.rows if row.wire and not row.passes]
    return list(dict.fromkeys(found))


def list_of(within: Object, leaves: Mapping[str, Any]) -> str | None:
    """Return the code list whose codes stand in *within* as they are."""
    slot = within.fields.get("code")
    for rule in (slot.rule, *slot.also) if isinstance(slot, Leaf) else ():
        leaf = leaves.get(rule.covers or "")
        if rule.codes is None and leaf is not None:
            return str(leaf.codes)
    return None
