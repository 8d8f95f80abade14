"""The fast check of clinical documents: an XML Schema made from our own table of CDA R2.

It is compiled by lxml once and says only whether a document holds; what is wrong, and where, the
slow check of `cda_structure` finds.  The schema is ours: it allows less than HL7's, which serves as
an oracle in the conformance tests.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final

from lxml import etree

from mappings.formats.cda_structure import (
    ANY,
    CHOSEN,
    NAMESPACE,
    PATTERNS,
    ROOT,
    TYPE,
    Rule,
    structure,
)
from mappings.formats.xml_grammar import CONTENT, TEXT

XS: Final = "http://www.w3.org/2001/XMLSchema"

PLAIN: Final = "self::h:statusCode or self::h:languageCode or self::h:realmCode"
"""Codes of a list that CDA itself fixes (data type CS): they name no system."""

AGREEING: Final = (
    "//h:id[not(@root or @nullFlavor)]",
    f"//*[@code and not(@codeSystem or {PLAIN})]",
    "//h:section[not(h:text)]",
    "//h:administrativeGenderCode[not(@code or @nullFlavor)]",
)
"""What the schema cannot say: places where members do not agree with each other."""


def holds(document: Any) -> bool:
    """Return whether the element *document* is lawful CDA R2 as far as we write it."""
    return fits(document) and not any(find(document) for find in _finds())


def fits(document: Any) -> bool:
    """Return whether the schema allows the element *document*."""
    return bool(_schema().validate(document))


_UNCODED: Final = frozenset({"statusCode", "languageCode", "realmCode"})

DECIDING: Final = frozenset({"@code", "@codeSystem", "@root", "@nullFlavor", "text"})
"""The members that `disagrees` looks at."""


def disagrees(name: str, members: AbstractSet[str]) -> bool:
    """Return whether an element *name* with these *members* breaks what `AGREEING` says.

    The writer asks it once for every combination of members that it meets, which makes looking
    through the finished document unnecessary.
    """
    if "@code" in members and "@codeSystem" not in members and name not in _UNCODED:
        return True
    if name == "id":
        return not members & {"@root", "@nullFlavor"}
    if name == "administrativeGenderCode":
        return not members & {"@code", "@nullFlavor"}
    return name == "section" and "text" not in members


@cache
def _finds() -> tuple[Any, ...]:
    return tuple(etree.XPath(path, namespaces={"h": NAMESPACE}) for path in AGREEING)


@cache
def _schema() -> Any:
    top = etree.Element(
        f"{{{XS}}}schema",
        {"targetNamespace": NAMESPACE, "elementFormDefault": "qualified"},
        nsmap={"xs": XS, None: NAMESPACE},
    )
    etree.SubElement(top, f"{{{XS}}}element", name=ROOT, type=ROOT)
    for kind, pattern in PATTERNS.items():
        _simple(top, kind, [("pattern", pattern.pattern)])
    for kind, members in structure().items():
        _complex(top, kind, members)
    return etree.XMLSchema(top)


def _simple(above: Any, name: str | None, facets: list[tuple[str, str]]) -> None:
    made = etree.SubElement(above, f"{{{XS}}}simpleType", {} if name is None else {"name": name})
    limited = etree.SubElement(made, f"{{{XS}}}restriction", base="xs:string")
    for facet, value in facets:
        etree.SubElement(limited, f"{{{XS}}}{facet}", value=value)


def _complex(top: Any, kind: str, members: Mapping[str, Rule]) -> None:
    mixed = {"mixed": "true"} if CONTENT in members or TEXT in members else {}
    made = etree.SubElement(top, f"{{{XS}}}complexType", {"name": kind, **mixed})
    if kind == ANY:
        made.set("mixed", "true")
        made.set("abstract", "true")
        return
    if kind in structure()[ANY][TYPE].allowed:
        made.set("mixed", "true")  # as the type it extends
        inner = etree.SubElement(made, f"{{{XS}}}complexContent")
        made = etree.SubElement(inner, f"{{{XS}}}extension", base=ANY)
    if CONTENT in members:
        group = etree.SubElement(
            made, f"{{{XS}}}choice", {"minOccurs": "0", "maxOccurs": "unbounded"}
        )
        for name, rule in _elements(members):
            etree.SubElement(group, f"{{{XS}}}element", name=name, type=_type(rule))
    else:
        _sequence(made, kind, members)
    for name, rule in members.items():
        if name.startswith("@") and name != TYPE:
            _attribute(made, name[1:], rule)


def _elements(members: Mapping[str, Rule]) -> Iterator[tuple[str, Rule]]:
    return ((name, rule) for name, rule in members.items() if not name.startswith(("@", "#")))


def _sequence(made: Any, kind: str, members: Mapping[str, Rule]) -> None:
    group = etree.SubElement(made, f"{{{XS}}}sequence")
    choice = None
    for name, rule in _elements(members):
        above = group
        if rule.choice:
            if choice is None:
                least = "1" if kind in CHOSEN else "0"
                choice = etree.SubElement(group, f"{{{XS}}}choice", minOccurs=least)
            above = choice
        etree.SubElement(
            above,
            f"{{{XS}}}element",
            {
                "name": name,
                "type": _type(rule),
                "minOccurs": "1" if rule.choice else str(rule.least),
                "maxOccurs": "unbounded" if rule.most is None else str(rule.most),
            },
        )


def _type(rule: Rule) -> str:
    return rule.of if rule.of in structure() or rule.of in PATTERNS else "xs:string"


def _attribute(above: Any, name: str, rule: Rule) -> None:
    use = {"use": "required"} if rule.least else {}
    if not rule.allowed:
        etree.SubElement(above, f"{{{XS}}}attribute", {"name": name, "type": _type(rule), **use})
        return
    made = etree.SubElement(above, f"{{{XS}}}attribute", {"name": name, **use})
    _simple(made, None, [("enumeration", word) for word in sorted(rule.allowed)])
