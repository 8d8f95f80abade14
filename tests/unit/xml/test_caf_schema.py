"""The CAF XML Schema against the data dictionary: every leaf, length, list and order of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from hub.domain.codes import code_list
from hub.domain.dates import DATE, DATETIME, PARTIAL_DATE
from hub.domain.dictionary import Leaf
from mappings.commands import translator
from mappings.engine.canonical import all_leaves
from mappings.engine.model import Rule
from mappings.engine.report import loss
from mappings.formats.xml_caf import ROOT, SCHEMA, caf_xml
from mappings.formats.xml_codes import FILE, codes_schema
from mappings.schemas.canonical import LONGEST_STRING, LONGEST_TEXT, message_schema

XS = "{http://www.w3.org/2001/XMLSchema}"
FORMAT = translator().catalogue.formats["caf-xml/1"]
GRAMMAR = caf_xml().grammar
TREE = etree.parse(str(SCHEMA)).getroot()
CODES = etree.parse(str(FILE)).getroot()
TOKENS = {
    "ref": "Reference",
    "service": "ServiceReference",
    "date": "Date",
    "partial_date": "PartialDate",
    "datetime": "DateTime",
    "bool": "Boolean",
    "int": "Count",
}


def test_the_file_of_codes_is_the_dictionarys() -> None:
    """Whoever changes a code list writes the file again: python -m mappings.formats.xml_codes."""
    assert FILE.read_bytes() == codes_schema()


def simple_types() -> dict[str, Any]:
    return {one.get("name"): one for top in (TREE, CODES) for one in top.iter(f"{XS}simpleType")}


def facet(one: Any, name: str) -> int | None:
    found = one.find(f".//{XS}{name}")
    return None if found is None else int(found.get("value"))


@dataclass(frozen=True)
class Place:
    """Where the schema has one canonical leaf: its element's type, and its way down by position."""

    leaf: str
    kind: str
    way: tuple[int, ...]
    required: bool


def places(rules: tuple[Rule, ...], kind: str, way: tuple[int, ...] = ()) -> Iterator[Place]:
    """Yield the place of every rule of the mapping."""
    for rule in rules:
        here, down, name, above = kind, way, "", kind
        for step in rule.wire.steps:
            name, above = step.name, here
            down = (*down, list(GRAMMAR.types[here].members).index(name))
            here = GRAMMAR.types[here].members[name].type
        if rule.rules:
            yield from places(rule.rules, here, down)
        elif rule.covers is not None and not rule.covers.startswith("notification"):
            yield Place(rule.covers, here, down, bool(name) and name in required(above))


def required(kind: str) -> set[str]:
    found = TREE.find(f"{XS}complexType[@name='{kind}']")
    return {
        one.get("name")
        for one in found.iterfind(f"{XS}sequence/{XS}element")
        if one.get("minOccurs") is None
    }


PLACES = {place.leaf: place for place in places(FORMAT.written.envelope.rules, ROOT)}


def test_every_leaf_has_a_place_that_takes_all_that_it_may_hold() -> None:
    """Nothing that the canonical model allows is too long, a list or another code for its place."""
    types, leaves = simple_types(), all_leaves()

    assert leaves.keys() == PLACES.keys()
    for path, leaf in leaves.items():
        kind = PLACES[path].kind
        if leaf.codes is not None:
            assert kind == leaf.codes, path
        elif leaf.form in TOKENS:
            assert kind == TOKENS[leaf.form], path
        else:
            assert facet(types[kind], "maxLength") == longest(leaf), path
            assert facet(types[kind], "minLength") == 1, path
            assert types[kind].find(f"{XS}restriction").get("base") == "xs:string", path


def longest(leaf: Leaf) -> int:
    return leaf.max_length or (LONGEST_TEXT if leaf.form == "text" else LONGEST_STRING)


def test_nothing_is_lost() -> None:
    """CAF XML says everything that the canonical message says."""
    assert [row.caf for row in loss(FORMAT) if row.outcome != "kept"] == []


def test_enumerations_are_the_code_lists() -> None:
    """Each closed list is an enumeration, in the list's order and with its displays."""
    types = simple_types()
    for list_id in {leaf.codes for leaf in all_leaves().values() if leaf.codes}:
        known, rows = code_list(list_id), types[list_id].findall(f".//{XS}enumeration")
        if known.open:
            assert rows == []
            assert f"^{types[list_id].find(f'.//{XS}pattern').get('value')}$" == known.pattern
            continue
        assert [row.get("value") for row in rows] == list(known.codes)
        shown = [row.findtext(f".//{XS}documentation") for row in rows]
        assert shown == [code.display for code in known.codes.values()]


def test_elements_stand_in_the_order_of_the_dictionary() -> None:
    """The dictionary's order is the form's; the schema keeps it in every type."""
    ways = [PLACES[path].way for path in all_leaves()]

    assert ways == sorted(ways)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("Episode", {"EpisodeId"}),
        ("Subject", {"SubjectId"}),
        ("Practitioner", {"PractitionerId"}),
        ("Action", {"ActionId"}),
        ("Plan", set()),
        ("Closure", set()),
        ("ParentComment", set()),
        ("DifferenceOfView", {"Holder", "Text"}),
        ("Informed", {"ReasonsExplained"}),
    ],
)
def test_only_what_no_part_can_lack_is_required(kind: str, names: set[str]) -> None:
    """What a gate may cut is optional; the key of an item never is."""
    assert required(kind) == names


def test_a_part_needs_no_more_than_the_json_schema_asks() -> None:
    """Whatever a gate may leave of an episode is lawful in both schemas."""
    asked = set(json_required(message_schema()["properties"]["episode"], "episode"))
    told = {path.removesuffix("[]") for path, place in PLACES.items() if place.required}

    assert {path for path in told if path.startswith("episode")} <= asked


def json_required(schema: Any, path: str) -> Iterator[str]:
    """Yield the paths that the JSON Schema requires at and below *schema*."""
    if "items" in schema:
        schema, path = schema["items"], f"{path}[]"
    for name in schema.get("required", ()):
        yield f"{path}.{name}"
    for name, inner in schema.get("properties", {}).items():
        yield from json_required(inner, f"{path}.{name}")


def test_one_slot_takes_other_namespaces() -> None:
    """Everything else is closed."""
    found = TREE.findall(f".//{XS}any")

    assert [(one.get("namespace"), one.get("processContents")) for one in found] == [
        ("##other", "skip")
    ]
    assert TREE.findall(f".//{XS}anyAttribute") == []


def test_every_element_and_type_is_explained() -> None:
    """Whoever has only the schema learns what each element means."""
    for one in TREE.iter(f"{XS}element", f"{XS}complexType", f"{XS}simpleType"):
        if one.getparent() is TREE and one.tag == f"{XS}element":
            continue  # the root element is explained by its type
        text = one.findtext(f"{XS}annotation/{XS}documentation") or ""
        assert len(text) > 3, one.get("name")


def test_dates_are_the_dictionarys() -> None:
    """Years, months and days have the same bounds as in the canonical model."""
    for pattern in (DATE, PARTIAL_DATE, DATETIME):
        assert "1[89]|2[01]" in pattern
    for name in ("Date", "YearMonth", "Year", "DateTime"):
        assert "(18|19|20|21)" in simple_types()[name].find(f".//{XS}pattern").get("value")
