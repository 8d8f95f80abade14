"""What a wire format offers besides its shape: bytes to document and back, strictly.

The engine works on documents (trees of dictionaries and lists); only a wire knows bytes.
"""

from typing import Any, Protocol

from mappings.engine.shape import Document, Shape


class Wire(Protocol):
    """One wire format, whole."""

    @property
    def shape(self) -> Shape:
        """Return what the engine asks of the format's documents."""
        ...

    @property
    def suffix(self) -> str:
        """Return how files of the format end, without the dot: ``json``, ``xml``, ``hl7``."""
        ...

    def parse(self, raw: bytes) -> Document:
        """Return the document of *raw*, after every check that the format itself prescribes.

        Raises `Malformed` (not the format at all, or beyond its limits) or `InvalidContent` (with
        every fault and its position); bounded in time and memory whatever *raw* is.
        """
        ...

    def kind(self, document: Document) -> str:
        """Return what sort of message *document* is (event code, message type, root element).

        By it the mappings of one content type are told apart (their ``accepts``).
        """
        ...

    def write(self, document: dict[str, Any], *, check: bool) -> bytes:
        """Return the bytes of *document*.

        With *check*, raises `Rejected` (``E_MAPPING``, with the places) for what the format
        forbids: nothing invalid leaves.
        """
        ...
