"""Which stored thing a sent thing is: by key, as a cut of it, or by what tells such things apart in
life.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.domain.contacts import Address, Identifier, Organisation
from hub.domain.dictionary import Node
from hub.domain.exchange import Tree
from hub.domain.people import HouseholdMember, OtherService, SignificantPerson, UniversalService
from hub.domain.plan import ActionOwner, TeamMember

_ONE_FACT: Final = frozenset({Address, ActionOwner})

_LIKENESS: Final[Mapping[type, tuple[tuple[str, ...], ...]]] = {
    Address: (("use",),),
    Identifier: (("system",), ("value",)),
    Organisation: (("organisation_id",), ("name",)),
    UniversalService: (("name",),),
    HouseholdMember: (("name",),),
    SignificantPerson: (("name",),),
    OtherService: (("service_type",), ("organisation",), ("name",)),
    TeamMember: (("organisation",), ("service_type",), ("practitioner", "practitioner_id")),
}


def key_of(node: Node) -> str | None:
    """Return the name of the leaf that tells the items of a list apart, if it has one."""
    for name, child in node.children.items():
        if child.leaf is not None and child.leaf.key:
            return name
    return None


def is_cut(sent: Any, stored: Any) -> bool:
    """Tell whether *sent* can have been made from *stored* by leaving things out."""
    if sent == stored:
        return True
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        return all(name in stored and is_cut(held, stored[name]) for name, held in sent.items())
    if isinstance(sent, list) and isinstance(stored, list) and _of_items(sent, stored):
        waiting = iter(stored)
        return all(any(is_cut(item, other) for other in waiting) for item in sent)
    return False


def _of_items(*lists: list[Any]) -> bool:
    return all(isinstance(item, Mapping) for items in lists for item in items)


def _reach(item: Tree, path: tuple[str, ...]) -> Any:
    held: Any = item
    for step in path:
        held = held.get(step) if isinstance(held, Mapping) else None
    return held


def alike(sent: Tree, stored: Tree, kind: type | None) -> bool | None:
    """Tell whether two items speak of the same thing; ``None`` if neither says enough."""
    paths = _LIKENESS.get(kind, ()) if kind is not None else ()
    pairs = [(_reach(sent, path), _reach(stored, path)) for path in paths]
    said = [one == other for one, other in pairs if one is not None and other is not None]
    return all(said) if said else None


def replaces(stored: Tree, sent: Tree, node: Node) -> bool:
    """Tell whether *sent* is another thing than *stored* and must take its place whole."""
    if node.type in _ONE_FACT:
        return not is_cut(sent, stored)
    key = key_of(node)
    if key is not None:
        return key in sent and key in stored and sent[key] != stored[key]
    return alike(sent, stored, node.type) is False


def matches(stored: Sequence[Tree], sent: Sequence[Tree], node: Node) -> list[int | None]:
    """Return for each sent item the stored item that it is, each stored one at most once."""
    key = key_of(node)
    if key is not None:
        places_by_key = {item.get(key): place for place, item in enumerate(stored)}
        return [places_by_key.get(item.get(key)) for item in sent]
    found: list[int | None] = [None] * len(sent)
    free = list(range(len(stored)))
    at = 0
    for place, item in enumerate(sent):
        cut = [here for here in free if here >= at and is_cut(item, stored[here])]
        if cut:
            found[place] = cut[0]
            free.remove(cut[0])
            at = cut[0] + 1
    for place, item in enumerate(sent):
        if found[place] is None:
            cut = [here for here in free if is_cut(item, stored[here])]
            like = cut[:1] or [here for here in free if alike(item, stored[here], node.type)]
            if len(like) == 1:
                found[place] = like[0]
                free.remove(like[0])
    return found
