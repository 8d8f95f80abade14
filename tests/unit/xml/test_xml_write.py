"""The writer: shapes and whole elements that it keeps say what they said the first time."""

from collections.abc import Set as AbstractSet
from typing import Any

import pytest

from hub.errors import Code, Rejected
from mappings.engine.shape import Member
from mappings.formats import xml_write
from mappings.formats.xml_build import built
from mappings.formats.xml_grammar import Content, Grammar
from mappings.formats.xml_write import Unwritable, Writer, Written

CODE = Content({"@code": Member("cs", many=False), "@list": Member("cs", many=False)})
DOC = Content(
    {
        "@kind": Member("st", many=False),
        "code": Member("Code", many=True),
        "text": Member("st", many=False),
    }
)
GRAMMAR = Grammar("urn:t", {"Doc": "Doc"}, {"Doc": DOC, "Code": CODE})


def writer(**told: Any) -> Writer:
    """A writer that keeps codes whole."""
    return Writer(GRAMMAR, words=frozenset({"@code", "@list"}), **told)


def text(value: Any, one: Writer) -> str:
    """What *one* writes for a Doc."""
    out = Written()
    one.put(value, "Doc", "<Doc", "</Doc>", out)
    return "".join(out)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"code": [{"@list": "L", "@code": "A"}]}, '<Doc><code code="A" list="L"/></Doc>'),
        ({"code": [{"@code": 'A&<"'}]}, '<Doc><code code="A&amp;&lt;&quot;"/></Doc>'),
        (
            {"code": [{"@code": 1}, {"@code": True}]},
            '<Doc><code code="1"/><code code="true"/></Doc>',
        ),
        ({"code": [{"@code": "A", "@list": None}]}, '<Doc><code code="A"/></Doc>'),
        ({"code": [{"@code": None}]}, "<Doc><code/></Doc>"),
        ({"@kind": None, "text": "x\ry"}, "<Doc><text>x&#13;y</text></Doc>"),
        ({"@kind": "a\tb\n", "text": None}, '<Doc kind="a&#9;b&#10;"/>'),
        ({"text": None, "code": None}, "<Doc/>"),
        ({"code": []}, "<Doc></Doc>"),
    ],
)
def test_what_is_written_does_not_depend_on_what_was_written_before(value: Any, said: str) -> None:
    """The same words come out of a fresh writer, of one that has met all members, and again."""
    used = writer()
    for before in ({"@kind": "k", "text": "t"}, {"code": [{"@code": "1"}, {"@code": "true"}]}):
        text(before, used)
    assert [text(value, writer()), text(value, used), text(value, used)] == [said] * 3


@pytest.mark.parametrize(
    "value", [{"strange": "x"}, {"text": ["x"]}, {"@kind": {}}, {"#text": "x"}]
)
def test_what_has_no_place_is_not_written(value: Any) -> None:
    """Now and the next time."""
    one = writer()
    for _ in range(2):
        with pytest.raises(Unwritable):
            text(value, one)


def test_a_contradiction_is_told_every_time() -> None:
    """Of elements with attributes alone, and where a member that holds nothing hides it."""

    def without_list(name: str, members: AbstractSet[str]) -> bool:
        return name == "code" and "@list" not in members

    one = writer(disagrees=without_list)
    for wrong in ({"@code": "A"}, {"@code": "A", "@list": None}, {"@code": "A"}):
        out = Written()
        one.put({"code": [{"@code": "A", "@list": "L"}, wrong]}, "Doc", "<Doc", "</Doc>", out)
        assert not out.agrees
    out = Written()
    one.put({"code": [{"@code": "A", "@list": "L"}]}, "Doc", "<Doc", "</Doc>", out)
    assert out.agrees


def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes that nobody has bounded do not fill the memory, and are written all the same."""
    monkeypatch.setattr(xml_write, "MOST_KEPT", 3)
    one = writer()
    for number in range(10):
        said = f'<Doc><code code="{number}"/></Doc>'
        assert text({"code": [{"@code": str(number)}]}, one) == said
    assert all(len(shape.whole or ()) <= 3 for shape in one._shapes.values())
    assert len(one._shapes) <= 3


@pytest.mark.parametrize("member", ["@code", "@xsi:type"])
def test_an_object_where_a_word_belongs_is_refused_with_its_place(member: str) -> None:
    """As a coded refusal, whatever was written before."""
    one = writer()
    text({"code": [{"@code": "A"}]}, one)
    with pytest.raises(Rejected) as refused:
        built({"code": [{member: {"a": "b"}}]}, "Doc", GRAMMAR, one)
    assert refused.value.code is Code.MAPPING
