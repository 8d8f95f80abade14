"""The second layer over FHIR R4: every fault that some validator lets pass is caught here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.services.released import rehearse
from mappings.commands import translator
from mappings.formats import fhir_r4_definitions, fhir_r4_models, fhir_r4_rules
from tests import builders

Bundle = dict[str, Any]


def bundle() -> Bundle:
    """A Bundle as the hub sends it."""
    tree = {"message": builders.header(message_type="N7"), "episode": builders.episode()}
    body = translator().render("fhir-r4/episode", rehearse(tree), partner="").body
    made: Bundle = orjson.loads(body)
    return made


def of(made: Bundle, kind: str) -> dict[str, Any]:
    """The first resource of that type."""
    found: dict[str, Any] = next(
        e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == kind
    )
    return found


def test_a_bundle_of_the_hub_passes() -> None:
    """Nothing is wrong with what the hub sends, by either layer."""
    made = bundle()
    assert fhir_r4_rules.structure_holds(made)
    assert fhir_r4_rules.faults(made) == []
    assert fhir_r4_models.faults(made) == []


STRUCTURE: list[tuple[str, Callable[[Bundle], object]]] = [
    ("unknown field", lambda b: of(b, "Patient").update(shoe=1)),
    ("missing required", lambda b: of(b, "Task").pop("status")),
    ("bad required code gender", lambda b: of(b, "Patient").update(gender="girl")),
    ("bad required code EpisodeOfCare", lambda b: of(b, "EpisodeOfCare").update(status="open")),
    ("bad required code CarePlan.status", lambda b: of(b, "CarePlan").update(status="done")),
    ("bad required code CarePlan.intent", lambda b: of(b, "CarePlan").update(intent="wish")),
    ("bad required code ServiceRequest", lambda b: of(b, "ServiceRequest").update(status="new")),
    ("code beyond the models' +", lambda b: of(b, "Task").update(status="finished")),
    ("bad date", lambda b: of(b, "Patient").update(birthDate="01/03/2015")),
    ("month 13", lambda b: of(b, "Patient").update(birthDate="2015-13")),
    (
        "two choices",
        lambda b: of(b, "Patient").update(deceasedBoolean=True, deceasedDateTime="2015"),
    ),
    ("two values", lambda b: of(b, "Patient")["extension"][0].update(valueString="x")),
    ("extension that says nothing", lambda b: of(b, "Patient")["extension"].append({"url": "x"})),
    (
        "cpl-3",
        lambda b: of(b, "CarePlan")["activity"][0].update(detail={"status": "not-started"}),
    ),
    (
        "qrs-1",
        lambda b: of(b, "QuestionnaireResponse")["item"][0].update(answer=[{"valueString": "x"}]),
    ),
    ("bdl-12", lambda b: b["entry"].reverse()),
    ("id of 65", lambda b: of(b, "MessageHeader").update(id="x" * 65)),
    ("empty object", lambda b: of(b, "Patient").update(telecom=[{}])),
    ("empty list", lambda b: of(b, "Patient").update(telecom=[])),
    ("empty string", lambda b: of(b, "Patient").update(name=[{"text": ""}])),
    ("null", lambda b: of(b, "Patient").update(gender=None)),
    ("NUL", lambda b: of(b, "Patient").update(name=[{"text": "a\x00b"}])),
    (
        "script",
        lambda b: of(b, "Patient").update(
            text={"status": "generated", "div": "<div><script>1</script></div>"}
        ),
    ),
    (
        "handler",
        lambda b: of(b, "Patient").update(
            text={"status": "generated", "div": "<div><b onclick='x'>1</b></div>"}
        ),
    ),
    ("type", lambda b: of(b, "Patient").update(birthDate=2015)),
    ("list for one", lambda b: of(b, "Patient").update(gender=["male"])),
    ("one for list", lambda b: of(b, "Patient").update(name={"text": "x"})),
    ("cpt-2", lambda b: of(b, "Patient").update(telecom=[{"value": "x"}])),
    ("org-1", lambda b: b["entry"].append(entry({"resourceType": "Organization", "active": True}))),
    ("ppc-1", lambda b: b["entry"].append(entry(consent()))),
    ("unknown resource", lambda b: b["entry"].append(entry({"resourceType": "Basic"}))),
]
ACROSS: list[tuple[str, Callable[[Bundle], object]]] = [
    (
        "wrong target",
        lambda b: of(b, "CarePlan").update(subject={"reference": b["entry"][0]["fullUrl"]}),
    ),
    ("nothing there", lambda b: of(b, "Goal").update(subject={"reference": "urn:uuid:0"})),
    ("wrong target by name", lambda b: of(b, "Goal").update(subject={"reference": "Task/1"})),
    ("bdl-7", lambda b: b["entry"][2].update(fullUrl=b["entry"][1]["fullUrl"])),
]


def entry(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as an entry."""
    return {"fullUrl": "urn:uuid:1", "resource": resource}


def consent() -> dict[str, Any]:
    """A Consent without policy and rule."""
    concept = {"text": "x"}
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept,
        "category": [concept],
    }


@pytest.mark.parametrize(("name", "spoil"), STRUCTURE, ids=[name for name, _ in STRUCTURE])
def test_a_fault_of_structure_is_caught_on_the_hot_path(
    name: str, spoil: Callable[[Bundle], object]
) -> None:
    """The fast answer is no, and the slow one names a place and a code without any value."""
    made = bundle()
    spoil(made)
    assert not fhir_r4_rules.structure_holds(made)
    assert fhir_r4_rules.faults(made) != []


@pytest.mark.parametrize(("name", "spoil"), ACROSS, ids=[name for name, _ in ACROSS])
def test_a_fault_between_resources_is_caught(name: str, spoil: Callable[[Bundle], object]) -> None:
    """References and addresses are checked across the whole message."""
    made = bundle()
    spoil(made)
    assert fhir_r4_rules.faults(made) != []


@pytest.mark.parametrize(
    "document",
    [None, [], "x", {}, {"resourceType": "Patient"}, {"resourceType": "Bundle", "type": "batch"}],
)
def test_what_is_no_message_bundle_is_refused(document: Any) -> None:
    """Anything else than a message Bundle has faults and breaks nothing."""
    assert fhir_r4_rules.faults(document) != []


@pytest.mark.parametrize("entry", [None, [], {}, {"resource": None}, {"resource": {}}, "x"])
def test_an_entry_that_is_none_is_refused(entry: Any) -> None:
    """Hostile entries are faults with a path."""
    made = {"resourceType": "Bundle", "type": "message", "entry": [entry]}
    assert all(fault.path.startswith("entry[0]") for fault in fhir_r4_rules.faults(made))
    assert fhir_r4_rules.faults(made) != []


def test_the_definitions_are_those_of_the_models() -> None:
    """The file beside the module is what the models say; `python -m` writes it anew."""
    source = Path(fhir_r4_definitions.__file__).with_name(fhir_r4_definitions.FILE)
    assert source.read_text("utf-8") == fhir_r4_definitions.written()


def test_no_required_code_list_is_cut_short() -> None:
    """Every list that the models end in + is completed by hand or not used as a closed list."""
    for kind, elements in fhir_r4_definitions.types().items():
        for element in elements.values():
            assert "+" not in element.codes, (kind, element.name)
    assert "rejected" in fhir_r4_definitions.types()["Task"]["status"].codes
