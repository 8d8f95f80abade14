"""Periods whose ends share a year or month, one more exact than the other (R4's per-1)."""

import json

import pytest

from mappings.formats import fhir_periods
from tests.unit.fhir.wholes import whole

UNSURE = [
    ("2016-05", "2016"),
    ("2016", "2016-05"),
    ("2016", "2016-05-14"),
    ("2016-05-14", "2016-05"),
    ("2016-05", "2016-05-14T10:00:00Z"),
]
SURE = [
    ("2015-05", "2016"),
    ("2016", "2016"),
    ("2016-05-01", "2016-05-14"),
    ("2016", "2017-05-01"),
    ("2016", "20160514"),
    ("2016-05-14", "2016-05-14T10:00:00Z"),
]


@pytest.mark.parametrize(("start", "end"), UNSURE)
def test_the_less_exact_end_stands_beside_its_place_and_comes_back(start: str, end: str) -> None:
    """No server can take the period for one that ends before it starts, and nothing is lost."""
    period = {"start": start, "end": end}
    fhir_periods.told_apart(period)
    exact, coarse = ("start", "end") if len(start) > len(end) else ("end", "start")
    assert period.keys() == {exact, f"_{coarse}"}
    assert fhir_periods.marked(json.dumps(period).encode())
    fhir_periods.put_back(period)
    assert period == {"start": start, "end": end}


@pytest.mark.parametrize(("start", "end"), SURE)
def test_a_period_with_an_order_is_left_alone(start: str, end: str) -> None:
    """Only what R4 cannot compare is written otherwise."""
    period = {"start": start, "end": end}
    fhir_periods.told_apart(period)
    assert period == {"start": start, "end": end}


def test_an_extension_of_somebody_else_stays_where_it_is() -> None:
    """Only what this hub writes is put back."""
    for beside in (
        {"extension": [{"url": fhir_periods.RENDERED, "valueString": "about 2016"}]},
        {"extension": [{"url": "urn:x", "valueString": "2016"}]},
        {"id": "a", "extension": [{"url": fhir_periods.RENDERED, "valueString": "2016"}]},
    ):
        document = {"period": {"start": "2016-05", "_end": beside}}
        fhir_periods.put_back(document)
        assert document == {"period": {"start": "2016-05", "_end": beside}}


def test_a_whole_bundle_with_such_a_period_is_lawful_and_reads_back() -> None:
    """Through the wire with all checks, both ways."""
    from mappings.commands import translator

    tree = json.loads(json.dumps(whole()))
    child = tree["episode"]["subjects"][0]
    child["identifiers"][0] |= {"valid_from": "2016-05", "valid_to": "2016"}
    episode = translator().catalogue.formats["fhir-r4/episode"]
    body = episode.wire.write(episode.compiled.render(tree), check=True)
    assert fhir_periods.RENDERED.encode() in body
    found = episode.compiled.read(episode.wire.parse(body))
    back = found.message["episode"]["subjects"][0]["identifiers"][0]
    assert (back["valid_from"], back["valid_to"]) == ("2016-05", "2016")
