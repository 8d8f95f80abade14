"""HL7 v2 as the engine sees it: a message for each child, next of kin as entries of their own.

A document is ``{"message": [...]}``.  In a message, segments are members by name, groups are nested
as the structure prescribes, and fields, components and subcomponents are members by number.

One adult stands in the message of each child that they are related to.  The rules write such an NK1
as an entry, and say by ``@message`` (a reference to the child's entry) into which message it
belongs; without one it goes into every message.  Bytes say it by where the NK1 stands.
"""

import hashlib
from base64 import b32encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from hub.domain.fields import Form
from mappings.engine.shape import Document, Member, Piece, Words
from mappings.formats.hl7v2_definitions import (
    COMPOSITES,
    EVENTS,
    NAMED,
    PRIMITIVES,
    SEGMENTS,
    VARIES,
    Group,
    structures,
)
from mappings.formats.hl7v2_read import kind_of

MESSAGE: Final = "message"
KIN: Final = "NK1"
WHICH: Final = "@message"
CONTROL_ID: Final = 20
"""Characters of MSH-10 in 2.4 (`standards.md` section 5)."""
MOST_COMPONENTS: Final = 40
_SAID: Final[Mapping[bool, str]] = {True: "Y", False: "N"}
_HEARD: Final[Mapping[str, bool]] = {"Y": True, "N": False}


class Hl7v2:
    """The shape of HL7 v2 messages."""

    def member(self, kind: str, name: str) -> Member | None:
        """Return what *name* is in *kind*: structure, group, segment or data type; raises
        ``ValueError`` if the standard has no such thing.
        """
        if kind in SEGMENTS:
            return _of_segment(kind, name)
        if kind in _GROUPS:
            return _of_group(kind, name)
        return None if kind == VARIES else _of_composite(kind, name)

    def constant(self, _kind: str, _name: str, text: str) -> str:
        """Return *text*: every constant is one."""
        return text

    def words(self, form: Form) -> Words | None:
        """Return how a truth value is written (table 0136); all else goes by data type."""
        return Words(_SAID.get, _truth) if form == "bool" else None

    def targets(self, _kind: str, _name: str) -> tuple[str, ...]:
        """Allow any."""
        return ()

    def heading(self, resource: str) -> Mapping[str, Any]:
        """Begin next of kin as belonging to every message; MSH is written by rules."""
        return {WHICH: None} if resource == KIN else {}

    def resource_of(self, resource: Mapping[str, Any]) -> str:
        """Return the structure of a message, or the name of a segment."""
        if "MSH" not in resource:
            return KIN
        return EVENTS.get(kind_of(resource["MSH"]), "")

    def addresses(self, seed: str) -> Callable[[str], str]:
        """Return what gives each message of one delivery its id (MSH-10)."""

        def control_id(key: str) -> str:
            digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
            return b32encode(digest).decode()[:CONTROL_ID]

        return control_id

    def assemble(
        self,
        envelope: dict[str, Any],
        entries: Iterable[tuple[str, dict[str, Any]]],
        address: Callable[[str], str],
    ) -> dict[str, Any]:
        """Return the messages with their ids, each with the next of kin that belong to it."""
        del address, envelope
        messages: list[dict[str, Any]] = []
        by_id: dict[str, dict[str, Any]] = {}
        kin = []
        for url, resource in entries:
            header = resource.get("MSH")
            if header is None:
                kin.append(resource)
                continue
            message = {**resource, "MSH": {**header, "10": url}}
            messages.append(message)
            by_id[url] = message
        for one in kin:
            which = one[WHICH]
            segment = one if which is not None else {n: v for n, v in one.items() if n != WHICH}
            for message in messages if which is None else [by_id[_bare(which)]]:
                message.setdefault(KIN, []).append(segment)
        return {MESSAGE: messages}

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the messages and their next of kin as pieces; nothing else is in a document."""
        pieces: list[Piece] = []
        kin: list[list[Piece]] = []
        for position, message in enumerate(document.get(MESSAGE, ())):
            path = f"{MESSAGE}[{position}]"
            name = str(message["MSH"].get("10", ""))
            rest = {key: value for key, value in message.items() if key != KIN}
            pieces.append(Piece(path, (name,), rest))
            kin.append(
                [
                    Piece(f"{path}.{KIN}[{number}]", (), {WHICH: name, **segment})
                    for number, segment in enumerate(message.get(KIN, ()))
                ]
            )
        pieces += _in_one_order(kin)
        return {}, pieces


def _bare(value: Any) -> Any:
    """Return a reference as it is, also where the rendering is recorded."""
    return getattr(value, "value", value)


def _truth(value: Any) -> bool:
    if value not in _HEARD:
        raise ValueError("Y or N")
    return _HEARD[value]


def _in_one_order(kin: Sequence[Sequence[Piece]]) -> Iterator[Piece]:
    """Yield the next of kin of all messages so that those of each keep their order.

    The same adult stands in several messages; who comes first in one must not come second in the
    list of all.
    """
    known: dict[str, list[Piece]] = {}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for pieces in kin:
        before: str | None = None
        for piece in pieces:
            who = str(piece.resource.get("33") or piece.path)
            known.setdefault(who, []).append(piece)
            sorter.add(who, *(() if before in {None, who} else (str(before),)))
            before = who
    try:
        order = list(sorter.static_order())
    except CycleError:
        order = list(known)  # messages of strangers that contradict each other
    for who in order:
        yield from known[who]


# Definitions


def _collected() -> dict[str, Group]:
    """Return every structure and every group in one, by the path of names that leads to it."""
    found: dict[str, Group] = {}

    def visit(path: str, group: Group) -> None:
        found[path] = group
        for name, inner in group.members.items():
            if inner is not None:
                visit(f"{path}/{name}", inner)

    for name, structure in structures().items():
        visit(name, structure)
    return found


_GROUPS: Final = _collected()


def _of_group(kind: str, name: str) -> Member:
    group = _GROUPS[kind]
    if name in group.members:
        inner = group.members[name]
        return Member(name if inner is None else f"{kind}/{name}", name in group.many)
    if name.startswith("Z"):
        return Member(VARIES, many=True)  # a segment of the partner's own
    raise ValueError(f"{kind} has no {name}: {', '.join(group.members)}")


def _of_segment(kind: str, name: str) -> Member:
    if name == WHICH and kind == KIN:
        return Member("ST", many=False)
    fields = SEGMENTS[kind]
    if not name.isdecimal() or not 1 <= int(name) <= len(fields):
        raise ValueError(f"{kind} has the fields 1 to {len(fields)}, not {name}")
    one = fields[int(name) - 1]
    return Member(one.type, one.many)


def _of_composite(kind: str, name: str) -> Member:
    named = NAMED.get(kind, {}).get(name)
    if named is not None:
        return Member(*named)
    kinds = COMPOSITES.get(kind, "").split()
    most = len(kinds) or MOST_COMPONENTS
    if kind in PRIMITIVES or not name.isdecimal() or not 1 <= int(name) <= most:
        known = [*NAMED.get(kind, ()), f"1 to {most}"]
        has = "no components" if kind in PRIMITIVES else f"the components {', '.join(known)}"
        raise ValueError(f"{kind} has {has}, not {name}")
    return Member(kinds[int(name) - 1] if kinds else "ST", many=False)
