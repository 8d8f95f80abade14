"""What every published artefact begins with."""

import re
from dataclasses import dataclass
from typing import Any, Final

VERSION: Final = "1.0.0"
DATE: Final = "2026-01-01"
PUBLISHER: Final = "eCAF hub"


@dataclass(frozen=True, slots=True)
class Stamp:
    """The canonical base of a site, under which everything of it is published."""

    base: str

    def head(self, resource: str, name: str, title: str, description: str) -> dict[str, Any]:
        """Return the beginning of an artefact whose id is *name*."""
        return {
            "resourceType": resource,
            "id": name,
            "url": self.url(resource, name),
            "version": VERSION,
            "name": computable(name),
            "title": title,
            "status": "active",
            "experimental": False,
            "date": DATE,
            "publisher": PUBLISHER,
            "description": description,
        }

    def url(self, resource: str, name: str) -> str:
        """Return the canonical url of an artefact."""
        return f"{self.base}/{resource}/{name}"

    def name_of(self, url: str, resource: str) -> str | None:
        """Return the id in a canonical *url* of ours; None if it is somebody else's."""
        prefix = f"{self.base}/{resource}/"
        return url.removeprefix(prefix).partition("|")[0] if url.startswith(prefix) else None


def computable(name: str) -> str:
    """Return *name* as FHIR wants names that programs use (``[A-Z][A-Za-z0-9_]*``).

    >>> computable("caf-message-event")
    'CafMessageEvent'
    """
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    return "".join(word[:1].upper() + word[1:] for word in words)


SHORT: Final = {
    "aka": "also known as",
    "caf": "CAF",
    "dob": "date of birth",
    "ehc": "EHC",
    "id": "identifier",
    "la": "LA",
    "sen": "SEN",
    "tel": "telephone",
    "uprn": "UPRN",
}


def words(name: str) -> str:
    """Return a code or id as words for people.

    >>> words("lead-professional"), words("has_ehc_plan")
    ('Lead professional', 'Has EHC plan')
    """
    parts = re.split(r"[-_. ]+", name.strip())
    said = " ".join(SHORT.get(part, part) for part in parts)
    return said[:1].upper() + said[1:]
