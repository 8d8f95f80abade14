"""The laws themselves: a mapping broken in one way breaks the law that is about it, and no crash
or silence passes for a success.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest

from hub.errors import Code, Malformed, Rejected
from mappings.engine.compiled import Compiled
from mappings.engine.session import ReadBack
from mappings.formats.fhir_wire import FhirWire
from mappings.formats.plain_json import JsonWire
from tests import builders
from tests.property import laws
from tests.property.families import CODED_FAMILIES, HOSTILE, coded, message, places, reworded
from tests.property.test_mapping_laws_wire import check_refusal, read

NAME = "caf-json"
APART = unicodedata.normalize("NFD", "Zoë")


def family() -> dict[str, Any]:
    """The plain family with a name that is taken apart."""
    tree = message(builders.episode())
    tree["episode"]["subjects"][0]["family_name"] = APART
    return tree


def reading(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let every reading go through *change*."""
    true = Compiled.read

    def changed(self: Compiled, document: Mapping[str, Any]) -> ReadBack:
        found = true(self, document)
        return ReadBack(change(found.message), found.unmapped, found.faults)

    monkeypatch.setattr(Compiled, "read", changed)


def tidied(value: Any) -> Any:
    """The value with its letters composed."""
    if isinstance(value, Mapping):
        return {name: tidied(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [tidied(inner) for inner in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def test_the_laws_hold_where_nothing_is_broken() -> None:
    """What follows breaks one thing at a time."""
    assert laws.kept_comes_back(NAME, family()) is not None
    assert laws.unchanged_renders_unchanged(NAME, family())
    assert laws.nothing_is_invented(NAME, family())


def test_tidying_letters_up_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that composes them breaks put-get and get-put."""
    reading(monkeypatch, tidied)
    with pytest.raises(AssertionError, match="called kept, and changed"):
        laws.kept_comes_back(NAME, family())
    with pytest.raises(AssertionError, match="family_name"):
        laws.unchanged_renders_unchanged(NAME, family())


def test_a_field_that_goes_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a report calls kept must be there."""
    reading(monkeypatch, lambda tree: {k: v for k, v in tree.items() if k != "episode"})
    with pytest.raises(AssertionError, match="called kept, and gone"):
        laws.kept_comes_back(NAME, family())


def test_a_field_made_up_in_reading_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes back that was not there."""
    reading(monkeypatch, lambda tree: {**tree, "event": "episode.closed"})
    with pytest.raises(AssertionError, match="made up"):
        laws.kept_comes_back(NAME, family())


def test_output_without_a_row_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that the report does not name is made up."""
    true = Compiled.render
    monkeypatch.setattr(Compiled, "render", lambda self, tree: {**true(self, tree), "score": 7})
    with pytest.raises(AssertionError, match="no row says where this came from: score"):
        laws.nothing_is_invented(NAME, family())


def test_a_report_about_another_document_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report tells of what is sent, not of what might be."""
    true = JsonWire.write
    monkeypatch.setattr(
        JsonWire,
        "write",
        lambda self, document, check: true(
            self, {**document, "event": "x"} if type(document) is dict else document, check=check
        ),
    )
    calls = iter([b'{"event":"y"}'])
    monkeypatch.setattr(laws, "rendered", lambda *_: next(calls))
    with pytest.raises(AssertionError, match="another document"):
        laws.kept_comes_back(NAME, family())


def test_a_crash_of_a_reader_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only coded refusals are."""

    def crash(_wire: FhirWire, _raw: bytes) -> Any:
        raise KeyError("resourceType")

    monkeypatch.setattr(FhirWire, "parse", crash)
    with pytest.raises(KeyError):
        read("fhir-r4/episode", b"{}")


def test_a_refusal_that_repeats_its_input_is_found() -> None:
    """Nor may a refusal say nothing."""
    words = builders.episode()["conclusions"]["conclusions"]
    with pytest.raises(AssertionError, match="repeats"):
        check_refusal(Malformed(Code.SYNTAX, f"cannot read {words}"))
    with pytest.raises(AssertionError):
        check_refusal(Malformed(Code.SYNTAX, ""))


def test_a_refusal_to_render_must_be_a_mappings_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """`E_MAPPING`, and nothing else, means that a format cannot say it."""

    def refuse(*_: Any) -> bytes:
        raise Rejected(Code.NOT_ACCEPTABLE, "no")

    monkeypatch.setattr(laws, "rendered", refuse)
    with pytest.raises(AssertionError):
        laws.rendered_or_refused(NAME, family())


def test_the_coded_families_say_every_code() -> None:
    """Between them; a code that none says would be untried."""
    from hub.domain.codes import code_list, list_ids
    from hub.domain.dictionary import episode_tree, leaves

    said: dict[str, set[str]] = {}

    def walk(item: Mapping[str, Any], nodes: Mapping[str, Any]) -> None:
        for name, held in item.items():
            node = nodes[name]
            if node.leaf is None:
                for one in held if node.kind == "list" else [held]:
                    walk(one, node.children)
            elif node.leaf.codes in list_ids():
                codes = held if isinstance(held, list) else [held]
                said.setdefault(node.leaf.codes, set()).update(codes)

    for number in range(CODED_FAMILIES):
        walk(coded(number), episode_tree())
    used = {leaf.codes for leaf in leaves().values() if leaf.codes in list_ids()}
    missing = {
        list_id: sorted(set(code_list(str(list_id)).codes) - said.get(str(list_id), set()))
        for list_id in used
    }
    assert {name: codes for name, codes in missing.items() if codes} == {}


def test_other_words_are_other_words_of_the_same_shape() -> None:
    """The law about invention compares a family with the same one in other words."""
    episode = builders.episode()
    before = [container[key] for container, key, _ in places(episode)]
    after = [container[key] for container, key, _ in places(reworded(episode))]
    assert [len(text) for text in before] == [len(text) for text in after]
    assert not [a for a, b in zip(before, after, strict=True) if a == b and a.isalpha()]


def test_hostile_texts_differ() -> None:
    """Each is there for a reason of its own, the spellings among them."""
    assert len(set(HOSTILE)) == len(HOSTILE)
    composed = {unicodedata.normalize("NFC", text) for text in HOSTILE}
    assert len(composed) < len(HOSTILE)
