"""XML as the engine sees it: one tree whose members, and how often they stand, a schema says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from hub.domain.fields import Form
from mappings.engine.shape import Document, Member, Piece, Words
from mappings.formats.xml_grammar import Grammar

FREE: Final[frozenset[Form]] = frozenset({"string", "text"})
"""Forms whose white space is part of what was said."""


def _number(text: Any) -> int:
    if not isinstance(text, str) or not text.strip().isascii() or not text.strip().isdigit():
        raise ValueError("not a number")
    return int(text.strip())


def _truth(text: Any) -> bool:
    known = {"true": True, "false": False}
    if not isinstance(text, str) or text.strip() not in known:
        raise ValueError("not true or false")
    return known[text.strip()]


def _token(text: Any) -> str:
    """Return *text* as a schema's token type has it: without white space around it."""
    if not isinstance(text, str):
        raise ValueError("not a plain value")  # noqa: TRY004  every fault of a value is one kind
    return text.strip(" \t\r\n")


def _same(value: Any) -> Any:
    return value


_WORDS: Final[Mapping[Form, Words]] = {
    "int": Words(str, _number),
    "bool": Words(lambda value: "true" if value else "false", _truth),
}
_TOKEN: Final = Words(_same, _token)


class XmlShape:
    """The shape of documents of one grammar; there are no entries."""

    def __init__(self, grammar: Grammar) -> None:
        """Check mappings against *grammar*."""
        self._grammar = grammar

    def member(self, kind: str, name: str) -> Member | None:
        """Return what *name* is in *kind*; raises ``ValueError`` if the schema has no such place.

        None where the schema allows anything.
        """
        content = self._grammar.types.get(self._grammar.roots.get(kind, kind))
        if content is None:
            raise ValueError(f"{kind} holds text only: it has no {name}")
        member = content.members.get(name)
        if member is not None:
            return member
        if content.open:
            return None
        raise ValueError(f"{kind} has no {name}; it has {', '.join(content.members)}")

    def constant(self, _kind: str, _name: str, text: str) -> str:
        """Return *text*; whether the schema allows it is seen when the document is validated."""
        return text

    def words(self, form: Form) -> Words | None:
        """Return how values of *form* are written: as XML Schema's own types write them."""
        return None if form in FREE else _WORDS.get(form, _TOKEN)

    def targets(self, _kind: str, _name: str) -> tuple[str, ...]:
        """Allow any."""
        return ()

    def heading(self, _resource: str) -> Mapping[str, Any]:
        """Begin with nothing."""
        return {}

    def resource_of(self, _resource: Mapping[str, Any]) -> str:
        """Name the one resource."""
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
            raise ValueError("an XML document has no entries")
        return envelope

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the document as it is."""
        return document, ()
