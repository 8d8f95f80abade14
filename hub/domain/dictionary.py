"""The data dictionary: every leaf of the canonical model with its section, sensitivity and owner.

Read off the dataclasses once, at import.  The gate prunes by it, the schema is generated from it,
and the mapping checks use it to find a leaf that no rule names.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal

from hub.domain.episode import Episode
from hub.domain.fields import METADATA, About, Form, Meta

BY_ELEMENT = "by element"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf: *path* like ``subjects[].identifiers[].value``, relative to the episode."""

    path: str
    form: Form
    section: str
    sensitivity: frozenset[str]
    codes: str | None
    about: About
    max_length: int | None
    many: bool
    key: bool
    source: str


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the canonical tree: an object, a list of objects, or a leaf (or list of them)."""

    name: str
    path: str
    kind: Literal["object", "list", "leaf"]
    required: bool
    children: Mapping[str, "Node"]
    leaf: Leaf | None
    sensitive_by: str | None
    type: type | None


def wire_name(name: str) -> str:
    """Return the JSON name of a dataclass field (``from_`` is ``from``)."""
    return name.rstrip("_")


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """Return the bare type of *annotation* and whether it is a tuple of it."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (annotation,) = [a for a in typing.get_args(annotation) if a is not type(None)]
    if typing.get_origin(annotation) is tuple:
        return typing.get_args(annotation)[0], True
    return annotation, False


def build(cls: type, path: str, inherited: Meta) -> dict[str, Node]:
    """Return the nodes of dataclass *cls*; a leaf without a section is a ``TypeError``."""
    hints = typing.get_type_hints(cls)
    nodes = {}
    for declared in fields(cls):
        meta: Meta = declared.metadata[METADATA]
        bare, many = _unwrap(hints[declared.name])
        name = wire_name(declared.name)
        here = f"{path}.{name}" if path else name
        required = declared.default is MISSING and declared.default_factory is MISSING
        merged = Meta(
            section=meta.section or inherited.section,
            sensitivity=meta.sensitivity or inherited.sensitivity,
            about=meta.about or inherited.about,
            source=meta.source or inherited.source,
        )
        if is_dataclass(bare):
            if not isinstance(bare, type):
                msg = f"{here}: a group needs a dataclass"
                raise TypeError(msg)
            nodes[name] = Node(
                name=name,
                path=here,
                kind="list" if many else "object",
                required=required,
                children=build(bare, here + ("[]" if many else ""), merged),
                leaf=None,
                sensitive_by=meta.sensitive_by,
                type=bare,
            )
            continue
        if meta.form is None or merged.section is None:
            msg = f"{here}: a leaf needs a form and a section"
            raise TypeError(msg)
        sensitivity = merged.sensitivity
        if sensitivity is None and merged.section != BY_ELEMENT:
            msg = f"{here}: a leaf needs a sensitivity"
            raise TypeError(msg)
        nodes[name] = Node(
            name=name,
            path=here,
            kind="leaf",
            required=required,
            children={},
            leaf=Leaf(
                path=here + ("[]" if many else ""),
                form=meta.form,
                section=merged.section,
                sensitivity=sensitivity or frozenset(),
                codes=meta.codes,
                about=merged.about or "children",
                max_length=meta.max_length,
                many=many,
                key=meta.key,
                source=merged.source,
            ),
            sensitive_by=None,
            type=bare,
        )
    return nodes


@cache
def episode_tree() -> Mapping[str, Node]:
    """Return the nodes of the episode by name."""
    return types.MappingProxyType(build(Episode, "", Meta(section="sec.admin", about="children")))


def walk(nodes: Mapping[str, Node]) -> Iterator[Leaf]:
    """Yield every leaf below *nodes*, in the order of the form."""
    for node in nodes.values():
        if node.leaf is not None:
            yield node.leaf
        else:
            yield from walk(node.children)


@cache
def leaves() -> Mapping[str, Leaf]:
    """Return every leaf of the episode by its path."""
    return types.MappingProxyType({leaf.path: leaf for leaf in walk(episode_tree())})
