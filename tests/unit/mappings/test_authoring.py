"""New mappings, spreadsheets and code tables: what is made loads at once, and nothing is lost."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.positioned import Place
from mappings.commands import read_command, translator
from mappings.commands import test_command as run_test_command
from mappings.commands_codes import export_command, import_command, list_command
from mappings.commands_new import new_mapping_command
from mappings.concept_map import NotAConceptMap, concept_map, rows_of
from mappings.engine.catalogue import HOME
from mappings.engine.sketch import UNDONE
from mappings.engine.tables import ANY, CodeRow, read_rows, table_of
from mappings.formats.canonical_json import read_message
from mappings.formats.wires import WIRES
from mappings.site import site_catalogue
from tests.unit.mappings.sites import EPISODE, overlay, write

Cells = tuple[str, str, str, str]
TABLES = sorted((HOME / "codes").glob("*.csv"))
ROWS = """\
source,target,table,note
episode.subjects[].gender,Child[].Sex,gender,as birth registration
episode.subjects[].given_names[],Child[].Given[],,
episode.subjects[].identifiers[].system,Child[].Id[].Scheme,identifier-system,
episode.subjects[].identifiers[].value,Child[].Id[].Number,,

episode.status,Episode.State,,
"""

PATIENT = """\
episode.subjects[].gender,Patient.gender,gender
episode.subjects[].given_names[],Patient.name[use=official].given[],
"""


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Every command is a process of its own: it reads the site anew."""
    translator.cache_clear()


# New mappings


@pytest.mark.parametrize("wire", sorted(WIRES))
def test_a_new_mapping_of_each_format_loads_and_passes_its_case(wire: str, tmp_path: Path) -> None:
    """A folder that works at once: every leaf named, one case, and a work list of the rest."""
    assert new_mapping_command(f"try/{wire}", wire, site=tmp_path) == 0
    translator.cache_clear()
    one = site_catalogue(tmp_path).formats[f"try/{wire}"]
    assert sum(lost.reason == UNDONE for lost in one.written.lost) > 400
    assert run_test_command(Path(f"try/{wire}"), site=tmp_path) == 0


def test_the_starters_family_is_lawful() -> None:
    """The message of the first case is one that the hub would take."""
    message = json.loads((HOME / "starters" / "input.json").read_bytes())
    del message["notification"]
    assert read_message(json.dumps(message).encode())[1] == []


def test_a_field_that_no_rule_reads_is_the_mappings_fault(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Children without the key that every child has: the refusal names the rule that is missing."""
    rows = write(tmp_path, "rows.csv", ROWS)
    assert new_mapping_command("county/1", "json", rows=rows, site=tmp_path) == 0
    written = write(tmp_path, "wire.json", '{"episode": "e1", "Child": [{"Sex": "female"}]}')
    translator.cache_clear()
    capfd.readouterr()
    assert read_command("county/1", written, site=tmp_path) == 1
    told = capfd.readouterr().err
    assert "E_REQUIRED /episode/subjects/0/subject_id: required; no rule of county/1 reads" in told
    assert "episode.subjects[].subject_id: write one, or say direction: out" in told


def test_rows_of_a_spreadsheet_become_rules(tmp_path: Path) -> None:
    """Rows that share a list share its rule, tables go through, and the whole of it works."""
    rows = write(tmp_path, "rows.csv", ROWS)
    assert new_mapping_command("county/1", "json", rows=rows, site=tmp_path) == 0
    case = tmp_path / "catalogue/county/1/cases/first/expected.json"
    assert json.loads(case.read_bytes()) == {
        "episode": "e1",
        "Child": [
            {
                "Sex": "female",
                "Given": ["Ava", "Rose"],
                "Id": [{"Scheme": "https://fhir.nhs.uk/Id/nhs-number", "Number": "9990000018"}],
            }
        ],
        "Episode": {"State": "PLAN_ACTIVE"},
    }


@pytest.mark.parametrize(
    ("wire", "rows", "said"),
    [
        (
            "fhir-r4",
            PATIENT,
            '"given":["Ava","Rose"]',
        ),
        (
            "hl7v2",
            "episode.subjects[].gender,PID.8,hl7v2-gender\nmessage.sender_org,MSH.4.1,\n",
            "||F",
        ),
        ("caf-xml", "episode.home_authority,Episode.HomeAuthority,\n", "HomeAuthority"),
    ],
)
def test_rows_of_other_formats(wire: str, rows: str, said: str, tmp_path: Path) -> None:
    """Where an outer list is an entry or a message of its own, the row leaves it out."""
    file = write(tmp_path, "rows.csv", f"source,target,table\n{rows}")
    assert new_mapping_command("try/rows", wire, rows=file, site=tmp_path) == 0
    (case,) = (tmp_path / "catalogue/try/rows/cases/first").glob("expected.*")
    assert said in case.read_text().replace(" ", "").replace("\n", "")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("source,target\nepisode.gender,x\n", "rows.csv:2:1: episode has no gender"),
        (
            "source,target\nepisode.subjects[].gendr,Child[].Sex\n",
            "(did you mean episode.subjects[].gender?)",
        ),
        ("source,target\nepisode.status,a[].b\n", "0 lists in episode.status and 1 in a[].b"),
        ("source,target\nepisode.plan,x\n", "episode.plan is no single field"),
        ("source,target\nepisode.status,x[\n", "target x[: a name is missing here"),
        ("source,target\n,x\n", "source (empty): a name is missing here"),
        (
            "source,target,table\nepisode.subjects[].gender,c[].s,gendr\n",
            "there is no such code table (did you mean gender?)",
        ),
        ("from,to\nx,y\n", "rows.csv:1:1: the first line names the columns"),
        ("source,target\n", "rows.csv:1:1: there are no rows"),
        ('source,target\n"x,y\n', "not CSV"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_written(
    rows: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line and reason, for every row at once; the site stays as it was."""
    file = write(tmp_path, "rows.csv", rows)
    assert new_mapping_command("county/1", "json", rows=file, site=tmp_path) == 1
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "catalogue").exists()


@pytest.mark.parametrize(
    ("name", "wire", "expected"),
    [
        ("County 1", "json", "a mapping's name is like county/2"),
        ("../x", "json", "a mapping's name is like county/2"),
        ("caf-json", "json", "caf-json exists"),
        ("county/1", "edi", "there is no wire format of that name; there are"),
    ],
)
def test_a_mapping_that_cannot_be_made(
    name: str, wire: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A code and what would put it right."""
    assert new_mapping_command(name, wire, site=tmp_path) == 1
    assert expected in capsys.readouterr().err


def test_a_mapping_belongs_to_a_site(capsys: pytest.CaptureFixture[str]) -> None:
    """What is shipped is read-only."""
    assert new_mapping_command("county/1", "json", as_json=True) == 1
    assert "--site" in json.loads(capsys.readouterr().err)["detail"]


# ConceptMap

codes = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=9
)
row_cells = st.one_of(
    st.tuples(codes, st.sampled_from("=><"), codes, st.one_of(st.just(""), codes)),
    st.tuples(codes, st.just(">"), st.just(""), codes),
)


def as_rows(cells: list[Cells]) -> list[CodeRow]:
    """Rows without a file."""
    return [CodeRow(*one, place=Place("x", 1, 1)) for one in cells]


def lawful(cells: list[Cells]) -> list[Cells]:
    """The rows that a table may hold together: one for each code and word in each direction."""
    said: set[tuple[str, str]] = set()
    kept = []
    for row in cells:
        caf, way, wire, _note = row
        keys = {(">", caf)} if way in "=>" else set()
        keys |= {("<", wire)} if way in "=<" else set()
        if not keys & said:
            said |= keys
            kept.append(row)
    return kept


@given(
    st.lists(row_cells.filter(lambda one: not one[0] == one[2] == ANY), min_size=1, max_size=9),
    st.one_of(st.none(), st.tuples(st.integers(0, 9), codes)),
)
def test_a_concept_map_says_all_that_a_table_says(
    cells: list[Cells], passing: tuple[int, str] | None
) -> None:
    """There and back every row is the same, in the same order: ways, notes, silence, passing."""
    cells = lawful(cells)
    if passing is not None:
        cells.insert(min(passing[0], len(cells)), (ANY, "=", ANY, passing[1]))
    table_of("try", "x", as_rows(cells))  # such a table loads
    made = json.loads(json.dumps(concept_map("try", as_rows(cells))))
    assert rows_of(made) == cells


@pytest.mark.parametrize("table", TABLES, ids=[table.stem for table in TABLES])
def test_every_shipped_table_survives_export_and_import(
    table: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`ecaf codes export --concept-map`, then `ecaf codes import`: the same rows."""
    assert export_command(table.stem, as_map=True) == 0
    file = tmp_path / "map.json"
    file.write_bytes(capfdbinary.readouterr().out)
    assert import_command(table.stem, file, to=tmp_path / "codes") == 0
    again = read_rows(tmp_path / "codes" / table.name)
    assert [row.cells() for row in again] == [row.cells() for row in read_rows(table)]


def test_somebody_elses_concept_map_is_imported_by_its_equivalences() -> None:
    """Without our extension: equivalent both ways, unmatched no word, all others one way."""
    foreign = {
        "resourceType": "ConceptMap",
        "group": [
            {
                "element": [
                    {"code": "M", "target": [{"code": "male", "equivalence": "equivalent"}]},
                    {"code": "U", "target": [{"code": "unk", "equivalence": "wider"}]},
                    {"code": "I", "target": [{"equivalence": "unmatched", "comment": "none"}]},
                    {"code": "X"},
                ]
            },
            {"element": [{"code": "F", "target": [{"code": "female", "equivalence": "equal"}]}]},
        ],
    }
    assert rows_of(foreign) == [
        ("M", "=", "male", ""),
        ("U", ">", "unk", ""),
        ("I", ">", "", "none"),
        ("X", ">", "", ""),
        ("F", "=", "female", ""),
    ]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"resourceType": "ValueSet"}, "this is no FHIR ConceptMap"),
        ({"group": []}, "no element maps anything"),
        ({"group": {}}, "group: a list is wanted here"),
        ({"group": ["x"]}, "group[0]: an object is wanted here"),
        ({"group": [{"element": [{}]}]}, "group[0].element[0].code: text is wanted here"),
        (
            {"group": [{"element": [{"code": "a", "target": [{"equivalence": "same"}]}]}]},
            "group[0].element[0].target[0].equivalence: this is no equivalence of R4",
        ),
        (
            {
                "group": [
                    {
                        "element": [
                            {"code": "a", "target": [{"equivalence": "equal", "dependsOn": [{}]}]}
                        ]
                    }
                ]
            },
            "a code table knows no further conditions",
        ),
        (
            {"group": [{"element": [], "unmapped": {"mode": "fixed", "code": "x"}}]},
            "a code table knows provided only",
        ),
    ],
)
def test_what_a_table_cannot_hold_is_refused_with_its_place(
    change: dict[str, Any], where: str
) -> None:
    """Nothing of a ConceptMap is dropped in silence."""
    with pytest.raises(NotAConceptMap) as refused:
        rows_of({"resourceType": "ConceptMap", **change})
    assert where in str(refused.value)


# Code tables


@pytest.mark.parametrize(
    "text",
    [
        "caf,way,wire,note\nM,=,male,\nF,>,,none\n",
        "target,source,comment\nmale,M,\n,F,none\n",
        "Our code;Their code;Comment\nM;male;\n;;\nF;;none\n",
        "\ufeffsource\ttarget\tdirection\tnotes\nM\tmale\tboth\t\nF\t\tout\tnone\n",
    ],
    ids=["ours", "other order", "semicolons", "tabs and a byte-order mark"],
)
def test_a_spreadsheet_is_imported_as_it_comes(text: str, tmp_path: Path) -> None:
    """Columns by what they are called, in any order, as spreadsheets write CSV."""
    file = write(tmp_path, "sheet.csv", text)
    assert import_command("try", file, site=tmp_path) == 0
    rows = [row.cells() for row in read_rows(tmp_path / "codes" / "try.csv")]
    assert rows == [("M", "=", "male", ""), ("F", ">", "", "none")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("M,male\n", "the first line names the columns"),
        ("source,target,colour\nM,male,red\n", "nothing is known of the column colour"),
        ("source,target\nM\nF\n", "sheet.csv:3:1: expected 2 columns"),
        ("source,target,way\nM,male,?\n", "sheet.csv:2:1: way must be =, > or <"),
        ("source,target\nM,male\nM,man\n", "M has two rows towards the wire"),
        ("source,target\nM,x\nF,x\n", "x has two rows from the wire"),
        ("source,target\n,x\n", "a code is missing"),
        ('source,target\n"M,x\n', "not CSV"),
        ("", "the input is empty"),
        ("{]", "E_SYNTAX"),
        ('{"resourceType": "Bundle"}', "this is no FHIR ConceptMap"),
    ],
)
def test_a_wrong_table_is_named_and_nothing_is_written(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every faulty row with its line; no half of a table."""
    file = write(tmp_path, "sheet.csv", text)
    assert import_command("try", file, site=tmp_path) == 1
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "codes").exists()


def test_an_import_shows_what_changes_and_may_be_rehearsed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that come and go are shown; a dry run writes nothing."""
    file = write(tmp_path, "sheet.csv", "source,target\nM,male\nF,female\nU,unknown\n")
    assert import_command("gender", file, site=tmp_path, dry_run=True, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["removed"] == [["I", "=", "other", "indeterminate: unable to be classed"]]
    assert not (tmp_path / "codes").exists()
    assert import_command("gender", file, site=tmp_path) == 0
    said = capsys.readouterr()
    assert "- I,=,other" in said.out
    assert "no row for I of CL-01: it will not load so" in said.err


def test_a_partners_table_goes_into_its_overlay(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Import and export of what one partner has, before and after its overlay uses it."""
    file = write(tmp_path, "sheet.csv", "source,target\nM,male\nF,female\nU,unknown\nI,other\n")
    where: Any = {"partner": "SCH-A", "format_name": EPISODE, "site": tmp_path}
    assert import_command("gender-sch-a", file, **where) == 0
    overlay(
        tmp_path,
        "rules:\n  - field: episode.subjects[].gender\n"
        "    by: [{caf: gender, wire: gender, codes: gender-sch-a}]\n",
    )
    translator.cache_clear()
    capfdbinary.readouterr()
    assert export_command("gender-sch-a", **where) == 0
    assert capfdbinary.readouterr().out.startswith(b"caf,way,wire,note\nM,=,male,\n")


def test_a_table_that_an_overlay_waits_for_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A site that does not load for the want of a table gets it; what is wrong is said once."""
    overlay(
        tmp_path,
        "rules:\n  - field: episode.subjects[].gender\n"
        "    by: [{caf: gender, wire: gender, codes: gender-sch-a}]\n",
    )
    file = write(tmp_path, "sheet.csv", "source,target\nM,male\nF,female\nU,unknown\nI,other\n")
    where: Any = {"partner": "SCH-A", "format_name": EPISODE, "site": tmp_path}
    assert import_command("gender-sch-a", file, **where) == 0
    assert capsys.readouterr().err.count("the site does not load yet (1 faults") == 1
    translator.cache_clear()
    assert export_command("gender-sch-a", **where) == 0
    assert "does not load" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "say where the table belongs"),
        ({"partner": "SCH-A"}, "--partner and --format go together"),
        ({"partner": "SCH-A", "format_name": "fhir-r4/episodes"}, "did you mean fhir-r4/episode?"),
    ],
)
def test_a_table_belongs_somewhere(
    options: dict[str, Any], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To a site, a partner's overlay of a format, or a folder that is named."""
    file = write(tmp_path, "sheet.csv", "source,target\nM,male\n")
    site = tmp_path if options else None
    assert import_command("try", file, site=site, **options) == 1
    assert expected in capsys.readouterr().err


def test_tables_are_listed_with_loss_and_users(capsys: pytest.CaptureFixture[str]) -> None:
    """What has no way back is computed; who uses the table is looked up."""
    assert list_command(as_json=True) == 0
    listed = {held["table"]: held for held in json.loads(capsys.readouterr().out)}
    assert set(listed) == {table.stem for table in TABLES}
    assert EPISODE in listed["gender"]["formats"]
    assert listed["name-use"]["lost"] == ["variant_spelling"]
    assert list_command() == 0
    assert "no way back" in capsys.readouterr().out


def test_an_unknown_table_is_named_with_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """No path of a file is ever taken for a name."""
    for name in ("gendr", "../../etc/passwd", ""):
        assert export_command(name) == 1
        assert "there is no such code table; there are" in capsys.readouterr().err
