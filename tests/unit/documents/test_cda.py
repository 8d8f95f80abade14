"""Clinical documents: CDA's header and order, fourteen sections, one child a document, nothing
invalid.
"""

import copy
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from hub.domain.codes import list_ids
from hub.errors import Code, Malformed, Rejected
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.engine.alone import alone
from mappings.engine.report import report
from mappings.formats.cda_names import LISTS, display, names
from mappings.formats.cda_schema import AGREEING, fits, holds
from mappings.formats.cda_shape import time
from mappings.formats.cda_structure import ROOT, faults, grammar, structure
from mappings.formats.cda_wire import CdaWire, _writer
from mappings.formats.xml_build import built
from mappings.formats.xml_draft import unfolded
from mappings.formats.xml_tree import element
from tests import builders
from tests.unit.documents.documents import CDA, V3, documents, family, rendered, two_children

SECTIONS = [
    *("assessment", "characteristics", "family", "services", "development", "parenting"),
    *("environment", "conclusions", "comments", "goals", "plan", "requests", "review", "consent"),
]


def one(tree: Any) -> Any:
    """Return the only document of *tree*."""
    (document,) = documents(rendered(CDA, tree))
    return document


def at(document: Any, path: str) -> list[Any]:
    """Return what stands at the XPath *path* (CDA's names without a prefix)."""
    steps = "/".join(
        f"h:{step}" if step[0].isalpha() and step != "text()" else step for step in path.split("/")
    )
    found: list[Any] = document.xpath(f"./{steps}", namespaces=V3)
    return found


def made(**changes: Any) -> dict[str, Any]:
    """Return the document tree of the family."""
    compiled = translator().catalogue.formats[CDA].compiled
    document: dict[str, Any] = unfolded(compiled.render(family(**changes))["document"][0])
    return document


def test_the_header_says_what_the_form_says() -> None:
    """Patient, guardian, author, custodian, recipient, event and consent stand in CDA's places."""
    document = one(
        {
            **family(),
            "message": builders.header(consent_decision_id=["d1"], supersedes="m0"),
        }
    )
    role = "recordTarget/patientRole"
    assert at(document, "typeId/@extension") == ["POCD_HD000040"]
    assert at(document, f"{role}/id/@extension")[1:] == ["9990000018", "W001900120001", "A0001234"]
    assert at(document, f"{role}/id/@root")[1] == "2.16.840.1.113883.2.1.4.1"
    assert at(document, f"{role}/patient/name/given/text()") == ["Ava", "Rose"]
    assert at(document, f"{role}/patient/birthTime/@value") == ["20160514"]
    assert at(document, f"{role}/patient/guardian/code/@code") == ["NMTH"]
    assert at(document, f"{role}/patient/guardian/guardianPerson/name/text()") == ["Mia Example"]
    assert at(document, "author/assignedAuthor/assignedPerson/name/text()") == ["Ms T Teach"]
    custodian = "custodian/assignedCustodian/representedCustodianOrganization"
    assert at(document, f"{custodian}/id/@extension") == ["001"]
    assert at(document, "informationRecipient/intendedRecipient/id/@extension") == ["EHM-A/FSW"]
    event = "documentationOf/serviceEvent"
    assert at(document, f"{event}/@classCode") == ["PCPR"]
    assert at(document, f"{event}/performer/functionCode/@code") == ["lead-professional"]
    assert at(document, "authorization/consent/id/@extension") == ["d1"]
    assert at(document, "authorization/consent/statusCode/@code") == ["completed"]
    assert at(document, "confidentialityCode/@code") == ["R"]
    assert at(document, "languageCode/@code") == ["en-GB"]
    assert at(document, "versionNumber/@value") == ["3"]


def test_an_adult_without_parental_responsibility_is_a_participant() -> None:
    """Guardian is who has parental responsibility; everybody else is an indirect participant."""
    tie = {"subject_id": "s1", "relationship": "GRMTH", "has_parental_responsibility": "N"}
    adults = [
        builders.mother(),
        builders.mother(parent_carer_id="c2", name="G", relationships=[tie]),
    ]
    document = one(family(parents_carers=adults))
    assert at(document, "recordTarget/patientRole/patient/guardian/guardianPerson/name/text()") == [
        "Mia Example"
    ]
    assert at(document, "participant/@typeCode") == ["IND"]
    assert at(document, "participant/associatedEntity/associatedPerson/name/text()") == ["G"]
    assert at(document, "participant/associatedEntity/code/@code") == ["GRMTH"]


def test_all_fourteen_sections_stand_in_their_order_text_before_entries() -> None:
    """Each section is coded and titled, and a person can read it before any machine's part."""
    document = one(family())
    sections = at(document, "component/structuredBody/component/section")
    assert [
        section.xpath("string(h:code/@code)", namespaces=V3) for section in sections
    ] == SECTIONS
    for section in sections:
        tags = [etree.QName(child).localname for child in section]
        assert tags[:3] == ["code", "title", "text"]
        assert set(tags[3:]) <= {"entry"}
        assert "".join(section.find("h:text", V3).itertext()).strip()
    with_entries = [s for s in sections if s.find("h:entry", V3) is not None]
    assert len(with_entries) == 13  # consent is text only


def test_a_section_outside_the_scope_is_not_there() -> None:
    """What was cut leaves no code, no title and no remark."""
    tree = family()
    whole = [
        s.get("code") for s in at(one(tree), "component/structuredBody/component/section/code")
    ]
    for name in ("family", "parents_carers", "reviews"):
        del tree["episode"][name]
    left = [s.get("code") for s in at(one(tree), "component/structuredBody/component/section/code")]
    assert left == [code for code in whole if code not in {"family", "review"}]


def test_a_number_alone_makes_no_section() -> None:
    """Of a cut item only its key may be left: that is no section for people."""
    tree = family(reviews=[{"review_id": "rev1"}], family={"family_id": "f1"}, parents_carers=[])
    codes = [
        s.get("code") for s in at(one(tree), "component/structuredBody/component/section/code")
    ]
    assert "review" not in codes
    assert "family" not in codes


def test_a_review_refers_to_the_goal_by_the_goals_own_id() -> None:
    """The progress of a goal names the goal's id, and the plan's actions do too."""
    document = one(family())
    goals = document.xpath("//h:observation[@moodCode='GOL'][h:value]/h:id", namespaces=V3)
    ids = {(goal.get("root"), goal.get("extension")) for goal in goals}
    referring = document.xpath("//h:entryRelationship[@typeCode='REFR']//h:id", namespaces=V3)
    assert referring
    assert {(one.get("root"), one.get("extension")) for one in referring} == ids


def test_own_words_name_who_said_them() -> None:
    """A comment's informant is the child of the record target or a guardian of the header."""
    document = one(family())
    known = document.xpath("//h:patientRole//h:id | //h:guardian/h:id", namespaces=V3)
    ids = {(held.get("root"), held.get("extension")) for held in known}
    informants = document.xpath("//h:informant//h:id", namespaces=V3)
    assert len(informants) == 2
    assert {(held.get("root"), held.get("extension")) for held in informants} <= ids


def test_every_code_has_an_oid_and_words() -> None:
    """Code systems are OIDs, and a code that people have words for carries them."""
    document = one(family())
    codes = document.xpath("//*[@codeSystem]")
    assert len(codes) > 100
    for code in codes:
        assert code.get("codeSystem").startswith("2.")
        assert all(part.isdigit() for part in code.get("codeSystem").split("."))
        assert code.get("displayName") or etree.QName(code.getparent()).localname == "section"


def test_every_code_list_has_an_oid_of_its_own() -> None:
    """No list is without a name for documents, and no two things share an OID."""
    assert {LISTS.get(name, name) for name in names()} >= set(list_ids())
    oids = [named.oid for named in names().values()]
    assert len(set(oids)) == len(oids)
    assert display("CL-02", "WBRI") == "White British"
    assert display("nothing", "x") is None


def test_two_children_are_two_documents_and_neither_holds_the_other() -> None:
    """Names, numbers, words, parents and elements of one child are not in the other's document."""
    ava, ben = documents(rendered(CDA, two_children()))
    for document, strangers in (
        (ava, ("Benedict", "9990000026", "0113 496 0777", "STPMTH", "Otto", ">s2<", '"s2"')),
        (ben, ("Rose", "9990000018", "I like breakfast", "NMTH", "It is true", '"s1"')),
    ):
        text = etree.tostring(document, encoding="unicode")
        for stranger in strangers:
            assert stranger not in text, stranger
        assert len(at(document, "recordTarget")) == 1
    assert "Otto says so." in etree.tostring(ben, encoding="unicode")
    assert "Mia Example" in etree.tostring(ava, encoding="unicode")
    assert "Mia Example" in etree.tostring(ben, encoding="unicode")


def test_a_document_about_one_child_is_as_if_the_other_had_never_been() -> None:
    """Whatever changes about the brother, not one byte of the sister's document does."""
    before = two_children()
    after = copy.deepcopy(before)
    ben = after["episode"]["subjects"][1]
    ben["elements"] = [builders.element("2.1", commentary="Something else.")]
    ben["family_name"] = "Otherwise"
    after["episode"]["conclusions"]["child_comment"][1]["text"] = "Changed."
    first, _ = documents(rendered(CDA, before))
    second, _ = documents(rendered(CDA, after))
    assert etree.tostring(first) == etree.tostring(second)


def test_ids_last_as_long_as_what_they_name() -> None:
    """The set stays over versions and differs between children; the document's id is new."""
    first, second = family(), family()
    second["message"]["message_id"] = "m2"
    one_, other = one(first), one(second)
    assert at(one_, "setId/@root") == at(other, "setId/@root")
    assert at(one_, "id/@root") == at(one_, "setId/@root")
    assert at(one_, "id/@extension") == ["m1"]
    assert at(other, "id/@extension") == ["m2"]
    ava, ben = documents(rendered(CDA, two_children()))
    assert at(ava, "setId/@root") != at(ben, "setId/@root")
    assert uuid.UUID(at(ava, "setId/@root")[0]).version == 5


def test_what_cda_demands_and_nobody_said_is_said_to_be_unknown() -> None:
    """Author, time and custodian are filled with nullFlavor NI; nothing of a child is made up."""
    tree = family(services={})
    del tree["episode"]["home_authority"]
    del tree["message"]["sent_at"]
    document = one(tree)
    assert at(document, "effectiveTime/@nullFlavor") == ["NI"]
    assert at(document, "author/time/@nullFlavor") == ["NI"]
    assert at(document, "author/assignedAuthor/id/@nullFlavor") == ["NI"]
    custodian = "custodian/assignedCustodian/representedCustodianOrganization"
    assert at(document, f"{custodian}/id/@nullFlavor") == ["NI"]
    assert not document.xpath("//h:recordTarget//*[@nullFlavor]", namespaces=V3)
    assert not document.xpath("//*[@nullFlavor='MSK']")


def test_there_is_no_document_without_a_child() -> None:
    """A clinical document is about a patient: without one the mapping fails."""
    with pytest.raises(Rejected) as refused:
        rendered(CDA, {"message": builders.header(), "episode": {"episode_id": "e1"}})
    assert refused.value.code is Code.MAPPING
    assert [fault.path for fault in refused.value.faults] == ["episode.subjects"]


def test_there_are_no_ids_without_a_message_id() -> None:
    """Ids are fixed by the delivery: without its id none are made up."""
    with pytest.raises(Rejected, match=r"message\.message_id"):
        rendered(CDA, {"episode": builders.episode()})


def test_the_report_says_of_a_line_where_it_came_from() -> None:
    """The text of a section is explained leaf by leaf, and the machine's entry too."""
    found = report(translator().catalogue.formats[CDA], two_children())
    rows = [row for row in found.rows if row.caf == "episode.conclusions.conclusions"]
    wires = [row.wire for row in rows if row.wire]
    assert any(".text.#content" in wire for wire in wires)
    assert any(wire.endswith("value[0].#text") for wire in wires)
    assert {wire.partition(".")[0] for wire in wires} == {"document[0]", "document[1]"}
    assert [
        row for row in found.rows if row.caf and row.caf.endswith("shielding") and row.wire
    ] == []


def test_time_is_as_hl7_writes_it() -> None:
    """Partial dates stay partial, and moments keep their offset and decimals."""
    assert [time(text) for text in ("2026", "2026-03", "2026-03-03")] == [
        "2026",
        "202603",
        "20260303",
    ]
    assert time("2026-09-01T09:30:00.25-05:00") == "20260901093000.25-0500"


def broken(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of *document* with *value* at *path*; None takes away."""
    copied = copy.deepcopy(document)
    *steps, last = path.split("/")
    held: Any = copied
    for step in steps:
        held = held[int(step)] if step.isdigit() else held[step]
    if value is None:
        del held[last]
    else:
        held[int(last) if last.isdigit() else last] = value
    return copied


WRONG: list[tuple[str, Any, str]] = [
    ("id", None, "ClinicalDocument.id"),
    ("id/@root", "not an oid", "ClinicalDocument.id.@root"),
    ("id/@root", None, "ClinicalDocument.id.@root"),
    ("id/@root", "1.02.3", "ClinicalDocument.id.@root"),
    ("typeId", None, "ClinicalDocument.typeId"),
    ("code", None, "ClinicalDocument.code"),
    ("code/@codeSystem", "CL-02", "ClinicalDocument.code.@codeSystem"),
    ("code/@codeSystem", None, "ClinicalDocument.code.@codeSystem"),
    ("code/@code", "two words", "ClinicalDocument.code.@code"),
    ("effectiveTime/@value", "2026-09-04", "ClinicalDocument.effectiveTime.@value"),
    ("effectiveTime/@value", "1", "ClinicalDocument.effectiveTime.@value"),
    ("confidentialityCode", None, "ClinicalDocument.confidentialityCode"),
    ("versionNumber/@value", "3.0", "ClinicalDocument.versionNumber.@value"),
    ("versionNumber/@value", "three", "ClinicalDocument.versionNumber.@value"),
    ("recordTarget", None, "ClinicalDocument.recordTarget"),
    ("recordTarget", [], "ClinicalDocument.recordTarget"),
    ("recordTarget/0/patientRole/id", None, "recordTarget[0].patientRole.id"),
    ("recordTarget/0/patientRole/id/0/@root", None, "patientRole.id[0].@root"),
    ("recordTarget/0/patientRole/telecom/0/@value", "no scheme", "telecom[0].@value"),
    ("recordTarget/0/patientRole/patient/birthTime/@value", "14/05/2016", "birthTime.@value"),
    ("recordTarget/0/@typeCode", "AUT", "recordTarget[0].@typeCode"),
    ("author", None, "ClinicalDocument.author"),
    ("author/0/time", None, "author[0].time"),
    ("author/0/assignedAuthor/id", None, "assignedAuthor.id"),
    ("custodian", None, "ClinicalDocument.custodian"),
    ("documentationOf/0/serviceEvent/classCode", "X", "serviceEvent.classCode"),
    ("documentationOf/0/serviceEvent/performer/0/@typeCode", None, "performer[0].@typeCode"),
    ("documentationOf/0/serviceEvent/performer/0/@typeCode", "ZZZ", "performer[0].@typeCode"),
    ("component", None, "ClinicalDocument.component"),
    ("component/structuredBody", None, "ClinicalDocument.component"),
    ("component/structuredBody/component", [], "structuredBody.component"),
    ("component/structuredBody/component/0/section", None, "component[0].section"),
    ("component/structuredBody/component/0/section/text", None, "component[0].section.text"),
    ("component/structuredBody/component/0/section/nonsense", {}, "section.nonsense"),
    ("component/structuredBody/component/0/section/entry/0/observation", None, "entry[0]"),
    ("component/structuredBody/component/0/section/entry/0/observation/code", None, ".code"),
    (
        "component/structuredBody/component/0/section/entry/0/observation/@classCode",
        None,
        "@classCode",
    ),
    (
        "component/structuredBody/component/0/section/entry/0/observation/@moodCode",
        "WISH",
        "@moodCode",
    ),
    (
        "component/structuredBody/component/0/section/entry/0/observation/value/0/@xsi:type",
        None,
        "type",
    ),
    (
        "component/structuredBody/component/0/section/entry/0/observation/value/0/@xsi:type",
        "XX",
        "type",
    ),
    ("component/structuredBody/component/0/section/entry/0/act", {}, "entry[0]"),
    ("title", [{"#text": "Twice"}, {"#text": "Twice"}], "ClinicalDocument.title"),
    ("title", "plain", ""),
]


@pytest.mark.parametrize(("path", "value", "place"), WRONG, ids=lambda value: str(value)[:60])
def test_what_cda_forbids_never_leaves(path: str, value: Any, place: str) -> None:
    """Each broken rule is refused with its place; the fast check and the slow one agree."""
    document = broken(made(), path, value)
    if not place:  # text alone is the same as its member #text
        assert faults(document) == []
        assert CdaWire().write({"document": [document]}, check=True)
        return
    found = faults(document)
    assert any(place in fault.path for fault in found), found
    assert {fault.code for fault in found} == {Code.MAPPING}
    with pytest.raises(Rejected) as refused:
        CdaWire().write({"document": [document]}, check=True)
    assert refused.value.code is Code.MAPPING


def spoiled(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the document without one member at a time, once for each kind of place."""
    seen = set()
    todo: list[tuple[str, Any]] = [(ROOT, document)]
    while todo:
        name, here = todo.pop()
        if isinstance(here, list):
            todo += [(name, one) for one in here]
        if not isinstance(here, dict):
            continue
        todo += [inner for inner in here.items() if inner[0] != "#content"]
        for member in ("@root", "@code", "@codeSystem", "@nullFlavor", "text"):
            if member in here and (name, member) not in seen:
                seen.add((name, member))
                held = here.pop(member)
                yield document
                here[member] = held


def test_the_writer_sees_what_the_finished_document_would_show() -> None:
    """Contradictions found while writing are those that XPath finds afterwards, and they are."""
    found = []
    for document in spoiled(copy.deepcopy(made())):
        child = built(document, ROOT, grammar(), _writer())
        assert (child.agrees and fits(child.root)) == holds(child.root)
        found.append(child.agrees)
    assert found.count(False) >= len(AGREEING)


def test_a_lawful_document_passes_both_checks() -> None:
    """The schema made from the table accepts what the table accepts."""
    document = made()
    assert faults(document) == []
    assert holds(element(document, ROOT, grammar()))


def test_the_table_is_whole() -> None:
    """Every type that a member has is described, or one of the primitive types."""
    known = {*structure(), "cs", "oid", "uid", "ts", "int", "bl", "url", "st", "string", "any"}
    for kind, members in structure().items():
        assert {rule.of for rule in members.values()} <= known, kind


REFUSED = [
    b"",
    b"\x00",
    b"not xml",
    b"<ClinicalDocument/>",
    b'<ClinicalDocument xmlns="urn:other"/>',
    b'<ClinicalDocument xmlns="urn:hl7-org:v3">',
    b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    b'<?xml version="1.0"?><?xml-stylesheet href="x"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>',
    b'<Documents xmlns="urn:ecaf:cda:documents:1"><Other xmlns="urn:x"/></Documents>',
    b'{"resourceType": "Bundle"}',
    b"\xff\xfe<\x00x\x00",
    b"MSH|^~\\&|",
]


@pytest.mark.parametrize("raw", REFUSED, ids=range(len(REFUSED)))
def test_reading_is_refused_with_a_code(raw: bytes) -> None:
    """A clinical document is never read as an episode; whatever comes gets a coded refusal."""
    with pytest.raises(Malformed) as refused:
        translator().read("application/hl7-sda+xml", raw, partner="SCH-A")
    assert refused.value.code is Code.CONTENT_TYPE
    one_format = translator().catalogue.formats[CDA]
    with pytest.raises(Malformed) as written:
        translator().read_format(one_format, raw)
    assert written.value.code is Code.CONTENT_TYPE
    with pytest.raises(Malformed) as parsed:
        CdaWire().parse(raw)
    assert parsed.value.code in set(Code)


def test_a_view_is_only_what_the_gate_released() -> None:
    """A document renders from a released view and from nothing else."""
    with pytest.raises(TypeError, match="Released"):
        translator().render(CDA, family(), partner="")
    assert translator().render(CDA, rehearse(family()), partner="").content_type == (
        "application/hl7-sda+xml"
    )


def test_a_view_of_one_child_drops_adults_who_are_another_childs_alone() -> None:
    """The father of the brother is nobody in the sister's view; their mother is in both."""
    ava, ben = alone(two_children())
    assert [adult["name"] for adult in ava.tree["episode"]["parents_carers"]] == ["Mia Example"]
    assert len(ben.tree["episode"]["parents_carers"]) == 2
    assert [
        tie["subject_id"] for tie in ava.tree["episode"]["parents_carers"][0]["relationships"]
    ] == ["s1"]
    assert ava.seed == "m1\ne1\ns1"
