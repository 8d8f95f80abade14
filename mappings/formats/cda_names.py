"""Names for OIDs: mappings write ``CL-02`` or ``nhs-number``, documents say the OID.

Read from ``cda_r2_oids.csv``.  OIDs of HL7 and the NHS are theirs.  Ours stand below
``2.25.<UUID>``, the arc that anybody may use without asking (ITU-T X.667); arcs are never reused.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from hub.domain.codes import code_list, list_ids
from mappings.engine.narrative_labels import labels

LISTS: Final[Mapping[str, str]] = {"caf-sections": "sections"}
"""Code lists whose name was taken."""

DISPLAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "confidentiality": {"R": "restricted"},
    "administrative-gender": {"M": "Male", "F": "Female", "UN": "Undifferentiated"},
    "documents": {"CAF": "Common Assessment Framework episode"},
    "functions": {"lead-professional": "Lead professional"},
}


@dataclass(frozen=True, slots=True)
class Named:
    """One OID with its name and title."""

    name: str
    oid: str
    title: str


@cache
def names() -> Mapping[str, Named]:
    """Return every OID by its name."""
    source = files("mappings.formats").joinpath("cda_r2_oids.csv")
    rows = csv.DictReader(source.read_text("utf-8").splitlines())
    return MappingProxyType({row["name"]: Named(**row) for row in rows})


@cache
def _fields() -> Mapping[str, str]:
    """Return what people call the members that stand as observations and acts of their own."""
    found: dict[str, str] = {}
    for (_kind, name), entry in labels().items():
        if entry.text:
            found.setdefault(name, entry.text)
    return found


@cache
def display(system: str, code: str) -> str | None:
    """Return what people call *code* of the system of that name; None if nobody knows."""
    listed = LISTS.get(system, system)
    if system == "fields":
        return _fields().get(code)
    if system in DISPLAYS:
        return DISPLAYS[system].get(code)
    if listed not in list_ids():
        return None
    known = code_list(listed).codes.get(code)
    return None if known is None else known.display
