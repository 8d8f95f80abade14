"""What the engine asks of a wire format: names, lists, constants, and how entries make one
document.

The engine knows nothing of FHIR, XML or HL7; each format in `mappings.formats` offers one `Shape`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from hub.domain.fields import Form

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """What a format says of one member of an object: its type's name, and whether it is a list."""

    type: str
    many: bool


class Piece(NamedTuple):
    """One entry of a received document: where it stands, how others refer to it, what it is."""

    path: str
    addresses: tuple[str, ...]
    resource: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """How values of one form are written: *say* to the wire, *hear* back.

    *say* returns None where the format has no word for the value; *hear* raises ``ValueError`` for
    what is no value of the form.
    """

    say: Callable[[Any], Any]
    hear: Callable[[Any], Any]


@runtime_checkable
class Drafting(Protocol):
    """A shape whose documents are finished while they are written."""

    def settled(self, document: Any) -> Any:
        """Return the *document* that `Shape.assemble` made, finished now."""
        ...


@runtime_checkable
class Finishing(Protocol):
    """A shape with objects that look at themselves once they hold all that is said."""

    def finishes(self, kind: str) -> Callable[[dict[str, Any]], object] | None:
        """Return what changes an object of type *kind* in place when it is whole; None: nothing."""
        ...


class Shape(Protocol):
    """One wire format."""

    def member(self, kind: str, name: str) -> Member | None:
        """Return what *name* is in an object of type *kind*; raises ``ValueError`` if it is
        nothing.

        None says that the format has no definitions to check against.
        """
        ...

    def constant(self, kind: str, name: str, text: str) -> Any:
        """Return *text* as a value of the right type; raises ``ValueError``."""
        ...

    def words(self, form: Form) -> Words | None:
        """Return how values of *form* are written; None if as in the canonical tree."""
        ...

    def targets(self, kind: str, name: str) -> tuple[str, ...]:
        """Return which resources the reference *name* of *kind* may name; none means any."""
        ...

    def heading(self, resource: str) -> Mapping[str, Any]:
        """Return the constants that every resource of that name begins with."""
        ...

    def resource_of(self, resource: Mapping[str, Any]) -> str:
        """Return the name of a received resource."""
        ...

    def addresses(self, seed: str) -> Callable[[str], str]:
        """Return what turns the key of an entry into its address, the same for the same *seed*."""
        ...

    def assemble(
        self,
        envelope: dict[str, Any],
        entries: Iterable[tuple[str, dict[str, Any]]],
        address: Callable[[str], str],
    ) -> dict[str, Any]:
        """Return the document made of *envelope* and the entries with their addresses."""
        ...

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the envelope without its entries, and the entries."""
        ...
