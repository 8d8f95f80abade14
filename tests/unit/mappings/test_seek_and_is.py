"""What the language says of values that stand elsewhere, and of conditions on a value."""

from pathlib import Path
from typing import Any

import pytest

from hub.positioned import PositionedErrors
from hub.services.released import freeze
from mappings.engine.catalogue import Catalogue, Format
from mappings.engine.report import report
from mappings.formats.wires import WIRES

HEAD = """
mapping: trial
version: 1
format: json
content_type: application/json
direction: out
envelope:
  resource: thing
  rules:
"""
LOST = """
lost:
  - {caf: message, reason: a trial}
  - {caf: event, reason: a trial}
  - {caf: event_detail, reason: a trial}
  - {caf: consent_decision, reason: a trial}
  - {caf: contribution, reason: a trial}
  - {caf: acknowledgement, reason: a trial}
  - {caf: disclosure, reason: a trial}
  - {caf: episode, reason: a trial}
"""


def mapping(folder: Path, rules: str, *, episode: bool = True) -> Format:
    """A mapping of one tree with these rules, everything else lost."""
    home = folder / "trial"
    home.mkdir()
    lost = LOST if episode else LOST.replace("  - {caf: episode, reason: a trial}\n", "")
    (home / "mapping.yaml").write_text(HEAD + rules + lost)
    return Catalogue(WIRES, folder=folder).formats["trial"]


def said(one: Format, tree: dict[str, Any]) -> Any:
    """What the mapping writes."""
    return one.compiled.render(freeze({"message": {"message_id": "m1"}, **tree}))


PLAN = {
    "plan": {"desired_outcome": [{"id": "o1", "text": "x"}, {"id": "o2", "text": "y"}]},
    "reviews": [
        {"review_id": "v1", "outcome_progress": [{"outcome_id": "o1", "progress": "WORSE"}]},
        {
            "review_id": "v2",
            "outcome_progress": [
                {"outcome_id": "o2", "progress": "PARTLY"},
                {"outcome_id": "o1", "progress": "ACHIEVED"},
            ],
        },
    ],
}


def test_the_last_word_on_the_same_thing_is_found(tmp_path: Path) -> None:
    """With `same` it is the last of the items that are about this one; others say nothing of it."""
    one = mapping(
        tmp_path,
        """
    - caf: notification.outcomes[]
      wire: outcomes[]
      rules:
        - seek: "/episode.reviews[].outcome_progress[].progress"
          same: outcome_id=id
          wire: last
""",
    )
    told = [{"id": "o1"}, {"id": "o2"}, {"id": "o3"}]
    found = said(one, {"notification": {"outcomes": told}, "episode": PLAN})
    assert found == {"outcomes": [{"last": "ACHIEVED"}, {"last": "PARTLY"}]}


def test_the_first_of_all_is_found_and_the_next_place_asked(tmp_path: Path) -> None:
    """Without `same` it is the first; where a place has none, the next one is asked."""
    one = mapping(
        tmp_path,
        """
    - seek: [/episode.closure.closed_on, "/episode.reviews[].review_id"]
      wire: first
""",
    )
    assert said(one, {"episode": PLAN}) == {"first": "v1"}
    closed = {**PLAN, "closure": {"closed_on": "2026-11-02"}}
    assert said(one, {"episode": closed}) == {"first": "2026-11-02"}
    assert said(one, {"episode": {}}) == {}


def test_the_report_says_where_a_sought_value_stands(tmp_path: Path) -> None:
    """What was found elsewhere is explained to its own place, and not called invented."""
    one = mapping(tmp_path, '\n    - seek: "/episode.reviews[].review_id"\n      wire: first\n')
    rows = report(one, {"message": {"message_id": "m1"}, "episode": PLAN}).of_output("first")
    assert [row.caf for row in rows] == ["episode.reviews[0].review_id"]
    assert rows[0].outcome != "invented"


def test_a_condition_asks_for_a_value(tmp_path: Path) -> None:
    """`is` compares with the value as its leaf has it: a truth value is not its name."""
    one = mapping(
        tmp_path,
        """
    - caf: notification.kind
      wire: kind
      when: {is: notification.kind=answer}
    - const: "yes"
      wire: contributed
      when: {is: message.accept_failed_identifiers=true}
""",
    )
    assert said(one, {"notification": {"kind": "answer"}}) == {"kind": "answer"}
    assert said(one, {"notification": {"kind": "request"}}) == {}
    accepting = {"message": {"message_id": "m1", "accept_failed_identifiers": True}}
    found = said(one, {**accepting, "notification": {"kind": "answer"}})
    assert found == {"kind": "answer", "contributed": "yes"}


def test_a_condition_may_ask_for_one_of_several_values_or_for_none_of_them(tmp_path: Path) -> None:
    """``is`` with alternatives and ``not`` of the same ones part every message between them."""
    one = mapping(
        tmp_path,
        """
    - {caf: notification.code, wire: code}
    - {const: told, wire: a, when: {is: notification.kind=answer|request}}
    - {const: untold, wire: b, when: {not: notification.kind=answer|request}}
""",
    )
    for kind in ("answer", "request"):
        found = said(one, {"notification": {"code": "N16", "kind": kind}})
        assert found == {"code": "N16", "a": "told"}
    for rest in ({"kind": "withdrawn"}, {}):
        found = said(one, {"notification": {"code": "N16", **rest}})
        assert found == {"code": "N16", "b": "untold"}


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("    - {const: a, wire: x, when: {not: notification.kind=}}\n", "not has a path"),
        ("    - {const: a, wire: x, when: {is: notification.kind=a|}}\n", "missing beside"),
        ("    - seek: /episode.shoes\n      wire: x\n", "has no shoes"),
        (
            '    - seek: "/episode.reviews[].review_id"\n      same: id\n      wire: x\n',
            "same is a",
        ),
        ("    - {const: a, wire: x, when: {is: notification.kind}}\n", "is has a path"),
        ("    - {const: a, wire: x, when: {is: episode.shoes=1}}\n", "has no shoes"),
        (
            "    - {const: a, wire: x, when: {is: message.accept_failed_identifiers=1}}\n",
            "true or false",
        ),
        ("    - {seek: /event, caf: event, wire: x}\n", "exactly one of"),
    ],
)
def test_a_wrong_place_is_told_with_its_line(tmp_path: Path, rules: str, says: str) -> None:
    """Both are checked at load, like every other place."""
    with pytest.raises(PositionedErrors, match=says) as wrong:
        mapping(tmp_path, "\n" + rules)
    assert "trial/mapping.yaml:" in str(wrong.value)


def test_a_shared_file_may_stand_beside_the_mappings(tmp_path: Path) -> None:
    """`../shared/x.yaml` is the one place outside a mapping's folder; others are refused."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "parts.yaml").write_text("parts:\n  id:\n    - {caf: event, wire: e}\n")
    head = HEAD.replace("envelope:", "include: [../shared/parts.yaml]\nenvelope:")
    home = tmp_path / "trial"
    home.mkdir()
    lost = LOST.replace("  - {caf: event, reason: a trial}\n", "")
    (home / "mapping.yaml").write_text(head + "    - use: id\n" + lost)
    one = Catalogue(WIRES, folder=tmp_path).formats["trial"]
    assert said(one, {"event": "episode.closed"}) == {"e": "episode.closed"}
    (home / "mapping.yaml").write_text(
        head.replace("../shared/parts", "../../parts") + "    - use: id\n" + lost
    )
    with pytest.raises(PositionedErrors, match="plain name ending in"):
        Catalogue(WIRES, folder=tmp_path)
