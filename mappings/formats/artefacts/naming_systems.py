"""NamingSystems: one for every identifier system of ours."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.domain.codes import code_list
from mappings.engine.catalogue import Format
from mappings.formats.artefacts import mentions
from mappings.formats.artefacts.stamp import DATE, PUBLISHER, Stamp, computable, words

IDENTIFIERS: Final = "Id"
ABOUT: Final[Mapping[str, str]] = {
    "local": "Local episode numbers of partners' own systems: each has a system of its own below.",
    "caf-episode": "CAF episodes, opaque; never made from an identifier of a child.",
    "caf-index-ref": "References by which the child index knows an entry; they lead to no episode.",
    "dfe-la-code": "Local authorities by their three-digit DfE code.",
    "caf-service": "Services that consent names: organisation and service type.",
}


def naming_systems(ones: Sequence[Format], stamp: Stamp) -> Iterator[dict[str, Any]]:
    """Yield a NamingSystem for every identifier system of ours that the mappings write or read."""
    for name in sorted(identifier_systems(ones, stamp)):
        yield {
            "resourceType": "NamingSystem",
            "id": name,
            "name": computable(name),
            "status": "active",
            "kind": "identifier",
            "date": DATE,
            "publisher": PUBLISHER,
            "description": ABOUT.get(name) or f"{_title(name)}.",
            "uniqueId": [{"type": "uri", "value": stamp.url(IDENTIFIERS, name), "preferred": True}],
        }


def identifier_systems(ones: Sequence[Format], stamp: Stamp) -> set[str]:
    """Return the names of the identifier systems of ours."""
    found: set[str] = set()
    for one in ones:
        said = [system for system, _ in mentions.systems(one)]
        for place in mentions.places(one):
            for rule in place.rules:
                if rule.codes is not None:
                    said += [row.wire for row in rule.codes.rows]
                if rule.prefix is not None:
                    said.append(rule.prefix.rstrip("/"))
        names = (stamp.name_of(system, IDENTIFIERS) for system in said)
        found |= {name for name in names if name}
    return found


def _title(name: str) -> str:
    known = code_list("CL-25").codes
    bare = name.removeprefix("dfe-").removeprefix("caf-")
    return known[bare].display if bare in known else words(name)
