"""The field filter: what of a canonical tree one recipient may see, leaf by leaf.

Compiled once from the data dictionary.  What it cannot place it withholds; an identifier or other
administrative leaf rides along only where something of the same item is released, so that neither a
count nor an empty shell tells what was cut (`design.md` section 6, `domain.md` 4.2).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from hub.domain import codes
from hub.domain.dictionary import BY_ELEMENT, Leaf, Node, episode_tree
from hub.services.released import Frozen

BASIC: Final = 1
SECTION: Final = 2
SENSITIVE: Final = 4

Rights = Callable[[str, str], int]
"""(data subject, section) to the bits above: what that person lets this recipient see of the
section.
"""


@dataclass(slots=True)
class Permits:
    """The answers of the agreements for one recipient, asked once per person and section."""

    children: tuple[str, ...]
    adults: tuple[str, ...]
    rights: Rights
    _shared: dict[str, int] = field(default_factory=dict)
    _adults: dict[str, int] = field(default_factory=dict)

    def child(self, person: str, section: str) -> int:
        """Return what this child's decisions permit."""
        return self.rights(person, section)

    def shared(self, section: str) -> int:
        """Return what every child's decisions permit; nothing if there is no child."""
        known = self._shared.get(section)
        if known is None:
            known = self._shared[section] = _all(
                self.rights(child, section) for child in self.children
            )
        return known

    def every_adult(self, section: str) -> int:
        """Return what every parent's and carer's own decisions permit; nothing if none is known."""
        known = self._adults.get(section)
        if known is None:
            known = self._adults[section] = _all(
                self.rights(adult, section) for adult in self.adults
            )
        return known

    def person(self, person: str | None, section: str) -> int:
        """Return what the person named by an item permits; nothing if nobody knows who that is."""
        if person in self.children:
            return self.rights(person, section) if person else 0
        if person in self.adults:
            return self.shared(section) & (self.rights(person, section) if person else 0)
        return 0


def _all(rights: Iterable[int]) -> int:
    seen = None
    for right in rights:
        seen = right if seen is None else seen & right
    return seen or 0


@dataclass(slots=True)
class _Here:
    """Where in the tree the pruning is: which child, which adult, which item's person, which
    element.
    """

    permits: Permits
    child: str | None = None
    adult: str | None = None
    item: str | None = None
    element: str | None = None


_Prune = Callable[[Any, _Here], Any]
"""Value and place to the permitted part, or None."""


def _needed(sensitivity: frozenset[str]) -> int:
    """Return the bit that a leaf of this sensitivity needs (0: none; -1: never leaves)."""
    if sensitivity & {"RES", "LOC"}:
        return -1
    if "SEN" in sensitivity:
        return SENSITIVE
    if "ADM" in sensitivity or "IDX" in sensitivity:
        return 0
    return BASIC if "BAS" in sensitivity else SECTION


def _right(about: str, section: str, here: _Here, *, third_party: bool) -> int:
    permits = here.permits
    match about:
        case "child":
            right = permits.child(here.child, section) if here.child else 0
        case "adult":
            of = permits.child(here.child, section) if here.child else permits.shared(section)
            return of & (permits.rights(here.adult, section) if here.adult else 0)
        case "adults":
            of = permits.child(here.child, section) if here.child else permits.shared(section)
            return of & permits.every_adult(section)
        case "item":
            return permits.person(here.item, section)
        case "children" | "practitioner":
            right = permits.child(here.child, section) if here.child else permits.shared(section)
        case _:
            return 0
    return right & permits.every_adult(section) if third_party else right


@cache
def element_rules() -> Mapping[str, tuple[str, frozenset[str]]]:
    """Return section and sensitivity of each of the 19 elements (CL-14)."""
    return {
        code: (entry.attributes["section"], frozenset(entry.attributes["sensitivity"].split()))
        for code, entry in codes.code_list("CL-14").codes.items()
    }


@cache
def sensitive_service_types() -> frozenset[str]:
    """Return the CL-11 types whose very name is health data (F6)."""
    return frozenset(
        code
        for code, entry in codes.code_list("CL-11").codes.items()
        if entry.attributes.get("sensitive") == "yes"
    )


def _frozen_value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _leaf(leaf: Leaf) -> tuple[_Prune, bool]:
    """Return the filter of a leaf, and whether it is administrative (rides along, never counts)."""
    if leaf.section == BY_ELEMENT and not leaf.sensitivity:

        def by_element(value: Any, here: _Here) -> Any:
            section, sensitivity = element_rules().get(here.element or "", ("", frozenset({"RES"})))
            needed = _needed(sensitivity)
            if needed < 0 or not needed & _right(
                "child", section, here, third_party="THP" in sensitivity
            ):
                return None
            return _frozen_value(value)

        return by_element, leaf.key
    needed = _needed(leaf.sensitivity)
    if needed < 0 or leaf.about == "unknown":
        return (lambda _value, _here: None), False
    if needed == 0:
        if leaf.path.endswith((".person_id", ".parent_carer_id")) and leaf.about == "item":
            return (
                lambda value, here: value if here.permits.person(value, leaf.section) else None
            ), True
        return (lambda value, _here: _frozen_value(value)), "ADM" in leaf.sensitivity
    about, section, third = leaf.about, leaf.section, "THP" in leaf.sensitivity

    def permitted(value: Any, here: _Here) -> Any:
        return (
            _frozen_value(value)
            if needed & _right(about, section, here, third_party=third)
            else None
        )

    return permitted, False


def _rides(node: Node) -> bool:
    """Return whether everything below *node* is administrative."""
    return all(
        child.leaf.sensitivity == {"ADM"} if child.leaf else _rides(child)
        for child in node.children.values()
    )


def _object(node_children: Mapping[str, Node], path: str) -> _Prune:
    content: list[tuple[str, _Prune]] = []
    riding: list[tuple[str, _Prune]] = []
    for name, child in node_children.items():
        prune, administrative = _leaf(child.leaf) if child.leaf else (_node(child), _rides(child))
        (riding if administrative else content).append((name, prune))
    is_subject = path == "subjects"
    is_adult = path == "parents_carers"
    is_element = path.endswith(".elements")
    has_item = any(name in node_children for name in ("person_id", "parent_carer_id", "subject_id"))
    by_practitioner = "practitioner_id" in node_children

    if not content:  # nothing but administrative leaves: the whole group rides along
        content, riding = riding, content

    def prune_object(value: Any, here: _Here) -> Any:
        if by_practitioner and value.get("service_type") in sensitive_service_types():
            return None
        if is_subject:
            here = _Here(here.permits, child=value.get("subject_id"))
        elif is_adult:
            here = _Here(here.permits, adult=value.get("parent_carer_id"))
        elif is_element:
            here = _Here(here.permits, child=here.child, element=value.get("element"))
        elif has_item:
            here = _Here(
                here.permits,
                child=value.get("subject_id") if here.adult else here.child,
                adult=here.adult,
                item=value.get("person_id")
                or value.get("parent_carer_id")
                or value.get("subject_id"),
                element=here.element,
            )
        kept = {}
        for name, prune in content:
            if name in value:
                part = prune(value[name], here)
                if part is not None:
                    kept[name] = part
        if not kept:
            return None
        for name, prune in riding:
            if name in value:
                part = prune(value[name], here)
                if part is not None:
                    kept[name] = part
        return Frozen(kept)

    return prune_object


def _node(node: Node) -> _Prune:
    prune = _object(node.children, node.path)
    if node.kind == "object":
        return prune
    by = node.sensitive_by

    def prune_list(value: Any, here: _Here) -> Any:
        kept = []
        for item in value:
            if by and str(item.get(by, "")).rpartition("/")[2] in sensitive_service_types():
                continue
            part = prune(item, here)
            if part is not None:
                kept.append(part)
        return tuple(kept) or None

    return prune_list


@cache
def _compiled() -> Mapping[str, _Prune]:
    compiled = {}
    for name, node in episode_tree().items():
        compiled[name] = _leaf(node.leaf)[0] if node.leaf else _node(node)
    return compiled


def prune(tree: Mapping[str, Any], permits: Permits) -> Frozen:
    """Return the part of the episode *tree* that *permits* allow; fields it does not know are
    withheld.
    """
    here = _Here(permits)
    compiled = _compiled()
    kept = {}
    for name, value in tree.items():
        rule = compiled.get(name)
        if rule is not None:
            part = rule(value, here)
            if part is not None:
                kept[name] = part
    return Frozen(kept)
