"""Texts of nothing but white space, at the canonical door and from other formats."""

import json
from typing import Any

import pytest

from hub.errors import InvalidContent
from mappings.commands import translator
from mappings.formats.blanks import blanks
from mappings.formats.canonical_json import read_message
from tests import builders
from tests.property.families import BLANK, message


def family(**changes: Any) -> dict[str, Any]:
    """A message about a family, with *changes* to the first child."""
    episode = builders.episode()
    episode["subjects"][0].update(changes)
    return message(episode)


@pytest.mark.parametrize("text", ["", *BLANK], ids=ascii)
def test_a_blank_text_is_refused_like_an_empty_one(text: str) -> None:
    """The sender is told where, and to leave it out."""
    with pytest.raises(InvalidContent) as wrong:
        read_message(json.dumps(family(preferred_name=text)).encode())
    (fault,) = wrong.value.faults
    assert (fault.code, fault.path) == ("E_LENGTH", "/episode/subjects/0/preferred_name")
    assert fault.remedy == "leave it out rather than empty"


def test_a_text_that_says_anything_is_kept_as_it_is() -> None:
    """White space around words belongs to what people wrote."""
    told, _warnings = read_message(json.dumps(family(preferred_name="\u00a0x ")).encode())
    assert told["episode"]["subjects"][0]["preferred_name"] == "\u00a0x "


def test_what_other_formats_fill_with_blanks_counts_as_absent_and_is_named() -> None:
    """A pad of blanks in a FHIR name is no name; the rest of the message stands."""
    reader = translator()
    sent = family()
    episode = reader.catalogue.formats["fhir-r4/episode"]
    bundle = episode.compiled.render(sent)
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            (usual,) = [one for one in entry["resource"]["name"] if one.get("use") == "usual"]
            usual["text"] = "\u3000\u3000"
            break
    found = reader.read_format(episode, json.dumps(bundle).encode())
    assert "preferred_name" not in found.message["episode"]["subjects"][0]
    (named,) = [place for place in found.unmapped if "white space" in place]
    assert named.startswith("episode.subjects[0].preferred_name ")


def test_what_held_nothing_but_blanks_goes_with_them() -> None:
    """No empty list or object is left, and what was empty before is not touched."""
    tree = {"a": {"b": [" ", "x", "\ufeff"], "c": [{"d": "\t"}]}, "e": "y", "f": []}
    assert blanks(tree) == ["a.b[0]", "a.b[2]", "a.c[0].d"]
    assert tree == {"a": {"b": ["x"]}, "e": "y", "f": []}
    assert blanks(tree) == []
