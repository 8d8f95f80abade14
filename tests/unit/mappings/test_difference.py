"""`ecaf diff`: what a change of a mapping means, in the words of who is sent what."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mappings.commands import translator
from mappings.commands_check import takers
from mappings.commands_diff import diff_command
from mappings.commands_new import new_mapping_command
from mappings.engine.catalogue import HOME, in_folder
from mappings.engine.difference import Difference, differences
from mappings.engine.sketch import UNDONE
from mappings.formats.wires import WIRES
from tests.unit.mappings.sites import EPISODE, overlay, write

ROWS = """\
source,target,table
episode.subjects[].gender,Child[].Sex,gender
episode.subjects[].family_name,Child[].Name,
episode.status,State,
"""
GENDER = "        - caf: gender\n          wire: Sex\n          codes: gender\n"
NAME = "        - caf: family_name\n          wire: Name\n"
STATE = "    - caf: episode.status\n      wire: State\n"
BIRTH = f'  - caf: episode.subjects[].date_of_birth\n    reason: "{UNDONE}"\n'

Changed = Callable[..., Difference]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """What becomes of a small mapping when texts of it, or of its code table, are changed."""
    translator.cache_clear()
    rows = write(tmp_path, "rows.csv", ROWS)
    assert new_mapping_command("try", "json", rows=rows, site=tmp_path / "old") == 0
    shutil.copytree(HOME / "codes", tmp_path / "old" / "codes")
    shutil.copytree(tmp_path / "old", tmp_path / "new")

    def change(*texts: tuple[str, str], table: tuple[str, str] = ("", "")) -> Difference:
        file = tmp_path / "new/catalogue/try/mapping.yaml"
        text = file.read_text()
        for old, new in texts:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file.write_text(text)
        codes = tmp_path / "new/codes/gender.csv"
        codes.write_text(codes.read_text().replace(*table) if table[0] else codes.read_text())
        old_one, new_one = (
            in_folder(WIRES, tmp_path / side / "catalogue/try", HOME / "codes")
            for side in ("old", "new")
        )
        return differences(old_one, new_one)

    return change


def kinds(found: Difference) -> dict[str, list[str]]:
    """The fields of a difference by what became of them."""
    told: dict[str, list[str]] = {}
    for field in found.fields:
        told.setdefault(field.kind, []).append(field.caf)
    return told


def test_nothing_changed_is_no_difference(changed: Changed) -> None:
    """Comments and order mean nothing."""
    assert not changed((STATE, f"    # a remark\n{STATE}"))


def test_a_new_field_is_gained_and_newly_sent(changed: Changed) -> None:
    """Who maps a field sends it, and reads it back."""
    rule = "        - {caf: date_of_birth, wire: Born}\n"
    found = changed((NAME, NAME + rule), (BIRTH, ""))
    field = ["episode.subjects[].date_of_birth"]
    assert kinds(found) == {"newly sent": field, "gained": field}
    assert found.fields[0].before == UNDONE
    assert found.fields[0].after == "Document.Child[].Born"
    assert found.fields[0].section == "sec.identity"


def test_a_field_for_one_direction_only(changed: Changed) -> None:
    """What is only written is newly sent and not gained; what is only read is neither."""
    rule = "        - {caf: date_of_birth, wire: Born, only: out}\n"
    found = changed((NAME, NAME + rule), (BIRTH, ""))
    assert kinds(found) == {"newly sent": ["episode.subjects[].date_of_birth"]}


def test_a_field_that_is_taken_out(changed: Changed) -> None:
    """No longer sent, and lost, with the reason that the new mapping gives."""
    found = changed(
        (STATE, ""), ("lost:\n", "lost:\n  - {caf: episode.status, reason: not theirs}\n")
    )
    assert kinds(found) == {"no longer sent": ["episode.status"], "lost": ["episode.status"]}
    assert {field.after for field in found.fields} == {"not theirs"}


def test_a_field_that_moves(changed: Changed) -> None:
    """Another place for the same field."""
    found = changed((STATE, STATE.replace("State", "Episode.State")))
    assert kinds(found) == {"moved": ["episode.status"]}
    assert (found.fields[0].before, found.fields[0].after) == (
        "Document.State",
        "Document.Episode.State",
    )


def test_a_rule_that_says_more(changed: Changed) -> None:
    """A condition more, at the same place."""
    found = changed((STATE, f"{STATE}      when: {{present: episode.plan}}\n"))
    assert kinds(found) == {"changed": ["episode.status"]}
    assert found.fields[0].after == "State: when present episode.plan"


def test_code_rows_and_what_they_do_to_a_field(changed: Changed) -> None:
    """Rows that say otherwise, each way, and the field whose codes no longer come back."""
    found = changed(table=("I,=,other", "I,>,unknown"))
    assert kinds(found) == {"changed": ["episode.subjects[].gender"]}
    assert found.fields[0].after == "normalised: codes without a way back: I"
    assert {(code.way, code.code, code.before, code.after) for code in found.codes} == {
        (">", "I", "other", "unknown"),
        ("<", "other", "I", None),
    }


def test_constants_and_the_head(changed: Changed) -> None:
    """What no field says is compared too: constants, direction, content type, let."""
    found = changed(
        (STATE, f"{STATE}    - {{const: caf, wire: Kind}}\n"),
        ("content_type: application/vnd.try+json", "content_type: x/y\ndirection: out"),
        ("hub: https://ecaf.example/fhir", "hub: https://other.example"),
    )
    assert [(one.wire, one.before, one.after) for one in found.constants] == [
        ("envelope: Kind", None, "caf")
    ]
    assert "direction: both → out" in found.heads
    assert "let hub: https://ecaf.example/fhir → https://other.example" in found.heads


def test_the_command_shows_who_newly_gets_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With and without the overlay; recipients are those whose profiles name the format."""
    translator.cache_clear()
    overlay(
        tmp_path,
        "rules:\n  - entry: child_episode\n    add:\n"
        "      - {caf: /episode.index_checked_at, wire: 'extension[url=urn:x:c].valueDateTime'}\n"
        "  - field: episode.subjects[].email[]\n    lost: no place for it\n",
    )
    profile = (
        "partner: SCH-A\nservices: {SCH-A/SCH: {name: x}}\ndeliver: {content: fhir-r4/episode}\n"
    )
    write(tmp_path, "partners/SCH-A.yaml", profile)
    write(tmp_path, "partners/SCH-B.yaml", profile.replace("SCH-A", "SCH-B"))
    write(tmp_path, "partners/BAD.yaml", "partner: [")
    assert takers(tmp_path) == {EPISODE: ["SCH-A (SCH-A/SCH)", "SCH-B (SCH-B/SCH)"]}
    options = {"partner": "SCH-A", "site": tmp_path, "recipients": takers(tmp_path)}
    assert diff_command(EPISODE, **options) == 0  # type: ignore[arg-type]
    shown = capsys.readouterr().out
    assert f"{EPISODE}/1 → {EPISODE}/1+SCH-A/3" in shown
    assert "1 fields newly sent, where consent permits, to: SCH-A (SCH-A/SCH)\n" in shown
    assert diff_command(EPISODE, f"{EPISODE}@SCH-A", site=tmp_path, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert {(f["kind"], f["caf"]) for f in told["fields"]} == {
        ("newly sent", "episode.index_checked_at"),
        ("gained", "episode.index_checked_at"),
        ("no longer sent", "episode.subjects[].email[]"),
        ("lost", "episode.subjects[].email[]"),
    }
    assert told["newly_sent_to"] == ["SCH-A"]


def test_folders_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of an older version, or of an overlay, stands for the mapping in it."""
    folder = str(HOME / "catalogue" / "caf-json")
    assert diff_command(folder, "caf-json") == 0
    assert "no difference in meaning" in capsys.readouterr().out
    file = overlay(tmp_path, "rules:\n  - field: episode.subjects[].email[]\n    lost: x\n")
    assert diff_command(EPISODE, str(file.parent)) == 0
    assert "episode.subjects[].email[]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (EPISODE, None, "nothing to compare with"),
        ("fhir-r4/episodes", EPISODE, "did you mean fhir-r4/episode?"),
        (EPISODE, "/", "/ holds neither mapping.yaml nor overlay.yaml"),
    ],
)
def test_what_cannot_be_compared(
    old: str, new: str | None, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A code, and what would put it right."""
    assert diff_command(old, new) == 1
    assert expected in capsys.readouterr().err


def test_a_folder_with_faults_is_refused_with_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mapping that does not load has no meaning to compare."""
    write(tmp_path, "mapping.yaml", "mapping: try\nversoin: 1\n")
    assert diff_command("caf-json", str(tmp_path)) == 1
    assert "mapping.yaml:2:1: unknown key versoin" in capsys.readouterr().err
