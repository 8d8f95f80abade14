"""Explicit deletions, because absence never means "delete" (`design.md` section 4).

::

    family.family_id                             a leaf or a group
    plan.action[id=a1]                           one item of a list, by the value of a leaf in it
    subjects[subject_id=s1].contact_tel          a whole list of values
    subjects[subject_id=s1].email[=a@b.example]  one value of such a list
    subjects[subject_id=s1].address[use=home][postcode=ZZ99 3AA]    narrowed until it is one
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.domain.dictionary import Node, episode_tree

_STEP: Final = re.compile(r"([a-z_]+)((?:\[[a-z_]*=[^\]]+\])*)(?:\.|$)")
_CONDITION: Final = re.compile(r"\[([a-z_]*)=([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Step:
    """One name, and what an item must hold to be meant (the empty name: the value itself)."""

    name: str
    where: tuple[tuple[str, str], ...]


Deletion = tuple[Step, ...]


def read_deletion(text: str) -> Deletion | None:
    """Return the steps of a deletion, or ``None`` if the dictionary knows no such place.

    Keys of list items cannot be deleted, only the items that they name.

    >>> read_deletion("plan.action[id=a1]")[1]
    Step(name='action', where=(('id', 'a1'),))
    >>> read_deletion("plan.no_such_field") is None
    True
    """
    steps = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return None
        steps.append(Step(match[1], tuple(_CONDITION.findall(match[2]))))
        at = match.end()
    lawful = bool(steps) and not text.endswith(".") and _known(steps, episode_tree())
    return tuple(steps) if lawful else None


def _known(steps: list[Step], nodes: Mapping[str, Node]) -> bool:
    step, rest = steps[0], steps[1:]
    node = nodes.get(step.name)
    if node is None or step.name == "episode_id":
        return False
    if node.leaf is not None:
        chosen = all(name == "" for name, _ in step.where)
        return not rest and not node.leaf.key and chosen and (node.leaf.many or not step.where)
    if node.kind == "object" and step.where:
        return False
    for name, _ in step.where:
        child = node.children.get(name)
        if child is None or child.leaf is None or child.leaf.many:
            return False
    if rest:
        return (node.kind == "object" or bool(step.where)) and _known(rest, node.children)
    return True


def places(tree: Mapping[str, Any], deletion: Deletion) -> list[tuple[str | int, ...]]:
    """Return where in *tree* the deletion points; lawful only if that is exactly one place."""
    found: list[tuple[str | int, ...]] = [()]
    for step in deletion:
        found = [there for place in found for there in _below(tree, place, step)]
    return found


def _below(
    tree: Mapping[str, Any], place: tuple[str | int, ...], step: Step
) -> list[tuple[str | int, ...]]:
    held: Any = tree
    for at in place:
        held = held[at]
    if step.name not in held:
        return []
    named = held[step.name]
    if not step.where:
        return [(*place, step.name)]
    return [
        (*place, step.name, index)
        for index, item in enumerate(named)
        if all((item if name == "" else item.get(name)) == value for name, value in step.where)
    ]
