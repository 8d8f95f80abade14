"""Plain JSON as the engine sees it: one tree, no entries, no definitions to check against."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from hub.domain.fields import Form
from hub.errors import Code, Malformed
from mappings.engine.shape import Document, Piece
from mappings.formats.json_strict import parse


class PlainJson:
    """The shape of a JSON document that is one tree."""

    def member(self, _kind: str, _name: str) -> None:
        """Know nothing: whatever the mapping names is there."""

    def constant(self, _kind: str, _name: str, text: str) -> str:
        """Return *text*."""
        return text

    def heading(self, _resource: str) -> Mapping[str, Any]:
        """Begin with nothing."""
        return {}

    def resource_of(self, _resource: Mapping[str, Any]) -> str:
        """Name the one resource."""
        return ""

    def words(self, _form: Form) -> None:
        """Write every value as the canonical tree has it: both are JSON."""

    def targets(self, _kind: str, _name: str) -> tuple[str, ...]:
        """Allow any."""
        return ()

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
            raise ValueError("a plain document has no entries")
        return envelope

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the document as it is."""
        return document, ()


class JsonWire:
    """Plain JSON as bytes."""

    shape = PlainJson()
    suffix = "json"

    def parse(self, raw: bytes) -> Document:
        """Return the object of *raw*; raises `Malformed`."""
        document = parse(raw)
        if not isinstance(document, dict):
            raise Malformed(Code.TYPE, "an object is expected")
        return document

    def kind(self, _document: Document) -> str:
        """Tell nothing apart: one content type, one mapping."""
        return ""

    def write(self, document: dict[str, Any], *, check: bool) -> bytes:
        """Return *document* as JSON; plain JSON forbids nothing that a document could hold."""
        del check
        return orjson.dumps(document)
