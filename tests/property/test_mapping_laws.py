"""Laws of every mapping: what is called kept comes back, what comes back renders the same."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.dictionary import Node, episode_tree
from hub.errors import HubError
from hub.services.released import freeze, rehearse
from mappings.commands import translator
from mappings.engine.report import loss, report
from mappings.formats import fhir_r4_models, fhir_r4_rules
from tests import builders
from tests.strategies import cuts, episodes

FEW = settings(max_examples=15)
ROOT = Path(__file__).resolve().parent.parent.parent
FORMATS = sorted(translator().catalogue.formats)
FHIR = "fhir-r4/episode"


def message(episode: Mapping[str, Any]) -> dict[str, Any]:
    """A message of the hub about *episode*."""
    return {"message": builders.header(message_type="N7"), "episode": dict(episode)}


def flat(
    value: Any, nodes: Mapping[str, Node] | None, path: str = "", named: str = ""
) -> Iterator[tuple[str, str, Any]]:
    """Every leaf with its path by position, and its path by the keys of the items on the way."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            node = (nodes or {}).get(name)
            dot = "." if path else ""
            yield from _member(inner, node, f"{path}{dot}{name}", f"{named}{dot}{name}")
    else:
        yield path, named, value


def _member(inner: Any, node: Node | None, path: str, named: str) -> Iterator[tuple[str, str, Any]]:
    below = node.children if node else None
    if not isinstance(inner, list | tuple):
        yield from flat(inner, below, path, named)
        return
    key = next((n for n, one in (below or {}).items() if one.leaf and one.leaf.key), None)
    told = 0  # an item that says nothing takes no place
    for position, item in enumerate(inner):
        by = told if key is None or not isinstance(item, Mapping) else item.get(key, told)
        leaves = list(flat(item, below, f"{path}[{position}]", f"{named}[{by}]"))
        told += bool(leaves)
        yield from leaves


def by_place(tree: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Leaves by position: the place by keys, and the value."""
    return {
        f"episode.{path}": (named, value)
        for path, named, value in flat(tree["episode"], episode_tree())
    }


def kept_comes_back(name: str, tree: dict[str, Any]) -> None:
    """Put-get, for one message."""
    one = translator().catalogue.formats[name]
    told = report(one, tree)
    document = orjson.loads(orjson.dumps(one.compiled.render(freeze(tree))))
    assert document == orjson.loads(orjson.dumps(told.document))
    back = one.compiled.read(document)
    assert back.faults == ()
    assert back.unmapped == ()
    before = by_place(tree)
    after = dict(by_place(back.message).values()) if "episode" in back.message else {}
    kept = {row.caf for row in told.rows if row.caf and row.outcome == "kept"} & before.keys()
    for path in kept:
        named, value = before[path]
        assert after.get(named) == value, path
    said = {row.caf for row in told.rows}
    assert before.keys() <= said, before.keys() - said
    lost = {before[path][0] for path in before.keys() - kept}
    assert after.keys() <= {named for named, _ in before.values()}, "something was made up"
    assert not lost & after.keys(), "what is called lost came back"


@FEW
@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_what_is_called_kept_reads_back_as_it_was(name: str, data: st.DataObject) -> None:
    """Put-get: every kept leaf equal, nothing unmapped or made up, every leaf reported."""
    kept_comes_back(name, message(data.draw(episodes())))


@settings(max_examples=3)
@pytest.mark.parametrize("name", FORMATS)
@given(tree=episodes(full=True))
def test_a_family_with_every_leaf_comes_back(name: str, tree: dict[str, Any]) -> None:
    """Put-get holds when everything is filled in that can be."""
    kept_comes_back(name, message(tree))


@FEW
@given(data=st.data())
def test_any_cut_can_be_said_in_fhir(data: st.DataObject) -> None:
    """Whatever the gate may cut, the rest renders to a Bundle that both layers pass, or fails
    coded.
    """
    tree = message(data.draw(cuts(data.draw(episodes()))))
    try:
        body = translator().render(FHIR, rehearse(tree), partner="").body
    except HubError as error:
        refused = error
    else:
        assert fhir_r4_rules.faults(orjson.loads(body)) == []
        return
    assert refused.code == "E_MAPPING"


@settings(max_examples=5)
@given(episodes())
def test_rendered_bundles_pass_the_models_and_the_rules(tree: dict[str, Any]) -> None:
    """Both layers find nothing wrong with what the hub sends."""
    rendered = translator().render(FHIR, rehearse(message(tree)), partner="")
    document = orjson.loads(rendered.body)
    assert fhir_r4_rules.faults(document) == []
    assert fhir_r4_rules.structure_holds(document)
    assert fhir_r4_models.faults(document) == []


@FEW
@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_what_comes_back_unchanged_renders_unchanged(name: str, data: st.DataObject) -> None:
    """Get-put: rendering what was read gives the same document again."""
    one = translator().catalogue.formats[name]
    first = orjson.loads(orjson.dumps(one.compiled.render(freeze(message(data.draw(episodes()))))))
    again = orjson.loads(orjson.dumps(one.compiled.render(one.compiled.read(first).message)))
    assert _unordered(again) == _unordered(first)


def _unordered(document: Any) -> Any:
    """The document with its entries by address: which adult stands first says nothing."""
    if isinstance(document, dict) and "entry" in document:
        return {**document, "entry": {e["fullUrl"]: e["resource"] for e in document["entry"]}}
    return document


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@FEW
@given(data=st.data())
def test_no_wire_input_breaks_the_reader(data: st.DataObject) -> None:
    """A Bundle with anything put anywhere is read, or refused with a code."""
    document = orjson.loads(
        translator().render(FHIR, rehearse(message(builders.episode())), partner="").body
    )
    for _ in range(data.draw(st.integers(1, 3))):
        here: Any = document
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(here[key], dict | list) or not here[key] or data.draw(st.booleans()):
                break
            here = here[key]
        here[key] = data.draw(JSON)
    with suppress(HubError):  # a refusal with a code is an answer; anything else is not
        translator().read("application/fhir+json", orjson.dumps(document), partner="")


SCRIPT = """
import hashlib, orjson
from tests import builders
from mappings.commands import translator
from hub.services.released import rehearse
tree = {"message": builders.header(message_type="N7"), "episode": builders.episode()}
for name in sorted(translator().formats()):
    body = translator().render(name, rehearse(tree), partner="").body
    print(name, hashlib.sha256(body).hexdigest())
"""


def test_two_processes_with_different_hash_seeds_write_the_same_bytes() -> None:
    """Nothing of the output depends on the order of a set or on the day."""

    def run(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    assert run("1") == run("2") != ""


@pytest.mark.parametrize("name", FORMATS)
def test_every_leaf_is_mapped_or_lost_with_a_reason(name: str) -> None:
    """The static report has a row for every leaf, and a reason wherever something is lost."""
    rows = loss(translator().catalogue.formats[name])
    assert len(rows) > 380
    assert [row.caf for row in rows if row.outcome != "kept" and not row.reason] == []
    assert [row.caf for row in rows if row.reason == "no slot"] == []
