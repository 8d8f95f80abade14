"""Order and gaps at a participant, and messages with one field wrong: what judges must see."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.positioned import Place
from hub.scenarios.judging import Answered, Arrival, Difference
from hub.scenarios.messages import WIRE, Sent
from hub.scenarios.oddities import oddities, well_refused
from hub.scenarios.ordering import judge_order, judge_return

HERE = Place("s.yaml", 3, 5)


@pytest.fixture
def came(tmp_path: Path) -> Any:
    """Makes what HOU-A received: pairs of a number and a kind, all of one episode."""

    def make(*pairs: tuple[int | None, str]) -> list[Arrival]:
        found = []
        for place, (number, kind) in enumerate(pairs):
            file = tmp_path / f"{place}.json"
            message = {"episode_id": "e1", "episode_seq": number}
            file.write_text(json.dumps({"message": message} if number else {"resourceType": "X"}))
            found.append(Arrival("HOU-A", 1, place, kind, str(place), {}, file, "webhook"))
        return found

    return make


def said(number: int) -> Answered:
    """Return the hub's answer to a message of HOU-A's own."""
    body = json.dumps({"episode_id": "e1", "episode_seq": number})
    return Answered("HOU-A", 1, 202, body, {}, 0, None)


def test_in_order_and_whole_is_fine(came: Any) -> None:
    """One's own messages are numbered too, a recall may overtake, N13 has no number."""
    judge_order("HOU-A", came((1, "N7"), (2, "N3"), (4, "N10"), (5, "N6")), [said(3)], HERE)
    judge_order("HOU-A", came((1, "N7"), (3, "N10"), (2, "N6")), [], HERE)
    judge_order("HOU-A", came((1, "N7"), (None, "N6"), (3, "N6")), [], HERE)


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (((1, "N7"), (3, "N6"), (2, "N6")), "out of order"),
        (((1, "N7"), (3, "N6")), "misses numbers of one episode: 2"),
    ],
)
def test_what_is_late_or_missing_is_seen(
    came: Any, pairs: tuple[tuple[int, str], ...], says: str
) -> None:
    """A message before the one that it follows, and a gap."""
    with pytest.raises(Difference, match=says):
        judge_order("HOU-A", came(*pairs), [], HERE)


def test_on_a_return_what_never_waits_comes_first(came: Any) -> None:
    """N10, N14 and N2, in that order, and then the rest."""
    judge_return("HOU-A", came((3, "N10"), (4, "N2"), (1, "N6")), HERE)
    with pytest.raises(Difference, match="never waits"):
        judge_return("HOU-A", came((1, "N6"), (3, "N10")), HERE)
    with pytest.raises(Difference, match="never waits"):
        judge_return("HOU-A", came((4, "N2"), (3, "N10")), HERE)


def test_a_message_is_tried_with_one_field_wrong() -> None:
    """An unknown code and a wrong check digit, each by itself and under a key of its own."""
    number = {"system": "nhs-number", "value": "9990000018"}
    tree = {"episode": {"subjects": [{"subject_id": "s1", "identifiers": [number]}]}}
    sent = Sent("SCH-A", "POST", "/messages", WIRE, json.dumps(tree).encode(), "k", tree)

    tried = dict(oddities(sent))

    assert set(tried) == {"E_CODELIST", "E_IDENTIFIER_CHECK"}
    assert len({sent.key, *(one.key for one in tried.values())}) == 3
    wrong = json.loads(tried["E_IDENTIFIER_CHECK"].body)["episode"]["subjects"][0]
    assert wrong["identifiers"][0]["value"] == "9990000019"
    assert tree["episode"]["subjects"][0]["identifiers"] == [number]
    assert list(oddities(Sent("SCH-A", "GET", "/directory", WIRE, b"{}", "k"))) == []


def test_it_must_be_refused_whole_and_with_the_list() -> None:
    """A yes, another code, and a code without its list are all seen."""

    def answer(status: int, **fault: str) -> Answered:
        body = json.dumps({"code": fault.get("code"), "errors": [fault]})
        return Answered("SCH-A", 1, status, body, {}, 0, None)

    assert well_refused("E_CODELIST", answer(422, code="E_CODELIST", code_list="CL-16"))
    assert not well_refused("E_CODELIST", answer(422, code="E_CODELIST"))
    assert not well_refused("E_CODELIST", answer(422, code="E_RULE", code_list="CL-16"))
    assert not well_refused("E_CODELIST", answer(202, code="E_CODELIST", code_list="CL-16"))
    assert well_refused("E_IDENTIFIER_CHECK", answer(422, code="E_IDENTIFIER_CHECK"))
