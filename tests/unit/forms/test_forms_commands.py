"""`ecaf forms list`, `show` and `check`, as an integration engineer runs them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests import builders

RUN = CliRunner()


def ecaf(*words: str) -> tuple[int, str, str]:
    """Run the command line; return its code, output and errors."""
    done = RUN.invoke(app, list(words))
    return done.exit_code, done.stdout, done.stderr


def test_list_shows_every_version_and_until_when() -> None:
    """One line each, with the date."""
    code, out, _ = ecaf("forms", "list")
    assert code == 0
    assert "cwdc-caf-2009/1" in out
    assert "until 2027-12-31" in out
    told = json.loads(ecaf("forms", "list", "--json")[1])
    assert [f"{one['form']}/{one['version']}" for one in told] == [
        "cwdc-caf-2009/1",
        "cwdc-caf-2009/2",
        "cwdc-caf-2009/3",
        "la-eha/1",
        "la-eha/2",
    ]


def test_show_gives_sections_labels_and_choices_in_order() -> None:
    """The newest version, or the one asked for."""
    code, out, _ = ecaf("forms", "show", "cwdc-caf-2009")
    assert code == 0
    assert out.index("IDENTIFYING DETAILS") < out.index("REVIEW")
    assert "M F U" in out
    told = json.loads(ecaf("forms", "show", "cwdc-caf-2009", "1", "--json")[1])
    assert told["version"] == 1
    assert told["sections"][1]["fields"][0] == {
        "caf": "subjects[].given_names[]",
        "label": "Given name(s)",
        "asked": True,
        "leaves": ["subjects[].given_names[]"],
        "offers": {},
    }


def test_show_of_what_is_not_there() -> None:
    """Exit 1, with what there is."""
    code, _, err = ecaf("forms", "show", "la-eha", "9")
    assert code == 1
    assert "la-eha/2" in err


def test_check_finds_nothing_wrong_with_what_is_shipped() -> None:
    """The shipped forms load."""
    assert ecaf("forms", "check")[0] == 0
    assert json.loads(ecaf("forms", "check", "--json")[1])["versions"] == 5


def test_check_shows_a_wrong_form_with_a_caret(tmp_path: Path) -> None:
    """Exit 1, with file, line and column."""
    (tmp_path / "forms" / "own").mkdir(parents=True)
    (tmp_path / "forms" / "own" / "1.yaml").write_text("form: other\nversion: 1\n")
    code, _, err = ecaf("forms", "check", "--site", str(tmp_path))
    assert code == 1
    assert "site forms/own/1.yaml:1:7" in err
    assert "^" in err


@pytest.mark.parametrize("form", ["cwdc-caf-2009/1", "la-eha"])
def test_check_of_a_message_says_how_it_fits(tmp_path: Path, form: str) -> None:
    """What is kept beyond the form, and what the form asks in vain."""
    tree = {**builders.message(), "episode": builders.episode(form_profile=form)}
    file = tmp_path / "m.json"
    file.write_bytes(builders.wire(tree))
    code, out, _ = ecaf("forms", "check", str(file))
    assert code == 0
    assert ("subjects[].identifiers[].value" in out) == form.startswith("cwdc")
    told = json.loads(ecaf("forms", "check", str(file), "--json")[1])
    assert bool(told["warnings"]) == form.startswith("cwdc")


def test_check_refuses_as_the_hub_would(tmp_path: Path) -> None:
    """Exit 1 and the code, for a form that is not listed."""
    tree = {**builders.message(), "episode": builders.episode(form_profile="own")}
    file = tmp_path / "m.json"
    file.write_bytes(builders.wire(tree))
    code, _, err = ecaf("forms", "check", str(file))
    assert code == 1
    assert "E_FORM_PROFILE" in err
    code, out, _ = ecaf("forms", "check", str(file), "--json")
    assert (code, json.loads(out)["code"]) == (1, "E_FORM_PROFILE")


def test_a_message_without_a_form_has_nothing_to_judge(tmp_path: Path) -> None:
    """A partial sender names none."""
    file = tmp_path / "m.json"
    file.write_text('{"episode": {"episode_id": "e1"}}')
    assert ecaf("forms", "check", str(file))[0] == 0
