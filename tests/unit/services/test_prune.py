"""The cut as it is written down: what is in the code, whom it asks, what it gives back."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hub.domain.decision import SHAREABLE
from hub.domain.dictionary import Node, episode_tree
from hub.services.masking import masked
from hub.services.permits import BASIC, SECTION, SENSITIVE, Permits
from hub.services.prune import prune, source
from hub.services.released import Frozen
from tests import builders as b

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
