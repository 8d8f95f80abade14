"""The second layer over FHIR R4: every fault that some validator lets pass is caught here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.services.released import rehearse
from mappings.commands import translator
from mappings.formats import fhir_r4_definitions, fhir_r4_models, fhir_r4_rules
from mappings.formats.fhir_r4_definitions import MESSAGES, PUBLISHED, types
from tests import builders
from tests.unit.fhir.wholes import decision

Bundle = dict[str, Any]
Spoil = Callable[[Bundle], object]


def bundle(tree: dict[str, Any] | None = None) -> Bundle:
    """A Bundle as the hub sends it."""
    about = {"message": builders.header(message_type="N7"), "episode": builders.episode()}
    body = translator().render("fhir-r4/episode", rehearse(tree or about), partner="").body
    made: Bundle = orjson.loads(body)
    return made


def of(made: Bundle, kind: str) -> dict[str, Any]:
    """The first resource of that type."""
    found: dict[str, Any] = next(
        e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == kind
    )
    return found


def entry(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as an entry."""
    return {"fullUrl": "urn:uuid:1", "resource": resource}


def consent(**changes: Any) -> dict[str, Any]:
    """A Consent as the hub writes one, changed."""
    return {**of(bundle(decision()), "Consent"), **changes}


def without(resource: dict[str, Any], *names: str) -> dict[str, Any]:
    """The resource without some members."""
    return {name: value for name, value in resource.items() if name not in names}


def update(kind: str, **changes: Any) -> Spoil:
    """Change members of the first resource of a type."""
    return lambda made: of(made, kind).update(changes)


def add(resource: Callable[[], dict[str, Any]]) -> Spoil:
    """Add a resource."""
    return lambda made: made["entry"].append(entry(resource()))


DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


def narrative(inner: str) -> Spoil:
    """Give the child a narrative."""
    return update("Patient", text={"status": "generated", "div": DIV.format(inner)})


TABLE: dict[str, list[tuple[str, Spoil, bool]]] = {
    "unknown field": [("shoe", update("Patient", shoe=1), True)],
    "missing required": [("Task.status", lambda b: of(b, "Task").pop("status"), True)],
    "bad required code": [
        ("gender", update("Patient", gender="girl"), True),
        ("EpisodeOfCare.status", update("EpisodeOfCare", status="open"), True),
        ("CarePlan.status", update("CarePlan", status="done"), True),
        ("CarePlan.intent", update("CarePlan", intent="wish"), True),
        ("ServiceRequest.status", update("ServiceRequest", status="new"), True),
        ("beyond the models' +", update("Task", status="finished"), True),
    ],
    "bad date": [
        ("British", update("Patient", birthDate="01/03/2015"), True),
        ("month 13", update("Patient", birthDate="2015-13"), True),
    ],
    "two value[x] choices": [
        ("deceased", update("Patient", deceasedBoolean=True, deceasedDateTime="2015"), True),
        ("value", lambda b: of(b, "Patient")["extension"][0].update(valueString="x"), True),
    ],
    "wrong reference target": [
        (
            "by address",
            lambda b: of(b, "CarePlan").update(subject={"reference": b["entry"][0]["fullUrl"]}),
            False,
        ),
        ("by name", update("Goal", subject={"reference": "Task/1"}), False),
        ("nothing there", update("Goal", subject={"reference": "urn:uuid:0"}), False),
    ],
    "invariants cpl-3, ppc-1, bdl-12": [
        (
            "cpl-3",
            lambda b: of(b, "CarePlan")["activity"][0].update(detail={"status": "not-started"}),
            True,
        ),
        ("ppc-1", add(lambda: without(consent(), "policy")), True),
        ("bdl-12", lambda b: b["entry"].reverse(), True),
    ],
    "qrs-1": [
        (
            "item and answer",
            lambda b: of(b, "QuestionnaireResponse")["item"][0].update(
                answer=[{"valueString": "x"}]
            ),
            True,
        )
    ],
    "id over 64 chars": [("65", update("MessageHeader", id="x" * 65), True)],
    "empty object": [("telecom", update("Patient", telecom=[{}]), True)],
    "NUL char, <script> narrative": [
        ("NUL", update("Patient", name=[{"text": "a\x00b"}]), True),
        ("script", narrative("<script>1</script>"), True),
        ("handler", narrative("<b onclick='x'>1</b>"), True),
        ("javascript", narrative("<a href='javascript:x'>1</a>"), True),
        ("frame", narrative("<iframe src='x'/>"), True),
        ("entity", narrative("<!DOCTYPE x>1"), True),
    ],
}
"""`standards.md` 3.2, row by row: the faults, and whether the hot path catches them too."""

MORE: list[tuple[str, Spoil]] = [
    ("extension that says nothing", lambda b: of(b, "Patient")["extension"].append({"url": "x"})),
    ("empty list", update("Patient", telecom=[])),
    ("empty string", update("Patient", name=[{"text": ""}])),
    ("null", update("Patient", gender=None)),
    ("type", update("Patient", birthDate=2015)),
    ("list for one", update("Patient", gender=["male"])),
    ("one for list", update("Patient", name={"text": "x"})),
    ("cpt-2", update("Patient", telecom=[{"value": "x"}])),
    ("pat-1", update("Patient", contact=[{"relationship": [{"text": "x"}]}])),
    ("prr-1", lambda b: of(b, "ServiceRequest").update(orderDetail=[{"text": "x"}], code=None)),
    ("org-1", add(lambda: {"resourceType": "Organization", "active": True})),
    (
        "org-2",
        add(lambda: {"resourceType": "Organization", "name": "x", "address": [{"use": "home"}]}),
    ),
    (
        "org-3",
        add(
            lambda: {
                "resourceType": "Organization",
                "name": "x",
                "telecom": [{"system": "phone", "value": "1", "use": "home"}],
            }
        ),
    ),
    ("unknown resource", add(lambda: {"resourceType": "Basic"})),
    ("modifierExtension", update("Patient", modifierExtension=[{"url": "x", "valueCode": "y"}])),
    ("implicitRules", update("Patient", implicitRules="https://other.example/rules")),
]
CAUGHT = [
    (f"{row}: {name}", spoil, hot) for row, held in TABLE.items() for name, spoil, hot in held
]
STRUCTURE = [(name, spoil) for name, spoil, hot in CAUGHT if hot] + MORE


def test_a_bundle_of_the_hub_passes() -> None:
    """Nothing is wrong with what the hub sends, by either layer."""
    for made in (bundle(), bundle(decision())):
        assert fhir_r4_rules.structure_holds(made)
        assert fhir_r4_rules.faults(made) == []
        assert fhir_r4_models.faults(made) == []


@pytest.mark.parametrize(("name", "spoil", "hot"), CAUGHT, ids=[name for name, _, _ in CAUGHT])
def test_what_some_validator_lets_pass_is_caught(name: str, spoil: Spoil, hot: bool) -> None:
    """Every row of the standards' table of validators is caught by some layer of ours."""
    made = bundle()
    spoil(made)
    assert fhir_r4_rules.faults(made) != []
    assert fhir_r4_rules.structure_holds(made) is not hot


@pytest.mark.parametrize(("name", "spoil"), STRUCTURE, ids=[name for name, _ in STRUCTURE])
def test_a_fault_of_structure_is_caught_on_the_hot_path(name: str, spoil: Spoil) -> None:
    """The fast answer is no, and the slow one names a place and a code without any value."""
    made = bundle()
    spoil(made)
    assert not fhir_r4_rules.structure_holds(made)
    found = fhir_r4_rules.faults(made)
    assert found != []
    assert all(fault.path.startswith(("entry[", "type")) and fault.remedy for fault in found)


def test_two_entries_of_one_address_are_refused() -> None:
    """An address names one resource (bdl-7), and the second is the one that is told."""
    made = bundle()
    made["entry"][2]["fullUrl"] = made["entry"][1]["fullUrl"]
    assert ("E_DUPLICATE", "entry[2].fullUrl") in {
        (fault.code.value, fault.path) for fault in fhir_r4_rules.faults(made)
    }


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (TABLE["qrs-1"][0][1], "qrs-1"),
        (TABLE["invariants cpl-3, ppc-1, bdl-12"][0][1], "cpl-3"),
        (update("Patient", implicitRules="https://other.example/rules"), "changes what the rest"),
        (update("Patient", gender="girl"), "required value set"),
        (update("Goal", subject={"reference": "Task/1"}), "Patient, Group, Organization"),
    ],
)
def test_a_fault_says_what_rule_is_broken(spoil: Spoil, says: str) -> None:
    """Whoever has to put it right reads which rule it is."""
    made = bundle()
    spoil(made)
    assert any(says in fault.remedy for fault in fhir_r4_rules.faults(made))


@pytest.mark.parametrize(
    "document",
    [None, [], "x", {}, {"resourceType": "Patient"}, {"resourceType": "Bundle", "type": "batch"}],
)
def test_what_is_no_message_bundle_is_refused(document: Any) -> None:
    """Anything else than a message Bundle has faults and breaks nothing."""
    assert fhir_r4_rules.faults(document) != []


@pytest.mark.parametrize(
    "entry",
    [None, [], {}, {"resource": None}, {"resource": {}}, "x", {"resource": {"resourceType": []}}],
)
def test_an_entry_that_is_none_is_refused(entry: Any) -> None:
    """Hostile entries are faults with a path."""
    made = {"resourceType": "Bundle", "type": "message", "entry": [entry]}
    assert all(fault.path.startswith("entry[0]") for fault in fhir_r4_rules.faults(made))
    assert fhir_r4_rules.faults(made) != []


@pytest.mark.parametrize("file", [MESSAGES, PUBLISHED])
def test_the_definitions_are_those_of_the_models(file: str) -> None:
    """The files beside the module are what the models say; `python -m` writes them anew."""
    source = Path(fhir_r4_definitions.__file__).with_name(file)
    assert source.read_text("utf-8") == fhir_r4_definitions.written(file)


def test_every_required_binding_is_closed_and_complete() -> None:
    """The models' lists and R4's own value sets agree wherever the models are not cut short; an
    element of type code without either is bound to an open set.
    """
    required = fhir_r4_models.required_codes()
    cut = 0
    for kind in [*types(MESSAGES), *types(PUBLISHED)]:
        if kind == "Element":
            continue
        for field in fhir_r4_models.model(kind).model_fields.values():
            listed = (field.json_schema_extra or {}).get("enum_values") or []
            closed = required.get(f"{kind}.{field.alias}")
            if not listed or closed is None:
                continue
            if listed[-1] in {"+", "etc."}:
                cut += 1
                assert set(listed[:-1]) <= set(closed), (kind, field.alias)
            else:
                assert set(listed) == set(closed), (kind, field.alias)
    assert cut > 0
    assert "rejected" in types()["Task"]["status"].codes
    assert len(required) > 100


@pytest.mark.parametrize("text", ["a\x00b", "a\x08b", "a\x0cb", "a\x1fb"])
def test_the_bytes_show_control_characters_as_the_tree_does(text: str) -> None:
    """With the body at hand fewer texts are looked at, and none of these gets through."""
    made = bundle()
    assert fhir_r4_rules.structure_holds(made, orjson.dumps(made))
    of(made, "Patient")["name"][0]["family"] = text
    assert not fhir_r4_rules.structure_holds(made, orjson.dumps(made))
    of(made, "Patient")["name"][0]["family"] = 'a "quoted"\nname\\b'
    assert fhir_r4_rules.structure_holds(made, orjson.dumps(made))
