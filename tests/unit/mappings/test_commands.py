"""The command functions: standard output, standard error, and the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from mappings.commands import read_command, render_command
from mappings.commands_spec import loss_command, spec_command
from tests import builders


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """A file with Ava's episode as a canonical message."""
    file = tmp_path / "family.json"
    file.write_bytes(builders.wire(builders.message()))
    return file


def test_render_writes_the_bytes_and_nothing_else(
    family: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Standard output is a document that can be piped on; what was made up is said beside it."""
    assert render_command("fhir-r4/episode", family) == 0
    out, err = capfdbinary.readouterr()
    assert json.loads(out)["resourceType"] == "Bundle"
    assert b"message.message_type is made up" in err


def test_render_and_read_are_inverse(
    family: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What render wrote, read reads: the family's name comes back."""
    assert render_command("fhir-r4/episode", family) == 0
    wire = tmp_path / "bundle.json"
    wire.write_bytes(capfdbinary.readouterr().out)
    assert read_command("fhir-r4/episode", wire) == 0
    read: dict[str, Any] = json.loads(capfdbinary.readouterr().out)
    assert read["episode"]["subjects"][0]["family_name"] == "Example"


def test_the_report_counts_every_outcome(family: Path, tmp_path: Path) -> None:
    """The report is a file of its own, with a row for each field."""
    file = tmp_path / "report.json"
    assert render_command("fhir-r4/episode", family, report_file=file) == 0
    report = json.loads(file.read_bytes())
    assert report["counts"]["kept"] > 300
    assert sum(report["counts"].values()) == len(report["rows"])


def test_explain_prints_the_rule(family: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """With explain, rows instead of bytes; a place that is nowhere is exit code 1."""
    path = "episode.subjects[0].gender"
    assert render_command("fhir-r4/episode", family, explain=path, as_json=True) == 0
    (row,) = json.loads(capfdbinary.readouterr().out)
    assert row["wire"] == "entry[1].resource.gender"
    assert row["code"] == "codes/gender.csv:3"
    assert render_command("fhir-r4/episode", family, explain="episode.nothing") == 1


def test_a_refusal_is_exit_code_one_with_code_and_path(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Wrong input is told on standard error, for people and as JSON, without its values."""
    file = tmp_path / "wrong.json"
    file.write_text('{"episode": {"episode_id": "e1", "status": "OPEN"}}')
    assert render_command("caf-json", file, as_json=True) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert json.loads(err)["errors"][0]["code"] == "E_CODELIST"
    assert "OPEN" not in err
    assert render_command("caf-xml/9", file) == 1
    assert "there is no format of that name" in capfd.readouterr().err


def test_loss_shows_what_is_lost_and_why(capfd: pytest.CaptureFixture[str]) -> None:
    """The static report, as a table and as JSON."""
    assert loss_command("fhir-r4/episode") == 0
    assert "episode.safeguarding" in capfd.readouterr().out
    assert loss_command("caf-json", as_json=True) == 0
    assert json.loads(capfd.readouterr().out) == []


def test_spec_is_made_from_the_mapping(capfd: pytest.CaptureFixture[str]) -> None:
    """Markdown and CSV, a row for every leaf."""
    assert spec_command("fhir-r4/episode") == 0
    assert "| `episode.subjects[].gender` | sec.identity |" in capfd.readouterr().out
    assert spec_command("fhir-r4/episode", as_csv=True) == 0
    assert len(capfd.readouterr().out.splitlines()) > 380
