"""Whose permission counts for what is shared, and for what names a person."""

import pytest

from hub.services.permits import BASIC, SECTION, SENSITIVE, Permits

SAYS = {
    "s1": BASIC | SECTION | SENSITIVE,
    "s2": BASIC | SECTION,
    "c1": BASIC,
    "c2": BASIC | SECTION | SENSITIVE,
    "gran": SECTION,
}


def permits(*children: str, adults: tuple[str, ...] = ("c1", "c2")) -> Permits:
    """Return the permits of a recipient to whom each says this of the plan, and of nothing else."""
    return Permits(children, adults, lambda person: {"sec.plan": SAYS[person]})


def test_the_three_levels_are_apart() -> None:
    """Each is a bit of its own."""
    assert BASIC & SECTION == BASIC & SENSITIVE == SECTION & SENSITIVE == 0


@pytest.mark.parametrize(
    ("children", "shared"),
    [
        (("s1",), BASIC | SECTION | SENSITIVE),
        (("s1", "s2"), BASIC | SECTION),
        (("s2", "s1"), BASIC | SECTION),
        ((), 0),
    ],
)
def test_what_is_shared_every_child_permits(children: tuple[str, ...], shared: int) -> None:
    """And without a child nobody does; what nobody speaks of nobody permits."""
    assert permits(*children).shared("sec.plan") == shared
    assert permits(*children).shared("sec.review") == 0


@pytest.mark.parametrize(
    ("person", "may"),
    [
        ("s1", BASIC | SECTION | SENSITIVE),
        ("s2", BASIC | SECTION),
        ("c1", BASIC),
        ("c2", BASIC | SECTION),
        ("gran", 0),
        (None, 0),
        ("", 0),
    ],
)
def test_a_named_person_permits_for_themself(person: str | None, may: int) -> None:
    """An adult together with every child; of an unknown person nothing is known."""
    assert permits("s1", "s2").person(person, "sec.plan") == may
    assert permits("s1", "s2").person(person, "sec.review") == 0


def test_an_adult_who_says_nothing_of_a_section_permits_nothing_there() -> None:
    """Whatever every child permits."""
    said = {"s1": {"sec.plan": BASIC | SECTION}, "c1": {"sec.review": SECTION}}

    assert Permits(("s1",), ("c1",), lambda person: said[person]).person("c1", "sec.plan") == 0


def test_an_answer_is_asked_for_once() -> None:
    """Also where it is no."""
    asked: list[str] = []

    def rights(person: str) -> dict[str, int]:
        asked.append(person)
        return {}

    allowed = Permits(("s1", "s2"), (), rights)
    assert allowed.shared("sec.plan") == allowed.shared("sec.review") == 0
    assert asked == ["s1", "s2"]
