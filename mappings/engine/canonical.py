"""The canonical side as the mappings see it: the wire message with the episode inside it.

Its dictionary is the domain's.  Only what the hub itself notifies is free, because each kind says
something else (`domain.md` 1.5): the facts under ``notification`` are looked up by no dictionary.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from hub.domain.codes import Standing, list_ids
from hub.domain.codes import check as standing
from hub.domain.dictionary import Leaf, Node, walk
from hub.domain.fields import Form
from hub.domain.messages import message_tree
from mappings.engine.paths import Kind, Path

FREE: Final = frozenset({"notification"})
"""Members whose inside no dictionary describes."""

FACTS: Final[Mapping[str, Form]] = {
    f"notification.{name}": "bool"
    for name in ("acting", "mediated", "stop", "was_acting", "you_have_left")
}
"""What is no text among the facts of the hub's own notifications (`domain.md` 1.5)."""


@cache
def all_leaves() -> Mapping[str, Leaf]:
    """Return every leaf of the wire message by its path, those of the episode as ``episode.…``.

    What a notification says is left out: it is free.
    """
    told = {name: node for name, node in message_tree().items() if name not in FREE}
    return {leaf.path: leaf for leaf in walk(told)}


@cache
def required() -> frozenset[str]:
    """Return the paths of the leaves that their item, or the message, may not lack."""

    def visit(nodes: Mapping[str, Node]) -> Iterator[str]:
        for path, node in ((node.path, node) for node in nodes.values()):
            if node.leaf is not None and node.required:
                yield path
            yield from visit(node.children)

    return frozenset(visit(message_tree()))


@cache
def types() -> Mapping[str, Mapping[str, Node]]:
    """Return the members of each class of the dictionary by the class's name."""
    found: dict[str, Mapping[str, Node]] = {}

    def visit(nodes: Mapping[str, Node]) -> None:
        for node in nodes.values():
            if node.type is not None:
                found[node.type.__name__] = node.children
            visit(node.children)

    visit(message_tree())
    return found


class NoSuchPlace(ValueError):
    """A canonical path that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an item holds (None: anything), where it stands, and the item that encloses it."""

    members: Mapping[str, Node] | None
    path: str
    outer: "Scope | None" = None

    def resolve(self, path: Path) -> "Resolved":
        """Return what *path* leads to; raises `NoSuchPlace`."""
        here: Scope
        if path.start == "root":
            here = Scope(message_tree(), "")
        elif path.start == "outer":
            if self.outer is None:
                raise NoSuchPlace("there is no enclosing item here")
            here = self.outer
        else:
            here = self
        said, members, node = here.path, here.members, None
        for step in path.steps:
            if members is None:
                said, node = f"{said}.{step.name}" + ("[]" if step.kind.many else ""), None
                continue
            if step.name not in members:
                known = ", ".join(members) or "nothing"
                raise NoSuchPlace(f"{said or 'the message'} has no {step.name}; it has {known}")
            node = members[step.name]
            listed = node.kind == "list" or (node.leaf is not None and node.leaf.many)
            if listed and step.kind in {Kind.FIELD, Kind.ONLY}:
                raise NoSuchPlace(f"{step.name} is a list: write {step.name}[]")
            if not listed and step.kind is not Kind.FIELD:
                raise NoSuchPlace(f"{step.name} is not a list: write {step.name}")
            for where, value in step.where:
                told = node.children.get(str(where))
                if told is None:
                    raise NoSuchPlace(f"{step.name} has no {where}")
                coded = None if told.leaf is None else told.leaf.codes
                if coded in list_ids() and standing(str(coded), value) is Standing.REFUSED:
                    raise NoSuchPlace(f"{value} is no code of {coded}: nothing has such a {where}")
            said = f"{said}.{step.name}" if said else step.name
            said += "[]" if listed else ""
            members = None if here.path == "" and said in FREE else node.children
        return Resolved(said, node, members)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a canonical path leads to: generic path, and node (None: free, or the item)."""

    path: str
    node: Node | None
    members: Mapping[str, Node] | None

    @property
    def form(self) -> Form | None:
        """Return the form of the leaf; None if it is none, or a fact that is plain text."""
        if self.node is None:
            return FACTS.get(self.path)
        return None if self.node.leaf is None else self.node.leaf.form

    def leaves(self) -> Iterator[str]:
        """Yield the generic path of every leaf at or below this place."""
        if self.node is not None and self.node.leaf is not None:
            yield self.path
        elif self.members:
            yield from _below(self.path, self.members)


def _below(prefix: str, nodes: Mapping[str, Node]) -> Iterator[str]:
    for name, node in nodes.items():
        listed = node.kind == "list" or (node.leaf is not None and node.leaf.many)
        path = (f"{prefix}.{name}" if prefix else name) + ("[]" if listed else "")
        if node.leaf is not None:
            yield path
        else:
            yield from _below(path, node.children)
