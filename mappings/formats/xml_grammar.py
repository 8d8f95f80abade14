"""What a schema allows where: the members of each type in their order, read off an XML Schema.

The codec writes children in this order whatever the order of the document tree, and the engine
checks mappings against it when they load.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from lxml import etree

from mappings.engine.shape import Member

XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
TEXT: Final = "#text"
CONTENT: Final = "#content"


@dataclass(frozen=True, slots=True)
class Content:
    """One complex type: attributes (``@x``), own text (``#text``), then elements in their order.

    *mixed*: text and elements interleave, and stand under ``#content``.  *open*: anything else may
    stand there too (``xs:any``).
    """

    members: Mapping[str, Member]
    mixed: bool = False
    open: bool = False

    @property
    def plain(self) -> bool:
        """Return whether the type holds text and nothing else."""
        return set(self.members) <= {TEXT}


@dataclass(frozen=True, eq=False)
class Grammar:
    """All types of one format; a type that is not listed holds plain text.

    *prefixes* name namespaces in the document tree (``xsi:type``); names of *namespace* go bare.
    *roots* are the elements that may stand alone, with their types.  *typed*: documents say
    ``xsi:type`` (CDA does); it then decides what an element holds.
    """

    namespace: str
    roots: Mapping[str, str]
    types: Mapping[str, Content]
    prefixes: Mapping[str, str] = field(default_factory=dict)
    typed: bool = False

    @cached_property
    def names(self) -> frozenset[str]:
        """Return every name that the schema itself gives: what a path may show."""
        inner = {name.lstrip("@") for one in self.types.values() for name in one.members}
        return frozenset({*self.roots, *inner})


def read_grammar(
    file: Path,
    prefixes: Mapping[str, str] = MappingProxyType({}),
    *,
    typed: bool = False,
) -> Grammar:
    """Return the grammar of the XML Schema in *file* and of what it includes.

    A type without a name is called by its element (``Parent.child``).  Understands sequence,
    choice, all, any, group and attributeGroup references, and extension; our own schemas use
    nothing else.
    """
    roots: dict[str, Any] = {}
    named: dict[tuple[str, str], Any] = {}
    top = _collect(file, roots, named)
    reader = _Reader(named)
    found = {name: reader.type_of(one, name) for name, one in roots.items()}
    for (kind, name), one in named.items():
        if kind == "complexType":
            reader.complex(one, name)
    namespace = top.get("targetNamespace", "")
    return Grammar(
        namespace, MappingProxyType(found), MappingProxyType(reader.types), prefixes, typed
    )


def _collect(file: Path, roots: dict[str, Any], named: dict[tuple[str, str], Any]) -> Any:
    top = etree.parse(str(file), etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    for one in top:
        if not isinstance(one.tag, str):
            continue
        kind, name = one.tag.removeprefix(XSD), one.get("name")
        if kind == "include":
            _collect(file.parent / one.get("schemaLocation"), roots, named)
        elif kind == "element":
            roots[name] = one
        elif name is not None:
            named[kind, name] = one
    return top


class _Reader:
    """Turns types into `Content`, those without a name as they are met."""

    def __init__(self, named: Mapping[tuple[str, str], Any]) -> None:
        self.named = named
        self.types: dict[str, Content] = {}

    def type_of(self, element: Any, name: str) -> str:
        """Return the name of the type of *element*; *name* is for one that has none."""
        given = element.get("type")
        if given is not None:
            return _bare(given)
        inner = element.find(f"{XSD}complexType")
        if inner is not None:
            self.complex(inner, name)
            return name
        return "string"

    def complex(self, one: Any, name: str) -> Content:
        """Read the complex type *one* as *name*."""
        known = self.types.get(name)
        if known is not None:
            return known
        self.types[name] = Content({})  # what refers to itself finds this while it is being read
        members: dict[str, Member] = {}
        attributes: dict[str, Member] = {}
        free = self._into(one, name, members, attributes)
        content = Content(
            MappingProxyType({**attributes, **members}),
            mixed=one.get("mixed") == "true",
            open=free,
        )
        self.types[name] = content
        return content

    def _into(
        self, one: Any, name: str, members: dict[str, Member], attributes: dict[str, Member]
    ) -> bool:
        free = False
        for part in one.iterchildren(tag=etree.Element):
            kind = part.tag.removeprefix(XSD)
            if kind == "attribute":
                attributes["@" + part.get("name")] = Member(
                    _bare(part.get("type", "string")), False
                )
            elif kind in {"attributeGroup", "group"} and part.get("ref"):
                inner = self.named[kind, _bare(part.get("ref"))]
                if kind == "group":
                    free |= self._particles(inner, name, members, many=_many(part))
                else:
                    free |= self._into(inner, name, members, attributes)
            elif kind in {"sequence", "choice", "all"}:
                free |= self._particle(part, name, members, many=False)
            elif kind in {"simpleContent", "complexContent"}:
                free |= self._into(part, name, members, attributes)
            elif kind in {"extension", "restriction"}:
                free |= self._based(part, name, members, attributes)
        return free

    def _based(
        self, part: Any, name: str, members: dict[str, Member], attributes: dict[str, Member]
    ) -> bool:
        base = _bare(part.get("base"))
        above = self.named.get(("complexType", base))
        free = False
        if above is not None:
            inherited = self.complex(above, base)
            free = inherited.open
            for one, member in inherited.members.items():
                (attributes if one.startswith("@") else members)[one] = member
        elif part.getparent().tag == f"{XSD}simpleContent":
            members[TEXT] = Member(base, many=False)
        return self._into(part, name, members, attributes) or free

    def _particles(self, group: Any, name: str, members: dict[str, Member], *, many: bool) -> bool:
        free = False
        for part in group.iterchildren(tag=etree.Element):
            free |= self._particle(part, name, members, many=many)
        return free

    def _particle(self, part: Any, name: str, members: dict[str, Member], *, many: bool) -> bool:
        many = many or _many(part)
        kind = part.tag.removeprefix(XSD)
        if kind == "any":
            return True
        if kind == "element":
            given = part.get("name")
            member = Member(self.type_of(part, f"{name}.{given}"), many or given in members)
            members[given] = member
            return False
        if kind == "group":
            return self._particles(
                self.named["group", _bare(part.get("ref"))], name, members, many=many
            )
        if kind in {"sequence", "choice", "all"}:
            return self._particles(part, name, members, many=many)
        return False


def _many(part: Any) -> bool:
    most = part.get("maxOccurs", "1")
    return bool(most == "unbounded" or int(most) > 1)


def _bare(name: str) -> str:
    return name.rpartition(":")[2]
