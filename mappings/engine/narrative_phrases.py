"""Phrases: what people say in one breath: a person with her role, an address, a number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.domain.dictionary import Node
from mappings.engine.marks import bare
from mappings.engine.narrative_labels import BRIEF, label
from mappings.engine.narrative_text import Item, Text, WhoIsWho, joined, plain
from mappings.engine.narrative_words import identifier_words, service_words, words


@dataclass(slots=True)
class Group:
    """One object of the canonical tree, with what the dictionary says of its members; never
    changed.
    """

    node: Node
    held: Mapping[str, Any]
    who: WhoIsWho

    @property
    def kind(self) -> str:
        """Return the name of the class."""
        return "" if self.node.type is None else self.node.type.__name__

    def text(self, name: str) -> Text | None:
        """Return the value of the leaf *name* in words; None if it is not there."""
        value = self.held.get(name)
        node = self.node.children[name]
        if value is None or node.leaf is None:
            return None
        if isinstance(value, (list, tuple)):
            return joined([Text(words(node.leaf, bare(one)), (one,)) for one in value])
        return Text(words(node.leaf, bare(value)), (value,))

    def texts(self, *names: str) -> list[Text]:
        """Return the values of the leaves *names* that are there."""
        return [text for name in names if (text := self.text(name)) is not None]

    def labelled(self, *names: str) -> list[Text]:
        """Return ``Label: value`` of the leaves *names* that are there."""
        return [
            Text(f"{label(self.kind, name).text}: {text.said}", text.sources)
            for name in names
            if (text := self.text(name)) is not None
        ]

    def group(self, name: str) -> "Group | None":
        """Return the object *name*; None if it is not there."""
        held = self.held.get(name)
        return None if not held else Group(self.node.children[name], held, self.who)

    def groups(self, name: str) -> "list[Group]":
        """Return the items of the list *name*."""
        node = self.node.children[name]
        return [Group(node, held, self.who) for held in self.held.get(name) or ()]


def _bracketed(text: Text | None, within: list[Text]) -> Text | None:
    aside = joined(within)
    if text is None or aside is None:
        return text or aside
    return Text(f"{text.said} ({aside.said})", (*text.sources, *aside.sources))


def _lines(text: Text | None, detail: list[Text]) -> Item | None:
    if text is None:
        return Item((detail[0],), tuple(detail[1:])) if detail else None
    return Item((text,), tuple(detail))


def _practising(one: Group, *, brief: bool) -> tuple[list[Text], list[Text]]:
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
    known = {name: value for name, value in one.held.items() if name in BRIEF}
    said, _detail = _practising(Group(one.node, known, one.who), brief=True)
    return _lines(joined(said, once=True), [])


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
        said = Text(identifier_words(str(bare(system)), str(bare(value))), (value, system))
    return _lines(said, one.labelled("verified", "valid_from", "valid_to"))


def _other_name(one: Group) -> Item | None:
    return _lines(_bracketed(one.text("name"), one.texts("use")), [])


def _organisation(one: Group) -> Item | None:
    numbers = [
        Text(f"{kind.said}: {number.said}", (*kind.sources, *number.sources))
        for inner in one.groups("identifiers")
        if (item := _identifier(inner)) is not None and (kind := inner.text("system")) is not None
        for number in item.text
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
        [*one.labelled("contact_tel"), *(() if where is None else (*where.text, *where.detail))],
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
    parts = [*(item.text if item else ()), *([name] if name else [])]
    asked = service(one, "service")
    whole = joined(parts)
    if whole is None or asked is None:
        return _lines(whole or asked, [])
    known = set(whole.said.split(", "))
    if all(word in known for word in asked.said.removesuffix(")").split(" (")):
        return Item((Text(whole.said, (*whole.sources, *asked.sources)),))
    return _lines(whole, [asked])


def service(one: Group, name: str) -> Text | None:
    """Return the service that the leaf *name* names, with its organisation."""
    value = one.held.get(name)
    return None if value is None else service_text(value, one.who)


def service_text(value: Any, who: WhoIsWho) -> Text:
    """Return ``ORGANISATION/TYPE`` as people call it."""
    kind, organisation = service_words(str(bare(value)))
    known = who.organisation(organisation)
    return Text(f"{plain(kind).said} ({known.said})", (value, *known.sources[:-1]))


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
