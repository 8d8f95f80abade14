"""Every case beside a mapping, run as an integration engineer would run it."""

import json
import shutil
from pathlib import Path

import orjson
import pytest

from hub.errors import InvalidContent
from mappings.commands import parse_case, read_case, render_case, translator
from mappings.commands import test_command as run_test_command
from mappings.engine.cases import Case, find, run
from mappings.formats import fhir_r4_models, fhir_r4_rules

HOME = Path(__file__).resolve().parent.parent.parent / "mappings" / "catalogue"
CASES = list(find(HOME))
BUNDLES = [
    case
    for case in CASES
    if case.format.startswith("fhir-r4") and case.outward
    if (case.folder / "expected.json").exists()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_case_holds(case: Case) -> None:
    """What a case expects is what the mapping does."""
    assert run(case, render_case, read_case, parse_case).difference == ""


@pytest.mark.parametrize("case", BUNDLES, ids=lambda case: case.name)
def test_an_expected_bundle_passes_both_layers(case: Case) -> None:
    """The models and the second layer find nothing wrong with any golden Bundle."""
    bundle = orjson.loads((case.folder / "expected.json").read_bytes())
    assert fhir_r4_models.faults(bundle) == []
    assert fhir_r4_rules.faults(bundle) == []
    assert fhir_r4_rules.structure_holds(bundle)


@pytest.mark.parametrize(
    "case",
    [case for case in BUNDLES if b'"episode":' in (case.folder / "input.json").read_bytes()],
    ids=lambda case: case.name,
)
def test_an_expected_bundle_is_lawful_to_send_back(case: Case) -> None:
    """A recipient can post the Bundle back: it reads as lawful, and nothing is unknown.

    What only the child index is told has no episode to send back.
    """
    if b'"episode_ref"' in (case.folder / "input.json").read_bytes():
        with pytest.raises(InvalidContent, match="1 faults in the message"):
            read_case(case.format, (case.folder / "expected.json").read_bytes())
        return
    found = read_case(case.format, (case.folder / "expected.json").read_bytes())
    assert [path for path in found["unmapped"] if not path.startswith("notification")] == []


def test_every_format_has_cases() -> None:
    """A mapping without a case is a mapping nobody has tried; FHIR has six at least."""
    assert {case.format for case in CASES} == set(translator().catalogue.formats)
    assert sum(case.format == "fhir-r4/episode" for case in CASES) >= 6


def test_a_wrong_expectation_fails_with_a_difference(tmp_path: Path) -> None:
    """A case that expects something else shows what differs, as a unified difference."""
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "why.md").write_text("A case that is wrong on purpose.")
    (folder / "input.json").write_text('{"message": {"message_id": "m1"}}')
    (folder / "expected.json").write_text('{"message": {"message_id": "m2"}}')
    difference = run(Case("caf-json", folder), render_case, read_case, parse_case).difference
    assert '-    "message_id": "m2"' in difference
    assert '+    "message_id": "m1"' in difference


def test_an_error_that_does_not_come_fails(tmp_path: Path) -> None:
    """A case that expects an error is not passed by a success."""
    (tmp_path / "why.md").write_text("-")
    (tmp_path / "input.json").write_text("{}")
    (tmp_path / "error.txt").write_text("E_MAPPING\n")
    assert (
        "was expected"
        in run(Case("caf-json", tmp_path), render_case, read_case, parse_case).difference
    )


def test_the_command_runs_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """`ecaf test PATH` runs the cases below it, and says how many passed."""
    assert run_test_command(HOME / "caf-json") == 0
    assert "1 of 1 cases pass" in capsys.readouterr().out


def test_the_command_fails_where_there_are_no_cases(tmp_path: Path) -> None:
    """Nothing run is no success."""
    assert run_test_command(tmp_path) == 1


@pytest.mark.parametrize(
    ("name", "case", "other"),
    [
        ("fhir-r4/notice", "read-attendance/expected.json", b"{}"),
        ("caf-xml/1", "housing-cut/expected.xml", None),
    ],
)
def test_a_new_expectation_is_what_the_mapping_says(
    name: str, case: str, other: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--write` makes a spoilt expectation whole again, read or rendered; errors stay."""
    home = tmp_path / "catalogue" / name
    shutil.copytree(HOME / name, home)
    monkeypatch.setattr("mappings.commands.HOME", tmp_path)
    errors = {file: file.read_text() for file in home.glob("cases/*/error.txt")}
    spoilt = home / "cases" / case
    spoilt.write_bytes(other or (home / "cases/unborn/expected.xml").read_bytes())

    assert run_test_command() == 1
    assert run_test_command(write=True) == 0
    assert run_test_command() == 0
    assert {file: file.read_text() for file in errors} == errors


def test_cases_hold_test_people_only() -> None:
    """No NHS number outside 999 and no postcode outside ZZ99 stands in a case."""
    for case in CASES:
        for file in case.folder.glob("*.json"):
            for identifier in _values(json.loads(file.read_text()), "nhs-number"):
                assert identifier.startswith("999")


def _values(value: object, system: str) -> list[str]:
    if isinstance(value, dict):
        mine = [value["value"]] if system in str(value.get("system")) else []
        return mine + [v for inner in value.values() for v in _values(inner, system)]
    if isinstance(value, list):
        return [v for inner in value for v in _values(inner, system)]
    return []
