"""Laws of every mapping about its own output: the same bytes whoever asks, and nobody else's words.

Determinism, no trace of an earlier message, and letters left as they were spelt.
"""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Rejected
from hub.services.released import freeze
from mappings.engine.report import report
from mappings.formats.xml_draft import unfolded
from tests import builders
from tests.property import laws
from tests.property.families import coded, message, messages, notices
from tests.strategies import redactions

ROOT = Path(__file__).resolve().parent.parent.parent

SCRIPT = """
import hashlib, sys
import orjson
from tests.property import laws
for name, trees in orjson.loads(sys.stdin.buffer.read()).items():
    for tree in trees:
        raw = laws.rendered_or_refused(name, tree)
        print(name, "refused" if raw is None else hashlib.sha256(raw).hexdigest())
"""


def trees() -> dict[str, list[dict[str, Any]]]:
    """What each mapping was written for, and a family of many children."""
    return {name: [*laws.examples(name)[:3], message(coded(1))] for name in laws.WRITTEN}


def in_a_process(seed: str) -> list[str]:
    """Render everything in a process of its own, with the given hash seed."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT}/queue",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=orjson.dumps(trees()),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=300,
        check=True,
    )
    return done.stdout.decode().splitlines()


def test_two_processes_with_different_hash_seeds_write_the_same_bytes() -> None:
    """Nothing of the output depends on the order of a set or on the day."""
    first, second = in_a_process("1"), in_a_process("2")
    assert [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]] == []
    written = {line.split()[0] for line in first if not line.endswith("refused")}
    assert written == set(laws.WRITTEN)


@pytest.mark.parametrize("name", laws.EPISODES)
@laws.about(6)
@given(data=st.data())
def test_a_message_is_written_the_same_after_others(name: str, data: st.DataObject) -> None:
    """No state: what was rendered in between leaves no trace, in bytes or in words."""
    first, other = data.draw(messages()), data.draw(messages())
    before = laws.rendered_or_refused(name, first)
    laws.rendered_or_refused(name, other)
    assert laws.rendered_or_refused(name, first) == before


@pytest.mark.parametrize("name", laws.EPISODES)
@laws.about(8)
@given(data=st.data())
def test_what_was_cut_cannot_be_told_from_what_never_was(name: str, data: st.DataObject) -> None:
    """A cut message renders from what is left alone: its own words are in the output, and no row
    names a field that is not there.
    """
    tree = data.draw(messages())
    cut = {**tree, "episode": data.draw(redactions(tree["episode"]))}
    if laws.rendered_or_refused(name, cut) is None:
        return
    left = laws.by_place(cut).keys()
    rows = report(laws.FORMATS[name], cut).rows
    named = {row.caf for row in rows if row.caf} - left
    items = {place for place in named if any(leaf.startswith(f"{place}.") for leaf in left)}
    assert named == items, f"says something of {sorted(named - items)}"


@laws.about(6)
@given(tree=messages())
def test_text_for_people_is_the_same_written_at_once_as_from_a_tree(tree: dict[str, Any]) -> None:
    """What a section of a clinical document says does not depend on the way that it was made."""
    one = laws.FORMATS["cda-r2/document"]
    try:
        document = one.compiled.render(freeze(tree))
        body = one.wire.write(document, check=True)
    except Rejected:
        return
    assert one.wire.write(unfolded(document), check=True) == body


CANARY = "Qzvxcanary"


@pytest.mark.parametrize("name", laws.WRITTEN)
def test_nothing_unreleased_is_in_the_output(name: str) -> None:
    """After a family full of one strange word, the next family's output does not hold it."""

    def salted(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: salted(v) for k, v in value.items()}
        if isinstance(value, list):
            return [salted(v) for v in value]
        free = isinstance(value, str) and " " in value and not value.startswith("ZZ")
        return f"{CANARY} {value}"[:35] if free else value

    every = laws.examples(name)[:4]
    for tree in every:
        before = laws.rendered_or_refused(name, tree)
        rest = {part: held for part, held in tree.items() if part != "message"}
        marked = laws.rendered_or_refused(name, {**tree, **salted(rest)})
        after = laws.rendered_or_refused(name, tree)
        assert before == after
        assert CANARY.encode() not in (after or b"")
        if name in laws.WORDS and len(tree.get("episode", {})) > 10:
            assert marked is None or CANARY.encode() in marked, "the word was never there"


@pytest.mark.parametrize("name", laws.NOTICES)
@laws.about(6)
@given(data=st.data())
def test_a_notification_is_written_the_same_after_others(name: str, data: st.DataObject) -> None:
    """No state in what tells news either."""
    first, other = data.draw(notices()), data.draw(notices())
    before = laws.rendered_or_refused(name, first)
    laws.rendered_or_refused(name, other)
    assert laws.rendered_or_refused(name, first) == before


COMPOSED, TAKEN_APART = "Zoë Núñez", unicodedata.normalize("NFD", "Zoë Núñez")


@pytest.mark.parametrize("name", [one for one in laws.WORDS if one in laws.BOTH])
def test_letters_come_back_as_they_were_spelt(name: str) -> None:
    """Composed and decomposed spellings both survive, beside each other: a name is written as its
    bearer's own system writes it, and nothing tidies it up in silence.
    """
    assert COMPOSED != TAKEN_APART
    family = builders.episode()
    for child in family["subjects"]:
        child["given_names"] = [COMPOSED, TAKEN_APART]
        child["family_name"] = TAKEN_APART
        child["elements"][0]["commentary"] = f"{COMPOSED} {TAKEN_APART}"
    for episode in laws.sayable(name, family):
        tree = message(episode)
        raw = laws.rendered_or_refused(name, tree)
        assert raw is not None
        laws.kept_comes_back(name, tree)
        one = laws.FORMATS[name]
        read = one.compiled.read(one.wire.parse(raw)).message
        found = read["episode"]["subjects"][0]
        assert found["family_name"] == TAKEN_APART
        assert found["given_names"] == [COMPOSED, TAKEN_APART]


@pytest.mark.parametrize("name", laws.EPISODES)
def test_both_spellings_stand_in_the_bytes(name: str) -> None:
    """What is written for people is not tidied up either: both spellings, byte for byte."""
    family = builders.episode()
    family["subjects"][0]["given_names"] = [COMPOSED]
    family["subjects"][0]["family_name"] = TAKEN_APART
    trees = [message(tree) for tree in laws.sayable(name, family)]
    raws = [laws.rendered_or_refused(name, tree) for tree in trees]
    text = b"".join(raw for raw in raws if raw).decode("utf-8")
    spelt = [json.loads(f'"{word}"') for word in (COMPOSED, TAKEN_APART)]
    says_names = any(
        row.caf and row.caf.endswith("family_name") and row.outcome in ("kept", "lost") and row.wire
        for tree, raw in zip(trees, raws, strict=True)
        if raw is not None
        for row in report(laws.FORMATS[name], tree).rows
    )
    assert not says_names or all(word in text for word in spelt)
