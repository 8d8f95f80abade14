"""The cut as it is written down: what is in the code, whom it asks, what it gives back."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.domain.decision import SHAREABLE
from hub.domain.dictionary import Node, episode_tree
from hub.domain.fields import About
from hub.services.leaf_rules import rule_of
from hub.services.masking import masked, restricted_codes
from hub.services.permits import BASIC, SECTION, SENSITIVE, Permits
from hub.services.prune import PEOPLE, _rides, prune, source
from hub.services.released import Frozen
from tests import builders as b
from tests.property.test_gate import family

ROOT = Path(__file__).parents[3]
EVERYTHING = dict.fromkeys(SHAREABLE, BASIC | SECTION | SENSITIVE)
GIVEN = {"Frozen", "place", "names_sensitive", "elements", "tuple", "type", "list"}
VARIABLES = {"value", "here", "own", "a", "get", "kept", "v", "items", "item", "was", "told"}
PARTS = {"answers", "get", "permits", "last", "masked", "ask", "person", "shared", "child", "adult"}


def fields(nodes: dict[str, Node] | Any) -> set[str]:
    """Every name of a field, and every section, below *nodes*."""
    found = set(nodes)
    for node in nodes.values():
        found |= fields(node.children) | ({node.leaf.section} if node.leaf else set())
    return found


def test_the_code_says_nothing_but_names_of_the_dictionary() -> None:
    """No text from outside is in the code, and it calls what the filter gives it and no more."""
    known = fields(episode_tree())
    assert source().count("def cut") > 20
    strange = set()
    for node in ast.walk(ast.parse(source())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            strange |= {node.value} - known
        elif isinstance(node, ast.Name):
            made = node.id[:-1].rstrip("0123456789") in {"b", "cut", ""}
            strange |= set() if made else {node.id} - GIVEN - VARIABLES
        elif isinstance(node, ast.Attribute):
            strange |= {f".{node.attr}"} - {f".{part}" for part in PARTS} - {".append"}
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.Lambda | ast.ClassDef | ast.Global):
            strange.add(type(node).__name__)
    assert strange == set()


def test_the_code_is_the_same_whatever_the_hash_seed() -> None:
    """What an auditor reads in one process is what runs in another."""
    code = "from hub.services.prune import source; print(source(), end='')"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"queue{os.pathsep}."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {source()}


def administrative(tags: set[str], about: About) -> bool:
    """Tell whether a leaf of the plan with these tags would ride along."""
    node = episode_tree()["plan"].children["plan_id"]
    assert node.leaf is not None
    leaf = replace(node.leaf, sensitivity=frozenset(tags), about=about)
    return _rides(replace(node, leaf=leaf))


@pytest.mark.parametrize(
    ("tags", "about", "rides"),
    [
        ({"ADM"}, "children", True),
        ({"ADM"}, "unknown", False),
        ({"ADM", "RES"}, "children", False),
        ({"ADM", "SEN"}, "children", False),
        ({"IDX"}, "children", False),
        ({"BAS"}, "children", False),
        (set(), "children", False),
    ],
)
def test_only_what_is_administrative_rides_along(
    tags: set[str], about: About, *, rides: bool
) -> None:
    """Whatever else a leaf is beside that, or if nobody knows whose it is, somebody must agree."""
    assert administrative(tags, about) is rides


def nodes(children: Mapping[str, Node]) -> Iterator[Node]:
    """Yield every place of the tree."""
    for node in children.values():
        yield node
        yield from nodes(node.children)


def test_a_restricted_code_is_one_of_one() -> None:
    """Of a list of codes one could be restricted and the others not: the cut has no such leaf."""
    for node in nodes(episode_tree()):
        if node.leaf is not None and restricted_codes(node.leaf.codes):
            assert not node.leaf.many, node.path


def test_a_place_is_looked_up_where_an_object_says_whom_it_is_about() -> None:
    """Once for each such object of the dictionary, and for no other."""
    about = [
        node.path
        for node in nodes(episode_tree())
        if any(name in node.children for name in PEOPLE) and node.path != "subjects[].elements"
    ]

    assert source().count("here = place(") == len(about) > 5


def test_the_episode_is_shown_in_the_order_of_the_dictionary() -> None:
    """Its reference in front: what canonical JSON prints does not tell how it was cut."""
    tree = b.episode()
    shown = prune(dict(reversed(tree.items())), permits(tree, lambda _person: EVERYTHING))

    assert list(shown) == [name for name in episode_tree() if name in shown]
    assert next(iter(shown)) == "episode_id"


def test_only_a_block_that_is_free_everywhere_is_cut_once() -> None:
    """A practitioner's, and only where nobody's permission decides about any part of it."""
    free = [
        node.path
        for node in nodes(episode_tree())
        if "practitioner_id" in node.children
        and not any(rule_of(child.leaf) for child in node.children.values() if child.leaf)
        and not any(child.children for child in node.children.values())
    ]

    assert source().count("if value == was") == len(free) > 5


def permits(tree: dict[str, Any], rights: Any) -> Permits:
    """The permits of a recipient who may see what *rights* say."""
    children = tuple(child["subject_id"] for child in tree["subjects"])
    adults = tuple(adult["parent_carer_id"] for adult in tree["parents_carers"])
    return Permits(children, adults, rights, masked(tree))


def test_each_person_is_asked_once() -> None:
    """Whatever stands in how many places of the episode."""
    asked: list[str] = []

    def rights(person: str) -> dict[str, int]:
        asked.append(person)
        return EVERYTHING

    tree = b.episode()
    allowed = permits(tree, rights)
    prune(tree, allowed)

    assert sorted(asked) == sorted((*allowed.children, *allowed.adults))


def test_each_element_is_shown_with_its_own_author() -> None:
    """Whoever wrote the one before, were it only another telephone number; a sensitive service
    between two open ones is not named, and neither hides nor shows the others.
    """
    tree = b.episode()
    elements = tree["subjects"][0]["elements"][:5]
    author = elements[0]["author"]
    moved = {**author, "contact_tel": "0113 496 0009"}
    secret = {**author, "service_type": "CAMHS"}
    for element, wrote in zip(elements, (author, author, moved, secret, author), strict=True):
        element["author"] = wrote
    tree["subjects"][0]["elements"] = elements

    shown = prune(tree, permits(tree, lambda _person: EVERYTHING))["subjects"][0]["elements"]

    assert [one.get("author") for one in shown] == [author, author, moved, None, author]


def test_what_stays_behind_does_not_count() -> None:
    """Only on whose permission something kept rests is noted, not who was asked."""
    tree = b.episode()
    allowed = permits(tree, lambda _person: {"sec.plan": SECTION})
    shown = prune(tree, allowed)

    assert "plan" in shown
    assert {section for _, section, _ in allowed.counted} == {"sec.plan"}

    nothing = permits({**tree, "plan": {}}, lambda _person: {"sec.plan": SECTION})
    assert "plan" not in prune({**tree, "plan": {}}, nothing)
    assert nothing.counted == []


def test_nothing_of_what_was_given_in_is_shared() -> None:
    """What comes out cannot be changed, not even by who still holds what went in."""
    tree = b.episode()
    shown = prune(tree, permits(tree, lambda _person: EVERYTHING))

    def walk(value: Any) -> int:
        if isinstance(value, dict):
            assert type(value) is Frozen
            return 1 + sum(walk(held) for held in value.values())
        assert not isinstance(value, list)
        return sum(walk(item) for item in value) if isinstance(value, tuple) else 0

    assert walk(shown) > 50


def test_a_relationship_brings_its_child_and_nothing_else_does() -> None:
    """Where only the family may be seen, the child whom an adult's relationship names is there as
    a reference, after those of whom more is shown; a child who did not agree is not there at all.
    """
    tree = family()
    only = {"sec.family": SECTION | SENSITIVE}

    def seen(rights: dict[str, dict[str, int]]) -> Frozen:
        return prune(tree, permits(tree, lambda person: rights.get(person, {})))

    alone = seen(dict.fromkeys(("s1", "s2", "c1"), only))
    assert alone["subjects"] == ({"subject_id": "s1"},)
    assert [one["subject_id"] for one in alone["parents_carers"][0]["relationships"]] == ["s1"]

    beside = seen({"s1": only, "s2": {**only, "sec.identity": BASIC}, "c1": only, "c2": {**only}})
    assert [one["subject_id"] for one in beside["subjects"]] == ["s2", "s1"]
    assert beside["subjects"][1] == {"subject_id": "s1"}

    silent = seen({"s2": only, "c1": only, "c2": only})
    assert "s1" not in str(silent)
    assert silent["subjects"] == ({"subject_id": "s2"},)
    assert "subjects" not in seen(dict.fromkeys(("s1", "s2", "c1"), {"sec.plan": SECTION}))
