"""Competence is recorded, never computed: who has been judged competent and is still to decide."""

from typing import Any

import pytest

from hub.domain.competence import awaits_own_decision, outcome_of
from tests.unit.domain.decisions import item, record, recorded, young

ABLE = record("ASKED", subject_id="bea", competence_judgement={"outcome": "COMPETENT"})
UNABLE = record("ASKED", subject_id="bea", competence_judgement={"outcome": "NOT_COMPETENT"})
MOTHERS = record(subject_id="bea", scope_includes=[item("SCH-A/SCH")])
AT_SIXTEEN: dict[str, Any] = {"given_by_basis": "YP_16_17", "competence_judgement": None}


@pytest.mark.parametrize(
    ("records", "waits"),
    [
        ([], False),
        ([MOTHERS], False),
        ([ABLE], True),
        ([UNABLE], False),
        ([UNABLE, ABLE], True),
        ([ABLE, UNABLE], False),
        ([ABLE, MOTHERS], True),
        ([ABLE, record("ASKED", subject_id="bea")], True),
        ([ABLE, young("REFUSED")], False),
        ([young("REFUSED"), ABLE], True),
        ([ABLE, young("REFUSED", **AT_SIXTEEN)], False),
        ([ABLE, young("ASKED", **AT_SIXTEEN)], True),
        ([ABLE | {"subject_id": "ava"}], False),
    ],
)
def test_the_newest_judgement_waits_for_their_own_decision(
    records: list[dict[str, Any]], waits: bool
) -> None:
    """A parent's word does not end the waiting, and neither does a question."""
    assert awaits_own_decision(recorded(*records), "bea") is waits


@pytest.mark.parametrize("judged", [None, "COMPETENT", {}, {"outcome": ["COMPETENT"]}])
def test_what_is_no_judgement_has_no_outcome(judged: Any) -> None:
    """Nothing is read into a record that does not say it."""
    assert outcome_of({"competence_judgement": judged}) is None
