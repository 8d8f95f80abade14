"""The early-help table: rows, cells, formulas, and the authority's own choice of a reason."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Rejected
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.engine.catalogue import Catalogue
from mappings.formats import csv_text
from mappings.formats.csv_wire import SSD_EARLY_HELP, Columns, CsvWire
from mappings.formats.wires import WIRES
from tests import builders
from tests.unit.xml.hostile import Verdict, assert_refused, verdicts
from tests.unit.xml.hostile_csv import TABLE

NAME = "ssd/early-help"
OVERLAY = """overlay: LA-B
mapping: ssd/early-help
mapping_version: 1
version: 1
rules:
  - field: episode.conclusions.need_level
    lost: this authority counts what led to the assessment
  - field: episode.opened_at
    add: [{caf: "/episode.assessment.trigger[]", wire: "earl_episode_reason[]"}]
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Verdict]:
    return verdicts("tests.unit.xml.hostile_csv")


def test_the_table_is_long_enough() -> None:
    """Forty at the least."""
    assert len(TABLE) >= 40


@pytest.mark.parametrize("name", TABLE)
def test_it_is_refused_with_code_and_place(name: str, found: dict[str, Verdict]) -> None:
    """The place is a line, a cell of it, or a byte."""
    assert_refused(found[name], TABLE[name])
    assert TABLE[name].place


def rows(tree: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the table as a spreadsheet program has them."""
    body = translator().render(NAME, rehearse(tree), partner="").body
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def closed(**changes: Any) -> dict[str, Any]:
    family = builders.episode(
        responsible_practitioner=builders.practitioner("p-lead"),
        closed_at="2026-12-03T15:00:00Z",
        closure={"closed_on": "2026-12-02", "closure_reason": "NEEDS_MET"},
    )
    return {"message": builders.header(message_type="N2"), "episode": {**family, **changes}}


def test_a_row_says_what_the_dataset_asks() -> None:
    """Each column from its leaf (`standards.md` section 9)."""
    assert rows(closed()) == [
        {
            "earl_episode_id": "e1",
            "earl_person_id": "A0001234",
            "earl_episode_start_date": "2026-09-01T09:00:00Z",
            "earl_episode_end_date": "2026-12-03T15:00:00Z",
            "earl_episode_reason": "L2",
            "earl_episode_end_reason": "NEEDS_MET",
            "earl_episode_organisation": "EHM-A",
            "earl_episode_worker_id": "p-lead",
        }
    ]


def test_why_it_ended_is_told_only_if_it_was_released() -> None:
    """Who may know of a closure may not know its reason: then the cell is empty, like any other."""
    (told,) = rows(closed(closure={"closed_on": "2026-12-02"}))
    (none,) = rows(closed(closure={}))

    assert told["earl_episode_end_reason"] == ""
    assert told == none


def test_the_bytes_are_what_the_file_promises() -> None:
    """UTF-8 without a mark, the columns in the dataset's order, CRLF."""
    body = translator().render(NAME, rehearse(closed()), partner="").body

    assert body.startswith(",".join(SSD_EARLY_HELP.names).encode() + b"\r\n")
    assert body.count(b"\r\n") == body.count(b"\n") == 2


def test_no_child_released_is_a_header_and_no_row() -> None:
    """A table without rows is a table."""
    assert rows(closed(subjects=[])) == []


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+44", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "＝1", "'=1"],
)
def test_no_cell_is_a_formula(text: str) -> None:
    """What a spreadsheet would run has an apostrophe before it, and loses it on the way back."""
    tree = closed(
        responsible_practitioner={"practitioner_id": "p1", "name": "N", "organisation": text}
    )
    body = translator().render(NAME, rehearse(tree), partner="").body

    (row,) = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert row["earl_episode_organisation"] == f"'{text}"
    (back,) = WIRES["ssd-early-help"].parse(body)["row"]
    assert back["earl_episode_organisation"] == text


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\r\n'=\""), max_size=20
    )
)
def test_any_cell_comes_back_and_starts_no_formula(text: str) -> None:
    """Quoting, guarding and their ways back lose nothing."""
    raw = csv_text.written(("a", "b"), [[text, "x"]])

    assert list(csv_text.parsed(raw, ("a", "b"))) == [[text, "x"]]
    written = next(csv.reader(io.StringIO(raw.decode().partition("\r\n")[2], newline="")))[0]
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_two_numbers_of_one_child_are_refused() -> None:
    """Which of them is the child's is not for a table to choose."""
    child = builders.subject()
    child["identifiers"] += [{"system": "la-child-id", "value": "A0009999"}]

    with pytest.raises(Rejected) as refused:
        rows(closed(subjects=[child]))

    assert [(f.path, f.remedy) for f in refused.value.faults] == [
        ("row[0].earl_person_id", "one value only")
    ]


def test_the_reason_is_the_authoritys_choice(tmp_path: Path) -> None:
    """An overlay of five lines puts another leaf into the column; several codes stand in it."""
    folder = tmp_path / "overlays/LA-B" / NAME
    folder.mkdir(parents=True)
    (folder / "overlay.yaml").write_text(OVERLAY)
    one = Catalogue(WIRES, site=tmp_path).overlays["LA-B", NAME]
    tree = closed()
    tree["episode"]["assessment"]["trigger"] = ["WORRY", "ASKED"]

    (row,) = one.wire.parse(one.wire.write(one.compiled.render(tree), check=True))["row"]

    assert row["earl_episode_reason"] == "WORRY; ASKED"


def test_a_rule_for_a_column_that_is_none_does_not_load() -> None:
    """The columns are the dataset's, and known when the mapping loads."""
    shape = CsvWire(Columns(("a",), frozenset())).shape

    with pytest.raises(ValueError, match="no column b; there are a"):
        shape.member("row", "b")
    with pytest.raises(ValueError, match=r"row\[\] and nothing else"):
        shape.member("Table", "a")
