"""The code that mappings become: none of their text is in it as code, and it does what they say."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Rejected
from mappings.commands import translator
from mappings.engine import access, entries, read, render
from mappings.engine.compiled import Compiled
from mappings.engine.load import load
from mappings.engine.source import Block, Source
from mappings.engine.trace import Tracer, unwrapped, wrapped
from mappings.engine.words import MOST_SHARED, Shared
from mappings.formats import xml_pieces
from mappings.formats.plain_json import PlainJson

HEAD = """\
mapping: try
version: 1
format: json
content_type: application/json
"""
HOSTILE = (
    "'); import os; os._exit(3); ('",
    '"); __import__("os")._exit(3); ("',
    "\\",
    "\\'",
    "line\nimport os",
    "tab\tand \x7f\x85\u2028\u2029",
    "{v1} {0} %s ${",
    "'''\"\"\"",
    "\u4e2d \u202e",
    "None",
)
VARIABLE = "abcdefghiklmnoprstuvwxy"
"""Letters that variables begin with; a number follows, or two."""
GIVEN = {*access.NAMES, *entries.NAMES, *read.NAMES, *render.NAMES, *xml_pieces.NAMES}
"""What the engine puts into the namespace of generated code."""
WORDS = """
enumerate isinstance len map str type dict list
address block equal found item known later place position put stranger strangers trail url value
"""
PARTS = """
address append body c deletes faults firsts get join keys later made misheard note notes outer
resolve root setdefault shared unknown unmapped urls waiting
agrees text
"""


def compiled(folder: Path, rules: list[dict[str, Any]]) -> Compiled:
    """A mapping of one tree with these rules; JSON is YAML, and writes any text."""
    envelope = json.dumps({"resource": "Document", "rules": rules})
    (folder / "mapping.yaml").write_text(f"{HEAD}envelope: {envelope}\nentries: {{}}\n")
    return Compiled(load(folder, folder, {}, "try"), PlainJson())


def names(tree: ast.AST) -> set[str]:
    """Every name and attribute that the code uses and that the generator does not make."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in (*GIVEN, *WORDS.split()):
            digits = node.id[1:].replace("_", "", 1)
            if node.id[0] not in VARIABLE or not (digits.isdigit() or not digits):
                found.add(node.id)
        elif isinstance(node, ast.Attribute) and node.attr not in PARTS.split():
            found.add(f".{node.attr}")
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.Lambda | ast.ClassDef | ast.Global):
            found.add(type(node).__name__)
    return found


def texts(one: Compiled) -> str:
    """All code of a mapping."""
    script = "" if one.script is None else one.script.source.text()
    return one.outward.source.text() + one.inward.source.text() + script


@pytest.mark.parametrize("name", sorted(translator().catalogue.formats))
def test_the_code_of_a_mapping_uses_only_what_the_engine_gives_it(name: str) -> None:
    """No import, and no name that comes from the mapping."""
    assert names(ast.parse(texts(translator().catalogue.formats[name].compiled))) == set()


def test_recording_code_uses_only_what_the_engine_gives_it() -> None:
    """The recording form comes from the same generator."""
    recording = translator().catalogue.formats["fhir-r4/episode"].recording
    assert names(ast.parse(texts(recording))) == set()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_mapping_stays_text(tmp_path: Path, text: str) -> None:
    """Constants, conditions, prefixes and codes are data, whatever they hold."""
    where = "".join(letter for letter in text if letter not in ",]}=")
    (tmp_path / "odd.csv").write_text(
        "caf,way,wire,note\n" + json.dumps("male") + ",=," + _cell(text) + ",\n*,=,*,\n",
        encoding="utf-8",
        newline="",
    )
    one = compiled(
        tmp_path,
        [
            {"const": text, "wire": "kind"},
            {"caf": "message.sender_org", "wire": f"part[key={where}].value"},
            {"caf": "message.purpose", "wire": f"other[key={where}x].code", "codes": "odd"},
            {"caf": "message.sender_system", "wire": "sender", "prefix": text},
            {"const": text, "wire": "late", "when": {"present": "message.message_id"}},
        ],
    )
    assert names(ast.parse(texts(one))) == set()
    message = {
        "message_id": "m1",
        "sender_org": "A",
        "purpose": "male",
        "sender_system": "S",
    }
    document = one.render({"message": message})
    assert document == {
        "kind": text,
        "part": [{"key": where, "value": "A"}],
        "other": [{"key": f"{where}x", "code": text}],
        "sender": f"{text}S",
        "late": text,
    }
    back = one.read(document)
    del message["message_id"]
    assert (back.message["message"], back.unmapped) == (message, ())


def _cell(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def test_a_value_is_a_literal_only_if_python_can_write_it_back() -> None:
    """Whatever else is bound, under a name of the engine's own."""
    source = Source()

    class Sly(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "__import__('os')"

    assert source.literal("a'b") == '"a\'b"'
    assert source.literal(True) == "True"
    assert source.literal(Sly("x")) == "v1"
    assert source.literal(1.5) == "v2"
    assert source.literal(None) == "v3"


def test_equal_constants_are_bound_once() -> None:
    """A trail that is said in three places has one name."""
    source = Source()
    assert source.constant(("a", 1)) == source.constant(("a", 1)) == "v1"
    assert source.constant(("b",)) == "v2"


def test_an_empty_block_does_nothing() -> None:
    """A function whose body came out empty is still a function."""
    source = Source()
    name = source.function("i, c", Block())
    assert source.loaded("try")(name)(1, 2) is None


def test_a_path_as_deep_as_it_likes_is_written_and_read(tmp_path: Path) -> None:
    """Python nests so far only; what lies deeper gets functions of its own."""
    deep = ".".join(f"a{number}[kind={number}]" for number in range(150))
    one = compiled(
        tmp_path,
        [
            {"caf": "message.sender_org", "wire": f"{deep}.x"},
            {"caf": "message.purpose", "wire": f"{deep}.y"},
            {"caf": "episode.subjects[]", "wire": f"{deep}.z[]", "rules": SUBJECT},
        ],
    )
    tree = {
        "message": {"sender_org": "A", "purpose": "CARE"},
        "episode": {"subjects": [{"subject_id": "s1", "given_names": ["Ann", "Bea"]}]},
    }
    document = one.render(tree)
    assert one.read(document).message == tree
    assert one.render({"message": {}}) == {}


SUBJECT = [
    {"caf": "subject_id", "wire": "id"},
    {"caf": "given_names[]", "wire": "given[]"},
]


def test_places_without_a_rule_are_named_in_the_order_of_the_document(tmp_path: Path) -> None:
    """Repeated values too have their own positions."""
    one = compiled(tmp_path, [{"caf": "message.sender_org", "wire": "a[k=1].v"}])
    document = {
        "z": 1,
        "a": [{"k": "9"}, {"k": "1", "v": "A", "w": 2}, {"k": "1", "v": "B"}, "x", "x"],
        "b": None,
    }
    back = one.read(document)
    assert back.unmapped == ("z", "a[0]", "a[1].w", "a[2]", "a[3]", "a[4]", "b")
    assert back.message == {"message": {"sender_org": "A"}}


@pytest.mark.parametrize(
    "strange",
    [{"a": 1}, {"a": {}}, {"a": [1]}, {"a": [[]]}, {"a": [{"k": []}]}, {"a": [{"k": {}}]}],
)
def test_a_document_of_another_shape_is_named_not_fatal(tmp_path: Path, strange: Any) -> None:
    """A stranger may put anything anywhere."""
    one = compiled(tmp_path, [{"caf": "message.sender_org", "wire": "a[k=1].v"}])
    back = one.read(strange)
    assert len(back.unmapped) == 1
    assert back.message == {}


def test_what_is_required_is_asked_for_at_any_depth_recording_or_not(tmp_path: Path) -> None:
    """The mapping fails with the path where the format needs a value and there is none."""
    rules = [{"caf": "message.sender_org", "wire": "a.b[0].c", "required": True}]
    one = compiled(tmp_path, rules)
    recording = Compiled(one.written, PlainJson(), Tracer())
    assert one.render({"message": {"sender_org": "A"}}) == {"a": {"b": [{"c": "A"}]}}
    for rendered in (one.render, recording.recorded):
        with pytest.raises(Rejected, match=r"message\.sender_org: try 1 cannot be written"):
            rendered({"message": {"purpose": "CARE"}})


def test_recording_says_what_rendering_says(tmp_path: Path) -> None:
    """The marks come out of the same places as the values."""
    one = compiled(
        tmp_path,
        [
            {"caf": "message.sender_org", "wire": "a[k=1].v"},
            {"caf": "message.recipients[]", "wire": "to[]"},
        ],
    )
    tree = {"message": {"sender_org": "A", "recipients": ["B", "C"]}}
    marked, _notes = Compiled(one.written, PlainJson(), Tracer()).recorded(wrapped(tree))
    marks: dict[str, Any] = {}
    assert unwrapped(marked, marks, {}) == one.render(tree)
    assert {place: mark.origin for place, mark in marks.items()} == {
        "a[0].v": "message.sender_org",
        "to[0]": "message.recipients[0]",
        "to[1]": "message.recipients[1]",
    }


def test_subtrees_of_codes_are_shared_and_bounded() -> None:
    """The same code has the same subtree; a flood of codes is not kept."""
    shared = Shared(lambda code: None if code == "no" else [code])
    assert shared["a"] is shared["a"]
    assert shared["no"] is None
    for number in range(2 * MOST_SHARED):
        assert shared[number] == [number]
    assert len(shared) == MOST_SHARED


def test_a_mapping_is_code_before_it_is_wanted_if_asked_to(tmp_path: Path) -> None:
    """`ready` leaves nothing to the first message."""
    one = compiled(tmp_path, [{"caf": "message.sender_org", "wire": "a"}])
    assert not vars(one).keys() & {"outward", "inward"}
    one.ready()
    assert vars(one).keys() >= {"outward", "inward"}
