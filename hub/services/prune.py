"""The field filter: what of a canonical tree one recipient may see, leaf by leaf.

Compiled once from the data dictionary.  What it cannot place it withholds; an identifier or other
administrative leaf rides along only where something of the same item is released, so that neither a
count nor an empty shell tells what was cut (`design.md` section 6, `domain.md` 4.2).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

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


class Masked(NamedTuple):
    """Practitioners and organisations that some place of the episode shows to be a sensitive
    service, so that no other place names them either (`domain.md` F6).
    """

    practitioners: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()


NOBODY: Final = Masked()


@dataclass(slots=True)
class Permits:
    """The answers of the agreements for one recipient, asked once per person and section.

    *masked* are never named.  *counted* holds (person, section, bit) of everybody whose permission
    a kept leaf rests on: what was asked about a leaf that stayed behind leaves no trace there.
    """

    children: tuple[str, ...]
    adults: tuple[str, ...]
    rights: Rights
    masked: Masked = NOBODY
    counted: set[tuple[str, str, int]] = field(default_factory=set)
    _shared: dict[str, int] = field(default_factory=dict)
    _adults: dict[str, int] = field(default_factory=dict)
    _kept: dict[tuple[str | None, str | None, str | None], "dict[_Rule, bool]"] = field(
        default_factory=dict
    )

    def kept(self, child: str | None, adult: str | None, item: str | None) -> "dict[_Rule, bool]":
        """Return what was answered before about leaves of these people."""
        return self._kept.setdefault((child, adult, item), {})

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
def element_rules() -> Mapping[str, tuple[str, frozenset[str]]]:
    """Return section and sensitivity of each of the 19 elements (CL-14)."""
    return {
        code: (entry.attributes["section"], frozenset(entry.attributes["sensitivity"].split()))
        for code, entry in codes.code_list("CL-14").codes.items()
    }


@cache
def _element_leaves() -> Mapping[str, _Rule]:
    """Return what decides about an element's own leaves; what never leaves has nothing."""
    return {
        code: _rule("child", section, needed, "THP" in sensitivity)
        for code, (section, sensitivity) in element_rules().items()
        if (needed := _needed(sensitivity)) >= 0
    }


@cache
def sensitive_section(section: str) -> bool:
    """Return whether what is said in this section is of a special category (CL-14)."""
    return any(at == section and "SEN" in tags for at, tags in element_rules().values())


@cache
def restricted_codes(list_id: str | None) -> frozenset[str]:
    """Return the codes of a list that are restricted themselves (a refuge, a death)."""
    if list_id is None:
        return frozenset()
    return frozenset(
        code
        for code, entry in codes.code_list(list_id).codes.items()
        if "RES" in entry.attributes.get("restricted", "")
    )


@cache
def sensitive_service_types() -> frozenset[str]:
    """Return the CL-11 types whose very name is health data (F6)."""
    return frozenset(
        code
        for code, entry in codes.code_list("CL-11").codes.items()
        if entry.attributes.get("sensitive") == "yes"
    )


def sensitive_service(service: Any) -> bool:
    """Tell whether a service type, or a service ``ORGANISATION/TYPE``, is a sensitive one."""
    return str(service or "").rpartition("/")[2] in sensitive_service_types()


def names_sensitive(practitioner: Mapping[str, Any], masked: Masked) -> bool:
    """Tell whether showing *practitioner* would name a sensitive service."""
    kind = practitioner.get("service_type")
    if kind is not None:
        return sensitive_service(kind)
    return (
        practitioner.get("practitioner_id") in masked.practitioners
        or practitioner.get("organisation") in masked.organisations
    )


def _owned(action: Mapping[str, Any], masked: Masked) -> bool:
    """Tell whether an action belongs to a sensitive service: then all of it stays (N9)."""
    owner = action.get("action_owner", {})
    return sensitive_service(owner.get("service")) or names_sensitive(
        owner.get("practitioner") or {}, masked
    )


def _other(service: Mapping[str, Any], _masked: Masked) -> bool:
    """Tell whether a service is sensitive by its type or, as with ``OTH``, by what the record says.

    A type that leaves the question open is sensitive unless the record says that it is not.
    """
    said, kind = service.get("is_sensitive_service"), service.get("service_type")
    return said is True or sensitive_service(kind) or (kind in _open_types() and said is not False)


def _restricts(node: Node) -> Callable[[Mapping[str, Any], Masked], bool] | None:
    """Return what makes a whole item of this list restricted, if anything does."""
    if "action_owner" in node.children:
        return _owned
    if "is_sensitive_service" in node.children:
        return _other
    if "address_lines" in node.children:
        return lambda item, _masked: item.get("use") in restricted_codes("CL-28")
    by = node.sensitive_by
    return (lambda item, _masked: sensitive_service(item.get(by))) if by else None


@cache
def _open_types() -> frozenset[str]:
    return frozenset(
        code
        for code, entry in codes.code_list("CL-11").codes.items()
        if entry.attributes.get("sensitive") == "ask"
    )


def masked(tree: Mapping[str, Any]) -> Masked:
    """Return whom the whole episode shows to work for a sensitive service."""
    seen = list(_mentions(tree))
    hidden = [mention for mention in seen if mention[2]]
    open_work = {organisation for _, organisation, sensitive in seen if sensitive is False}
    return Masked(
        frozenset(who for who, _, _ in hidden if who),
        frozenset(where for _, where, _ in hidden if where) - open_work,
    )


def _mentions(tree: Mapping[str, Any]) -> Iterator[tuple[Any, Any, bool | None]]:
    """Yield (practitioner id, organisation, sensitive or unknown) of everybody at work."""
    services, plan = tree.get("services", {}), tree.get("plan", {})
    blocks = [*services.get("assessor", ()), services.get("lead_professional")]
    blocks += [tree.get("responsible_practitioner"), tree.get("closure", {}).get("closed_by")]
    for action in plan.get("action", ()):
        owner = action.get("action_owner", {})
        held = owner.get("practitioner") or {}
        blocks.append(held)
        if sensitive_service(owner.get("service")):
            yield held.get("practitioner_id"), owner["service"].partition("/")[0], True
    for subject in tree.get("subjects", ()):
        blocks += [element.get("author") for element in subject.get("elements", ())]
    for block in blocks:
        if block:
            kind = block.get("service_type")
            known = None if kind is None else sensitive_service(kind)
            yield block.get("practitioner_id"), block.get("organisation"), known
    for member in plan.get("team_member", ()):
        held = member.get("practitioner") or {}
        known = sensitive_service(member.get("service_type")) or names_sensitive(held, NOBODY)
        yield held.get("practitioner_id"), member.get("organisation"), known
    for service in services.get("other_service", ()):
        held = service.get("practitioner") or {}
        known = _other(service, NOBODY) or names_sensitive(held, NOBODY)
        yield held.get("practitioner_id"), service.get("organisation"), known


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
                return lambda value, here: (
                    value if here.permits.person(value, leaf.section) else None
                ), True
            # Elsewhere than in an item about that person (who owns an action) it is the content.
            return lambda value, here: (
                value
                if here.permits.shared(leaf.section)
                & here.permits.person(value, leaf.section)
                & SECTION
                else None
            ), False
        return None, "ADM" in leaf.sensitivity
    rule = _rule(leaf.about, leaf.section, needed, "THP" in leaf.sensitivity)
    restricted = restricted_codes(leaf.codes)
    if restricted and not leaf.many:

        def unrestricted(value: Any, here: _Here) -> Any:
            return value if value not in restricted and _keeps(rule, here) else None

        return unrestricted, False
    return rule, False


_Member = tuple[_Rule | None, _Prune | None]
"""What decides: a rule, or a filter of its own, or nothing."""


def _member(decides: _Rule | _Prune | None) -> _Member:
    return (decides, None) if isinstance(decides, _Rule) else (None, decides)


def _take(
    members: Mapping[str, _Member], value: Mapping[str, Any], here: _Here, kept: dict[str, Any]
) -> None:
    """Put into *kept* what may be seen of *members*; a loop of its own, since it runs for every
    leaf of every message.
    """
    known = here.known
    for name, part in value.items():
        member = members.get(name)
        if member is None or part is None:
            continue
        rule, prune = member
        if prune is not None:
            shown = prune(part, here)
            if shown is not None:
                kept[name] = shown
            continue
        if rule is not None:
            if rule is _OWN:
                rule = here.own
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
    content: dict[str, _Member] = {}
    riding: dict[str, _Member] = {}
    for name, child in node_children.items():
        decides, administrative = _leaf(child.leaf) if child.leaf else (_node(child), _rides(child))
        (riding if administrative else content)[name] = _member(decides)
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
def _compiled() -> Mapping[str, _Member]:
    return {
        name: _member(_leaf(node.leaf)[0] if node.leaf else _node(node))
        for name, node in episode_tree().items()
    }


def prune(tree: Mapping[str, Any], permits: Permits) -> Frozen:
    """Return the part of the episode *tree* that *permits* allow; fields it does not know are
    withheld.
    """
    kept: dict[str, Any] = {}
    _take(_compiled(), tree, _Here(permits), kept)
    return Frozen(kept)
