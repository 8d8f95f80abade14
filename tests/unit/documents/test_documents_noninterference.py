"""Two families that differ only in what was cut give the same bytes, and nothing cut leaves a
trace.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.domain.dictionary import episode_tree
from hub.errors import Rejected
from tests import builders, strategies
from tests.unit.documents.documents import CDA, HTML, family, rendered

ROOT = Path(__file__).resolve().parents[3]
MARK = "Unmistakable"


def marked(tree: Any, nodes: Any) -> Any:
    """Return *tree* with every free text marked."""
    made = {}
    for name, held in tree.items():
        node = nodes[name]
        if node.leaf is not None and node.leaf.form == "text":
            made[name] = [MARK] * len(held) if isinstance(held, list) else MARK
        elif node.leaf is not None:
            made[name] = held
        elif isinstance(held, list):
            made[name] = [marked(one, node.children) for one in held]
        else:
            made[name] = marked(held, node.children)
    return made


def told(name: str, tree: Any) -> bytes:
    """Return the bytes, or the refusal where nothing may be said."""
    try:
        return rendered(name, {"message": builders.header(), "episode": tree})
    except Rejected as refused:
        return str(refused).encode()


@pytest.mark.parametrize("name", [CDA, HTML])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_was_cut_cannot_be_told_from_what_never_was(name: str, data: st.DataObject) -> None:
    """A family with other words in what is cut gives the same document, byte for byte."""
    whole = data.draw(strategies.episodes(full=True))
    sections = data.draw(st.sets(st.sampled_from(["conclusions", "plan", "reviews", "closure"])))
    other = copy.deepcopy(whole)
    for section in sections & set(other):
        node = episode_tree()[section]
        held = other[section]
        other[section] = (
            [marked(one, node.children) for one in held]
            if isinstance(held, list)
            else marked(held, node.children)
        )
    one, two = ({k: v for k, v in tree.items() if k not in sections} for tree in (whole, other))
    assert told(name, one) == told(name, two)
    assert MARK.encode() not in told(name, two)


@pytest.mark.parametrize("name", [CDA, HTML])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.episodes(full=True).flatmap(strategies.redactions))
def test_whatever_is_left_is_written_or_refused(name: str, tree: Any) -> None:
    """Any view that a gate may leave is a lawful document, or a coded refusal."""
    raw = told(name, tree)
    assert raw.startswith((b"<", b"E_MAPPING"))
    assert b'nullFlavor="MSK"' not in raw


@pytest.mark.parametrize("name", [CDA, HTML])
@pytest.mark.parametrize(
    "path",
    [
        "family",
        "parents_carers",
        "services",
        "conclusions",
        "plan",
        "reviews",
        "assessment",
        "unique_ref_no",
    ],
)
def test_a_part_cut_leaves_the_rest_as_it_was(name: str, path: str) -> None:
    """No number, order or remark elsewhere changes when a part is not there."""
    with_it, without = family(), family()
    del without["episode"][path]
    never = {k: v for k, v in with_it["episode"].items() if k != path}
    assert rendered(name, without) == rendered(name, {**with_it, "episode": never})


PROGRAM = """
import sys, orjson
from tests.unit.documents.documents import rendered
sys.stdout.buffer.write(rendered(sys.argv[1], orjson.loads(sys.stdin.buffer.read())))
"""


@pytest.mark.parametrize("name", [CDA, HTML])
def test_the_same_bytes_in_every_process(name: str) -> None:
    """Two processes with different hash seeds write the same document."""
    told_twice = []
    for seed in ("1", "4711"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": f"{ROOT / 'queue'}{os.pathsep}{ROOT}",
        }
        told_twice.append(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, name],
                input=orjson.dumps(family()),
                capture_output=True,
                check=True,
                env=environment,
                cwd=ROOT,
            ).stdout
        )
    assert told_twice[0] == told_twice[1]
    assert told_twice[0] == rendered(name, family())
