"""R4's own invariants by FHIRPath: all evaluate, each bites, what is not asked could not break."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from mappings.commands import translator
from mappings.formats import fhir_r4_invariants as invariants
from mappings.formats import fhir_r4_rules
from mappings.formats.fhir_r4_definitions import PUBLISHED
from mappings.formats.fhir_r4_invariants import GUARDS, Invariant
from mappings.formats.fhir_r4_schema import in_schema, validator
from tests.unit.fhir.test_rules import bundle, of
from tests.unit.fhir.wholes import decision, whole

ROOT = Path(__file__).resolve().parents[3]
BY_KEY = {one.key: one for one in invariants.invariants()}
CHILD = {"reference": "Patient/1"}
CONCEPT = {"text": "x"}
MESSAGE = {"resourceType": "Bundle", "type": "message"}


def message(*resources: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A Bundle with these resources."""
    entries = [
        {"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate(resources)
    ]
    return {**MESSAGE, "entry": entries, **changes}


BROKEN: dict[str, Any] = {
    "att-1": {"data": "eA=="},
    "bdl-1": message(total=1),
    "bdl-2": message(entry=[{"search": {"mode": "match"}}]),
    "bdl-3": message(entry=[{"request": {"method": "GET", "url": "x"}}]),
    "bdl-4": message(entry=[{"response": {"status": "200"}}]),
    "bdl-5": {"fullUrl": "urn:uuid:1"},
    "bdl-7": message(entry=[{"fullUrl": "a", "resource": {}}, {"fullUrl": "a", "resource": {}}]),
    "bdl-8": {"fullUrl": "https://x.example/Patient/1/_history/2", "resource": {}},
    "bdl-9": message(type="document"),
    "bdl-10": message(type="document"),
    "bdl-11": message({"resourceType": "Patient"}, type="document"),
    "bdl-12": message({"resourceType": "Patient"}),
    "cpl-3": {"reference": CHILD, "detail": {"status": "x"}},
    "cpt-2": {"value": "1"},
    "drt-1": {"code": "a", "value": 1, "system": "urn:other"},
    "exp-1": {"language": "text/fhirpath"},
    "gol-1": {"detailString": "x"},
    "grp-1": {"resourceType": "Group", "actual": False, "member": [{"entity": CHILD}]},
    "inv-1": {"resourceType": "Task", "lastModified": "2015-01-01", "authoredOn": "2016-01-01"},
    "org-1": {"resourceType": "Organization", "active": True},
    "org-2": {"use": "home"},
    "org-3": {"use": "home", "system": "phone", "value": "1"},
    "pat-1": {"gender": "male"},
    "per-1": {"start": "2016", "end": "2015-06"},
    "ppc-1": {"resourceType": "Consent", "status": "active", "scope": CONCEPT},
    "prr-1": {"resourceType": "ServiceRequest", "orderDetail": [CONCEPT]},
    "qrs-1": {"item": [{"linkId": "1"}], "answer": [{"valueString": "x"}]},
    "qty-3": {"code": "a"},
    "rat-1": {"numerator": {"value": 1}},
    "ref-1": {"reference": "#x"},
    "rng-2": {"low": {"value": 2}, "high": {"value": 1}},
    "tim-1": {"duration": 1},
    "tim-2": {"period": 1},
    "tim-4": {"duration": -1, "durationUnit": "d"},
    "tim-5": {"period": -1, "periodUnit": "d"},
    "tim-6": {"periodMax": 1},
    "tim-7": {"durationMax": 1},
    "tim-8": {"countMax": 1},
    "tim-9": {"offset": 1},
    "tim-10": {"timeOfDay": ["10:00:00"], "when": ["MORN"]},
    "txt-1": "<div><script>1</script></div>",
    "txt-2": "<div> </div>",
    "vsd-1": {"concept": [{"code": "x"}]},
    "que-1": {"linkId": "1", "type": "group"},
    "csd-1": {"resourceType": "CodeSystem", "concept": [{"code": "x"}, {"code": "x"}]},
    "cmd-1": {"equivalence": "narrower", "code": "x"},
}
"""For each invariant something that breaks it."""


@pytest.mark.parametrize("key", BROKEN)
def test_an_invariant_bites(key: str) -> None:
    """FHIRPath finds what breaks the rule, and a guard before it lets the question through."""
    one, held = BY_KEY[key], BROKEN[key]
    around = held if isinstance(held, dict) and "resourceType" in held else MESSAGE
    assert not invariants.holds(one, held, around, around)
    assert key not in GUARDS or GUARDS[key](held)


@pytest.mark.parametrize("key", sorted(set(BROKEN) & in_schema()))
def test_the_schema_agrees_with_fhirpath(key: str) -> None:
    """What the schema holds for speed, it holds as R4 says it."""
    one, held = BY_KEY[key], BROKEN[key]
    if one.element is not None:
        held = {one.element: [held]}
    if one.type == "BundleEntry":
        held = {**MESSAGE, "entry": [held]}
        assert any(fault.path for fault in fhir_r4_rules.faults(held))
        return
    found = [error.kind.name for error in validator(one.type).iter_errors(held)]
    assert {"not", "anyOf", "required", "dependentRequired", "falseSchema"} & set(found), found


def test_everything_in_the_schema_is_an_invariant_that_was_tried() -> None:
    """No invariant is called held by the schema without a proof that FHIRPath says the same."""
    assert in_schema() <= set(BROKEN)


@pytest.mark.parametrize("one", invariants.invariants(), ids=lambda one: f"{one.type}-{one.key}")
def test_every_invariant_evaluates(one: Invariant) -> None:
    """None of R4's expressions is beyond what is evaluated: an empty object is an answer, too."""
    held: Any = "<div>x</div>" if one.element == "div" else {}
    if one.path[:1].isupper() and "." not in one.path:
        held = {"resourceType": one.path}
    assert invariants.holds(one, held, MESSAGE, MESSAGE) in {True, False}


def test_a_whole_bundle_breaks_none_and_is_not_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every one is evaluated over everything that the hub says, and nothing of it is printed."""
    one = translator().catalogue.formats["fhir-r4/episode"]
    for tree in (whole(), decision()):
        made = orjson.loads(orjson.dumps(one.compiled.render(orjson.loads(orjson.dumps(tree)))))
        before = orjson.dumps(made)
        assert list(invariants.broken(made, every=True)) == []
        assert list(invariants.broken(made)) == []
        assert orjson.dumps(made) == before
    assert capsys.readouterr().out == ""


def test_a_contained_resource_is_found_by_its_reference(capsys: pytest.CaptureFixture[str]) -> None:
    """ref-1 asks R4's `trace`, which would print what it is given: it does not."""
    made = bundle()
    of(made, "Patient")["generalPractitioner"] = [{"reference": "#gp"}]
    assert any("ref-1" in fault.remedy for fault in fhir_r4_rules.faults(made))
    of(made, "Patient")["contained"] = [{"resourceType": "Organization", "id": "gp", "name": "x"}]
    assert fhir_r4_rules.faults(made) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ({"resourceType": "Organization", "name": "x"}, True),
        ({"resourceType": "Practitioner"}, False),
    ],
)
def test_who_stands_in_is_a_practitioner(member: dict[str, Any], wrong: bool) -> None:
    """ctm-1 resolves a reference within the message, which FHIRPath in Python cannot."""
    made = bundle()
    made["entry"].append({"fullUrl": "urn:uuid:m", "resource": {"id": "m", **member}})
    made["entry"].append(
        {"fullUrl": "urn:uuid:o", "resource": {"resourceType": "Organization", "name": "y"}}
    )
    of(made, "CareTeam")["participant"][0] |= {
        "member": {"reference": "urn:uuid:m"},
        "onBehalfOf": {"reference": "urn:uuid:o"},
    }
    assert any("ctm-1" in fault.remedy for fault in fhir_r4_rules.faults(made)) is wrong


@pytest.mark.parametrize(
    ("start", "end", "wrong"),
    [
        ("2016-05-14", "2016-05", False),
        ("2016", "2016-05-14", False),
        ("2017", "2016-05-14", True),
        ("2016-05-14T09:30:00-05:00", "2016-05-14T10:00:00Z", True),
        ("2016-05-14T10:00:00+01:00", "2016-05-14T09:30:00Z", False),
        ("2016-05-14T09:00:00Z", "2016-05-14T10:00:00Z", False),
        ("2016-12-31T23:59:60Z", "2016-12-31T10:00:00Z", False),
        ("2016-02-31T10:00:00Z", "2016-02-30T10:00:00Z", True),
    ],
)
def test_a_period_does_not_end_before_it_begins(start: str, end: str, wrong: bool) -> None:
    """per-1 compares partial dates as far as both go, and times by their zones."""
    made = bundle()
    of(made, "Patient")["identifier"][0]["period"] = {"start": start, "end": end}
    assert any("per-1" in fault.remedy for fault in fhir_r4_rules.faults(made)) is wrong


def test_what_is_published_is_held_to_the_invariants_too() -> None:
    """Rules of Questionnaires bite as those of messages do."""
    form = {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [{"linkId": "1", "type": "group"}, {"linkId": "1", "type": "string"}],
    }
    keys = {one.key for one in invariants.broken(form, every=True, file=PUBLISHED)}
    assert keys == {"que-1", "que-2"}


SCRIPT = """
import sys
from hub.services.released import rehearse
from mappings.commands import translator
from tests import builders
tree = {"message": builders.header(message_type="N7"), "episode": builders.episode()}
translator().render("fhir-r4/episode", rehearse(tree), partner="")
print([name for name in ("fhirpathpy", "fhir.resources") if name in sys.modules])
"""


def test_a_start_and_the_way_out_do_not_pay_for_it() -> None:
    """Neither FHIRPath nor the models are imported to load the catalogue or to render."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'queue'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "[]"
