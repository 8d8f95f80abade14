"""The shared XML codec: bytes, lxml elements and the document tree that mappings address.

The document tree is made of dictionaries, lists and strings::

    {"Episode": {"@id": "e1", "Subject": [{"GivenName": ["Ava", "Rose"], "Gender": "F"}]}}

an element is a member (a list where the schema lets it repeat), an attribute is ``@name``, an
element's own text ``#text``, and an element that can hold nothing but text is a plain string.
Names of the format's own namespace go bare; others carry a prefix of the `Grammar` (``xsi:type``).
Mixed content (narrative) is the list ``#content`` of strings and one-member dictionaries::

    {"text": {"#content": ["Seen on ", {"content": {"@styleCode": "Bold", "#text": "Monday"}}]}}

Public functions
----------------
``parse(raw, grammar, limits)``   bytes to a checked lxml element; every fault coded, with a place
``tree(element, grammar)``        element to document tree (of the root: what stands inside it)
``element(document, root, grammar)``  document tree to element, children in the schema's order
``written(element)``              element to bytes: UTF-8, declared, always the same bytes

``read_grammar(file)`` (`xml_grammar`) makes a `Grammar` from an XML Schema, `Schema` (`xml_schema`)
validates, `XmlShape` (`xml_shape`) is what the engine asks for.  What XML 1.0 cannot hold never
leaves: `Rejected`, ``E_MAPPING``, with the path.  Nothing here ever repeats a value in an error.
"""

from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from hub.errors import Code, Fault, Malformed
from mappings.engine.shape import Member
from mappings.formats.xml_build import element
from mappings.formats.xml_grammar import CONTENT, TEXT, Content, Grammar
from mappings.formats.xml_guard import DEFAULT, SCHEMA_INSTANCE, Limits, guard, syntax
from mappings.formats.xml_text import decoded

__all__ = ["Node", "element", "parse", "tree", "written"]

Node = Any
"""A place in the document tree: a dictionary, a list, or a string."""

STRANGER: Final = "?"
"""The name of whatever stands in a namespace that the format does not know."""

HINTS: Final = frozenset({"@xsi:schemaLocation", "@xsi:noNamespaceSchemaLocation"})


def parse(raw: bytes, grammar: Grammar, limits: Limits = DEFAULT) -> Any:
    """Return the root element of *raw*, without comments.

    Raises `Malformed`: encoding, limits, document type, processing instructions, well-formedness,
    another root element, and (unless the grammar is *typed*) ``xsi:type`` and ``xsi:nil``, which
    change what an element means.  Schema locations are never followed; `tree` names them.
    """
    text = decoded(raw, limits.size).encode()
    guard(text, limits, grammar.names, typed=grammar.typed)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as wrong:
        raise syntax(wrong) from None
    if root.tag not in {f"{{{grammar.namespace}}}{name}" for name in grammar.roots}:
        known = ", ".join(grammar.roots)
        remedy = f"the root element is {known} of the namespace {grammar.namespace}"
        raise Malformed(
            Code.CONTENT_TYPE,
            "another kind of document",
            (Fault(Code.CONTENT_TYPE, f"{root.sourceline}:1", remedy),),
        )
    return root


def tree(root: Any, grammar: Grammar) -> dict[str, Node]:
    """Return the document tree inside *root*."""
    reading = _Reading(grammar)
    node = reading.node(root, grammar.roots[etree.QName(root).localname])
    return {**reading.hints, **(node if isinstance(node, dict) else {TEXT: node})}


def written(root: Any) -> bytes:
    """Return the bytes of *root*: UTF-8, with a declaration, no white space added."""
    raw: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return raw


class _Reading:
    """One conversion of elements; names are looked up once each."""

    def __init__(self, grammar: Grammar) -> None:
        self.types = grammar.types
        self.hints: dict[str, Node] = {}
        self._prefixes = {uri: prefix for prefix, uri in grammar.prefixes.items()}
        self._prefixes |= {grammar.namespace: "", SCHEMA_INSTANCE: "xsi", "": ""}
        self._names: dict[str, str] = {}

    def name(self, tag: str) -> str:
        """Return the member's name for *tag*."""
        known = self._names.get(tag)
        if known is None:
            uri, _brace, local = tag.rpartition("}")
            prefix = self._prefixes.get(uri[1:])
            known = STRANGER if prefix is None else f"{prefix}:{local}" if prefix else local
            self._names[tag] = known
        return known

    def node(self, one: Any, kind: str | None) -> Node:
        """Return *one* as the type *kind* has it."""
        made = self._attributes(one) if one.attrib else {}
        content = self.types.get(made.get("@xsi:type", kind) or "")
        plain = content is None and not made and len(one) == 0
        if plain:
            return one.text or ""
        if content is not None and content.mixed:
            return self._mixed(one, content, made)
        members: Mapping[str, Member] = {} if content is None else content.members
        stray = one.text
        for child in one:
            self._child(child, members, made)
            if child.tail and not child.tail.isspace():
                stray = (stray or "") + child.tail
        if stray and (TEXT in members or not stray.isspace()):
            made[TEXT] = stray
        return made

    def _child(self, child: Any, members: Mapping[str, Member], made: dict[str, Node]) -> None:
        name = self.name(child.tag)
        member = members.get(name)
        value = self.node(child, None if member is None else member.type)
        held = made.get(name)
        if type(held) is list:
            held.append(value)
        elif held is not None:
            made[name] = [held, value]  # the schema has it once; whoever reads on will say so
        else:
            made[name] = value if member is not None and not member.many else [value]

    def _attributes(self, one: Any) -> dict[str, Node]:
        """Return the attributes of *one*; hints where schemas are go to the root, unheeded."""
        made: dict[str, Node] = {}
        for tag, value in one.attrib.items():
            name = f"@{self.name(tag)}"
            if name in HINTS:
                self.hints[name] = ""
            else:
                made[name] = value
        return made

    def _mixed(self, one: Any, content: Content, made: dict[str, Node]) -> Node:
        parts: list[Node] = [one.text] if one.text else []
        for child in one:
            name = self.name(child.tag)
            member = content.members.get(name)
            parts.append({name: self.node(child, None if member is None else member.type)})
            if child.tail:
                parts.append(child.tail)
        if parts:
            made[CONTENT] = parts
        return made
