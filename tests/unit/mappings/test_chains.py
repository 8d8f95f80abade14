"""The short ways of reading: they say what reading level by level says, whatever comes."""

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from mappings.engine import chains, sorting
from mappings.engine.compiled import Compiled
from mappings.engine.load import load
from mappings.engine.session import ReadBack
from mappings.formats.plain_json import PlainJson

HEAD = """\
mapping: try
version: 1
format: json
content_type: application/json
"""
RULES: Final[list[dict[str, Any]]] = [
    {"caf": "message.sender_org", "wire": "a[0].b[k=1].c{s=x}.v"},
    {"caf": "message.sender_system", "wire": "who.id{s=y}.v"},
    {"const": "z", "wire": "who.kind.code"},
    {"caf": "message.purpose", "wire": "few[url=one].v"},
    {"caf": "message.causation_id", "wire": "few[url=two].w[0].v"},
    {"caf": "message.recipients[]", "wire": "few[url=to][]", "rules": [{"caf": ".", "wire": "v"}]},
    *(
        {"caf": f"episode.{name}", "wire": f"more[url={name}].v"}
        for name in ("episode_id", "form_profile", "opened_at", "home_authority", "status")
    ),
    {"const": "fixed", "wire": "said[0]"},
    {"caf": "message.message_id", "wire": "alone[0]"},
]
PLAIN: Final[dict[str, Any]] = {
    "a": [{"b": [{"k": "1", "c": {"s": "x", "v": "A"}}]}],
    "who": {"id": {"s": "y", "v": "S"}, "kind": {"code": "z"}},
    "few": [
        {"url": "one", "v": "P"},
        {"url": "two", "w": [{"v": "C"}]},
        {"url": "to", "v": "R"},
    ],
    "more": [{"url": "status", "v": "OPEN"}, {"url": "episode_id", "v": "e1"}],
    "said": ["fixed"],
    "alone": ["m1"],
}
JUNK: Final[tuple[Any, ...]] = (None, "", "x", 0, True, [], {}, [None], ["v"], {"v": 1}, {"s": "x"})
"""What a stranger puts where something else belongs; a text of one letter, and an object of one
member, can be unpacked as a list of one item can.
"""


def compiled(folder: Path, rules: list[dict[str, Any]] = RULES) -> Compiled:
    """A mapping of one tree with these rules: chains and lists of every sort."""
    envelope = json.dumps({"resource": "Document", "rules": rules})
    (folder / "mapping.yaml").write_text(f"{HEAD}envelope: {envelope}\nentries: {{}}\n")
    return Compiled(load(folder, folder, {}, "try"), PlainJson())


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a document: what holds it, and under which name or position."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in list(inside):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += spots(inner)
    return found


def spoilt(number: int) -> dict[str, Any]:
    """A document that is wrong somewhere."""
    chance = random.Random(number)
    document = deepcopy(PLAIN)
    for _ in range(chance.choice((1, 1, 2, 3))):
        places = spots(document)
        if not places:
            break
        home, key = chance.choice(places)
        value = home[key]
        match chance.randrange(6):
            case 0:
                del home[key]
            case 1:
                home[key] = [value]
            case 2 if isinstance(home, list):
                home.insert(0, deepcopy(chance.choice(home)))
            case 3 if isinstance(home, list):
                home.reverse()
            case 4 if isinstance(value, dict):
                value[chance.choice(("v", "s", "k", "url", "strange"))] = chance.choice(JUNK)
            case _:
                home[key] = deepcopy(chance.choice(JUNK))
    return document


def test_the_short_ways_say_what_reading_level_by_level_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same message, the same places that nobody knows, the same faults."""
    as_it_is = compiled(tmp_path)
    as_it_is.ready()
    ways = []
    for longest, few in ((0, 0), (0, 99), (10, 0), (10, 99)):
        monkeypatch.setattr(chains, "LONGEST", longest)
        monkeypatch.setattr(sorting, "FEW", few)
        ways.append(compiled(tmp_path))
        ways[-1].ready()
    documents = [PLAIN, *map(spoilt, range(500))]
    for document in documents:
        wanted: ReadBack = ways[0].read(document)
        for way in (as_it_is, *ways[1:]):
            assert way.read(document) == wanted, document
    assert as_it_is.read(PLAIN).unmapped == ()
    assert len({as_it_is.read(document).unmapped for document in documents}) > 50


@pytest.mark.parametrize(
    ("name", "value", "unmapped"),
    [
        ("a", "x", ("a",)),
        ("a", {"b": 1}, ("a",)),
        ("a", [{"b": {"k": "1"}}], ("a[0].b",)),
        ("a", [{"b": [1, {"k": "1", "c": {"s": "x", "v": "A"}}]}], ("a[0].b[0]",)),
        ("a", [{"b": [{"k": "1", "c": {"s": "q", "v": "A"}}]}], ("a[0].b[0].c.s",)),
        ("a", [{"b": [{"k": "1", "c": {"s": "x", "v": "A", "n": None}}]}], ("a[0].b[0].c.n",)),
        ("a", [{"b": [{"k": "1", "c": {"v": "A"}}]}, 7], ("a[1]",)),
        ("said", {"fixed": 1}, ("said",)),
        ("said", ["fixes"], ("said[0]",)),
        ("alone", "m", ("alone",)),
        ("alone", {"m1": 1}, ("alone",)),
        ("few", [{"url": "one", "v": "P"}, {"url": "one", "v": "P"}], ("few[1]",)),
        ("few", [{"url": []}, {"v": "P"}, None], ("few[0]", "few[1]", "few[2]")),
        ("more", [{"url": "status", "v": "OPEN"}, {"url": "else"}], ("more[1]",)),
    ],
)
def test_what_looks_different_is_named_at_its_place(
    tmp_path: Path, name: str, value: Any, unmapped: tuple[str, ...]
) -> None:
    """Nothing is taken for something else, and nothing is passed over."""
    assert compiled(tmp_path).read({name: value}).unmapped == unmapped


def test_a_disagreement_in_a_chain_is_told_with_its_position(tmp_path: Path) -> None:
    """The position is looked up when somebody is told of it."""
    document = {"a": [{"b": ["x", {"k": "1", "c": {"s": "x", "v": "A"}}]}]}
    rules: list[dict[str, Any]] = [{"caf": "message.sender_org", "wire": "a0"}, RULES[0]]
    back = compiled(tmp_path, rules).read({"a0": "B", **document})
    assert [fault.path for fault in back.faults] == ["a[0].b[1].c.v"]
