"""CloudEvents 1.0 in structured JSON: one event, attributes beside thin data.

The document tree is the JSON object, but for ``cafconsentref``, a list there and words with spaces
on the wire, because attributes hold no lists.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import orjson

from hub.domain.fields import Form
from hub.errors import Code, Fault, InvalidContent, Malformed, Rejected
from mappings.engine.shape import Document, Member, Piece, Words
from mappings.formats.cloudevents_checks import ATTRIBUTES, faults
from mappings.formats.json_strict import parse

EVENT: Final = "CloudEvent"
DATA: Final = "data"
REFS: Final = "cafconsentref"
MOST_FAULTS: Final = 100

_KIND: Final = re.compile(r"[a-z0-9-]+(?:[.][a-z0-9-]+)*?[.]caf[.]([a-z.]+)[.]v1", re.ASCII)
_LISTS: Final = frozenset({"sections", "changed", "actions", "disregard"})
_SEQUENCE: Final = 10


class CloudEventShape:
    """The shape of one event."""

    def member(self, kind: str, name: str) -> Member | None:
        """Return what *name* is: an attribute, ``data``, or (None) something inside ``data``."""
        if kind == EVENT:
            if name != DATA and name not in ATTRIBUTES:
                raise ValueError(
                    f"a CloudEvent has no {name}; it has {', '.join(ATTRIBUTES)}, data"
                )
            return Member(DATA if name == DATA else "string", name == REFS)
        return Member("item" if name == "actions" else "value", name in _LISTS)

    def constant(self, kind: str, name: str, text: str) -> str:
        """Return *text*; raises ``ValueError`` if no such attribute is lawful."""
        if kind == EVENT and name in ATTRIBUTES and ATTRIBUTES[name][0].fullmatch(text) is None:
            raise ValueError(f"{name} is {ATTRIBUTES[name][1]}")
        return text

    def words(self, form: Form) -> Words | None:
        """Return how counts are written: ten digits that sort, a string (sequence extension)."""
        return Words(lambda count: f"{count:0{_SEQUENCE}d}", int) if form == "int" else None

    def targets(self, _kind: str, _name: str) -> tuple[str, ...]:
        """Allow any."""
        return ()

    def heading(self, _resource: str) -> Mapping[str, Any]:
        """Begin with nothing."""
        return {}

    def resource_of(self, _resource: Mapping[str, Any]) -> str:
        """Name the one event."""
        return ""

    def addresses(self, _seed: str) -> Callable[[str], str]:
        """Address an entry by its key."""
        return str

    def assemble(
        self,
        envelope: dict[str, Any],
        entries: Iterable[tuple[str, dict[str, Any]]],
        address: Callable[[str], str],
    ) -> dict[str, Any]:
        """Return the envelope; there are no entries."""
        del address
        if any(True for _ in entries):
            raise ValueError("a CloudEvent has no entries")
        return envelope

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the document as it is."""
        return document, ()


class CloudEventWire:
    """Structured CloudEvents as bytes."""

    shape = CloudEventShape()
    suffix = "json"

    def parse(self, raw: bytes) -> Document:
        """Return the event of *raw*; raises `Malformed` or `InvalidContent` with every fault."""
        event = parse(raw)
        if not isinstance(event, dict):
            fault = Fault(Code.TYPE, "", "one event, not a batch")
            raise Malformed(Code.TYPE, "an object is expected", (fault,))
        if found := tuple(islice(faults(event), MOST_FAULTS)):
            raise InvalidContent(found[0].code, f"{len(found)} faults in the CloudEvent", found)
        return {**event, REFS: event[REFS].split(" ")} if REFS in event else event

    def kind(self, document: Document) -> str:
        """Return what happened, from the type: ``episode.created``."""
        found = _KIND.fullmatch(str(document.get("type", "")))
        return "" if found is None else found[1]

    def write(self, document: dict[str, Any], *, check: bool) -> bytes:
        """Return *document* as JSON; with *check*, raises `Rejected` for what is no lawful event.

        Attributes are checked always: they travel in clear.
        """
        event = dict(document)
        if REFS in event:
            event[REFS] = " ".join(event[REFS])
        attributes = {name: value for name, value in event.items() if name != DATA}
        found = tuple(faults(event if check else attributes))
        if found:
            places = ", ".join(fault.path for fault in found[:3])
            raise Rejected(Code.MAPPING, f"the CloudEvent is not lawful at {places}", found)
        return orjson.dumps(event)
