"""Clinical documents as bytes: one XML document a child; several in one body stand side by side.

One child is one ``ClinicalDocument``.  Several children are several whole documents, each with its
own ids and its own record target, inside ``Documents`` of a namespace of ours: a receiver takes
them apart by element name, and one that expects a single document refuses rather than files one
child's data with the other's.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from hub.errors import Code, Fault, Malformed, Rejected
from mappings.engine.shape import Document
from mappings.formats import xml_tree
from mappings.formats.cda_finish import finisher
from mappings.formats.cda_schema import disagrees, fits
from mappings.formats.cda_shape import CdaShape
from mappings.formats.cda_structure import ROOT, faults, grammar
from mappings.formats.xml_build import DECLARATION, built
from mappings.formats.xml_draft import Draft
from mappings.formats.xml_grammar import Content, Grammar
from mappings.formats.xml_guard import Limits
from mappings.formats.xml_write import Writer

SEVERAL: Final = "urn:ecaf:cda:documents:1"
WRAPPER: Final = "Documents"
_TOP: Final = WRAPPER.encode()
_SPACE: Final = SEVERAL.encode()
SHOWN: Final = 3
LIMITS: Final = Limits(size=20 * 1024 * 1024)


WORDS: Final = frozenset(
    {
        *("@classCode", "@moodCode", "@typeCode", "@nullFlavor", "@xsi:type", "@use", "@scope"),
        *("@code", "@codeSystem", "@codeSystemName", "@displayName", "@styleCode"),
    }
)
"""Attributes that hold words of CDA and of code lists."""


@cache
def _writer() -> Writer:
    return Writer(grammar(), words=WORDS, disagrees=disagrees)


@cache
def _finishing() -> Writer:
    """Return the writer of drafts, which finishes what it writes."""
    return Writer(grammar(), words=WORDS, disagrees=disagrees, finisher=finisher)


def _refusal(wrong: Sequence[Fault]) -> Rejected:
    """Return why a document may not leave; the slow check has said what and where."""
    places = ", ".join(fault.path for fault in wrong[:SHOWN]) or "a place that it cannot name"
    return Rejected(Code.MAPPING, f"the document breaks CDA R2 at {places}", wrong)


class CdaWire:
    """CDA R2, written; a document of our own can be read back as structure, for comparing."""

    suffix = "xml"

    def __init__(self) -> None:
        """Make the shape."""
        self.shape = CdaShape()
        self._wrapped = Grammar(
            SEVERAL, {WRAPPER: WRAPPER}, {**grammar().types, WRAPPER: Content({})}, typed=True
        )

    def parse(self, raw: bytes) -> Document:
        """Return the documents of *raw* as trees; raises `Malformed`."""
        try:
            roots = [xml_tree.parse(raw, grammar(), LIMITS)]
        except Malformed as wrong:
            if wrong.code is not Code.CONTENT_TYPE:
                raise
            roots = list(xml_tree.parse(raw, self._wrapped, LIMITS))
            if any(root.tag != f"{{{grammar().namespace}}}{ROOT}" for root in roots):
                raise
        return {"document": [xml_tree.tree(root, grammar()) for root in roots]}

    def kind(self, _document: Document) -> str:
        """Tell nothing apart: clinical documents are only written."""
        return ""

    def write(self, document: Mapping[str, Any], *, check: bool) -> bytes:
        """Return the XML of *document*.

        Raises `Rejected` (``E_MAPPING``) where XML cannot hold it; with *check*, also for what CDA
        R2 forbids, with the places.
        """
        made = []
        for one in document["document"]:
            writer = _finishing() if isinstance(one, Draft) else _writer()
            child = built(one, ROOT, grammar(), writer)
            if check and not (child.agrees and fits(child.root)):
                raise _refusal(faults(one))
            made.append(child)
        if len(made) == 1:
            return made[0].raw
        inner = b"".join(child.text for child in made)
        return DECLARATION + b'<%b xmlns="%b">%b</%b>' % (_TOP, _SPACE, inner, _TOP)
