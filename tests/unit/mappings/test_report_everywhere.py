"""The mapping report, held against every mapping of the catalogue: what it names is what happens.

New mappings are taken up by themselves.
"""

import copy
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import orjson
import pytest

from hub.domain.codes import code_list, list_ids
from hub.errors import Rejected
from mappings.commands import translator
from mappings.engine.canonical import all_leaves
from mappings.engine.cases import find
from mappings.engine.catalogue import HOME, Format
from mappings.engine.placement import named
from mappings.engine.report import STRUCTURE, deciding, generic, leaves_of, report
from mappings.formats.xml_draft import unfolded
from tests import builders

Tree = dict[str, Any]

WRITTEN = sorted(
    name for name, one in translator().catalogue.formats.items() if one.written.direction != "in"
)


MOST = 80
"""How many fields of a mapping are perturbed: the same in every run."""
NAMES = {"organisation_id", "organisation", "service"}
"""Codes by which a text for people finds a name that is told elsewhere in the message."""


def inputs(name: str) -> list[tuple[str, Tree]]:
    """The whole family, and the input of every case that renders, of one mapping."""
    whole = {"message": builders.header(message_type="N7"), "episode": builders.episode()}
    found = [("whole family", whole)]
    for case in find(HOME / "catalogue"):
        if case.format == name and case.outward and not (case.folder / "error.txt").exists():
            tree = orjson.loads((case.folder / "input.json").read_bytes())
            found.append((case.folder.name, tree))
    return found


def outputs(one: Format, tree: Tree) -> tuple[dict[str, Any], list[str]] | None:
    """Every value of the document that is made of *tree*, and the addresses of its entries.

    Entries go by their address, not by their number, which a further one shifts.  None if the
    mapping refuses the message.
    """
    try:
        document = unfolded(one.compiled.render(tree))
    except Rejected:
        return None
    addresses = [entry["fullUrl"] for entry in document.get("entry", ())]
    return {addressed(path, addresses): value for path, value in leaves_of(document)}, addresses


def addressed(path: str, addresses: list[str]) -> str:
    """*path* with the address of its entry."""
    found = re.match(r"entry\[(\d+)\]", path)
    if found is None or not addresses:
        return path
    return f"entry[{addresses[int(found[1])]}]{path[found.end() :]}"


def alone(place: str, before: list[str], after: list[str]) -> bool:
    """Whether the entry of *place* is on one side only: equal blocks share one, others do not.

    The reference to it is what the report names.
    """
    return any(place.startswith(f"entry[{url}]") for url in {*before} ^ {*after})


def others(path: str, value: Any) -> list[Any]:
    """Lawful values other than *value* for the leaf at the concrete *path*."""
    leaf = all_leaves()[generic(path)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if leaf.codes in list_ids():
        return [code for code in code_list(str(leaf.codes)).codes if code != value][:6]
    if leaf.form in {"date", "partial_date", "datetime"}:
        return [value.replace("20", "21", 1)]
    return ["EHM-B/FSW"] if leaf.form == "service" else [f"{value}x"]


def changed(tree: Tree, path: str) -> Iterator[Tree]:
    """*tree* with other values at the concrete *path*."""
    *above, last = path.replace("[", ".[").split(".")
    after = copy.deepcopy(tree)
    here: Any = after
    for step in above:
        here = here[int(step[1:-1]) if step[0] == "[" else step]
    at: Any = int(last[1:-1]) if last[0] == "[" else last
    for value in others(path, here[at]):
        here[at] = value
        yield after


def tried(one: Format, tree: Tree) -> Iterator[str]:
    """The concrete paths of *tree* that are perturbed.

    Left out are keys and references, by which parts of a message find each other, and what decides
    where others go: a change there is another message.
    """
    entries = one.written.entries.values()
    keys = {str(step.name) for entry in entries for path in entry.key for step in path.steps}
    decides = deciding(one.written)
    for path, _value in leaves_of(tree):
        leaf = all_leaves().get(generic(path))
        if leaf is None or leaf.key or leaf.form == "ref" or generic(path) in decides:
            continue
        if path.rpartition(".")[2] not in keys | NAMES:
            yield path


def sampled(one: Format, trees: list[tuple[str, Tree]]) -> list[tuple[str, Tree, str]]:
    """Case, tree and concrete path of each field once: fields with a rule, and some that have none,
    which must change nothing.
    """
    found: dict[str, tuple[str, Tree, str]] = {}
    for case, tree in trees:
        for path in tried(one, tree):
            found.setdefault(generic(path), (case, tree, path))
    ruled = named(one.written)
    mine = [held for field, held in found.items() if field in ruled]
    rest = [held for field, held in found.items() if field not in ruled]
    choose = Random(one.name).sample
    return choose(mine, min(MOST, len(mine))) + choose(rest, min(MOST // 4, len(rest)))


@pytest.mark.parametrize("name", WRITTEN)
def test_only_what_the_report_names_changes(name: str) -> None:
    """Perturb an input field: an output that differs is one that the report names for it."""
    one = translator().catalogue.formats[name]
    trees = [(case, tree) for case, tree in inputs(name) if outputs(one, tree) is not None]
    reports = {case: report(one, tree) for case, tree in trees}
    tested = 0
    for case, tree, path in sampled(one, trees):
        before = outputs(one, tree)
        assert before is not None
        # What comes or goes with a code shifts its neighbours: another code is tried then.
        turned = (
            (other, made)
            for other in changed(tree, path)
            if (made := outputs(one, other)) is not None
            and (made[0].keys() == before[0].keys() or made[1] != before[1])
        )
        after_tree, after = next(turned, (None, None))
        if after_tree is None or after is None:
            continue
        places = {
            place
            for place in before[0].keys() | after[0].keys()
            if before[0].get(place) != after[0].get(place)
            if not STRUCTURE.search(place) and not alone(place, before[1], after[1])
        }
        said = {addressed(place, before[1]) for place in reports[case].feeding(path)}
        if not places <= said:
            again = report(one, after_tree)
            said |= {addressed(place, after[1]) for place in again.feeding(path)}
        assert places <= said, f"{case}: {path} changes {sorted(places - said)[:5]}"
        tested += bool(places)
    assert tested > 0
