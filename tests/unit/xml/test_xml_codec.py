"""The shared XML codec: elements to document tree and back, in the schema's order, nothing lost."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Malformed, Rejected
from mappings.formats import xml_tree
from mappings.formats.xml_build import INSTANCE
from mappings.formats.xml_grammar import Grammar, read_grammar
from mappings.formats.xml_schema import Schema
from mappings.formats.xml_text import unlawful
from mappings.formats.xml_wire import XmlWire

XSD = """<?xml version="1.0"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:t" targetNamespace="urn:t"
           elementFormDefault="qualified">
  <xs:element name="Doc" type="Doc"/>
  <xs:group name="G"><xs:sequence>
    <xs:element name="First" type="xs:string" minOccurs="0"/>
    <xs:element name="Many" type="Named" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence></xs:group>
  <xs:complexType name="Doc"><xs:sequence>
    <xs:group ref="G"/>
    <xs:choice minOccurs="0" maxOccurs="3">
      <xs:element name="This" type="xs:string"/><xs:element name="That" type="xs:string"/>
    </xs:choice>
    <xs:element name="Text" type="Mixed" minOccurs="0"/>
    <xs:element name="Value" type="Any" minOccurs="0"/>
    <xs:element name="Inner" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:element name="Deep" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="Else" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:any namespace="##other" processContents="skip" minOccurs="0" maxOccurs="unbounded"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence><xs:attribute name="kind"/></xs:complexType>
  <xs:complexType name="Named"><xs:simpleContent><xs:extension base="xs:string">
    <xs:attribute name="use" type="xs:string"/></xs:extension></xs:simpleContent></xs:complexType>
  <xs:complexType name="Mixed" mixed="true"><xs:choice minOccurs="0" maxOccurs="unbounded">
    <xs:element name="b" type="Mixed"/><xs:element name="br" type="xs:string"/>
  </xs:choice></xs:complexType>
  <xs:complexType name="Any" abstract="true"/>
  <xs:complexType name="CD"><xs:complexContent><xs:extension base="Any">
    <xs:attribute name="code"/></xs:extension></xs:complexContent></xs:complexType>
</xs:schema>
"""


@pytest.fixture(scope="module")
def schema_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("xsd") / "t.xsd"
    file.write_text(XSD)
    return file


@pytest.fixture(scope="module")
def grammar(schema_file: Path) -> Grammar:
    return read_grammar(schema_file)


def raw_of(document: dict[str, Any], grammar: Grammar) -> bytes:
    return xml_tree.written(xml_tree.element(document, "Doc", grammar))


def back(raw: bytes, grammar: Grammar) -> dict[str, Any]:
    return xml_tree.tree(xml_tree.parse(raw, grammar), grammar)


def test_the_grammar_has_members_in_the_schemas_order(grammar: Grammar) -> None:
    """Attributes, then elements as groups, choices and sequences give them, lists as lists."""
    members = grammar.types["Doc"].members

    assert list(members) == [
        *("@kind", "First", "Many", "This", "That", "Text", "Value", "Inner", "Else")
    ]
    assert [name for name, member in members.items() if member.many] == ["Many", "This", "That"]
    assert [name for name, one in grammar.types.items() if one.mixed] == ["Mixed"]
    assert [name for name, one in grammar.types.items() if one.open] == ["Doc.Else"]
    assert list(grammar.types["CD"].members) == ["@code"]
    assert list(grammar.types["Doc.Inner"].members) == ["Deep"]


def test_children_go_in_the_schemas_order_whatever_the_dictionarys(grammar: Grammar) -> None:
    """The order of the dictionary says nothing."""
    document = {"That": ["2"], "Many": [{"#text": "1"}], "First": "0", "This": ["a", "b"]}

    assert raw_of(document, grammar).endswith(
        b'<Doc xmlns="urn:t"><First>0</First><Many>1</Many><This>a</This><This>b</This>'
        b"<That>2</That></Doc>"
    )


DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"First": "plain"},
    {"First": " spaces \t and\r\nline ends\r"},
    {"First": "<b>&amp; ]]> \"quoted\" 'single'"},
    {"@kind": "\t\n\r \"&<'> "},
    {"Many": [{"@use": "x", "#text": "one"}, {"#text": "two"}, {"@use": "only"}]},
    {"Text": {"#content": ["a ", {"b": {"#content": ["c", {"br": ""}, "d"]}}, " e"]}},
    {"Text": {}},
    {"Inner": {"Deep": "😀 e\u0301 \u202e"}},
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_comes_back(document: dict[str, Any], grammar: Grammar) -> None:
    """Bytes say all that the tree said, white space and line ends too."""
    assert back(raw_of(document, grammar), grammar) == document


@settings(max_examples=200)
@given(text=st.text(max_size=40))
def test_any_text_comes_back_or_is_refused(text: str, grammar: Grammar) -> None:
    """Whatever XML can hold comes back equal; what it cannot is refused with its place."""
    document = {"@kind": text, "First": text, "Many": [{"#text": text}] if text else []}
    if unlawful(text) is None:
        found = back(raw_of(document, grammar), grammar)
        assert found.pop("@kind") == text
        assert found.pop("First") == text
        assert found == ({"Many": [{"#text": text}]} if text else {})
    else:
        with pytest.raises(Rejected) as refused:
            raw_of(document, grammar)
        assert refused.value.faults[0].path == "@kind"


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
@pytest.mark.parametrize(
    ("place", "path"),
    [
        (lambda text: {"First": text}, "First"),
        (lambda text: {"@kind": text}, "@kind"),
        (lambda text: {"Many": [{"#text": "x"}, {"#text": text}]}, "Many[1].#text"),
        (lambda text: {"Text": {"#content": ["x", {"b": {"#content": [text]}}]}}, "Text.#content"),
    ],
)
def test_what_xml_cannot_hold_never_leaves(
    character: str, place: Any, path: str, grammar: Grammar
) -> None:
    """E_MAPPING with the path, and nothing of the value."""
    with pytest.raises(Rejected) as refused:
        raw_of(place(f"Secret{character}Example"), grammar)

    assert refused.value.code == "E_MAPPING"
    assert refused.value.faults[0].path.startswith(path)
    assert "Example" not in str(refused.value)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"Nowhere": "x"}, "Nowhere"),
        ({"Inner": {"Deep": "x", "Shallow": "y"}}, "Inner.Shallow"),
        ({"First": ["twice", "said"]}, "First"),
        ({"First": 1.5}, "First"),
        ({"Many": [{"@mood": "x"}]}, "Many[0].@mood"),
    ],
)
def test_what_has_no_place_is_refused(
    document: dict[str, Any], path: str, grammar: Grammar
) -> None:
    """A member that the schema does not have is our mistake, and named."""
    with pytest.raises(Rejected) as refused:
        raw_of(document, grammar)

    assert refused.value.faults[0].path == path


def test_numbers_and_truth_values_are_written_as_schemas_write_them(grammar: Grammar) -> None:
    """Python's spelling never leaves."""
    raw = raw_of({"First": True, "Inner": {"Deep": 7}}, grammar)

    assert b"<First>true</First>" in raw
    assert b"<Deep>7</Deep>" in raw


def test_a_type_may_be_said_where_the_grammar_allows_it(schema_file: Path) -> None:
    """`xsi:type` decides what an element holds, and comes back."""
    wire = XmlWire(schema_file, "Doc", prefixes=INSTANCE, typed=True)
    document = {"Value": {"@xsi:type": "CD", "@code": "7"}}

    raw = wire.write(document, check=True)

    assert raw.endswith(b'<Value xsi:type="CD" code="7"/></Doc>')
    assert raw.count(b"xmlns:xsi") == 1
    assert wire.parse(raw) == document


def test_strangers_are_named_without_their_names(grammar: Grammar) -> None:
    """What stands in another namespace is there, under a name that tells nothing."""
    raw = b'<Doc xmlns="urn:t"><Else><AvaExample xmlns="urn:x" k="1">Ava</AvaExample></Else></Doc>'

    assert back(raw, grammar) == {"Else": {"?": [{"@k": "1", "#text": "Ava"}]}}


def test_text_out_of_place_is_not_dropped(grammar: Grammar) -> None:
    """Even unvalidated, nothing vanishes: it stands where no rule can know it."""
    raw = b'<Doc xmlns="urn:t">lost<First>a</First> and <Inner><Deep>x</Deep>found</Inner></Doc>'

    assert back(raw, grammar) == {
        "#text": "lost and ",
        "First": "a",
        "Inner": {"Deep": "x", "#text": "found"},
    }


def test_hints_go_to_the_root_wherever_they_stood(grammar: Grammar) -> None:
    """A schema location is named once, and does not change what an element holds."""
    raw = (
        b'<Doc xmlns="urn:t" xmlns:x="http://www.w3.org/2001/XMLSchema-instance">'
        b'<First x:noNamespaceSchemaLocation="file:///etc/passwd">a</First></Doc>'
    )

    assert back(raw, grammar) == {"@xsi:noNamespaceSchemaLocation": "", "First": "a"}


def test_faults_say_where_which_rule_and_no_value(schema_file: Path, grammar: Grammar) -> None:
    """Path with positions, line, the names that were expected; nothing of the document's own."""
    schema = Schema(schema_file, grammar)
    raw = (
        b'<p:Doc xmlns:p="urn:t">\n<p:Many/><p:Many use="x" secret="Example"/>\n'
        b"<p:Inner/><p:AvaExample/></p:Doc>"
    )

    found = schema.faults(xml_tree.parse(raw, grammar))

    assert [(fault.code, fault.path) for fault in found] == [
        ("E_UNKNOWN_FIELD", "Many[1]"),
        ("E_REQUIRED", "Inner"),
        ("E_UNKNOWN_FIELD", "?"),
    ]
    assert found[1].remedy == "line 3: something is missing: Deep"
    assert "Example" not in repr(found)


def test_a_schema_location_is_never_followed(schema_file: Path, tmp_path: Path) -> None:
    """A schema that would allow what ours forbids stays where it is."""
    lax = tmp_path / "lax.xsd"
    lax.write_text(XSD.replace('name="First"', 'name="Smuggled"'))
    wire = XmlWire(schema_file, "Doc")
    raw = (
        '<Doc xmlns="urn:t" xmlns:x="http://www.w3.org/2001/XMLSchema-instance" '
        f'x:schemaLocation="urn:t {lax.as_uri()}">%s</Doc>'
    )

    assert wire.parse((raw % "<First>a</First>").encode())["First"] == "a"
    with pytest.raises(Rejected):
        wire.parse((raw % "<Smuggled>a</Smuggled>").encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lawful_encodings_say_the_same(encoding: str, grammar: Grammar) -> None:
    """UTF-8 with or without a mark, and UTF-16 with one."""
    declared = "UTF-16" if encoding == "utf-16" else "UTF-8"
    text = f'<?xml version="1.0" encoding="{declared}"?><Doc xmlns="urn:t"><First>é</First></Doc>'

    assert back(text.encode(encoding), grammar) == {"First": "é"}
    bare = text.partition("?>")[2]
    assert back(bare.encode(encoding), grammar) == {"First": "é"}


def test_another_root_is_another_kind_of_document(grammar: Grammar) -> None:
    """Neither a type of the schema nor the root of another namespace will do."""
    for raw in (b'<First xmlns="urn:t"/>', b'<Doc xmlns="urn:u"/>', b"<Doc/>"):
        with pytest.raises(Malformed) as refused:
            xml_tree.parse(raw, grammar)
        assert refused.value.code == "E_CONTENT_TYPE"
