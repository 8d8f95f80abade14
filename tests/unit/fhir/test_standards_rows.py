"""The promises of the FHIR mapping: `standards.csv` beside it, row by row of the table."""

import csv
from functools import cache
from typing import Any

import orjson
import pytest

from mappings.commands import translator
from mappings.engine.report import Static, generic, loss, report
from tests.unit.fhir.wholes import Tree, decision, shape, whole

ONE = translator().catalogue.formats["fhir-r4/episode"]
ROWS = list(csv.DictReader((ONE.folder / "standards.csv").read_text("utf-8").splitlines()))
NORMALISED = {"episode.status"}
"""Fields whose codes do not all survive, on purpose: states before consent are never told."""


@cache
def said() -> dict[str, set[str]]:
    """For every place of the two whole messages the fields that stand there."""
    found: dict[str, set[str]] = {}
    for tree in (whole(), decision()):
        told = report(ONE, orjson.loads(orjson.dumps(tree)))
        for path, _ in leaves(told.document):
            found.setdefault(shape(told.document, path), set())
        for row in told.rows:
            if row.caf and row.wire:
                found[shape(told.document, row.wire)].add(generic(row.caf))
    return found


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every leaf of a document with its path."""
    if isinstance(value, dict):
        inner = [leaves(held, f"{path}.{name}" if path else name) for name, held in value.items()]
    elif isinstance(value, list):
        inner = [leaves(held, f"{path}[{number}]") for number, held in enumerate(value)]
    else:
        return [(path, value)]
    return [one for held in inner for one in held]


@cache
def static() -> dict[str, Static]:
    """The static report by field."""
    return {row.caf: row for row in loss(ONE)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["row"])
def test_a_row_is_honoured(row: dict[str, str]) -> None:
    """What the table marks 0, 1 or 2 is kept and stands where it says; what it marks - never
    stands anywhere.
    """
    fields, places = row["fields"].split(), row["places"].split()
    assert all(field in static() for field in fields if field != "event"), "no such field"
    if row["loss"] == "-":
        for field in fields:
            assert static()[field].outcome == "lost", field
            assert not any(field in found for found in said().values()), field
        assert not places
        return
    for field in fields:
        wanted = "normalised" if field in NORMALISED else "kept"
        assert static()[field].outcome == wanted, field
        assert any(field in found for found in said().values()), f"{field} was not tried"
    for place in places:
        assert place in said(), f"nothing stands at {place}"
    if places and fields:
        told = [place for place in places if said()[place] & set(fields)]
        assert told, "none of the places holds one of the fields"
    assert places or row["note"], "a row that promises nothing says why"


def test_every_row_of_the_table_is_there_once() -> None:
    """The table has 108 rows, and none is promised twice."""
    assert len(ROWS) == 108
    assert len({row["row"] for row in ROWS}) == 108
    assert {row["loss"] for row in ROWS} == {"0", "1", "2", "-", ""}


def test_nothing_marked_0_or_1_is_lost() -> None:
    """`ecaf loss fhir-r4/episode` shows no field of a row that the table marks 0 or 1."""
    lost = {field for field, row in static().items() if row.outcome == "lost"}
    promised = {f for row in ROWS if row["loss"] in {"0", "1"} for f in row["fields"].split()}
    assert not lost & promised


def test_a_place_that_is_not_written_fails() -> None:
    """The guard bites: a promise that the mapping does not keep is told."""
    broken = {**ROWS[0], "places": "Patient.photo.data"}
    with pytest.raises(AssertionError, match=r"nothing stands at Patient.photo.data"):
        test_a_row_is_honoured(broken)
    lost = {**ROWS[0], "fields": "episode.index_checked_at"}
    with pytest.raises(AssertionError):
        test_a_row_is_honoured(lost)


def test_the_whole_message_holds_every_kind_of_resource() -> None:
    """The resources that the issue lists are all made."""
    tree: Tree = whole()
    made = {
        entry["resource"]["resourceType"]
        for one in (tree, decision())
        for entry in ONE.compiled.render(orjson.loads(orjson.dumps(one)))["entry"]
    }
    assert made == {
        "MessageHeader", "Patient", "RelatedPerson", "Practitioner", "PractitionerRole",
        "Organization", "EpisodeOfCare", "CareTeam", "QuestionnaireResponse", "CarePlan", "Goal",
        "Task", "ServiceRequest", "Consent", "Provenance", "Group",
    }  # fmt: skip
