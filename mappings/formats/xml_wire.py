"""XML documents of one schema as bytes, validated on the way in and on the way out."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from hub.errors import Code, InvalidContent, Rejected
from mappings.engine.shape import Document
from mappings.formats import xml_tree
from mappings.formats.xml_build import built
from mappings.formats.xml_grammar import Grammar, read_grammar
from mappings.formats.xml_guard import DEFAULT, Limits
from mappings.formats.xml_schema import Schema
from mappings.formats.xml_shape import XmlShape

SHOWN: Final = 3
"""Places named in the text of a refusal; its faults hold them all."""


class XmlWire:
    """One XML format: the schema in *file*, whose documents stand in the element *root*."""

    suffix = "xml"

    def __init__(
        self,
        file: Path,
        root: str,
        *,
        prefixes: Mapping[str, str] = MappingProxyType({}),
        typed: bool = False,
        limits: Limits = DEFAULT,
    ) -> None:
        """Read the grammar; the validator is compiled when it is first wanted."""
        self.grammar: Grammar = read_grammar(file, prefixes, typed=typed)
        self.shape = XmlShape(self.grammar)
        self._file, self._root, self._limits = file, root, limits

    @cached_property
    def schema(self) -> Schema:
        """Return the validator."""
        return Schema(self._file, self.grammar)

    def parse(self, raw: bytes) -> Document:
        """Return the document tree of *raw*; raises `Malformed` or `InvalidContent`."""
        root = xml_tree.parse(raw, self.grammar, self._limits)
        if faults := self.schema.faults(root):
            raise InvalidContent(faults[0].code, f"{len(faults)} faults in the document", faults)
        return xml_tree.tree(root, self.grammar)

    def kind(self, _document: Document) -> str:
        """Tell nothing apart: one content type, one mapping."""
        return ""

    def write(self, document: dict[str, Any], *, check: bool) -> bytes:
        """Return *document* as XML, children in the schema's order.

        Raises `Rejected` where XML cannot hold it; with *check*, also where the schema forbids it.
        """
        made = built(document, self._root, self.grammar)
        if check and (faults := self.schema.faults(made.root)):
            places = ", ".join(fault.path for fault in faults[:SHOWN])
            raise Rejected(Code.MAPPING, f"the document breaks its schema at {places}", faults)
        return made.raw
