"""The allow-list lets through what it names and nothing else, and names what no longer occurs."""

from pathlib import Path

import pytest

from tests.conformance.accepting import ACCEPTED, Entry, Finding, entries, sort

NARRATIVE = Finding("d", "warning", "dom-6", "Patient", "should have narrative")
ENTRY = Entry(
    "hapi-fhir", "warning", "dom-6", "should have narrative", "^Patient$", "best practice"
)


def test_a_finding_that_the_list_names_is_accepted_and_counted() -> None:
    """Oracle, severity, code, message and place must all agree."""
    held = sort("hapi-fhir", [NARRATIVE, NARRATIVE], [ENTRY])

    assert held.unexpected == []
    assert held.needed[ENTRY] == 2
    assert held.stale == []


@pytest.mark.parametrize(
    ("oracle", "finding"),
    [
        ("medplum", NARRATIVE),
        (
            "hapi-fhir",
            Finding("d", "error", "dom-6", "Patient", "should have narrative"),
        ),
        ("hapi-fhir", Finding("d", "warning", "dom-5", "Patient", "should have narrative")),
        ("hapi-fhir", Finding("d", "warning", "dom-6", "Patient", "should have a narrative")),
        ("hapi-fhir", Finding("d", "warning", "dom-6", "Bundle.Patient", "should have narrative")),
    ],
)
def test_a_finding_that_differs_in_one_thing_is_not(oracle: str, finding: Finding) -> None:
    """The list is no wider than it reads."""
    assert sort(oracle, [finding], [ENTRY]).unexpected == [finding]


def test_an_entry_that_covers_nothing_is_told() -> None:
    """What was mended must leave the list; entries of other oracles are not asked."""
    other = Entry("medplum", "warning", "structure", "x", "", "another oracle's")

    assert sort("hapi-fhir", [], [ENTRY, other]).stale == [ENTRY]


def test_information_needs_no_entry() -> None:
    """An oracle's remarks are counted by kind, and do not fail a run."""
    remark = Finding("d", "information", "x", "", "Unknown extension")

    assert sort("hapi-fhir", [remark], []).unexpected == []


@pytest.mark.parametrize(
    "text",
    [
        "- {oracle: a, severity: error, code: b, message: c}",
        "- {oracle: a, severity: error, code: b, message: c, reason: ' '}",
        "- {oracle: a, severity: error, code: b, message: '', reason: d}",
        "- {oracle: a, severity: error, code: b, message: c, reason: d, wherever: e}",
    ],
)
def test_an_entry_without_a_reason_or_with_an_unknown_part_is_refused(
    text: str, tmp_path: Path
) -> None:
    """Nobody accepts a finding without saying why."""
    file = tmp_path / "accepted.yaml"
    file.write_text(text)

    with pytest.raises(TypeError):
        entries(file)


def test_the_list_that_is_shipped_can_be_read() -> None:
    """Every entry of accepted.yaml has its parts, and names an oracle that exists."""
    assert {entry.oracle for entry in entries(ACCEPTED)} <= {
        *("hapi-fhir", "medplum", "hapi-hl7v2", "xmllint", "vnu")
    }
