"""Clinical documents that are written straight from the rules: byte for byte what a tree of them
would be written as, and the way over the tree for what the short one cannot say.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from hub.errors import Rejected
from hub.services.released import freeze
from mappings.engine.compiled import Compiled
from mappings.engine.load import load
from mappings.formats.cda_wire import CdaWire
from mappings.formats.xml_draft import Script, unfolded
from tests.unit.documents.documents import family, two_children

Rules = list[dict[str, Any]]

HEAD: Final = """\
mapping: try
version: 1
format: cda-r2
content_type: application/hl7-sda+xml
direction: out
per: child
"""
HEADER: Final[Rules] = [
    {"const": "POCD_HD000040", "wire": "typeId.@extension"},
    {"const": "2.16.840.1.113883.1.3", "wire": "typeId.@root"},
    {"const": "set", "wire": "id.@root"},
    {"caf": "message.message_id", "wire": "id.@extension"},
    {"const": "CAF", "wire": "code{@codeSystem=documents}.@code"},
    {"const": "R", "wire": "confidentialityCode{@codeSystem=confidentiality}.@code"},
]
PERSON: Final = "recordTarget[].patientRole"
WHICH: Final = "section.code.@code=family,section.code.@codeSystem=sections"
SECTION: Final = f"component.structuredBody.component[{WHICH}].section"
ADULTS: Final = "participant[@typeCode=IND][].associatedEntity"


def child(*rules: dict[str, Any]) -> Rules:
    """Rules of the child's own part of the header."""
    return [{"caf": "episode.subjects[]", "wire": PERSON, "rules": list(rules)}]


def adult(*rules: dict[str, Any]) -> Rules:
    """Rules of every adult."""
    return [{"caf": "episode.parents_carers[]", "wire": ADULTS, "rules": list(rules)}]


def section(*rules: dict[str, Any]) -> Rules:
    """One section that can be read, with more in it."""
    told = {"narrate": ["episode.family"], "wire": f"{SECTION}.text"}
    return [told, *({**rule, "wire": f"{SECTION}.{rule['wire']}"} for rule in rules)]


NUMBERS: Final = child(
    {
        "caf": "identifiers[]",
        "wire": "id[]",
        "rules": [{"caf": "system", "wire": "@root"}, {"caf": "value", "wire": "@extension"}],
    }
)
PERHAPS: Final = {"present": "name"}
PLANS: Final[dict[str, Rules]] = {
    "no more than the header": [],
    "an id of which each half may be absent": NUMBERS,
    "own text beside attributes": child(
        {"caf": "preferred_name", "wire": "patient.name[@use=P].#text"},
        {"caf": "gender", "wire": "patient.name[@use=P].@nullFlavor"},
    ),
    "attributes and elements, all of which may be absent": child(
        {"caf": "subject_id", "wire": "id[@root=episode].@extension"},
        {"caf": "gender", "wire": "patient.@nullFlavor"},
        {"caf": "date_of_birth", "wire": "patient.birthTime.@value"},
        {"caf": "family_name", "wire": "patient.name[0].family[0]"},
    ),
    "a constant under a condition": adult(
        {"const": "PRS", "wire": "@classCode", "when": PERHAPS},
        {"caf": "parent_carer_id", "wire": "id[@root=episode].@extension"},
        {"caf": "name", "wire": "associatedPerson.name[0].#text"},
    ),
    "two rules for one place": adult(
        {"caf": "name", "wire": "associatedPerson.name[0].#text", "when": PERHAPS},
        {
            "caf": "parent_carer_id",
            "wire": "associatedPerson.name[0].#text",
            "when": {"absent": "name"},
        },
    ),
    "a code without names, and one in a system of nobody": [
        {"caf": "episode.status", "wire": "languageCode.@code"},
        *child({"caf": "gender", "wire": "patient.raceCode{@codeSystem=nobody}.@code"}),
    ],
    "a code under a condition, beside its own words": child(
        {
            "caf": "gender",
            "wire": "patient.raceCode{@codeSystem=CL-02}.@code",
            "when": {"present": "date_of_birth"},
        },
        {"caf": "preferred_name", "wire": "patient.raceCode{@codeSystem=CL-02}.originalText.#text"},
    ),
    "a system alone": child(
        {"caf": "family_name", "wire": "patient.name[0].family[0]"},
        {"const": "CL-02", "wire": "patient.raceCode.@codeSystem"},
    ),
    "a code that may have no system": child(
        {"caf": "gender", "wire": "patient.raceCode.@code"},
        {"caf": "preferred_name", "wire": "patient.raceCode.originalText.#text"},
    ),
    "what CDA demands and nobody said": [
        {"caf": "episode.assessment_completed_on", "wire": "author[0].time.@value"},
        {
            "caf": "episode.opened_at",
            "wire": "documentationOf[0].serviceEvent.effectiveTime.low.@value",
        },
        {
            "caf": "episode.home_authority",
            "wire": "author[0].assignedAuthor.id[@root=caf-authority].@extension",
        },
    ],
    "sections that nobody could read": [
        {"const": "Title", "wire": f"{SECTION}.title.#text"},
        {"narrate": ["episode.closure"], "wire": f"{SECTION}.text"},
        {
            "caf": "episode.conclusions.conclusions",
            "wire": f"{SECTION}.entry[0].observation.value[@xsi:type=ST].#text",
        },
    ],
    "numbers, truth and typed values": section(
        {
            "caf": "episode.form_version_no",
            "wire": "entry[0].observation.value[@xsi:type=INT].@value",
        },
        {"const": "1", "wire": "entry[0].observation.code.@code"},
        {"const": "fields", "wire": "entry[0].observation.code.@codeSystem"},
    ),
    "many of a kind in one list, some of them constant": child(
        {"caf": "contact_tel[]", "wire": "telecom[@use=HP][].@value", "prefix": "tel:"},
        {"const": "tel:0", "wire": "telecom[@use=WP].@value"},
        {"caf": "email[]", "wire": "telecom[@use=H][].@value", "prefix": "mailto:"},
    ),
}
OVER_THE_TREE: Final[dict[str, Rules]] = {
    "a system that is not a constant": child(
        {"caf": "gender", "wire": "patient.raceCode.@code"},
        {"caf": "subject_id", "wire": "patient.raceCode.@codeSystem"},
    ),
    "a name of its own for a system": child(
        {"caf": "gender", "wire": "patient.raceCode{@codeSystem=CL-02}.@code"},
        {"const": "Sex", "wire": "patient.raceCode.@codeSystemName"},
    ),
    "a constant under a condition, in something constant": child(
        {"caf": "family_name", "wire": "patient.name[0].family[0]"},
        {"const": "x", "wire": "patient.raceCode.@code", "when": {"present": "gender"}},
    ),
    "a section without text": [
        {"caf": "episode.status", "wire": f"{SECTION}.title.#text"},
    ],
    "a code that never has a system": child({"caf": "gender", "wire": "patient.raceCode.@code"}),
    "an item that may lose what it is known by": child(
        {
            "caf": "family_name",
            "wire": "patient.guardian[code.@code=X].guardianPerson.name[0].#text",
        },
        {"caf": "gender", "wire": "patient.guardian[code.@code=X].code.originalText.#text"},
    ),
    "a type that is not a constant": section(
        {"caf": "episode.status", "wire": "entry[0].observation.value[0].@xsi:type"},
    ),
}
HOSTILE: Final = '<a b="c">]]>&amp;\r\n\t{v1} {{}} \\\' \u202e'


def trees() -> Iterator[dict[str, Any]]:
    """Whole families, and families of which much is not said."""
    yield from (family(), two_children(), family(form_version_no=0, status=HOSTILE))
    for name in ("gender", "date_of_birth", "family_name", "preferred_name", "subject_id"):
        some = family()
        some["episode"]["subjects"][0].pop(name)
        yield some
        some = copy.deepcopy(some)
        some["episode"]["subjects"][0].update(preferred_name="", family_name=HOSTILE)
        yield some
    some = family()
    some["episode"]["subjects"][0]["identifiers"] = [
        {"system": "upn", "value": HOSTILE},
        {"system": "set"},
        {"value": "X"},
        {},
    ]
    yield some
    some = family()
    some["episode"]["parents_carers"] = [{"name": ""}, {"parent_carer_id": HOSTILE}, {}]
    for name in ("status", "family", "conclusions", "opened_at", "home_authority"):
        some["episode"].pop(name, None)
        yield copy.deepcopy(some)


def compiled(folder: Path, rules: Rules) -> tuple[CdaWire, Compiled]:
    """A mapping of clinical documents with these rules beside a header."""
    envelope = json.dumps({"resource": "ClinicalDocument", "rules": [*HEADER, *rules]})
    (folder / "mapping.yaml").write_text(f"{HEAD}envelope: {envelope}\n")
    wire = CdaWire()
    return wire, Compiled(load(folder, folder, {}, "try"), wire.shape)


def written(wire: CdaWire, document: Any, *, check: bool) -> Any:
    """The bytes, or what is wrong."""
    try:
        return wire.write(document, check=check)
    except Rejected as wrong:
        return wrong.detail, wrong.faults


@pytest.mark.parametrize("rules", PLANS.values(), ids=PLANS)
def test_what_is_written_at_once_is_what_the_tree_is_written_as(
    tmp_path: Path, rules: Rules
) -> None:
    """Bytes, refusals and places, for families that say much and little."""
    wire, one = compiled(tmp_path, rules)
    assert one.script is not None
    for tree in trees():
        document = one.render(freeze(tree))
        assert all(type(each) is Script for each in document["document"])
        for check in (False, True):
            whole = written(wire, unfolded(document), check=check)
            assert written(wire, document, check=check) == whole


@pytest.mark.parametrize("rules", OVER_THE_TREE.values(), ids=OVER_THE_TREE)
def test_what_cannot_be_written_at_once_goes_over_the_tree(tmp_path: Path, rules: Rules) -> None:
    """The mapping works as any other, only slower."""
    wire, one = compiled(tmp_path, rules)
    assert one.script is None
    for tree in trees():
        document = one.render(freeze(tree))
        whole = written(wire, unfolded(document), check=False)
        assert written(wire, document, check=False) == whole


def test_an_element_that_contradicts_itself_is_found(tmp_path: Path) -> None:
    """What the schema cannot say is told by the code that writes: an id without a root."""
    wire, one = compiled(tmp_path, NUMBERS)
    tree = family()
    tree["episode"]["subjects"][0]["identifiers"] = [{"value": "X"}]
    document = one.render(freeze(tree))
    assert [each.agrees for each in document["document"]] == [False]
    with pytest.raises(Rejected, match=r"breaks CDA R2 at .*id\[0\].@root"):
        wire.write(document, check=True)


def test_a_value_that_is_no_word_is_refused(tmp_path: Path) -> None:
    """An object where a text belongs goes over the tree, which looks for where it stands."""
    wire, one = compiled(tmp_path, NUMBERS)
    tree = family()
    tree["episode"]["subjects"][0]["identifiers"] = [{"system": {"x": 1}, "value": "X"}]
    with pytest.raises(Rejected, match="E_MAPPING"):
        wire.write(one.render(freeze(tree)), check=True)


def test_the_tree_way_is_not_compiled_before_somebody_looks(tmp_path: Path) -> None:
    """A mapping that writes at once is ready when that is ready."""
    _wire, one = compiled(tmp_path, NUMBERS)
    one.ready()
    assert "script" in vars(one)
    assert "outward" not in vars(one)
