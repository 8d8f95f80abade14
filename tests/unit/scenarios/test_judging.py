"""Judging: closed world, in both directions."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.positioned import Place
from hub.scenarios.judging import Answered, Arrival, Difference, judge_answer, judge_messages
from hub.scenarios.scenario import Wanted

HERE = Place("s.yaml", 3, 5)


@pytest.fixture
def arrival(tmp_path: Path) -> Any:
    """Makes arrivals with a body on disk."""

    def make(kind: Any, body: Any = None, sections: Any = None) -> Any:
        file = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}.json"
        file.write_text(json.dumps(body or {}))
        return Arrival("HOU-A", 1, 1, kind, file.name, sections or {}, file, "webhook")

    return make


def test_what_was_expected_and_came_is_fine(arrival: Any) -> None:
    """Order does not matter between kinds."""
    judge_messages(
        "HOU-A", [Wanted(HERE, "N3"), Wanted(HERE, "N8")], [arrival("N8"), arrival("N3")], HERE
    )


def test_a_message_that_nobody_listed_is_a_failure(arrival: Any) -> None:
    """Closed world: silence in the file means silence on the wire."""
    with pytest.raises(Difference, match="without being meant to"):
        judge_messages("HOU-A", [], [arrival("N7")], HERE)


def test_the_same_message_twice_is_a_failure(arrival: Any) -> None:
    """Once is not twice."""
    with pytest.raises(Difference, match="received N3"):
        judge_messages("HOU-A", [Wanted(HERE, "N3")], [arrival("N3"), arrival("N3")], HERE)


def test_a_message_that_did_not_come_is_a_failure() -> None:
    """Nothing received is a difference too."""
    with pytest.raises(Difference, match="did not receive N7"):
        judge_messages("HOU-A", [Wanted(HERE, "N7")], [], HERE)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"sections": ("sec.identity", "sec.plan")}, "sec.plan is missing"),
        ({"sections": ("sec.identity",)}, "sec.env.housing is there"),
        ({"without": ("sec.env.housing",)}, "must not be"),
        ({"without": ("sec.family",)}, "must not be"),
        ({"fields": (("status", "CLOSED"),)}, "another value"),
        ({"fields": (("status", "absent"),)}, "is there"),
        ({"fields": (("closed_at", "present"),)}, "is missing"),
        ({"facts": (("code", "N6"),)}, "another value"),
        ({"says": ("mould",)}, "not in it"),
        ({"lacks": ("damp",)}, "is in it"),
    ],
)
def test_a_message_with_other_content_is_a_failure(arrival: Any, wanted: Any, says: Any) -> None:
    """Sections, fields, facts and texts are all looked at."""
    came = arrival(
        "N7",
        {"notification": {"code": "N7"}, "episode": {"status": "ASSESSED", "x": "damp"}},
        {"sec.identity": "basic", "sec.env.housing": "full", "sec.family": "basic"},
    )

    with pytest.raises(Difference, match=says):
        judge_messages("HOU-A", [Wanted(HERE, "N7", **wanted)], [came], HERE)


def test_basic_leaves_need_not_be_listed(arrival: Any) -> None:
    """A listed service gets names and contacts; only what goes beyond them must be expected."""
    came = arrival("N7", {}, {"sec.identity": "basic", "sec.family": "basic", "sec.plan": "full"})

    judge_messages(
        "HOU-A", [Wanted(HERE, "N7", sections=("sec.identity", "sec.plan"))], [came], HERE
    )


def answered(status: Any, body: Any) -> Any:
    """Return an answer of the hub."""
    return Answered("SCH-A", 1, status, json.dumps(body), {}, 0, None)


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (None, answered(403, {"code": "E_CONSENT_NONE"})),
        (Wanted(HERE, status=202), answered(409, {})),
        (Wanted(HERE, code="E_CONSENT_NONE"), answered(403, {"code": "E_CONSENT_SCOPE"})),
        (Wanted(HERE, code="E_CONSENT_NONE"), answered(202, {})),
        (Wanted(HERE, result="NONE"), answered(200, {"result": "OPEN"})),
    ],
)
def test_an_answer_that_was_not_expected_is_a_failure(wanted: Any, answer: Any) -> None:
    """Unasked, an answer must be a yes; asked, it must be the one that was asked for."""
    with pytest.raises(Difference):
        judge_answer(wanted, answer, HERE)
