"""Sentences about consent become whole decision records."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.scenarios.consents import Register
from hub.scenarios.decisions import KINDS, records
from hub.scenarios.language import load

AT = datetime(2026, 9, 1, 9, tzinfo=UTC)
HEAD = """title: Decisions
starts_at: 2026-09-01
participants: [SCH-A, HOU-A, EHM-B, IDX]
people:
  Ava: {born: 2016-05-14}
  Mia: {mother of: Ava}
  Gran: {grandmother of: Ava}
steps:
"""


@pytest.fixture
def decided(tmp_path: Path) -> Any:
    """Plays sentences about consent and returns the records that would be sent."""

    def play(*sentences: Any) -> Any:
        file = tmp_path / "decisions.yaml"
        file.write_text(HEAD + "".join(f"  - {sentence}\n" for sentence in sentences))
        scenario = load(file)
        register = Register(scenario.cast, "run")
        made = []
        for step in scenario.steps:
            for action in step.actions:
                assert action.kind in KINDS
                made += records(action, register, episode="E1", recorded_by="p1", at=AT)
        return made

    return play


def test_storing_and_sharing_are_decided_for_the_adult_and_the_child(decided: Any) -> None:
    """An adult decides about herself, then for the child as one with responsibility."""
    own, child = decided("Mia consents to store")

    assert (own["subject_id"], own["given_by_basis"]) == ("mia", "ADULT_SELF")
    assert (child["subject_id"], child["given_by_basis"], child["pr_basis"]) == (
        "ava",
        "PR_HOLDER",
        "MOTHER",
    )
    assert (child["state"], child["store_decision"], child["share_decision"]) == (
        "STORE_ONLY",
        "yes",
        "no",
    )
    assert child["index_consent"] == "yes"
    assert child["competence_judgement"]["outcome"] == "NOT_COMPETENT"


def test_sensitive_parts_are_named_as_such(decided: Any) -> None:
    """``including the sensitive`` adds the cells that say so."""
    _own, child = decided("Mia shares sec.child.* including the sensitive with HOU-A")

    cells = child["scope_includes"]
    assert {"service": "HOU-A/HOUS", "section": "sec.child.health", "sensitive": True} in cells
    assert {cell["section"] for cell in cells} >= {"sec.child.health", "sec.child.learning"}


def test_an_exclusion_narrows_what_was_agreed(decided: Any) -> None:
    """The record says what is left and what is excluded, and supersedes the one before."""
    *_rest, before, after = decided(
        "Mia shares sec.plan and sec.env.family with HOU-A",
        "Mia excludes sec.env.family for HOU-A",
    )

    assert after["state"] == "NARROWED"
    assert [cell["section"] for cell in after["scope_includes"]] == ["sec.plan"]
    assert [cell["section"] for cell in after["scope_excludes"]] == ["sec.env.family"]
    assert after["supersedes"] == before["consent_decision_id"]


def test_a_widening_lifts_the_exclusion(decided: Any) -> None:
    """What the family gives again is not excluded any more."""
    *_rest, last = decided(
        "Mia shares sec.plan with HOU-A",
        "Mia excludes sec.plan for HOU-A",
        "Mia widens HOU-A by sec.plan",
    )

    assert last["state"] == "WIDENED"
    assert last["scope_excludes"] == []
    assert [cell["section"] for cell in last["scope_includes"]] == ["sec.plan"]


@pytest.mark.parametrize(
    ("sentence", "state", "kind"),
    [
        ("Mia withdraws sharing", "WITHDRAWN", "SHARE_ALL"),
        ("Mia withdraws storage", "WITHDRAWN", "STORE"),
    ],
)
def test_a_withdrawal_says_of_what(decided: Any, sentence: Any, state: Any, kind: Any) -> None:
    """Sharing and storing are withdrawn apart."""
    *_rest, last = decided("Mia shares sec.plan with HOU-A", sentence)

    assert (last["state"], last["withdrawal_type"]) == (state, kind)
    assert last["scope_includes"] == []


def test_an_agreed_transfer_is_a_purpose_of_its_own(decided: Any) -> None:
    """The receiving authority is named for TRANSFER and for nothing else."""
    (child,) = decided("Mia agrees to transfer to EHM-B")

    assert child["scope_includes"] == [
        {"service": "EHM-B/FSW", "section": "sec.identity", "purpose": "TRANSFER"}
    ]


def test_somebody_without_responsibility_is_not_made_one_who_has_it(decided: Any) -> None:
    """The record says what the person is, and the hub must refuse it."""
    *_own, child = decided("Gran shares sec.plan with HOU-A")

    assert child["given_by_basis"] == "CARER_NO_PR"
    assert "pr_basis" not in child
