"""Mistakes in a mapping: each is found at load, with file, line, column and caret."""

import textwrap
from pathlib import Path

import pytest

from hub.positioned import PositionedErrors
from mappings.engine.catalogue import Catalogue
from mappings.formats.wires import WIRES

HEAD = """\
mapping: try
version: 1
format: fhir-r4
content_type: application/fhir+json
let: {x: "urn:x"}
slots: {text: valueString}
"""
GOOD = """\
envelope:
  resource: Bundle{type=message}
  rules:
    - caf: message.sent_at
      wire: timestamp
entries:
  child:
    resource: Patient
    each: episode.subjects[]
    key: subject_id
    rules:
      - caf: gender
        wire: gender
        codes: gender
"""


def load(folder: Path, text: str, **tables: str) -> str:
    """The errors of a catalogue that holds this one mapping; empty if it loads."""
    (folder / "try").mkdir()
    (folder / "codes").mkdir()
    (folder / "codes" / "gender.csv").write_text(
        "caf,way,wire,note\nM,=,male,\nF,=,female,\nU,=,unknown,\nI,=,other,\n"
    )
    for name, rows in tables.items():
        (folder / "codes" / f"{name}.csv").write_text(rows)
    (folder / "try" / "mapping.yaml").write_text(textwrap.dedent(text))
    try:
        Catalogue(WIRES, folder=folder, codes=folder / "codes")
    except PositionedErrors as errors:
        return str(errors)
    return ""


def with_rule(rule: str) -> str:
    """The good mapping with one rule more, whose text begins in line 21."""
    return HEAD + GOOD + textwrap.indent(textwrap.dedent(rule), " " * 6)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(
            "- caf: gendre\n  wire: birthDate",
            "21:14: episode.subjects[] has no gendre",
            id="no leaf",
        ),
        pytest.param(
            "- caf: email\n  wire: birthDate",
            "21:14: email is a list: write email[]",
            id="list as one",
        ),
        pytest.param(
            "- caf: gender[]\n  wire: name[].text", "21:14: gender is not a list", id="one as list"
        ),
        pytest.param(
            "- caf: date_of_birth\n  wire: birthdate",
            "22:15: FHIR Patient has no birthdate",
            id="no element",
        ),
        pytest.param(
            "- caf: family_name\n  wire: name.family",
            "22:15: Patient.name is a list",
            id="wire list as one",
        ),
        pytest.param(
            "- caf: family_name\n  wire: birthDate[0]",
            "22:15: Patient.birthDate is not a list",
            id="wire one as list",
        ),
        pytest.param(
            "- caf: date_of_birth\n  wire: gender",
            "22:15: two rules write gender",
            id="two rules, one place",
        ),
        pytest.param(
            "- caf: family_name\n  wire: name[use=",
            "22:24: ] is missing",
            id="path cut short",
        ),
        pytest.param(
            "- caf: family_name\n  wire: name[use=${y}].family",
            "22:24: nothing is called y",
            id="unknown name",
        ),
        pytest.param(
            "- caf: family_name\n  wires: birthDate",
            "22:9: unknown key wires (did you mean wire?)",
            id="unknown key",
        ),
        pytest.param(
            "- caf: gender\n  wire: language\n  codes: sex",
            "23:16: there is no code table sex",
            id="no table",
        ),
        pytest.param(
            "- wire: active\n  const: maybe",
            "21:15: Patient.active is true or false",
            id="constant of a wrong type",
        ),
        pytest.param(
            "- wire: name[use=house].text\n  caf: family_name",
            "21:15: HumanName.use must be one of",
            id="constant off the list",
        ),
        pytest.param(
            "- caf: family_name\n  const: x\n  wire: id",
            "21:9: a rule has exactly one of",
            id="two sources",
        ),
        pytest.param(
            "- caf: address[]\n  wire: address[]", "21:14: this is not a leaf", id="group as a leaf"
        ),
        pytest.param(
            "- caf: address[]\n  wire: address[]\n  use: nowhere",
            "23:14: there is no part nowhere",
            id="no part",
        ),
        pytest.param(
            "- caf: address[]\n  wire: address[]\n  only: out\n"
            "  rules:\n    - caf: postcode\n      wire: postalCode",
            "23:15: only does nothing beside rules: give it to single rules",
            id="only on a list rule",
        ),
        pytest.param(
            "- caf: address[]\n  wire: address[]\n  backup: true\n  use: nowhere",
            "23:17: backup does nothing beside use",
            id="backup on a part",
        ),
        pytest.param(
            "- wire: maritalStatus\n  required: true\n"
            "  rules:\n    - caf: family_name\n      wire: text",
            "22:19: required does nothing beside rules",
            id="required on a group",
        ),
        pytest.param(
            "- leaves: [postcode]\n  wire: address[0].<slot>\n  codes: gender",
            "23:16: codes does nothing beside leaves",
            id="codes on leaves",
        ),
        pytest.param(
            "- caf: identifiers[system=nhs-number][]\n  wire: identifier[system=${x}][]\n"
            "  rules:\n    - caf: value\n      wire: value",
            "22:15: identifiers[system=nhs-number][] would be read without its system: say only:"
            " out in its rules, or write identifiers[] with a rule for system",
            id="chosen items, read",
        ),
        pytest.param(
            "- caf: identifiers[system=nhs-number][].value\n"
            "  wire: identifier[system=${x}][].value",
            "22:15: identifiers[system=nhs-number][] would be read without its system",
            id="chosen items, read, in short",
        ),
        pytest.param(
            "- caf: given_names[]\n  wire: id",
            "21:14: a list stands on one side only",
            id="list on one side",
        ),
        pytest.param(
            "- caf: gp_practice\n  wire: managingOrganization.reference\n  to: gp",
            "22:15: there is no entry gp",
            id="no entry",
        ),
        pytest.param(
            "- wire: managingOrganization.reference\n  refer: child",
            "21:15: Patient.managingOrganization may not refer to a Patient",
            id="unlawful target",
        ),
        pytest.param(
            "- leaves: [gender]\n  wire: name[use=old].<slot>",
            "21:18: slots has no word for the form code",
            id="no slot",
        ),
        pytest.param(
            "- caf: subject_id\n  wire: id\n  when: {sometimes: gender}",
            "23:16: unknown key sometimes",
            id="unknown condition",
        ),
        pytest.param(
            "- caf: identifiers[]\n  wire: identifier[]\n"
            "  rules:\n    - {caf: system, wire: valeu}",
            "24:33: FHIR Identifier has no valeu",
            id="inside a list",
        ),
    ],
)
def test_a_mistake_is_found_with_its_place(tmp_path: Path, rule: str, expected: str) -> None:
    """Line, column and words of the first thing wrong with the added rule."""
    said = load(tmp_path, with_rule(rule))
    assert f"try/mapping.yaml:{expected}" in said


def test_rules_for_single_codes_cover_the_list(tmp_path: Path) -> None:
    """An element without a rule would vanish; the missing codes are named."""
    rule = "- caf: elements[element=1.1].commentary\n  wire: id\n"
    said = load(tmp_path, with_rule(rule))
    assert "no rule for episode.subjects[].elements[].element 1.2, 1.3" in said


def test_every_mistake_is_shown_at_once(tmp_path: Path) -> None:
    """Two mistakes are two errors, each with the line and a caret."""
    said = load(tmp_path, with_rule("- caf: gendre\n  wire: id\n- caf: gander\n  wire: language"))
    assert "21:14" in said
    assert "23:14" in said
    assert "          - caf: gendre\n                 ^" in said


def test_a_leaf_that_nobody_names_is_an_error(tmp_path: Path) -> None:
    """A new canonical field cannot vanish unseen."""
    said = load(tmp_path, HEAD + GOOD)
    assert "episode.subjects[].family_name is named by no rule and not declared lost" in said
    assert "episode.subjects[].gender is named" not in said


def test_what_is_declared_lost_and_mapped_is_an_error(tmp_path: Path) -> None:
    """A field is either mapped or lost; and what is lost must exist."""
    lost = "lost:\n  - {caf: episode.subjects, reason: x}\n  - {caf: episode.subject, reason: x}\n"
    said = load(tmp_path, HEAD + GOOD + lost)
    assert "22:5: episode.subjects[].gender is declared lost, and" in said
    assert "23:5: there is no episode.subject to lose" in said


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(
            "caf,way,wire,note\nM,=,male,\n",
            "has no row for F, U, I of CL-01",
            id="code without a row",
        ),
        pytest.param(
            "caf,way,wire,note\nM,=,male,\nM,=,x,\n",
            "gender.csv:3:1: M has two rows",
            id="two rows",
        ),
        pytest.param(
            "caf,way,wire,note\nM,=,male,\nF,=,male,\n",
            "gender.csv:3:1: male has two rows",
            id="two back",
        ),
        pytest.param(
            "caf,way,wire,note\nM,?,male,\n", "gender.csv:2:1: way must be one of", id="unknown way"
        ),
        pytest.param(
            "caf,way,wire,note\nM,=\n", "gender.csv:2:1: expected 4 columns", id="short row"
        ),
        pytest.param(
            "caf,wire\nM,male\n", "gender.csv:1:1: a code table begins with", id="other header"
        ),
        pytest.param(
            "caf,way,wire,note\nM,=,,\n",
            "gender.csv:2:1: a code is missing",
            id="nothing to say back",
        ),
    ],
)
def test_a_mistake_in_a_code_table_is_found(tmp_path: Path, rows: str, expected: str) -> None:
    """Code tables are checked like mappings."""
    assert expected in load(tmp_path, HEAD + GOOD, gender=rows)


def test_a_folder_has_its_mappings_name(tmp_path: Path) -> None:
    """The name inside and the name outside agree."""
    assert "the folder is called try" in load(tmp_path, HEAD.replace("try", "other") + GOOD + LOST)


def test_entries_on_demand_do_not_demand_themselves(tmp_path: Path) -> None:
    """A circle of references on demand would never end; it is refused."""
    circle = """\
      role:
        resource: PractitionerRole
        of: Practitioner
        key: practitioner_id
        rules:
          - caf: .
            wire: practitioner.reference
            to: role
    """
    said = load(tmp_path, HEAD + GOOD + textwrap.indent(textwrap.dedent(circle), "  "))
    assert "role demands itself" in said


LOST = "lost:\n  - {caf: message.message_id, reason: x}\n"


def test_mappings_cannot_reach_code(tmp_path: Path) -> None:
    """Names that mean something to Python mean nothing here: they are paths to nowhere."""
    for path in ("__class__", "gender.__init__", "/message.__globals__"):
        folder = tmp_path / path.replace("/", "").replace(".", "-")
        folder.mkdir()
        assert "try/mapping.yaml:21:" in load(folder, with_rule(f"- caf: {path}\n  wire: id"))
