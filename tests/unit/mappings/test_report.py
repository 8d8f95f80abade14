"""The mapping report is itself tested: it turns when the message or the mapping turns."""

import copy
from typing import Any

import orjson
import pytest

from hub.services.released import freeze
from mappings.commands import translator
from mappings.engine.catalogue import Format
from mappings.engine.report import loss, report
from tests import builders

FHIR = translator().catalogue.formats["fhir-r4/episode"]
SSD = translator().catalogue.formats["ssd/early-help"]


def message(**changes: Any) -> dict[str, Any]:
    """A message of the hub about Ava's episode."""
    return {"message": builders.header(message_type="N7"), "episode": builders.episode(**changes)}


def outputs(one: Format, tree: dict[str, Any]) -> dict[str, Any]:
    """Every value of the rendered document by its path."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{path}.{name}" if path else name)
        elif isinstance(value, list):
            for position, inner in enumerate(value):
                walk(inner, f"{path}[{position}]")
        else:
            found[path] = value

    walk(orjson.loads(orjson.dumps(one.compiled.render(freeze(tree)))), "")
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("subjects/0/family_name", "Other"),
        ("subjects/0/gender", "M"),
        ("subjects/0/date_of_birth", "2015"),
        ("assessment/reason_for_assessment", "Another reason."),
        ("subjects/0/elements/0/commentary", "Another comment."),
        ("plan/action/0/action_due", "2027-01-01"),
        ("closed_at", "2027-01-01T00:00:00Z"),
        ("parents_carers/0/name", "Another Example"),
    ],
)
def test_a_changed_field_changes_only_what_the_report_names(path: str, value: str) -> None:
    """Perturb one input: the outputs that differ are those that the report says it feeds."""
    before = message()
    after = copy.deepcopy(before)
    here: Any = after["episode"]
    *above, last = path.split("/")
    for step in above:
        here = here[int(step) if step.isdigit() else step]
    here[last] = value
    dotted = "episode." + ".".join(path.split("/"))
    for digit in "0123456789":
        dotted = dotted.replace(f".{digit}", f"[{digit}]")
    one, two = outputs(FHIR, before), outputs(FHIR, after)
    changed = {place for place in one.keys() | two.keys() if one.get(place) != two.get(place)}
    named = {row.wire for row in report(FHIR, after).of_input(dotted)}
    assert changed
    assert changed <= named


def test_every_leaf_of_the_input_has_a_row() -> None:
    """Nothing is silent: kept, normalised or lost, each with its rule or its reason."""
    rows = report(FHIR, message()).rows
    for row in rows:
        if row.caf is not None:
            assert row.rule or row.reason, row


def test_an_output_is_explained_to_its_input_rule_and_code_row() -> None:
    """From an output path to the input, the line of the mapping and the line of the code table."""
    (row,) = report(FHIR, message()).explain("entry[1].resource.gender")
    assert row.caf == "episode.subjects[0].gender"
    assert row.rule is not None
    file, line, _column = row.rule.split(":")
    text = (FHIR.folder.parents[1] / file).read_text().splitlines()[int(line) - 1]
    assert text.strip() == "wire: gender"
    assert row.code == "codes/gender.csv:3"


def test_an_input_is_explained_to_where_it_went() -> None:
    """And back: where a field of the input stands in the output, or why it does not."""
    told = report(FHIR, message())
    (there,) = told.explain("episode.subjects[0].family_name")
    assert there.wire == "entry[1].resource.name[0].family"
    gone = told.explain("episode.checklists")
    assert {row.outcome for row in gone} == {"lost"}
    assert gone[0].reason == "local; a checklist never leaves the system that wrote it (F5)"


def test_a_value_without_a_word_is_lost_and_another_is_kept_in_its_own_coding() -> None:
    """A status that may not be told says so by the row of its table, although no resource is made
    that would have a place for it.
    """
    tree = message()
    tree["episode"]["status"] = "CONSENT_SOUGHT"
    (row,) = report(FHIR, tree).of_input("episode.status")
    assert row.outcome == "lost"
    assert row.reason == "the code table has no word for it: before consent: never told"
    assert row.code == "codes/process-state.csv:5"
    assert "fhir-r4/episode/episode.yaml" in str(row.rule)
    tree = message()
    relation = tree["episode"]["parents_carers"][0]["relationships"][0]
    relation["relationship"] = "CARER"
    path = "episode.parents_carers[0].relationships[0].relationship"
    assert [row.outcome for row in report(FHIR, tree).of_input(path)] == ["kept"]  # its own coding


def test_what_a_rule_did_not_apply_to_says_what_the_rule_asks_for() -> None:
    """A field that has rules, none of which held, names the conditions as the mapping has them."""
    tree = message()
    (row,) = report(SSD, tree).of_input("episode.subjects[0].identifiers[0].value")
    assert row.reason == "not said here: only when identifiers[system=la-child-id]"
    assert "ssd/early-help/mapping.yaml" in str(row.rule)
    tree["notification"] = {"code": "N9", "plan_id": "p1"}
    (fact,) = report(FHIR, tree).of_input("notification.plan_id")
    assert (fact.reason, fact.rule) == ("no rule names it", None)


def test_two_blocks_that_share_an_entry_are_both_kept() -> None:
    """The same practitioner twice is one resource; the second block is not called lost."""
    tree = message()
    block = builders.practitioner("p-teach")
    tree["episode"]["responsible_practitioner"] = block
    tree["episode"]["services"]["assessor"] = [copy.deepcopy(block)]
    told = report(FHIR, tree)
    for path in ("episode.responsible_practitioner.name", "episode.services.assessor[0].name"):
        assert {row.outcome for row in told.of_input(path)} == {"kept"}, path


def test_what_the_gate_withheld_is_listed_if_told() -> None:
    """The caller may say what was cut and by which decision."""
    rows = report(FHIR, message(), withheld=[("episode.family", "decision d7")]).rows
    assert [row.reason for row in rows if row.outcome == "withheld"] == ["decision d7"]


def test_constants_are_called_invented() -> None:
    """What the format wants and the family did not say is listed as such."""
    told = report(FHIR, message())
    kinds = [entry["resource"]["resourceType"] for entry in told.document["entry"]]
    rows = told.explain(f"entry[{kinds.index('Task')}].resource.intent")
    assert [row.outcome for row in rows] == ["invented"]


def test_the_static_report_computes_what_tables_lose() -> None:
    """Loss is computed from the rows of a table, never declared."""
    by_path = {row.caf: row for row in loss(FHIR)}
    assert by_path["episode.subjects[].gender"].outcome == "kept"
    assert by_path["episode.status"].outcome == "normalised"  # before consent there is no word
    assert by_path["episode.home_authority"].outcome == "kept"
    assert by_path["episode.checklists[].decision"].outcome == "lost"
