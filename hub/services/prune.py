"""The field filter: what of a canonical tree one recipient may see, leaf by leaf.

Compiled once from the data dictionary.  What it cannot place it withholds; an identifier or other
administrative leaf rides along only where something of the same item is released, so that neither a
count nor an empty shell tells what was cut (`design.md` section 6, `domain.md` 4.2).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hub.domain.dictionary import BY_ELEMENT, Leaf, Node, episode_tree
from hub.services.masking import (
    Masked,
    element_rules,
    names_sensitive,
    other,
    owned,
    restricted_codes,
    sensitive_service,
)
from hub.services.permits import BASIC, SECTION, SENSITIVE, Permits
from hub.services.released import Frozen


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """What decides about a leaf, one object for all leaves that are alike (`_rule`)."""

    about: str
    section: str
    needed: int
    third_party: bool


_rule = cache(_Rule)


class _Here:
    """Where in the tree the pruning is: which child, which adult, which item's person, which
    element; *known* are the answers already given there, *own* decides about the element's leaves.
    """

    __slots__ = ("adult", "child", "element", "item", "known", "own", "permits")

    def __init__(
        self,
        permits: Permits,
        child: str | None = None,
        adult: str | None = None,
        item: str | None = None,
        element: str | None = None,
    ) -> None:
        self.permits = permits
        self.child, self.adult, self.item, self.element = child, adult, item, element
        self.known = permits.kept(child, adult, item)
        self.own = None if element is None else _element_leaves().get(element)


def _place(permits: Permits, child: str | None, element: str | None) -> _Here:
    """Return the place of an element of this child, the same one every time."""
    known: _Here | None = permits.places.get((child, element))
    if known is None:
        known = permits.places[child, element] = _Here(permits, child=child, element=element)
    return known


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


def _keeps(rule: _Rule, here: _Here) -> bool:
    """Return whether a leaf of *rule* is kept here; asked, and counted, once for each place."""
    known = here.known.get(rule)
    if known is None:
        right = _right(rule.about, rule.section, here, third_party=rule.third_party)
        known = here.known[rule] = bool(rule.needed & right)
        if known:
            _count(rule.about, rule.section, here, rule.needed, third_party=rule.third_party)
    return known


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


def _count(about: str, section: str, here: _Here, needed: int, *, third_party: bool) -> None:
    """Note on whose permission a leaf that is kept rests: the same people as `_right` asks."""
    permits, people = here.permits, dict.fromkeys(here.permits.children)
    if about == "item" and here.item in people:
        people = {here.item: None}
    elif here.child and about != "item":
        people = {here.child: None}
    if about == "adult" and here.adult:
        people[here.adult] = None
    elif about == "item" and here.item:
        people[here.item] = None
    if about == "adults" or (third_party and about in {"child", "children", "practitioner"}):
        people.update(dict.fromkeys(permits.adults))
    permits.counted.update((person, section, needed) for person in people)


@cache
def _element_leaves() -> Mapping[str, _Rule]:
    """Return what decides about an element's own leaves; what never leaves has nothing."""
    return {
        code: _rule("child", section, needed, "THP" in sensitivity)
        for code, (section, sensitivity) in element_rules().items()
        if (needed := _needed(sensitivity)) >= 0
    }


def _restricts(node: Node) -> Callable[[Mapping[str, Any], Masked], bool] | None:
    """Return what makes a whole item of this list restricted, if anything does."""
    if "action_owner" in node.children:
        return owned
    if "is_sensitive_service" in node.children:
        return other
    if "address_lines" in node.children:
        return lambda item, _masked: item.get("use") in restricted_codes("CL-28")
    by = node.sensitive_by
    return (lambda item, _masked: sensitive_service(item.get(by))) if by else None


_OWN: Final = _Rule("child", BY_ELEMENT, 0, third_party=False)
"""Stands for the rule of the element that the leaf is about."""


def _leaf(leaf: Leaf) -> tuple[_Rule | _Prune | None, bool]:
    """Return what decides about a leaf (None: it goes as it is), and whether it is administrative
    (rides along, never counts).
    """
    if leaf.section == BY_ELEMENT and not leaf.sensitivity:
        return _OWN, leaf.key
    needed = _needed(leaf.sensitivity)
    if needed < 0 or leaf.about == "unknown":
        return (lambda _value, _here: None), False
    if needed == 0:
        if leaf.path.endswith((".person_id", ".parent_carer_id")) and leaf.about != "adult":
            if leaf.about == "item":
                return (
                    lambda value, here: value if here.permits.person(value, leaf.section) else None,
                    True,
                )
            # Elsewhere than in an item about that person (who owns an action) it is the content.
            return (
                lambda value, here: (
                    value
                    if here.permits.shared(leaf.section)
                    & here.permits.person(value, leaf.section)
                    & SECTION
                    else None
                ),
                False,
            )
        return None, "ADM" in leaf.sensitivity
    rule = _rule(leaf.about, leaf.section, needed, "THP" in leaf.sensitivity)
    restricted = restricted_codes(leaf.codes)
    if restricted and not leaf.many:

        def unrestricted(value: Any, here: _Here) -> Any:
            return value if value not in restricted and _keeps(rule, here) else None

        return unrestricted, False
    return rule, False


_Member = tuple[str, _Rule | None, _Prune | None]
"""Name, and what decides: a rule, or a filter of its own, or nothing."""


def _member(name: str, decides: _Rule | _Prune | None) -> _Member:
    return (name, decides, None) if isinstance(decides, _Rule) else (name, None, decides)


def _take(
    members: Iterable[_Member], value: Mapping[str, Any], here: _Here, kept: dict[str, Any]
) -> None:
    """Put into *kept* what may be seen of *members*; a loop of its own, since it runs for every
    leaf of every message.
    """
    known = here.known
    for name, rule, prune in members:
        part = value.get(name)
        if part is None:
            continue
        if prune is not None:
            shown = prune(part, here)
            if shown is not None:
                kept[name] = shown
            continue
        if rule is not None:
            if rule is _OWN:
                rule = here.own  # noqa: PLW2901
                if rule is None:
                    continue
            keeps = known.get(rule)
            if not (_keeps(rule, here) if keeps is None else keeps):
                continue
        kept[name] = tuple(part) if type(part) is list else part


def _rides(node: Node) -> bool:
    """Return whether everything below *node* is administrative."""
    return all(
        child.leaf.sensitivity == {"ADM"} if child.leaf else _rides(child)
        for child in node.children.values()
    )


def _object(node_children: Mapping[str, Node], path: str) -> _Prune:
    content: list[_Member] = []
    riding: list[_Member] = []
    for name, child in node_children.items():
        decides, administrative = _leaf(child.leaf) if child.leaf else (_node(child), _rides(child))
        (riding if administrative else content).append(_member(name, decides))
    is_subject = path == "subjects"
    is_adult = path == "parents_carers"
    is_element = path.endswith(".elements")
    has_item = any(name in node_children for name in ("person_id", "parent_carer_id", "subject_id"))
    by_practitioner = "practitioner_id" in node_children

    if not content:  # nothing but administrative leaves: the whole group rides along
        content, riding = riding, content

    def prune_object(value: Any, here: _Here) -> Any:
        if by_practitioner and names_sensitive(value, here.permits.masked):
            return None
        if is_subject:
            here = _Here(here.permits, child=value.get("subject_id"))
        elif is_adult:
            here = _Here(here.permits, adult=value.get("parent_carer_id"))
        elif is_element:
            here = _place(here.permits, here.child, value.get("element"))
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
        kept: dict[str, Any] = {}
        _take(content, value, here, kept)
        if not kept:
            return None
        _take(riding, value, here, kept)
        return Frozen(kept)

    return prune_object


def _node(node: Node) -> _Prune:
    prune, restricted = _object(node.children, node.path), _restricts(node)
    if node.kind == "object":
        if restricted is None:
            return prune
        forbids = restricted

        def prune_single(value: Any, here: _Here) -> Any:
            return None if forbids(value, here.permits.masked) else prune(value, here)

        return prune_single

    def prune_list(value: Any, here: _Here) -> Any:
        kept = []
        for item in value:
            if restricted is not None and restricted(item, here.permits.masked):
                continue
            part = prune(item, here)
            if part is not None:
                kept.append(part)
        return tuple(kept) or None

    return prune_list


@cache
def _compiled() -> tuple[_Member, ...]:
    return tuple(
        _member(name, _leaf(node.leaf)[0] if node.leaf else _node(node))
        for name, node in episode_tree().items()
    )


def prune(tree: Mapping[str, Any], permits: Permits) -> Frozen:
    """Return the part of the episode *tree* that *permits* allow; fields it does not know are
    withheld.
    """
    kept: dict[str, Any] = {}
    _take(_compiled(), tree, _Here(permits), kept)
    return Frozen(kept)
