"""Limits on XML, kept while the text streams by and before anything is built of it.

Depth, elements, attributes, lengths (`reliability.md` 5.11); processing instructions, which are
orders to whoever reads, are refused; comments are passed over.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from hub.errors import Code, Fault, Malformed

CHUNK: Final = 64 * 1024
SCHEMA_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
MEANING: Final = frozenset({f"{{{SCHEMA_INSTANCE}}}type", f"{{{SCHEMA_INSTANCE}}}nil"})
"""Attributes that change what an element means."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything one document may hold; a *name* is counted with its namespace."""

    size: int = 5 * 1024 * 1024
    depth: int = 64
    elements: int = 100_000
    attributes: int = 32
    text: int = 1024 * 1024
    name: int = 256


DEFAULT: Final = Limits()


@dataclass(slots=True)
class _Guard:
    """What the parser tells; *known* are the element names that a path may show.

    It asks for no comments, and so is not called for them.
    """

    limits: Limits
    known: Container[str]
    typed: bool
    elements: int = 0
    names: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def start(self, tag: str, attributes: Mapping[str, str], spaces: Mapping[str, str]) -> None:
        limits = self.limits
        self.names.append(tag)
        self.lengths.append(0)
        self.elements += 1
        if self.elements > limits.elements:
            raise self.refused(Code.TOO_LARGE, f"at most {limits.elements} elements")
        if len(self.names) > limits.depth:
            raise self.refused(Code.DEPTH, f"nest at most {limits.depth} levels")
        if len(tag) > limits.name:
            raise self.refused(Code.LENGTH, f"names of at most {limits.name} characters")
        if attributes or spaces:
            self.attributes(attributes, spaces)

    def attributes(self, attributes: Mapping[str, str], spaces: Mapping[str, str]) -> None:
        limits = self.limits
        if len(attributes) + len(spaces) > limits.attributes:
            raise self.refused(Code.TOO_LARGE, f"at most {limits.attributes} attributes")
        for name, value in attributes.items():
            if len(name) > limits.name or len(value) > limits.text:
                raise self.refused(Code.LENGTH, "a shorter attribute")
            if name in MEANING and not self.typed:
                raise self.refused(Code.UNKNOWN_FIELD, "no xsi:type or xsi:nil")

    def data(self, text: str) -> None:
        self.lengths[-1] += len(text)
        if self.lengths[-1] > self.limits.text:
            raise self.refused(Code.LENGTH, f"at most {self.limits.text} characters")

    def end(self, _tag: str) -> None:
        del self.names[-1], self.lengths[-1]

    def pi(self, _target: str, _text: str | None = None) -> None:
        raise self.refused(Code.SYNTAX, "no processing instructions")

    def close(self) -> None:
        """Hand over nothing: nothing was built."""

    def refused(self, code: Code, remedy: str) -> Malformed:
        """Return the refusal at the element that is open, under names that are ours only."""
        local = (name.rpartition("}")[2] for name in self.names[: self.limits.depth])
        path = ".".join(name if name in self.known else "?" for name in local)
        fault = Fault(code, path or ".", remedy)
        return Malformed(code, "the document holds what is refused", (fault,))


def guard(raw: bytes, limits: Limits, known: Container[str], *, typed: bool = False) -> None:
    """Pass if *raw* (UTF-8) is well-formed and within *limits*; *typed* allows ``xsi:type``.

    Raises `Malformed` with the element's path (names that are not *known* are shown as ``?``), or
    with ``line:column`` where it is not well-formed.
    """
    told: Any = _Guard(limits, known, typed)
    parser = etree.XMLParser(
        target=told,
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
    )
    try:
        for at in range(0, len(raw), CHUNK):
            parser.feed(raw[at : at + CHUNK])
        parser.close()
    except etree.XMLSyntaxError as wrong:
        raise syntax(wrong) from None


_KNOWN: Final[Mapping[int, tuple[Code, str]]] = {
    etree.ErrorTypes.ERR_INVALID_CHAR: (Code.CONTROL_CHAR, "XML 1.0 has no such character"),
    etree.ErrorTypes.ERR_RESOURCE_LIMIT: (Code.DEPTH, "too deep or too long"),
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: (Code.SYNTAX, "only &amp; &lt; &gt; &quot; &apos;"),
    etree.ErrorTypes.WAR_UNDECLARED_ENTITY: (Code.SYNTAX, "only &amp; &lt; &gt; &quot; &apos;"),
    etree.ErrorTypes.ERR_ATTRIBUTE_REDEFINED: (Code.DUPLICATE_KEY, "each attribute once"),
    etree.ErrorTypes.NS_ERR_ATTRIBUTE_REDEFINED: (Code.DUPLICATE_KEY, "each attribute once"),
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: (Code.SYNTAX, "end what was begun, in its order"),
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: (Code.SYNTAX, "the document is cut short"),
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: (Code.SYNTAX, "there is no element"),
    etree.ErrorTypes.ERR_DOCUMENT_END: (Code.SYNTAX, "nothing after the root element"),
    etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: (Code.SYNTAX, "declare the prefix"),
}


def syntax(wrong: Any) -> Malformed:
    """Return the refusal for what libxml2 says; its own message quotes the input and is dropped."""
    code, remedy = _KNOWN.get(wrong.code, (Code.SYNTAX, "not well-formed"))
    line, column = (max(1, number) for number in wrong.position)
    fault = Fault(code, f"{line}:{column}", remedy)
    return Malformed(code, "the document is not well-formed", (fault,))
