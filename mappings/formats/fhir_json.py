"""FHIR R4 in JSON as the engine sees it: element definitions, entries with ``urn:uuid`` addresses,
a Bundle.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from hub.domain.fields import Form
from mappings.engine.shape import Document, Member, Piece
from mappings.formats.fhir_periods import told_apart
from mappings.formats.fhir_r4_definitions import primitive, types

NAMESPACE: Final = uuid.UUID("6d1f4b0e-5c0a-5e0c-9a53-6f1f0b7c2e11")
"""The root under which every delivery's addresses are derived (UUID version 5)."""

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _named(namespace: bytes, name: str) -> bytes:
    """Return the UUID (version 5) of *name* in *namespace*, as bytes (RFC 9562, 5.5)."""
    made = bytearray(hashlib.sha1(namespace + name.encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


class FhirJson:
    """The shape of a FHIR R4 message Bundle."""

    def member(self, kind: str, name: str) -> Member:
        """Return what *name* is in *kind*; raises ``ValueError`` if FHIR R4 has no such element."""
        elements = types().get(kind)
        if elements is None:
            raise ValueError(f"FHIR {kind} is not among the types in use")
        element = elements.get(name)
        if element is None:
            raise ValueError(f"FHIR {kind} has no {name}")
        return Member(element.type, element.many)

    def constant(self, kind: str, name: str, text: str) -> Any:
        """Return *text* as FHIR's type of the element has it; raises ``ValueError``."""
        element = types()[kind][name]
        if element.codes and text not in element.codes:
            raise ValueError(f"{kind}.{name} must be one of {', '.join(element.codes)}")
        if element.type == "boolean":
            if text not in {"true", "false"}:
                raise ValueError(f"{kind}.{name} is true or false")
            return text == "true"
        if element.type in {"integer", "positiveInt", "unsignedInt"}:
            return int(text)
        if not primitive(element.type):
            raise ValueError(f"{kind}.{name} is an object, not a value")
        return text

    def heading(self, resource: str) -> Mapping[str, Any]:
        """Return what every resource of that type begins with."""
        return {"resourceType": resource}

    def resource_of(self, resource: Mapping[str, Any]) -> str:
        """Return the type of a resource."""
        return str(resource.get("resourceType", ""))

    def words(self, _form: Form) -> None:
        """Write every value as the canonical tree has it: both are JSON."""

    def finishes(self, kind: str) -> Callable[[dict[str, Any]], object] | None:
        """Return what is done last to a Period: two ends that R4 cannot compare are told apart."""
        return told_apart if kind == "Period" else None

    def targets(self, kind: str, name: str) -> tuple[str, ...]:
        """Return which resources the reference *name* of *kind* may name; none means any."""
        return types()[kind][name].targets

    def addresses(self, seed: str) -> Callable[[str], str]:
        """Return what makes ``urn:uuid`` addresses (UUID version 5) that are fixed by *seed*."""
        start = hashlib.sha1(_named(NAMESPACE.bytes, seed), usedforsecurity=False)

        def address(key: str) -> str:
            state = start.copy()
            state.update(key.encode())
            d = state.hexdigest()
            return f"urn:uuid:{d[:8]}-{d[8:12]}-5{d[13:16]}-{_VARIANT[d[16]]}{d[17:20]}-{d[20:32]}"

        return address

    def assemble(
        self,
        envelope: dict[str, Any],
        entries: Iterable[tuple[str, dict[str, Any]]],
        address: Callable[[str], str],
    ) -> dict[str, Any]:
        """Return the Bundle; its first entry is the first entry of the mapping (bdl-12).

        What is no Bundle stands by itself, and gets its id from whoever keeps it.  A Bundle's id is
        fixed by the delivery and says nothing else, so that reading passes it over.
        """
        if envelope["resourceType"] != "Bundle":
            return envelope
        envelope["id"] = address("bundle").removeprefix("urn:uuid:")
        envelope["entry"] = [{"fullUrl": url, "resource": resource} for url, resource in entries]
        return envelope

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the Bundle without its entries, and the entries with every address they go by."""
        pieces = []
        for position, entry in enumerate(document.get("entry", ())):
            resource = entry.get("resource", {})
            addresses: tuple[str, ...] = (entry["fullUrl"],) if "fullUrl" in entry else ()
            if "id" in resource:
                addresses += (f"{resource.get('resourceType')}/{resource['id']}",)
            pieces.append(Piece(f"entry[{position}].resource", addresses, resource))
        return {
            name: value for name, value in document.items() if name not in {"entry", "id"}
        }, pieces
