"""What the rules allow, beside the wrong inputs that they refuse
(`tests/acceptance/wrong_inputs.py`).
"""

from typing import Any

import pytest

from hub.domain.checks import check_episode, check_message
from hub.errors import Code
from tests import builders
from tests.builders import GONE, changed

SUBJECT = "/subjects/0"


def unborn(**changes: Any) -> dict[str, Any]:
    """Return the child of scenario S5 before birth."""
    return {
        "subject_id": "s1",
        "is_unborn": True,
        "given_names": ["Unborn baby of Eve"],
        "family_name": "Example",
        "gender": "U",
        "expected_date_of_delivery": "2026-09-10",
        **changes,
    }


def test_the_family_of_s1_is_lawful() -> None:
    """Nothing is wrong with Ava's episode, in part or whole."""
    assert check_episode(builders.episode(), whole=True) == []


def test_an_unborn_child_is_lawful() -> None:
    """An expected date of delivery without a date of birth, and it may be a month."""
    child = unborn(expected_date_of_delivery="2026-09")
    assert check_episode({"episode_id": "e1", "subjects": [child]}, whole=True) == []


def test_a_part_with_both_dates_is_refused() -> None:
    """Born or expected, even where the part does not say which of them the child is."""
    child = {"subject_id": "s1", "date_of_birth": "2016", "expected_date_of_delivery": "2016"}
    faults = check_episode({"episode_id": "e1", "subjects": [child]})
    assert [fault.code for fault in faults] == [Code.RULE]


def test_a_pregnancy_that_ended_keeps_its_date_and_gets_no_birth() -> None:
    """The expected date stays and the birth date stays blank (`domain.md` 2.3)."""
    tree = {
        "episode_id": "e1",
        "subjects": [unborn()],
        "closure": {"closed_on": "2026-07-01", "closure_reason": "DIED"},
    }
    assert check_episode(tree, whole=True) == []


def test_several_children_with_elements_of_their_own_are_lawful() -> None:
    """The same element may be assessed for each child."""
    siblings = [builders.subject(), builders.subject(subject_id="s2", given_names=["Max"])]
    assert check_episode(builders.episode(subjects=siblings), whole=True) == []


def test_a_part_is_not_asked_for_the_whole() -> None:
    """A contributor that knows only one action sends only that."""
    part = {"episode_id": "e1", "plan": {"action": [{"id": "a2", "action_status": "DONE"}]}}
    assert check_episode(part) == []
    assert {fault.code for fault in check_episode(part, whole=True)} == {Code.REQUIRED}


def test_failed_identifiers_pass_only_if_the_sender_insists() -> None:
    """The same faults are either refusals or warnings, and the data stays as it was sent."""
    tree = changed(builders.message(), f"/episode{SUBJECT}/identifiers/0/value", "9990000019")
    faults, warnings = check_message(tree)
    assert [fault.code for fault in faults] == [Code.IDENTIFIER_CHECK]
    assert warnings == []
    insisting = changed(tree, "/message/accept_failed_identifiers", True)
    assert check_message(insisting) == ([], faults)
    assert check_episode(tree["episode"], accept_failed_identifiers=True) == []


def test_an_unknown_authority_is_flagged_and_passes() -> None:
    """CL-29 is open: what it does not know goes on, with a warning at its place."""
    tree = changed(builders.message(), "/episode/home_authority", "999")
    tree = changed(tree, "/episode/other_authorities", ["001", "998"])
    faults, warnings = check_message(tree)
    assert faults == []
    assert [(fault.code, fault.path, fault.code_list) for fault in warnings] == [
        (Code.CODELIST, "/episode/home_authority", "CL-29"),
        (Code.CODELIST, "/episode/other_authorities/1", "CL-29"),
    ]


@pytest.mark.parametrize(
    ("born", "accuracy", "lawful"),
    [
        ("2016-05-14", "AAA", True),
        ("2016-05", "UAA", True),
        ("2016", "UUE", True),
        ("2016", "EEA", True),
        ("2016-05", "AAA", False),
        ("2016", "UAA", False),
    ],
)
def test_no_accuracy_is_claimed_for_what_is_not_given(
    born: str, accuracy: str, *, lawful: bool
) -> None:
    """A month without a day cannot have an accurate day (CL-27)."""
    child = builders.subject(date_of_birth=born, date_accuracy=accuracy)
    faults = check_episode({"episode_id": "e1", "subjects": [child]})
    assert (faults == []) is lawful


def test_paths_start_where_they_are_told() -> None:
    """The same fault can be told relative to the episode or to the message around it."""
    tree = changed(builders.episode(), f"{SUBJECT}/expected_date_of_delivery", "2026")
    paths = {fault.path for fault in check_episode(tree)}
    assert paths == {f"{SUBJECT}/expected_date_of_delivery"}
    assert {fault.path for fault in check_episode(tree, at="/episode")} == {
        f"/episode{SUBJECT}/expected_date_of_delivery"
    }


def test_references_may_name_children_and_adults_alike() -> None:
    """A person present is whoever of the family was there; strangers have no id at all."""
    tree = changed(builders.episode(), "/assessment/people_present/0/person_id", "s1")
    assert check_episode(tree, whole=True) == []
    tree = changed(tree, "/assessment/people_present/0/person_id", GONE)
    assert check_episode(tree, whole=True) == []
    tree = changed(tree, "/assessment/people_present/0/person_id", "c9")
    assert [fault.code for fault in check_episode(tree, whole=True)] == [Code.REFERENCE]
