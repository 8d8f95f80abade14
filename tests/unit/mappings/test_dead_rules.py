"""What `ecaf config check` finds in a mapping: each fault is made once in a shipped mapping, and is
found with file, line, column and a caret.
"""

import re
import shutil
from pathlib import Path

import pytest

from hub.errors import Misconfigured
from hub.positioned import PositionedErrors
from mappings.engine.catalogue import HOME, Catalogue
from mappings.formats.wires import WIRES
from mappings.site import site_catalogue
from tests.unit.mappings.sites import EPISODE, copied

KEY, RULE, DROP, TEXT = "a key of the rule", "a rule beside it", "no rule", "a text of the file"

SPARE = """\
entries:
  spare:
    resource: Person
    of: Practitioner
    key: practitioner_id
    rules:
      - {caf: name, wire: "name[0].text"}
"""
NEVER = """\
entries:
  spare:
    resource: Person
    when:
      - several: episode.subjects
      - absent: episode.subjects
    rules:
      - {caf: event, wire: "name[0].text"}
"""


def broken(folder: Path, file: str, what: str, *words: str) -> str:
    """What is said of a shipped mapping that is changed at one place.

    The place is the rule of what a child likes to be called (a key or a rule more, or gone), or a
    text of *file* (of the mapping, or a code table) that becomes another.
    """
    copy = copied(folder / "catalogue", EPISODE)
    codes = folder / "codes"
    shutil.copytree(HOME / "codes", codes)
    if what == TEXT:
        target = codes / file if file.endswith(".csv") else copy / file
        before, after = words
        text = target.read_text()
        assert text.count(before) == 1, before
        target.write_text(text.replace(before, after))
    else:
        _turn(copy, what, "".join(words))
    with pytest.raises(PositionedErrors) as refused:
        Catalogue(WIRES, folder=folder / "catalogue", codes=codes)
    for error in refused.value.errors:
        shown, line, caret = str(error).split("\n")
        place = re.match(r"[^:]+:\d+:(\d+): ", shown)
        assert place is not None
        assert caret.index("^") == 4 + int(place[1]) - 1
        assert line.strip()
    return str(refused.value)


def _turn(copy: Path, what: str, words: str) -> None:
    """Change the rule of what a child likes to be called, wherever the mapping has it."""
    for file in sorted(copy.parent.rglob("*.yaml")):
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.strip() == "- caf: preferred_name":
                pad = line[: len(line) - len(line.lstrip())]
                rule = lines[number : number + 2]
                given = [f"{pad}{'  ' if what == KEY else ''}{one}" for one in words.splitlines()]
                kept = [] if what == DROP else rule
                lines[number : number + 2] = [*kept, *given]
                file.write_text("\n".join(lines) + "\n")
                return
    raise AssertionError("the mapping has no rule for preferred_name")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            ("", DROP),
            "episode.subjects[].preferred_name is named by no rule and not declared lost",
            id="a leaf without a rule",
        ),
        pytest.param(
            (
                *("mapping.yaml", TEXT, "  - caf: episode.checklists\n"),
                "  - caf: episode.subjects[].gender\n    reason: x\n  - caf: episode.checklists\n",
            ),
            "episode.subjects[].gender is declared lost, and fhir-r4/",
            id="a leaf both lost and mapped",
        ),
        pytest.param(
            (
                *("mapping.yaml", TEXT, "  - caf: episode.checklists\n"),
                "  - caf: episode.checklists\n    reason: x\n  - caf: episode.checklists[].aka\n",
            ),
            "episode.checklists[].aka is lost already, at fhir-r4/episode/mapping.yaml",
            id="a leaf lost twice",
        ),
        pytest.param(
            ("", KEY, "when: {absent: preferred_name}"),
            "this can never match: it needs episode.subjects[].preferred_name and",
            id="absent and needed",
        ),
        pytest.param(
            ("", KEY, "when: [{present: address}, {absent: address}]"),
            "it needs episode.subjects[].address and the absence of episode.subjects[].address",
            id="present and absent",
        ),
        pytest.param(
            ("", KEY, "when: [{any: [address, email]}, {absent: address}, {absent: email}]"),
            "it needs episode.subjects[].address or episode.subjects[].email and the absence of",
            id="any of what is absent",
        ),
        pytest.param(
            ("", KEY, "backup: true"),
            "a backup of nothing: no other rule reads episode.subjects[].preferred_name",
            id="a backup of nothing",
        ),
        pytest.param(
            ("", KEY, "only: in\nrequired: true"),
            "required is about writing, and only: in is never written",
            id="required of what is not written",
        ),
        pytest.param(
            ("", KEY, "only: out\nbackup: true"),
            "a backup is read, and only: out is never read",
            id="a backup that is not read",
        ),
        pytest.param(
            (
                *("mapping.yaml", TEXT, "content_type: application/fhir+json\n"),
                "content_type: application/fhir+json\ndirection: out\n",
            ),
            "this can never match: the mapping is never read",
            id="rules to read in what is only written",
        ),
        pytest.param(
            (
                *("plan.yaml", TEXT, "\nparts:\n"),
                "\nparts:\n  spare:\n    - {caf: event, wire: id}\n",
            ),
            "no rule uses the part spare: its rules can never match",
            id="a part that nobody uses",
        ),
        pytest.param(
            (
                *("plan.yaml", TEXT, "entries:\n"),
                SPARE,
            ),
            "no rule refers to spare (to: spare): it is never made",
            id="an entry that nothing demands",
        ),
        pytest.param(
            (
                *("plan.yaml", TEXT, "entries:\n"),
                NEVER,
            ),
            "it needs episode.subjects and the absence of episode.subjects",
            id="an entry that is never made",
        ),
        pytest.param(
            ("", RULE, "- {for: x, in: [], caf: gender, wire: id}"),
            "no words: this can never match",
            id="for no word",
        ),
        pytest.param(
            ("", RULE, "- {caf: 'address[]', wire: 'photo[]', rules: []}"),
            "no rules: this can never match",
            id="a list without rules",
        ),
        pytest.param(
            ("", RULE, "- {caf: 'elements[element=9.9].commentary', wire: language}"),
            "9.9 is no code of CL-14: nothing has such a element",
            id="a slice of no code",
        ),
        pytest.param(
            ("", RULE, "- {caf: preferred_name, wire: gender}"),
            "two rules write gender: the other is at fhir-r4/",
            id="two rules, one place",
        ),
        pytest.param(
            ("", RULE, "- {caf: preferred_name, wire: 'name[use=official].family'}"),
            "two rules write family: the other is at",
            id="two rules in one slice",
        ),
        pytest.param(
            ("", RULE, "- {caf: preferred_name, wire: 'telecom[system=phone].value'}"),
            "two rules write telecom[system=phone]",
            id="one item and every item of a slice",
        ),
        pytest.param(
            (
                *("", RULE, "- {caf: preferred_name, wire: 'name[use=old,text=x].family'}\n"),
                "- {caf: gender, wire: 'name[text=x,use=old].family'}",
            ),
            "two rules write family: the other is at",
            id="one slice in two spellings",
        ),
        pytest.param(
            (
                *("", RULE, "- {caf: preferred_name, wire: language, when: {present: email}}\n"),
                "- {caf: preferred_name, wire: language, when: {present: email}}",
            ),
            "says the same, and comes first",
            id="a second rule that says the same",
        ),
        pytest.param(
            ("gender.csv", TEXT, "I,=,other", "X,=,other"),
            "has no row for I of CL-01",
            id="a code without a row",
        ),
        pytest.param(
            ("gender.csv", TEXT, "I,=,other", "X,<,another,\nI,=,other"),
            "codes/gender.csv:5:1: X is no code of CL-01: the row can never match",
            id="a row that no code can reach",
        ),
        pytest.param(
            ("gender.csv", TEXT, "M,=,male,", "M,=,man,"),
            "codes/gender.csv:2:1: Patient.gender must be one of male",
            id="a word that the format does not have",
        ),
        pytest.param(
            ("yes-no.csv", TEXT, "true,=,yes,", "true,=,yes,\nmaybe,<,perhaps,"),
            "maybe is no code of bool: the row can never match",
            id="neither true nor false",
        ),
    ],
)
def test_a_fault_in_a_shipped_mapping_is_found(
    tmp_path: Path, change: tuple[str, ...], expected: str
) -> None:
    """Each fault is found where it stands, with what is wrong."""
    assert expected in broken(tmp_path, *change)


def test_a_condition_that_holds_in_one_use_of_a_part_is_no_fault() -> None:
    """Rules of a part stand in several places: one in which they can match is enough."""
    assert EPISODE in Catalogue(WIRES).formats


def test_faults_of_several_mappings_are_found_in_one_go(tmp_path: Path) -> None:
    """A mapping that does not load hides nothing of the next."""
    for name in ("caf-json", EPISODE):
        file = copied(tmp_path, name) / "mapping.yaml"
        file.write_text(file.read_text().replace("version: 1\n", "versoin: 1\n", 1))
    with pytest.raises(PositionedErrors) as refused:
        Catalogue(WIRES, folder=tmp_path)
    assert [error.place.file for error in refused.value.errors] == [
        "caf-json/mapping.yaml",
        f"{EPISODE}/mapping.yaml",
    ]


def test_a_fault_is_the_operators_to_mend(tmp_path: Path) -> None:
    """A site's fault is a refusal to start, with every place, and no stack trace."""
    (tmp_path / "codes").mkdir()
    file = copied(tmp_path / "catalogue", "caf-json") / "mapping.yaml"
    file.write_text("mapping: caf-json\nversoin: 1\n")
    with pytest.raises(Misconfigured) as refused:
        site_catalogue(tmp_path)
    assert refused.value.faults[0].path == "site/catalogue/caf-json/mapping.yaml:2:1"
