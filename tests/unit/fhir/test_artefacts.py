"""What is published about the FHIR messages: lawful by every layer, all that a message mentions."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.domain.codes import code_list, list_ids
from mappings.commands import translator
from mappings.concept_map import rows_of
from mappings.engine.cases import find
from mappings.formats import fhir_r4_invariants, fhir_r4_models
from mappings.formats.artefacts.publish import artefacts
from mappings.formats.fhir_r4_definitions import PUBLISHED
from mappings.formats.fhir_r4_schema import validator
from tests.unit.fhir.wholes import decision, whole

BASE = "https://ecaf.example/fhir"
FORMATS = translator().catalogue.formats
CATALOGUE = FORMATS["fhir-r4/episode"].folder.parents[1]
Tree = dict[str, Any]


@cache
def made() -> list[Tree]:
    """Every artefact, as JSON gives it back."""
    return [orjson.loads(orjson.dumps(one)) for one in artefacts(FORMATS, BASE)]


def of(kind: str) -> dict[str, Tree]:
    """The artefacts of a type by id."""
    return {one["id"]: one for one in made() if one["resourceType"] == kind}


@cache
def bundles() -> list[Tree]:
    """Every golden Bundle, and the two that say everything."""
    files = [case.folder / "expected.json" for case in find(CATALOGUE) if case.outward]
    golden = [
        json.loads(file.read_text("utf-8"))
        for file in files
        if file.is_relative_to(CATALOGUE / "fhir-r4") and file.exists()
    ]
    golden += [
        json.loads((case.folder / "wire.json").read_text("utf-8"))
        for case in find(CATALOGUE)
        if case.format.startswith("fhir-r4/") and (case.folder / "wire.json").exists()
    ]
    one = FORMATS["fhir-r4/episode"].compiled
    said = [one.render(orjson.loads(orjson.dumps(tree))) for tree in (whole(), decision())]
    return golden + [orjson.loads(orjson.dumps(document)) for document in said]


def texts(value: Any) -> Iterator[str]:
    """Every text below a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def known() -> set[str]:
    """What the artefacts answer for: canonical urls with their versions, identifier systems."""
    found = set()
    for one in made():
        if "url" in one:
            found |= {one["url"], f"{one['url']}|{one['version']}"}
        for unique in one.get("uniqueId", ()):
            found.add(unique["value"])
    return found


@pytest.mark.parametrize("one", made(), ids=lambda one: f"{one['resourceType']}-{one['id']}")
def test_an_artefact_passes_every_layer(one: Tree) -> None:
    """The models, the second layer and R4's invariants find nothing wrong with it."""
    assert fhir_r4_models.faults(one) == []
    checker = validator(one["resourceType"], PUBLISHED)
    assert [list(error.instance_path) for error in checker.iter_errors(one)] == []
    assert list(fhir_r4_invariants.broken(one, every=True, file=PUBLISHED)) == []


def test_every_canonical_url_in_a_bundle_resolves() -> None:
    """Whatever of ours a message mentions is published; local numbers stand below one system."""
    answers = known()
    mentioned = {text for one in bundles() for text in texts(one) if text.startswith(f"{BASE}/")}
    assert len(mentioned) > 120
    missing = {
        text
        for text in mentioned
        if text not in answers and not text.startswith(f"{BASE}/Id/local/")
    }
    assert missing == set()
    assert f"{BASE}/Id/local" in answers


def test_every_canonical_url_in_an_artefact_resolves() -> None:
    """What an artefact refers to is published as well."""
    answers = known()
    mentioned = {text for one in made() for text in texts(one) if text.startswith(f"{BASE}/")}
    assert {text for text in mentioned if text not in answers} == set()


def test_every_extension_and_code_stands_where_it_is_published() -> None:
    """An extension has a value of a type that its definition allows, and a code is one of its
    system's.
    """
    definitions = {one["url"]: one for one in of("StructureDefinition").values()}
    systems = {one["url"]: one for one in of("CodeSystem").values()}
    seen = 0
    for bundle in bundles():
        for held in objects(bundle):
            url = str(held.get("url", ""))
            if url in definitions:
                seen += 1
                assert extension_holds(held, definitions[url]), url
            system = held.get("system")
            if isinstance(system, str) and system in systems and "code" in held:
                one = systems[system]
                codes = {concept["code"] for concept in one["concept"]}
                lawful = held["code"] in codes or one["content"] == "fragment"
                assert lawful or held["code"] == "homework", (system, held["code"])
    assert seen > 100


def objects(value: Any) -> Iterator[Tree]:
    """Every object below a value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def extension_holds(held: Tree, definition: Tree) -> bool:
    """Whether an extension is as its differential says."""
    elements = {one["id"]: one for one in definition["differential"]["element"]}
    if "Extension.extension:" not in " ".join(elements):
        return _value_holds(held, elements["Extension.value[x]"])
    for part in held["extension"]:
        named = f"Extension.extension:{part['url'].replace('_', '-')}"
        if not _value_holds(part, elements[f"{named}.value[x]"]):
            return False
    return "value" not in {name[:5] for name in held}


def _value_holds(held: Tree, element: Tree) -> bool:
    (name,) = [name for name in held if name.startswith("value")]
    kinds = {one["code"] for one in element["type"]}
    return name[5:6].lower() + name[6:] in {kind[:1].lower() + kind[1:] for kind in kinds}


def test_answers_match_their_questionnaire() -> None:
    """Every item of every form sent is asked, in its place, with its type, and from its list."""
    forms = {f"{one['url']}|{one['version']}": one for one in of("Questionnaire").values()}
    tried = 0
    for bundle in bundles():
        for entry in bundle.get("entry", ()):
            response = entry["resource"]
            if response["resourceType"] == "QuestionnaireResponse":
                asked = forms[response["questionnaire"]]["item"]
                tried += check(response.get("item", []), asked)
    assert tried > 300


TYPES = {
    "boolean": "valueBoolean",
    "integer": "valueInteger",
    "date": "valueDate",
    "dateTime": "valueDateTime",
    "reference": "valueReference",
    "choice": "valueCoding",
    "string": "valueString",
    "text": "valueString",
}


def check(items: list[Tree], asked: list[Tree]) -> int:
    """Check items against questions, and return how many there were."""
    questions = {one["linkId"]: one for one in asked}
    count = 0
    links = [one["linkId"] for one in items]
    for item in items:
        question = questions[item["linkId"]]
        count += 1
        if links.count(item["linkId"]) > 1:
            assert question["type"] == "group", item["linkId"]
            assert question["repeats"], item["linkId"]
        if question["type"] == "group":
            assert "answer" not in item, item["linkId"]
            count += check(item.get("item", []), question["item"])
            continue
        answers = item["answer"]
        assert len(answers) == 1 or question["repeats"], item["linkId"]
        for answer in answers:
            assert list(answer) == [TYPES[question["type"]]], item["linkId"]
            if question["type"] == "choice":
                coding = answer["valueCoding"]
                bound = question["answerValueSet"].replace("/ValueSet/", "/CodeSystem/")
                assert coding["system"] == bound, item["linkId"]
    return count


def test_a_wrong_answer_would_be_found() -> None:
    """The guard bites: another type, another place, an answer too many."""
    asked = of("Questionnaire")["caf-assessment"]["item"]
    for item in (
        {"linkId": "meta", "item": [{"linkId": "meta.shoe", "answer": [{"valueString": "x"}]}]},
        {"linkId": "conclusions.goals", "answer": [{"valueString": "x"}]},
        {"linkId": "family", "answer": [{"valueString": "x"}]},
        {
            "linkId": "family",
            "item": [{"linkId": "family.family_id", "answer": [{"valueDate": "2020"}]}],
        },
        {
            "linkId": "family",
            "item": [{"linkId": "family.family_id", "answer": [{"valueString": "x"}] * 2}],
        },
    ):
        with pytest.raises((AssertionError, KeyError)):
            check([item], asked)


def test_there_is_a_code_system_for_every_code_list() -> None:
    """Each with its codes, displays and what else the list says of them."""
    systems = of("CodeSystem")
    for list_id in list_ids():
        concepts = {one["code"]: one for one in systems[list_id]["concept"]}
        assert concepts.keys() == code_list(list_id).codes.keys()
    camhs = next(one for one in systems["CL-11"]["concept"] if one["code"] == "CAMHS")
    assert {"code": "sensitive", "valueString": "yes"} in camhs["property"]
    assert systems["CL-29"]["content"] == "fragment"


def test_there_is_a_concept_map_for_every_code_table() -> None:
    """Each can be imported again as the table that it was, and names both code systems; a truth
    value is a code of none.
    """
    used: dict[str, Any] = {}
    for one in FORMATS.values():
        if one.written.format == "fhir-r4":
            used |= {rule.codes.name: rule.codes for rule in _rules(one) if rule.codes}
    maps = of("ConceptMap")
    uris = {"identifier-system", "message-definition", "answer-definition"}
    assert maps.keys() == used.keys() - uris
    for name, held in maps.items():
        (group,) = held["group"]
        truth = name in {"yes-no", "nhs-number-verified"}
        assert group.get("source", "").startswith(f"{BASE}/CodeSystem/") is not truth
        rows = [(caf, way, wire) for caf, way, wire, _ in rows_of(held)]
        assert sorted(rows) == sorted((row.caf, row.way, row.wire) for row in used[name].rows)


def _rules(one: Any) -> Iterator[Any]:
    from mappings.engine.rules import every_rule

    for entry in (one.written.envelope, *one.written.entries.values()):
        yield from every_rule(entry.rules)


def test_there_is_a_message_definition_for_every_event() -> None:
    """Also for those that are only read, and the capability statement lists them by direction."""
    events = set(of("MessageDefinition"))
    assert {"caf-created", "caf-transfer-response", "caf-notice", "caf-acknowledgement"} <= events
    codes = {one["code"] for one in of("CodeSystem")["caf-message-event"]["concept"]}
    assert codes == events
    (statement,) = of("CapabilityStatement").values()
    modes: dict[str, set[str]] = {}
    for one in statement["messaging"][0]["supportedMessage"]:
        modes.setdefault(one["definition"].rpartition("/")[2], set()).add(one["mode"])
    assert modes.keys() == events
    assert modes["caf-notice"] == {"receiver"}
    assert modes["caf-created"] == {"sender", "receiver"}


def test_everything_moves_with_the_canonical_base() -> None:
    """A site publishes under its own address, and nothing keeps the example's."""
    from mappings.engine.catalogue import Catalogue
    from mappings.formats.wires import WIRES

    other = "https://hub.example.org/r4"
    formats = Catalogue(WIRES, let={"hub": other}).formats
    moved = [orjson.loads(orjson.dumps(one)) for one in artefacts(formats, other)]
    assert len(moved) == len(made())
    assert not [text for one in moved for text in texts(one) if "ecaf.example" in text]


def test_the_command_writes_every_file(tmp_path: Path) -> None:
    """`ecaf publish fhir --out DIR` writes one file an artefact, the same bytes each time."""
    run = CliRunner().invoke(app, ["publish", "fhir", "--out", str(tmp_path / "a"), "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.output)
    assert told["files"] == len(made()) == len(list((tmp_path / "a").iterdir()))
    assert CliRunner().invoke(app, ["publish", "fhir", "--out", str(tmp_path / "b")]).exit_code == 0
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_ids_and_names_are_lawful_and_unique() -> None:
    """An id is the last part of its url, and a name is one that a program can use."""
    seen = [(one["resourceType"], one["id"]) for one in made()]
    assert len(set(seen)) == len(seen)
    for one in made():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,254}", one["name"]), one["id"]
        assert "url" not in one or one["url"].endswith(f"/{one['resourceType']}/{one['id']}")
