"""Wrong usage ends with exit 2 and the code E_USAGE, as every other refusal has a code."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app

WRONG = [
    ["messages", "search", "--from", "SCH-A"],
    ["replay"],
    ["replay", "9b1e", "--partner", "HOU-A"],
    ["scenario", "run", "any.yaml", "--fault", "nope"],
    ["serve", "--role", "both"],
    ["render", "caf-json", "any.json", "--as", "HOU-A/HOUS"],
    ["import", "one.csv", "two.csv"],
    ["consent", "nothing"],
    ["why-not"],
    ["top", "--nothing"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_usage_has_a_code(words: list[str]) -> None:
    """Ours and the parser's alike."""
    ran = CliRunner().invoke(app, words)

    assert ran.exit_code == 2
    assert [line[:8] for line in ran.output.splitlines()].count("E_USAGE:") == 1


def test_json_is_answered_in_json() -> None:
    """Whoever asked for JSON reads the code there."""
    ran = CliRunner().invoke(app, ["replay", "--json"])

    assert (ran.exit_code, json.loads(ran.output)["code"]) == (2, "E_USAGE")


def test_a_group_alone_shows_its_commands() -> None:
    """Naming a group is a way to ask for help, which is no error to be told of."""
    ran = CliRunner().invoke(app, ["consent"])

    assert "matrix" in ran.output
    assert "E_USAGE" not in ran.output


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
def test_a_scenario_that_is_not_there_or_no_scenario_has_a_code(
    how: list[str], tmp_path: Path
) -> None:
    """A missing file, and one that holds something else."""
    other = tmp_path / "other.yaml"
    other.write_text("- no scenario\n")

    missing = CliRunner().invoke(app, ["scenario", "run", str(tmp_path / "none.yaml"), *how])
    wrong = CliRunner().invoke(app, ["scenario", "run", str(other), *how])

    assert (missing.exit_code, "E_NOT_FOUND" in missing.output) == (2, True)
    assert (wrong.exit_code, "E_SYNTAX" in wrong.output) == (2, True)
