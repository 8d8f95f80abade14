"""Where a leaf stands decides who must have agreed to it."""

from dataclasses import replace

import pytest

from hub.domain.dictionary import BY_ELEMENT, leaves
from hub.services.leaf_rules import (
    FREE,
    NEVER,
    NO_RULE,
    Asked,
    Rule,
    by_element,
    element_leaves,
    element_numbers,
    needed,
    numbers,
    rule_of,
    rules,
)
from hub.services.masking import element_rules
from hub.services.permits import BASIC, SECTION, SENSITIVE, Permits
from hub.services.place import place

ALL = ("s1", "s2", "c1", "c2")


def permits(
    *agreed: str,
    children: tuple[str, ...] = ("s1", "s2"),
    adults: tuple[str, ...] = ("c1", "c2"),
) -> Permits:
    """Return the permits of a recipient to whom these have agreed to everything, and with them
    whoever has nothing to say here.
    """
    everything = dict.fromkeys({rule.section for rule in rules()}, 7)
    return Permits(
        children, adults, lambda person: {} if person in {*ALL} - {*agreed} else everything
    )


def number(asked: Asked) -> int:
    """Return the number of some rule by which these people are asked."""
    return next((numbers()[rule] for rule in rules() if rule.asked == asked), NO_RULE)


@pytest.mark.parametrize(
    ("asked", "child", "adult", "item", "people"),
    [
        ("child", "s1", None, None, {"s1"}),
        ("child", None, None, None, None),
        ("children", "s1", None, None, {"s1"}),
        ("children", None, None, None, {"s1", "s2"}),
        ("child+adults", "s1", None, None, {"s1", "c1", "c2"}),
        ("child+adults", None, None, None, None),
        ("children+adults", None, None, None, set(ALL)),
        ("children+adults", "s2", None, None, {"s2", "c1", "c2"}),
        ("adult", None, "c1", None, {"s1", "s2", "c1"}),
        ("adult", "s1", "c1", None, {"s1", "c1"}),
        ("adult", None, None, None, None),
        ("item", None, None, "s2", {"s2"}),
        ("item", None, None, "c2", {"s1", "s2", "c2"}),
        ("item", None, None, "gran", None),
        ("item", None, None, None, None),
    ],
)
def test_everybody_whose_data_it_is_must_have_agreed(
    asked: Asked, child: str | None, adult: str | None, item: str | None, people: set[str] | None
) -> None:
    """All of them and nobody else; where nobody knows who, nobody."""
    rule = number(asked)
    if rule == NO_RULE:
        pytest.fail(f"no leaf of the dictionary is asked of {asked}")
    everybody = permits(*ALL)

    assert place(everybody, child, adult, item).ask(rule) is (people is not None)
    if people is None:
        assert everybody.counted == []
        return
    ((who, section, bit),) = everybody.counted
    assert (set(who), section, bit) == (people, rules()[rule].section, rules()[rule].needed)
    assert place(permits(*people), child, adult, item).ask(rule)
    for one in people:
        lacking = permits(*(people - {one}))
        assert not place(lacking, child, adult, item).ask(rule)
        assert lacking.counted == []


def test_without_a_child_nobody_has_agreed() -> None:
    """No adult's word opens an episode that has no child."""
    for asked, adult, item in (
        ("children", None, None),
        ("children+adults", None, None),
        ("adult", "c1", None),
        ("item", None, "c1"),
    ):
        alone = permits(*ALL, children=())
        rule = next(n for n, one in enumerate(rules()) if one.asked == asked)
        assert not place(alone, None, adult, item).ask(rule)


@pytest.mark.parametrize("asked", ["child+adults", "children+adults"])
def test_where_no_adult_is_known_a_third_partys_leaf_has_nobody_to_ask(asked: Asked) -> None:
    """A text about parents whom the episode does not name is nobody's to let go."""
    unknown = permits(*ALL, adults=())

    assert not place(unknown, "s1").ask(number(asked))


def test_an_answer_is_kept_at_its_place() -> None:
    """Asked again it is not counted again; another place is another question."""
    everybody = permits(*ALL)
    rule = number("children")
    here = place(everybody)
    assert here is place(everybody)
    assert place(everybody, "s1") is not here
    assert here.answers[rule] is None

    assert here.ask(rule)
    assert here.answers[rule] is True
    assert here.answers[NO_RULE] is False


@pytest.mark.parametrize(
    ("tags", "bit"),
    [
        ({"RES"}, NEVER),
        ({"LOC", "BAS"}, NEVER),
        ({"SEN", "BAS"}, SENSITIVE),
        ({"ADM"}, FREE),
        ({"IDX"}, FREE),
        ({"BAS"}, BASIC),
        ({"THP"}, SECTION),
        (set(), SECTION),
    ],
)
def test_what_a_sensitivity_needs(tags: set[str], bit: int) -> None:
    """The strongest word counts."""
    assert needed(frozenset(tags)) == bit


@pytest.mark.parametrize(
    ("section", "tags", "decides"),
    [
        (BY_ELEMENT, set(), True),
        (BY_ELEMENT, {"ADM"}, False),
        ("sec.plan", set(), False),
        ("sec.plan", {"ADM"}, False),
    ],
)
def test_the_element_decides_about_what_has_no_word_of_its_own(
    section: str, tags: set[str], *, decides: bool
) -> None:
    """A leaf that names a section or a sensitivity goes by that."""
    some = replace(next(iter(leaves().values())), section=section, sensitivity=frozenset(tags))

    assert by_element(some) is decides


def test_what_may_never_leave_has_no_rule() -> None:
    """Restricted, local, unknown whose: no number, for fields and for elements."""
    for leaf in leaves().values():
        rule = rule_of(leaf)
        if leaf.sensitivity & {"RES", "LOC"} or leaf.about == "unknown":
            assert rule is None, leaf.path
        if rule is not None:
            assert rules()[numbers()[rule]] == rule
            assert rule.needed > FREE
            assert rule.section != BY_ELEMENT
    assert element_numbers() == {code: numbers()[rule] for code, rule in element_leaves().items()}
    assert element_leaves()
    assert all(rule.asked in {"child", "child+adults"} for rule in element_leaves().values())


def test_a_third_partys_leaf_asks_the_third_party() -> None:
    """Of the child's own beside the same leaf about others."""
    about = {
        (leaf.about, "THP" in leaf.sensitivity): rule
        for leaf in leaves().values()
        if (rule := rule_of(leaf)) is not None
    }

    assert {asked: rule.asked for asked, rule in about.items() if asked[0] == "child"} == {
        ("child", flag): ("child", "child+adults")[flag]
        for flag in (False, True)
        if ("child", flag) in about
    }
    assert isinstance(next(iter(about.values())), Rule)


def test_each_element_is_asked_of_its_child_and_whoever_else_it_tells_of() -> None:
    """CL-14: by its own section and sensitivity; what never leaves is asked of nobody."""
    asked = element_leaves()

    for code, (section, tags) in element_rules().items():
        bit = needed(tags)
        who: Asked = "child+adults" if "THP" in tags else "child"
        assert asked.get(code) == (None if bit == NEVER else Rule(who, section, bit)), code
        assert bit != FREE, code
