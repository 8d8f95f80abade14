"""Commands that ask a hub say how to name one, when nobody did."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app

ASKING = [
    ["top", "--once"],
    ["why-not", "e1", "HOU-A/HOUS"],
    ["consent", "show", "e1"],
    ["explain", "d1"],
]


@pytest.mark.parametrize("words", ASKING, ids=lambda words: words[0])
def test_without_a_hub_both_ways_to_name_one_are_said(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With neither folder nor socket, the error names the option for each."""
    for name in ("ECAF_CONFIG_DIR", "ECAF_OPERATOR_SOCKET"):
        monkeypatch.delenv(name, raising=False)

    ran = CliRunner().invoke(app, words)

    assert ran.exit_code == 1
    assert "E_CONFIGURATION: nothing says which hub" in ran.output
    assert "--site: " in ran.output
    assert ("ECAF_OPERATOR_SOCKET" in ran.output) is (words[0] != "explain")


@pytest.mark.parametrize("words", ASKING, ids=lambda words: words[0])
def test_a_folder_that_is_not_there_is_named(words: list[str], tmp_path: Path) -> None:
    """A wrong --site is called that, not by the variables that it stands for."""
    ran = CliRunner().invoke(app, [*words, "--site", str(tmp_path / "nowhere")])

    assert ran.exit_code == 1
    assert "--site: give the folder" in ran.output
    assert "ECAF_VAULT_KEY_FILE" not in ran.output
