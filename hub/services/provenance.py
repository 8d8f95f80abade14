"""Where each field comes from: who wrote it, when, and which message of whose system brought it.

Read off the versions, each cut as its recipient would be shown it today: so it rests on nothing
that the recipient may not see, and a change elsewhere leaves no trace in it (`domain.md` A32,
"provenance kept"; `design.md` section 6).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.domain.dictionary import Node, episode_tree
from hub.domain.exchange import Tree, Version
from hub.domain.partner import Registry
from hub.services.explain import section_of
from hub.services.masking import Masked, sensitive_service

Marks = Any
"""A tree of the same shape as what it is about; in the place of each leaf the version that wrote
it.
"""


def unrestricted(tree: Tree) -> Tree:
    """Return an older version without whom nobody was to reach then (CL-24b): what is shown is
    today's to decide, and when a restriction was set or lifted is nobody's to read off.
    """
    if "parents_carers" not in tree:
        return tree
    adults = [
        {name: held for name, held in adult.items() if name != "contact_restriction"}
        for adult in tree["parents_carers"]
    ]
    return {**tree, "parents_carers": adults}


def marked(versions: Sequence[tuple[Version, Tree]]) -> Marks:
    """Return who wrote each leaf of the last of *versions*, which are pairs with what of each may
    be shown, oldest first.
    """
    before, marks = None, None
    for version, shown in versions:
        marks = _grown(before, marks, shown, version, episode_tree())
        before = shown
    return marks


def _grown(
    before: Any, marks: Marks, now: Any, version: Version, nodes: Mapping[str, Node]
) -> Marks:
    """Return the marks of *now*: those of *before* where nothing changed, else *version*."""
    if isinstance(now, Mapping):
        old, held = (before, marks) if isinstance(before, Mapping) else ({}, {})
        return {
            name: _grown(old.get(name), held.get(name), value, version, _below(nodes, name))
            for name, value in now.items()
        }
    if _is_items(now):
        pairs = list(zip(before, marks, strict=True)) if _is_items(before) else []
        return [_item(pairs, item, version, nodes) for item in now]
    return marks if before is not None and before == now else version


def _item(
    pairs: list[tuple[Tree, Marks]], item: Tree, version: Version, nodes: Mapping[str, Node]
) -> Marks:
    """Return the marks of one item of a list: it goes on from the one that it was, by its key; an
    item without a key from the one before that is most like it.
    """
    keys = [name for name, node in nodes.items() if node.leaf is not None and node.leaf.key]
    keys = [name for name in keys if name in item]
    best, alike = None, 0
    for pair in pairs:
        if keys:
            likeness = int(all(pair[0].get(name) == item[name] for name in keys))
        else:
            likeness = sum(pair[0].get(name) == value for name, value in item.items())
        if likeness > alike:
            best, alike = pair, likeness
    if best is not None:
        pairs.remove(best)
    old, marks = best or (None, None)
    return _grown(old, marks, item, version, nodes)


def _below(nodes: Mapping[str, Node], name: str) -> Mapping[str, Node]:
    node = nodes.get(name)
    return node.children if node is not None else {}


def _is_items(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


class Sources:
    """Names the source of a version, unless its name would tell what may not be told."""

    def __init__(
        self, registry: Registry, users: Mapping[str, str], masked: Masked, *, silent: bool
    ) -> None:
        """*users* are practitioners by message id; *silent*: nobody at work may be named."""
        self._registry, self._users, self._masked = registry, users, masked
        self._silent = silent

    def of(self, version: Version) -> dict[str, str]:
        """Return system, organisation and practitioner, as far as they may be named."""
        partner = self._registry.partners.get(version.sender)
        if self._silent or partner is None or self._hidden(partner.organisation):
            return {}
        services = [sensitive_service(service.ref) for service in partner.services]
        if services and all(services):
            return {}
        found = {"system": partner.name, "organisation": partner.organisation}
        user = self._users.get(version.message_id)
        if user is not None and user not in self._masked.practitioners:
            found["practitioner_id"] = user
        return found

    def _hidden(self, organisation: str) -> bool:
        return organisation in self._masked.organisations


def entries(shown: Tree, marks: Marks, sources: Sources) -> list[dict[str, str]]:
    """Return one entry for each leaf of *shown*, in its order: the place in the extract (a JSON
    pointer, below ``/episode``), its section, and the source; and who wrote an item and when, where
    the record itself says so.
    """
    return [
        {
            "path": "/episode/" + place.replace("[", "/").replace("]", "").replace(".", "/"),
            "section": section_of(shown, place) or "sec.admin",
            "recorded_at": _moment(version.recorded_at),
            "message_id": version.message_id,
            **sources.of(version),
            **written,
        }
        for place, version, written in _leaves(shown, marks, "", {})
        if place != "episode_id"
    ]


def _leaves(
    shown: Any, marks: Marks, at: str, written: dict[str, str]
) -> Iterator[tuple[str, Version, dict[str, str]]]:
    if isinstance(shown, Mapping):
        written = _author(shown) or written
        for name, value in shown.items():
            yield from _leaves(value, marks[name], f"{at}.{name}" if at else name, written)
    elif _is_items(shown):
        for number, (item, mark) in enumerate(zip(shown, marks, strict=True)):
            yield from _leaves(item, mark, f"{at}[{number}]", written)
    else:
        yield at, marks, written


def _author(item: Tree) -> dict[str, str]:
    """Return who wrote an item and when, by its own word."""
    author = item.get("author")
    found = {}
    if isinstance(author, Mapping) and "practitioner_id" in author:
        found["author"] = str(author["practitioner_id"])
    if "authored_at" in item:
        found["authored_at"] = str(item["authored_at"])
    return found


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
