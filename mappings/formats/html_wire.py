"""The readable document as bytes: HTML5, self-contained, well-formed.

Written only.  `parse` takes back what `write` made, as structure, so that documents can be compared
and so that whoever checks one sees that it is well-formed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from lxml import etree

from hub.domain.fields import Form
from hub.errors import Code, Fault, Malformed, Rejected
from mappings.engine.narrative_words import settled
from mappings.engine.shape import Document, Piece, Words
from mappings.formats.html_page import page
from mappings.formats.xml_guard import Limits, guard

DOCTYPE: Final = b"<!DOCTYPE html>\n"
LIMITS: Final = Limits(size=20 * 1024 * 1024)


def _unread(_value: Any) -> Any:
    raise ValueError("HTML documents are only written")


_TEXT: Final = Words(lambda value: settled(str(value)), _unread)


class HtmlShape:
    """The shape of the readable document: children's names, and sections with blocks."""

    def member(self, _kind: str, _name: str) -> None:
        """Know nothing: the page takes ``child`` and ``section``."""

    def constant(self, _kind: str, _name: str, text: str) -> str:
        """Return *text*."""
        return text

    def heading(self, _resource: str) -> Mapping[str, Any]:
        """Begin with nothing."""
        return {}

    def resource_of(self, _resource: Mapping[str, Any]) -> str:
        """Name the one document."""
        return ""

    def words(self, form: Form) -> Words | None:
        """Return text made harmless."""
        return _TEXT if form in {"string", "text"} else None

    def targets(self, _kind: str, _name: str) -> tuple[str, ...]:
        """Allow any."""
        return ()

    def addresses(self, _seed: str) -> Callable[[str], str]:
        """Address nothing."""
        return str

    def assemble(
        self,
        envelope: dict[str, Any],
        entries: Iterable[tuple[str, dict[str, Any]]],
        address: Callable[[str], str],
    ) -> dict[str, Any]:
        """Return the document without sections that hold nothing but their heading."""
        del address
        if any(True for _ in entries):
            raise ValueError("a page has no entries")
        told = [one for one in envelope.get("section") or () if "text" in one]
        return {**envelope, "section": told}

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the document as it is."""
        return document, ()


class HtmlWire:
    """HTML5 in UTF-8."""

    shape = HtmlShape()
    suffix = "html"

    def parse(self, raw: bytes) -> Document:
        """Return the elements of a page of ours; raises `Malformed` for anything else."""
        if not raw.startswith(DOCTYPE):
            raise _other("1:1", "a page of this hub begins with <!DOCTYPE html>")
        body = raw.removeprefix(DOCTYPE)
        try:
            body.decode()
        except UnicodeDecodeError as wrong:
            raise _other(f"byte {wrong.start}", "UTF-8") from None
        guard(body, LIMITS, frozenset({"html", "head", "body"}))
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        if root.tag != "html":
            raise _other("2:1", "the root element is html")
        return {"html": _node(root)}

    def kind(self, _document: Document) -> str:
        """Tell nothing apart: pages are only written."""
        return ""

    def write(self, document: Mapping[str, Any], *, check: bool) -> bytes:
        """Return the page; with *check*, raises `Rejected` (``E_MAPPING``) if it says nothing."""
        if check and not document.get("section"):
            fault = Fault(Code.MAPPING, "section", "nothing of this episode may be shown in words")
            raise Rejected(Code.MAPPING, f"section: {fault.remedy}", (fault,))
        raw: bytes = etree.tostring(page(document), encoding="UTF-8", xml_declaration=False)
        return DOCTYPE + raw + b"\n"


def _other(where: str, remedy: str) -> Malformed:
    return Malformed(Code.SYNTAX, "not a page of ours", (Fault(Code.SYNTAX, where, remedy),))


def _node(element: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"tag": element.tag, **{f"@{k}": v for k, v in element.attrib.items()}}
    if element.text:
        made["text"] = element.text
    if len(element):
        made["inside"] = [_node(one) for one in element]
    return made
