"""MessageDefinitions, one for every event, and the CapabilityStatement that lists them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mappings.engine.catalogue import Format
from mappings.engine.tree import Listed, Object
from mappings.formats.artefacts import mentions
from mappings.formats.artefacts.stamp import Stamp, words

HEADER: Final = "MessageHeader"
CONTENT: Final = "fhir-r4/episode"
TOLD: Final = frozenset({"fhir-r4/notification"})
"""Mappings whose messages tell of something and change nothing at the receiver by themselves."""


@dataclass(slots=True)
class Event:
    """One event: what its message is about, and which way it goes."""

    code: str
    focus: set[str] = field(default_factory=set)
    written: bool = False
    read: bool = False
    changes: bool = False


def events(ones: Sequence[Format]) -> dict[str, Event]:
    """Return every event that the mappings write or read."""
    found: dict[str, Event] = {}
    for one in ones:
        direction, accepts = one.written.direction, set(one.written.accepts)
        for entry, top in mentions.plans(one):
            if entry.resource.name != HEADER:
                continue
            for code in _codes(top):
                if accepts and code not in accepts and direction == "in":
                    continue
                event = found.setdefault(code, Event(code))
                event.focus |= _focus(one, top)
                event.written = event.written or direction != "in"
                event.read = event.read or direction != "out"
                event.changes = event.changes or one.name not in TOLD
    return found


def _codes(header: Object) -> list[str]:
    coding = header.fields.get("eventCoding")
    return mentions.code_of(coding) if isinstance(coding, Object) else []


def _focus(one: Format, header: Object) -> set[str]:
    """Return the types of the resources that the message is about."""
    listed = header.fields.get("focus")
    names = [
        name
        for part in (listed.parts if isinstance(listed, Listed) else ())
        if part.rule is not None
        for name in part.rule.refer_all
    ]
    return {one.written.entries[name].resource.name for name in names}


def message_definitions(ones: Sequence[Format], stamp: Stamp) -> Iterator[dict[str, Any]]:
    """Yield the MessageDefinition of every event."""
    for code, event in sorted(events(ones).items()):
        made = {
            **stamp.head("MessageDefinition", code, words(code), f"A message {words(code)}."),
            "eventCoding": {"system": stamp.url("CodeSystem", "caf-message-event"), "code": code},
            "category": "consequence" if event.changes else "notification",
            "responseRequired": "never",
        }
        if event.focus:
            made["focus"] = [{"code": kind, "min": 0, "max": "*"} for kind in sorted(event.focus)]
        yield made


def capability_statement(ones: Sequence[Format], stamp: Stamp) -> dict[str, Any]:
    """Return what a hub can send and take."""
    supported = []
    for code, event in sorted(events(ones).items()):
        definition = stamp.url("MessageDefinition", code)
        if event.written:
            supported.append({"mode": "sender", "definition": definition})
        if event.read:
            supported.append({"mode": "receiver", "definition": definition})
    return {
        **stamp.head(
            "CapabilityStatement",
            "ecaf-hub",
            "eCAF hub",
            "The FHIR R4 messages of an eCAF hub, written and read.",
        ),
        "kind": "requirements",
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "messaging": [
            {
                "documentation": "Bundles of type message; what the receiver cannot understand is "
                "named in the receipt, never dropped in silence.",
                "supportedMessage": supported,
            }
        ],
    }
