"""The scenario language: what it understands, and how it complains."""

from pathlib import Path
from typing import Any

import pytest

from hub.positioned import Place, PositionedError
from hub.scenarios.barring import CHECKS
from hub.scenarios.language import load
from hub.scenarios.reading import Text
from hub.scenarios.sentences import SENTENCES, recognise, vocabulary

README = Path(__file__).resolve().parents[2] / "acceptance" / "README.md"

HEAD = """title: A small one
starts_at: 2026-09-01
participants: [SCH-A, HOU-A, IDX]
people:
  Ava: {born: 2016-05-14, nhs-number: "9990000018"}
  Mia: {mother of: Ava}
"""
WRONG = [
    ("steps:\n  - SCH-A chekcs the index for Ava: NONE\n", "8:5", "checks the index"),
    ("steps:\n  - SCH-X checks the index for Ava\n", "8:5", "SCH-A"),
    ("steps:\n  - SCH-A checks the index for Eva\n", "8:32", "Ava"),
    ("steps:\n  - SCH-A submits episode.openend\n", "8:19", "episode.opened"),
    ("steps:\n  - SCH-A submits:\n      episod: {}\n", "9:7", "episode"),
    ("steps:\n  - SCH-A submits:\n      episode: {statuss: OPEN}\n", "9:17", "status"),
    ("steps:\n  - Mia shares sec.env.houses with HOU-A\n", "8:16", "sec.env.housing"),
    ("steps:\n  - nothing happens\nmust_not_flow:\n  - content to HOU-B\n", "10:16", "HOU-A"),
    (
        "steps:\n  - nothing happens\nmust_not_flow:\n  - content to HOU-A after step 7\n",
        "10:33",
        "1",
    ),
    ("steps:\n  - nothing happens\nmust_not_flow:\n  - sec.plant to HOU-A\n", "10:5", "sec.plan"),
    ("steps:\n  - nothing happens\nchecks:\n  - IDX recieves N1 once\n", "10:5", "receives"),
    ("steps:\n  - nothing happens\nexpects: {}\n", "9:1", "known here"),
    (
        "steps:\n  - SCH-A submits episode.opened\n    expect: {IDX: N1}\n",
        "9:11",
        "mapping values",
    ),
    (
        "steps:\n  - {SCH-A submits episode.opened: , expect: {IDX: N17}}\n",
        "8:52",
        "N1",
    ),
    (
        "steps:\n  - {SCH-A checks the index for Ava: , answer: E_CONSENT_NON}\n",
        "8:48",
        "E_CONSENT_NONE",
    ),
    ("steps:\n  - SCH-A notifies absence concern for Ava\n", "8:20", "attendance_concern"),
]


@pytest.mark.parametrize(("rest", "place", "hint"), WRONG)
def test_an_unknown_word_is_an_error_with_its_place_and_the_nearest_known(
    tmp_path: Path, rest: Any, place: Any, hint: Any
) -> None:
    """Every complaint cites file, line and column, and says what may have been meant."""
    file = tmp_path / "wrong.yaml"
    file.write_text(HEAD + rest)

    with pytest.raises(PositionedError) as complaint:
        load(file)

    assert str(complaint.value).startswith(f"{file}:{place}: ")
    assert hint in complaint.value.message


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda one: one.kind)
def test_every_example_is_understood_as_what_it_is_an_example_of(sentence: Any) -> None:
    """The example of one sentence is not taken for another one."""
    found, _words = recognise(Text.at(sentence.example.partition(":")[0], Place("x", 1, 1)))

    assert found.kind == sentence.kind


def test_the_readme_shows_every_sentence_and_every_check() -> None:
    """Whoever writes scenarios finds the whole vocabulary in one place."""
    readme = README.read_text()

    missing = [s.example for s in SENTENCES if s.example not in readme]
    missing += [example for _kind, _pattern, example in CHECKS if example not in readme]

    assert not missing


def test_the_help_text_is_the_vocabulary() -> None:
    """`ecaf scenario run --help` can teach because the table of sentences is its text."""
    text = vocabulary()

    assert all(sentence.example in text for sentence in SENTENCES)


def test_a_short_participant_line_is_filled_in_from_its_name(tmp_path: Path) -> None:
    """``HOU-A`` is the housing service of authority A without another word."""
    file = tmp_path / "short.yaml"
    file.write_text(HEAD + "steps: [nothing happens]\n")

    housing = load(file).cast.participants["HOU-A"]

    assert (housing.service, housing.authority, housing.organisation_type) == (
        "HOU-A/HOUS",
        "001",
        "LA_HOU",
    )


def test_the_parts_of_an_episode_are_typed_by_the_data_dictionary(tmp_path: Path) -> None:
    """A date stays text and a flag becomes one, without quotation marks for either."""
    file = tmp_path / "typed.yaml"
    file.write_text(
        HEAD
        + "documents:\n  d:\n    form_version_no: 3\n    unique_ref_no: 007\n"
        + "    services: {assessor: [Practitioner of SCH-A]}\n"
        + "    assessment: {caf_requested_by_family: yes}\nsteps: [nothing happens]\n"
    )

    document = load(file).documents["d"]

    assert document["form_version_no"] == 3
    assert document["unique_ref_no"] == "007"
    assert document["assessment"]["caf_requested_by_family"] is True
    assert document["services"]["assessor"][0]["organisation"] == "SCH-A"
