"""Document tree to XML, written fast, then read back by lxml.

`mappings.formats.xml_write` puts the text together; lxml parses it, so that what leaves is what the
library accepts, and whatever it does not accept is looked for again, slowly, to say where it
stands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from lxml import etree

from hub.errors import Code, Fault, Rejected
from mappings.formats.xml_draft import Draft, Script, unfolded
from mappings.formats.xml_grammar import CONTENT, Grammar
from mappings.formats.xml_guard import SCHEMA_INSTANCE
from mappings.formats.xml_text import unlawful
from mappings.formats.xml_write import TYPE, Unwritable, Writer, Written

Node = Any
INSTANCE: Final = {"xsi": SCHEMA_INSTANCE}
"""The prefix that a typed grammar needs."""

DECLARED: Final = "<?xml version='1.0' encoding='UTF-8'?>\n"
DECLARATION: Final = DECLARED.encode()
_PARSER: Final = {
    "encoding": "utf-8",
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "collect_ids": False,  # nobody looks elements up by id, and the table costs as much as parsing
}


@dataclass(frozen=True, slots=True)
class Built:
    """A document as bytes (UTF-8, declared, no white space added), and as the element that lxml
    makes of it.

    *agrees*: no element contradicts itself, as far as the writer was told what that is.
    """

    raw: bytes
    root: Any
    agrees: bool

    @property
    def text(self) -> bytes:
        """Return the bytes without their declaration."""
        return self.raw.removeprefix(DECLARATION)


def element(document: Mapping[str, Node], root: str, grammar: Grammar) -> Any:
    """Return the element *root* made of *document*; raises as `built`."""
    return built(document, root, grammar).root


def built(
    document: Mapping[str, Node] | Script, root: str, grammar: Grammar, writer: Writer | None = None
) -> Built:
    """Return *document* as the element *root*, written by *writer* or one without a mind.

    Raises `Rejected` (``E_MAPPING``) with the path of what the schema has no place for and of text
    that XML cannot hold.
    """
    kind = grammar.roots[root]
    try:
        if isinstance(document, Script):
            texts, agrees = document.texts, document.agrees
        else:
            out = Written()
            out.context = document.context if isinstance(document, Draft) else None
            (writer or _writer(grammar)).put(document, kind, f"<{root}", f"</{root}>", out)
            texts, agrees = out, out.agrees
        spaces = [f' xmlns="{grammar.namespace}"']
        spaces += [
            f' xmlns:{name}="{uri}"'
            for name, uri in grammar.prefixes.items()
            if any(f" {name}:" in one or f"<{name}:" in one for one in texts)
        ]
        first, at = texts[0], len(root) + 1
        # Joined once: a copy of a long text costs as much as a tenth of writing it.
        begin = (DECLARED, first[:at], *spaces, first[at:])
        raw = "".join((*begin, *texts[1:])).encode()
        made = etree.fromstring(raw, etree.XMLParser(**_PARSER))
    except (Unwritable, UnicodeEncodeError, etree.XMLSyntaxError, TypeError):
        # A type error: an object stands where a word belongs, and cannot be looked up.
        raise _refusal(document, kind, grammar) from None
    return Built(raw, made, agrees)


@cache
def _writer(grammar: Grammar) -> Writer:
    return Writer(grammar)


def _refusal(document: Mapping[str, Node] | Script, kind: str, grammar: Grammar) -> Rejected:
    path, why = next(_wrong(unfolded(document), kind, grammar, ""), ("", "XML cannot hold it"))
    return Rejected(Code.MAPPING, f"{path}: {why}", (Fault(Code.MAPPING, path, why),))


def _wrong(value: Node, kind: str, grammar: Grammar, path: str) -> Iterator[tuple[str, str]]:
    """Yield where *value* holds what cannot be written, and why."""
    if isinstance(value, Mapping):
        content = grammar.types.get(str(value.get(TYPE, kind)))
        for name, held in value.items():
            member = None if content is None else content.members.get(name)
            here = f"{path}.{name}" if path else name
            if name == CONTENT and content is not None and content.mixed:
                for position, part in enumerate(held):
                    yield from _wrong(part, kind, grammar, f"{here}[{position}]")
            elif content is not None and member is None and name != TYPE:
                yield here, "the schema has no such place"
            elif member is not None and isinstance(held, list | tuple) and not member.many:
                yield here, "the schema has it once only"
            else:
                yield from _wrong(held, "" if member is None else member.type, grammar, here)
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _wrong(item, kind, grammar, f"{path}[{position}]")
    elif isinstance(value, str):
        if unlawful(value) is not None:
            yield path, "it holds a character that XML 1.0 cannot hold"
    elif value is not None and not isinstance(value, bool | int):
        yield path, "it is neither text nor a number"
