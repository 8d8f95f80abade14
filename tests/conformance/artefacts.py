"""What the hub publishes about its FHIR messages: given to HAPI to judge by, and judged itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mappings.commands import translator
from mappings.formats.artefacts.publish import artefacts, write
from tests.conformance.documents import Document

BASE: Final = "https://ecaf.example/fhir"
"""The canonical base of the golden documents: the one that mappings have as they are shipped."""


def publish(folder: Path) -> None:
    """Write the artefacts of the shipped mappings to *folder*, as ``ecaf publish fhir`` does."""
    write(artefacts(translator().catalogue.formats, BASE), folder)


def published(folder: Path) -> Iterator[Document]:
    """Yield the artefacts of *folder* as documents."""
    for file in sorted(folder.rglob("*.json")):
        yield Document(f"artefact/{file.relative_to(folder)}", "fhir-r4", file)
