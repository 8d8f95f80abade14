"""What can only be asked of a whole episode: required leaves, references, and texts that a code
calls for.

A recipient may have been given a part and may send a part, so none of this is asked of a message;
it is asked of what the message makes of the stored episode.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hub.domain.codes import code_list
from hub.domain.dictionary import Node, episode_tree
from hub.domain.exchange import Tree
from hub.domain.people import Characteristics, ParentOrCarer, Subject
from hub.domain.plan import ActionOwner

Where = tuple[str | int, ...]

# Which code needs words beside it (CL-02, CL-03, CL-09: "if other, please specify").
_OTHER_TEXT: Final = (
    ("ethnicity", "CL-02", "ethnicity_other"),
    ("religion", "CL-03", "religion_other"),
    ("immigration_status", "CL-09", "immigration_status_other"),
)

_TARGETS: Final = ("subject_id", "parent_carer_id", "person_id", "outcome_id")
_ASKED: Final = (Characteristics, ActionOwner)
_NAMED: Final = (Subject, ParentOrCarer)  # whose ids are what the references name


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is to ask of one object: names required, names that refer, and what it holds."""

    required: tuple[str, ...]
    references: tuple[str, ...]
    kind: type | None
    within: tuple[tuple[str, bool, "_Plan"], ...]


@dataclass(frozen=True, slots=True)
class _Findings:
    missing: list[Where]
    unresolved: list[Where]


@cache
def _plan() -> _Plan:
    return _plan_of(None, episode_tree())


def _plan_of(kind: type | None, nodes: Mapping[str, Node]) -> _Plan:
    required = tuple(name for name, node in nodes.items() if node.required)
    references = tuple(name for name in nodes if name in _TARGETS and kind not in _NAMED)
    within = []
    for name, node in nodes.items():
        if node.kind == "leaf":
            continue
        below = _plan_of(node.type, node.children)
        if below.required or below.references or below.within or below.kind in _ASKED:
            within.append((name, node.kind == "list", below))
    return _Plan(required, references, kind, tuple(within))


def incomplete(tree: Tree) -> tuple[Sequence[Where], Sequence[Where]]:
    """Return the places of what is missing, and of references that name nothing here."""
    subjects = _ids(tree.get("subjects"), "subject_id")
    adults = _ids(tree.get("parents_carers"), "parent_carer_id")
    targets = {
        "subject_id": subjects,
        "parent_carer_id": adults,
        "person_id": subjects | adults,
        "outcome_id": _ids((tree.get("plan") or {}).get("desired_outcome"), "id"),
    }
    found = _Findings([], [])
    _ask(tree, _plan(), targets, (), found)
    return found.missing, found.unresolved


def _ids(items: Iterable[Tree] | None, key: str) -> set[Any]:
    return {item[key] for item in items or () if key in item}


def _ask(
    item: Tree, plan: _Plan, targets: Mapping[str, set[Any]], where: Where, found: _Findings
) -> None:
    for name in plan.required:
        if name not in item:
            found.missing.append((*where, name))
    for name in plan.references:
        if name in item and item[name] not in targets[name]:
            found.unresolved.append((*where, name))
    if plan.kind in _ASKED:
        found.missing.extend(_called_for(item, plan.kind, where))
    for name, many, below in plan.within:
        held = item.get(name)
        if held is None:
            continue
        if many:
            for place, child in enumerate(held):
                _ask(child, below, targets, (*where, name, place), found)
        else:
            _ask(held, below, targets, (*where, name), found)


def _called_for(item: Tree, kind: type | None, where: Where) -> Iterator[Where]:
    """Yield the texts that a code calls for, and the owner that an action needs."""
    if kind is Characteristics:
        for code_name, list_id, text_name in _OTHER_TEXT:
            code = code_list(list_id).codes.get(item.get(code_name, ""))
            asks = code is not None and code.attributes["other_text"] == "yes"
            if asks and text_name not in item:
                yield (*where, text_name)
    elif not any(name in item for name in ("practitioner", "service", "person_id")):
        yield (*where, "practitioner")
