"""The rules of the data dictionary that a schema cannot say: what must agree with what in a family.

Paths in faults are JSON pointers; no fault ever holds a value.  A sender may send a part of an
episode, so the rules fall into two kinds: what is wrong in any part, and what only the merged whole
can be asked for (``whole=True``): required leaves, references, texts that a code calls for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hub.domain import codes
from hub.domain.deletions import read_deletion
from hub.domain.dictionary import Leaf, Node, episode_tree
from hub.domain.episode import Episode
from hub.domain.exchange import Tree
from hub.domain.identifiers import postcode_ok, uprn_ok
from hub.domain.matching import key_of
from hub.domain.messages import PAYLOADS, message_tree
from hub.domain.rules import Findings, Rule, Where, pointer, rules_for
from hub.domain.whole import incomplete
from hub.errors import Code, Fault

LeafCheck = Callable[[Any, Where, Findings], None]


def _postcode(value: Any, where: Where, found: Findings) -> None:
    if not postcode_ok(value):
        remedy = "shape: correct it, or say message.accept_failed_identifiers"
        found.identifiers.append(Fault(Code.IDENTIFIER_CHECK, pointer(where), remedy))


def _uprn(value: Any, where: Where, found: Findings) -> None:
    if not uprn_ok(value):
        remedy = "shape: correct it, or say message.accept_failed_identifiers"
        found.identifiers.append(Fault(Code.IDENTIFIER_CHECK, pointer(where), remedy))


def _whole_number(value: Any, where: Where, found: Findings) -> None:
    # JSON Schema calls 1.0 an integer; as a version number it would compare and print differently.
    if type(value) is not int:
        found.faults.append(Fault(Code.TYPE, pointer(where), "a whole number without a point"))


def _open_code(list_id: str) -> LeafCheck:
    def check(value: Any, where: Where, found: Findings) -> None:
        values = enumerate(value) if isinstance(value, list) else ((None, value),)
        for place, code in values:
            if codes.check(list_id, code) is codes.Standing.FLAGGED:
                there = where if place is None else (*where, place)
                found.flags.append(
                    Fault(Code.CODELIST, pointer(there), "not known to this hub", list_id)
                )

    return check


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is to check in one object: rules on it, on its leaves, and on what it holds."""

    rules: tuple[Rule, ...]
    leaves: tuple[tuple[str, LeafCheck], ...]
    within: tuple[tuple[str, bool, str | None, "_Plan"], ...]

    @property
    def asks(self) -> bool:
        return bool(self.rules or self.leaves or self.within)


def _leaf_check(name: str, leaf: Leaf) -> LeafCheck | None:
    if name == "postcode":
        return _postcode
    if name == "uprn":
        return _uprn
    if leaf.form == "int":
        return _whole_number
    if leaf.codes is not None and codes.code_list(leaf.codes).open:
        return _open_code(leaf.codes)
    return None


def _plan(kind: type | None, nodes: Mapping[str, Node]) -> _Plan:
    leaves = []
    within = []
    for name, node in nodes.items():
        if node.leaf is not None:
            check = _leaf_check(name, node.leaf)
            if check is not None:
                leaves.append((name, check))
            continue
        many = node.kind == "list"
        key = key_of(node) if many else None
        plan = _plan(node.type, node.children)
        if plan.asks or key is not None:
            within.append((name, many, key, plan))
    return _Plan(rules_for(kind), tuple(leaves), tuple(within))


@cache
def _episode_plan() -> _Plan:
    return _plan(Episode, episode_tree())


@cache
def _message_plan() -> _Plan:
    return _plan(None, message_tree())


def _walk(item: Tree, plan: _Plan, where: Where, found: Findings) -> None:
    for rule in plan.rules:
        rule(item, where, found)
    for name, check in plan.leaves:
        value = item.get(name)
        if value is not None:
            check(value, (*where, name), found)
    for name, many, key, below in plan.within:
        held = item.get(name)
        if held is None:
            continue
        if not many:
            _walk(held, below, (*where, name), found)
            continue
        if key is not None:
            _once(held, key, (*where, name), found)
        if below.asks:
            for place, child in enumerate(held):
                _walk(child, below, (*where, name, place), found)


def _once(items: Sequence[Tree], key: str, where: Where, found: Findings) -> None:
    if len({item.get(key) for item in items}) == len(items):
        return
    seen = set()
    for place, item in enumerate(items):
        value = item.get(key)
        if value in seen:
            found.rule((*where, place, key), "once in this list")
        elif value is not None:
            seen.add(value)


def check_episode(
    tree: Tree, *, accept_failed_identifiers: bool = False, whole: bool = False, at: str = ""
) -> Sequence[Fault]:
    """Return every fault of an episode that has the dictionary's shape; empty if it is lawful.

    With *whole*, also what only a complete (merged) episode can be asked for.  *at* is put before
    every path.
    """
    found = Findings()
    _walk(tree, _episode_plan(), (), found)
    if whole:
        missing, unresolved = incomplete(tree)
        found.faults += [Fault(Code.REQUIRED, pointer(where), "required") for where in missing]
        found.faults += [
            Fault(Code.REFERENCE, pointer(where), "name something in this episode")
            for where in unresolved
        ]
    faults = found.faults if accept_failed_identifiers else found.faults + found.identifiers
    return [Fault(f.code, at + f.path, f.remedy, f.code_list, f.allowed) for f in faults]


def check_message(tree: Tree) -> tuple[Sequence[Fault], Sequence[Fault]]:
    """Return the faults of a wire message, and the warnings that go back with its receipt."""
    found = Findings()
    _walk(tree, _message_plan(), (), found)
    header = tree.get("message") or {}
    for payload in PAYLOADS:
        named = (tree.get(payload) or {}).get("episode_id")
        stated = header.get("episode_id")
        if named is not None and stated is not None and named != stated:
            found.rule((payload, "episode_id"), "the same as message.episode_id")
    for place, text in enumerate(header.get("deletes") or ()):
        if read_deletion(text) is None:
            where = pointer(("message", "deletes", place))
            found.faults.append(Fault(Code.UNKNOWN_FIELD, where, "a path of the dictionary"))
    if header.get("accept_failed_identifiers") is True:
        return found.faults, found.identifiers + found.flags
    return found.faults + found.identifiers, found.flags
