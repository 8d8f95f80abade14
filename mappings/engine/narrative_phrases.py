"""Phrases: what people say in one breath: a person with her role, an address, a number."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from hub.domain.dictionary import Leaf, Node
from mappings.engine.canonical import FREE
from mappings.engine.marks import Origin, bare
from mappings.engine.narrative_labels import BRIEF, kind, label
from mappings.engine.narrative_text import Item, WhoIsWho, joined, plain, text
from mappings.engine.narrative_words import identifier_words, service_words, speech

Say = Callable[[Any], str | None]
"""A value, recorded or not, to its words."""


class Sort:
    """What there is to know of a place in the dictionary, looked up once: its class, and for each
    member how it is called, what its value says, and what is inside.
    """

    __slots__ = ("children", "inner", "kind", "labels", "node", "prefixes", "says", "tell")

    def __init__(self, node: Node) -> None:
        """Look up *node* and everything below it."""
        self.node, self.kind, self.children = node, kind(node), node.children
        named = {name: label(self.kind, name) for name in node.children if name not in FREE}
        self.labels = named
        self.prefixes = {name: f"{entry.text}: " for name, entry in named.items()}
        leaves = {name: child.leaf for name, child in node.children.items() if child.leaf}
        self.says = {name: sayer(leaf) for name, leaf in leaves.items()}
        below = {name: child for name, child in node.children.items() if child.leaf is None}
        self.inner = {name: Sort(child) for name, child in below.items() if name not in FREE}
        self.tell: Callable[[Group, Any], None] | None = None


def sayer(leaf: Leaf) -> Say:
    """Return what turns the value of *leaf*, recorded or not, into words; a list into one text."""
    say = speech(leaf)

    def said(value: Any) -> str | None:
        if type(value) is str:
            return say(value)
        held = type(value)
        if held is bool or held is int:
            return say(value)
        if held is Origin:
            return text(say(value.value), value)
        if held is list or held is tuple:
            return joined([one for each in value if (one := said(each)) is not None])
        return say(value)

    return said


class Group:
    """One object of the canonical tree, with what the dictionary says of its members; never
    changed.
    """

    __slots__ = ("held", "sort", "who")

    def __init__(self, sort: Sort, held: Mapping[str, Any], who: WhoIsWho) -> None:
        """Take them."""
        self.sort, self.held, self.who = sort, held, who

    def text(self, name: str) -> str | None:
        """Return the value of the leaf *name* in words; None if it is not there."""
        value = self.held.get(name)
        return None if value is None else self.sort.says[name](value)

    def texts(self, *names: str) -> list[str]:
        """Return the values of the leaves *names* that are there."""
        held, says = self.held, self.sort.says
        found = []
        for name in names:
            value = held.get(name)
            if value is not None and (said := says[name](value)) is not None:
                found.append(said)
        return found

    def labelled(self, *names: str) -> list[str]:
        """Return ``Label: value`` of the leaves *names* that are there."""
        held, says, prefixes = self.held, self.sort.says, self.sort.prefixes
        found = []
        for name in names:
            value = held.get(name)
            if value is not None and (said := says[name](value)) is not None:
                whole = prefixes[name] + said
                found.append(whole if type(said) is str else text(whole, said))
        return found

    def group(self, name: str) -> "Group | None":
        """Return the object *name*; None if it is not there."""
        held = self.held.get(name)
        return None if not held else Group(self.sort.inner[name], held, self.who)

    def groups(self, name: str) -> "list[Group]":
        """Return the items of the list *name*."""
        inner = self.sort.inner[name]
        return [Group(inner, held, self.who) for held in self.held.get(name) or ()]


def _bracketed(said: str | None, within: list[str]) -> str | None:
    aside = joined(within)
    if said is None or aside is None:
        return aside if said is None else said
    return text(f"{said} ({aside})", said, aside)


def _lines(said: str | None, detail: list[str]) -> Item | None:
    if said is None:
        return ((detail[0],), tuple(detail[1:])) if detail else None
    return (said,), tuple(detail)


def _practising(one: Group, *, brief: bool) -> tuple[list[str], list[str]]:
    organisation = one.held.get("organisation")
    known = [one.who.organisation(organisation)] if organisation is not None else []
    said = [*one.texts("name", "role"), *known, *one.texts("service_type")]
    if brief:
        return said, []
    address = joined(one.texts("address_lines", "postcode"))
    return said, [*one.labelled("contact_tel", "email"), *([address] if address else [])]


def practitioner(one: Group) -> Item | None:
    """Return name, role, organisation, and how to reach them."""
    said, detail = _practising(one, brief=False)
    return _lines(joined(said, once=True), detail)


def in_passing(one: Group) -> Item | None:
    """Return name, role and organisation only (`narrative_labels.BRIEF`)."""
    key = (one.sort.kind, *map(one.held.get, BRIEF))
    if Origin in map(type, key):  # recorded, each text remembers its own leaves
        return _lines(joined(_practising(one, brief=True)[0], once=True), [])
    kept = one.who.passing
    item = kept.get(key)
    if item is None and key not in kept:
        item = kept[key] = _lines(joined(_practising(one, brief=True)[0], once=True), [])
    return item


def _address(one: Group) -> Item | None:
    return _lines(
        joined(one.texts("address_lines", "postcode")),
        one.labelled("use", "address_valid_from", "address_valid_to"),
    )


def _identifier(one: Group) -> Item | None:
    value = one.held.get("value")
    said = None
    if value is not None:
        system = one.held.get("system")
        said = text(identifier_words(str(bare(system)), str(bare(value))), value, system)
    return _lines(said, one.labelled("verified", "valid_from", "valid_to"))


def _other_name(one: Group) -> Item | None:
    return _lines(_bracketed(one.text("name"), one.texts("use")), [])


def _organisation(one: Group) -> Item | None:
    numbers = [
        text(f"{called}: {number}", called, number)
        for inner in one.groups("identifiers")
        if (item := _identifier(inner)) is not None and (called := inner.text("system")) is not None
        for number in item[0]
    ]
    return _lines(
        joined(one.texts("name", "organisation_type")), [*one.labelled("contact_tel"), *numbers]
    )


def _present(one: Group) -> Item | None:
    return _lines(_bracketed(one.text("name"), one.texts("role_or_relationship")), [])


def _local(one: Group) -> Item | None:
    return _lines(_bracketed(one.text("value"), one.texts("system")), [])


def _universal(one: Group) -> Item | None:
    address = one.group("address")
    where = None if address is None else _address(address)
    return _lines(
        one.text("name"),
        [*one.labelled("contact_tel"), *(() if where is None else (*where[0], *where[1]))],
    )


def _member(one: Group) -> Item | None:
    inner = one.group("practitioner")
    said, detail = ([], []) if inner is None else _practising(inner, brief=False)
    organisation = one.held.get("organisation")
    known = [one.who.organisation(organisation)] if organisation is not None else []
    said = [*said[:1], *one.texts("role_in_team"), *said[1:], *known, *one.texts("service_type")]
    return _lines(joined(said, once=True), [*detail, *one.labelled("joined", "left")])


def _goal(one: Group) -> Item | None:
    return _lines(one.text("text"), one.labelled("agreed_with_family", "ecm_aim"))


def _request(one: Group) -> Item | None:
    return _lines(
        service(one, "requested_service"),
        one.labelled("requested_at", "response", "responded_at"),
    )


def _owner(one: Group) -> Item | None:
    inner = one.group("practitioner")
    item = None if inner is None else in_passing(inner)
    ref = one.held.get("person_id")
    name = None if ref is None else one.who.person(ref)
    parts = [*(item[0] if item else ()), *([name] if name else [])]
    asked = service(one, "service")
    whole = joined(parts)
    if whole is None or asked is None:
        return _lines(whole or asked, [])
    known = set(whole.split(", "))
    if all(word in known for word in asked.removesuffix(")").split(" (")):
        return (text(whole, whole, asked),), ()
    return _lines(whole, [asked])


def service(one: Group, name: str) -> str | None:
    """Return the service that the leaf *name* names, with its organisation."""
    value = one.held.get(name)
    return None if value is None else service_text(value, one.who)


def service_text(value: Any, who: WhoIsWho) -> str:
    """Return ``ORGANISATION/TYPE`` as people call it."""
    named, organisation = service_words(str(bare(value)))
    known = who.organisation(organisation)
    return text(f"{plain(named)} ({known})", value, known)


PHRASES: Final[Mapping[str, Callable[[Group], Item | None]]] = {
    "Practitioner": practitioner,
    "Address": _address,
    "Identifier": _identifier,
    "OtherName": _other_name,
    "Organisation": _organisation,
    "PersonPresent": _present,
    "LocalEpisodeId": _local,
    "UniversalService": _universal,
    "TeamMember": _member,
    "DesiredOutcome": _goal,
    "ServiceRequest": _request,
    "ActionOwner": _owner,
}
"""Classes that are said in one phrase, by name."""
