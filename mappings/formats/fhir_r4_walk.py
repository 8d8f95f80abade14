"""One look at every object of a document, with its FHIR type: for what asks more than a schema can.

Types, and which members lead on, are worked out once; a look costs little more than the objects
there are.  Places are kept as trails and become text only where something is wrong.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from mappings.formats.fhir_r4_definitions import MESSAGES, primitive, types

Trail = tuple[Any, ...]
"""A place: (trail before, name, position or None)."""


@dataclass(slots=True)
class Kind:
    """A type: its name, and the members that hold objects; *bare* if that is extensions only.

    With each member goes what it may refer to, if it is a reference (nothing: anything).
    """

    name: str
    members: "dict[str, tuple[Kind, tuple[str, ...]]]" = field(default_factory=dict)
    bare: bool = False


PASSED_OVER: Final = frozenset({"Resource", "Element"})


@cache
def kinds(file: str = MESSAGES) -> Mapping[str, Kind]:
    """Return every type of *file* by name."""
    found = {name: Kind(name) for name in types(file)}
    for name, kind in found.items():
        for member, element in types(file)[name].items():
            if not primitive(element.type) and element.type not in PASSED_OVER:
                kind.members[member] = (found[element.type], element.targets)
        kind.bare = kind.members.keys() <= {"extension"}
    return found


Seen = tuple[Mapping[str, Any], Kind, tuple[str, ...], Trail]
"""An object, its type, what it may refer to, and its place."""


def objects(
    held: Mapping[str, Any], kind: Kind, wanted: Container[str], trail: Trail = ()
) -> Iterator[Seen]:
    """Yield *held* and every object below it whose type is *wanted*, in no promised order."""
    todo: list[Seen] = [(held, kind, (), trail)]
    while todo:
        seen = todo.pop()
        here, known, _, where = seen
        if known.name in wanted:
            yield seen
        members = known.members
        for name in members.keys() & here.keys():
            child, targets = members[name]
            inner = here[name]
            plain = child.bare and child.name not in wanted
            if type(inner) is list:
                for position, one in enumerate(inner):
                    if type(one) is dict and not (plain and "extension" not in one):
                        todo.append((one, child, targets, (where, name, position)))
            elif type(inner) is dict and not (plain and "extension" not in inner):
                todo.append((inner, child, targets, (where, name, None)))


def resources(bundle: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Trail]]:
    """Yield *bundle* and the resources in it, with their places."""
    yield bundle, ()
    if bundle.get("resourceType") == "Bundle":
        for position, entry in enumerate(bundle.get("entry", ())):
            yield entry["resource"], (((), "entry", position), "resource", None)


def said(trail: Trail) -> str:
    """Return *trail* as a path."""
    steps: list[str] = []
    while trail:
        trail, name, position = trail
        steps.append(f".{name}" if position is None else f".{name}[{position}]")
    return "".join(reversed(steps)).removeprefix(".")
