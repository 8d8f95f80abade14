"""YAML with positions: every refusal names file, line and column, and shows a caret."""

from collections.abc import Callable

import pytest

from hub.positioned import PositionedError, PositionedErrors, Problems, Value, read_text


def read(text: str) -> Value:
    return read_text(text, "a.yaml")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        pytest.param("a: 1\na: 2", "a.yaml:2:1", "given twice", id="duplicate key"),
        pytest.param("a: &x 1", "a.yaml:1:4", "anchors", id="anchor"),
        pytest.param("a: *x", "a.yaml:1:4", "aliases", id="alias"),
        pytest.param("a: !!str 1", "a.yaml:1:4", "tags", id="tag"),
        pytest.param("a: !python/object:os.system 1", "a.yaml:1:4", "tags", id="python tag"),
        pytest.param("<<: 1", "a.yaml:1:1", "merge", id="merge key"),
        pytest.param("a: 1\n---\nb: 2", "a.yaml:2:1", "one document", id="second document"),
        pytest.param("", "a.yaml:1:1", "empty", id="nothing"),
        pytest.param("a: [1", "a.yaml:2:1", "expected", id="open list"),
        pytest.param("? [1]\n: 2", "a.yaml:1:3", "key must be text", id="list as key"),
        pytest.param("a: \x07", "a.yaml:1:1", "forbidden character", id="control character"),
        pytest.param("- " * 60 + "x", "a.yaml:1:", "nested", id="too deep"),
    ],
)
def test_what_is_refused(text: str, place: str, words: str) -> None:
    """Nothing that YAML resolves in silence is let in."""
    with pytest.raises(PositionedError) as refused:
        read(text)
    assert str(refused.value).startswith(place)
    assert words in refused.value.message


def test_scalars_stay_text_until_asked() -> None:
    """`no` is not false, `1.10` not 1.1, and `0113` keeps its zero."""
    top = read("{a: no, b: 1.10, c: 0113, d: 2026-01-01}").mapping("a", "b", "c", "d")
    assert [top.need(name).text() for name in "abcd"] == ["no", "1.10", "0113", "2026-01-01"]


def test_an_unknown_key_is_named_with_its_place_and_what_was_meant() -> None:
    """A misspelt key is shown with a caret under it, and with the nearest known one."""
    with pytest.raises(PositionedError) as refused:
        read("wires: x").mapping("wire", "caf")
    assert str(refused.value) == (
        "a.yaml:1:1: unknown key wires (did you mean wire?); known: wire, caf\n    wires: x\n    ^"
    )


@pytest.mark.parametrize(
    ("text", "act", "words"),
    [
        pytest.param("[1]", lambda v: v.text(), "must be text, not a list", id="list as text"),
        pytest.param("~", lambda v: v.text(), "not nothing", id="null as text"),
        pytest.param("x", lambda v: v.sequence(), "must be a list, not text", id="text as list"),
        pytest.param("x", lambda v: v.mapping(), "must be a mapping", id="text as mapping"),
        pytest.param("yes", lambda v: v.boolean(), "one of true, false", id="yes as truth"),
        pytest.param("1.5", lambda v: v.integer(), "whole number", id="fraction"),
        pytest.param("9", lambda v: v.integer(1, 5), "between 1 and 5", id="out of bounds"),
        pytest.param("x", lambda v: v.one_of("y", "z"), "one of y, z", id="not a choice"),
        pytest.param("{}", lambda v: v.mapping("a").need("a"), "needs the key a", id="missing"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(
    text: str, act: Callable[[Value], object], words: str
) -> None:
    """Each accessor says what it expected and what it saw."""
    with pytest.raises(PositionedError, match=words):
        act(read(text))


def test_quoted_values_count_their_quote() -> None:
    """An offset into a quoted scalar points at the character, not one before it."""
    value = read("a: 'xy'").mapping("a").need("a")
    with pytest.raises(PositionedError) as refused:
        value.error("here", at=1)
    assert refused.value.place.column == 6


def test_problems_are_collected() -> None:
    """A reader goes on after an error and shows all of them."""
    problems = Problems()
    for item in read("[[], {}, x]").sequence():
        with problems.kept():
            item.text()
    with pytest.raises(PositionedErrors) as refused:
        problems.settle()
    assert len(refused.value.errors) == 2


def test_a_built_value_fails_at_its_place() -> None:
    """A ValueError of a builder becomes an error with a position."""
    with pytest.raises(PositionedError, match="invalid literal"):
        read("x").built(int)
