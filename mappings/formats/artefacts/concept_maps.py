"""ConceptMaps: every code table that a FHIR mapping uses, from our codes to the others'."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mappings.concept_map import concept_map
from mappings.engine.canonical import all_leaves
from mappings.engine.catalogue import Format
from mappings.engine.model import Rule
from mappings.engine.tables import Table
from mappings.engine.tree import Constant
from mappings.formats.artefacts import mentions
from mappings.formats.artefacts.mentions import Place
from mappings.formats.artefacts.stamp import Stamp, words

HL7: Final = "http://hl7.org/fhir"
CODES: Final[Mapping[str, str]] = {
    "Address.use": f"{HL7}/address-use",
    "Consent.provision.type": f"{HL7}/consent-provision-type",
    "Consent.status": f"{HL7}/consent-state-codes",
    "EpisodeOfCare.status": f"{HL7}/episode-of-care-status",
    "HumanName.use": f"{HL7}/name-use",
    "MessageHeader.response.code": f"{HL7}/response-code",
    "Patient.gender": f"{HL7}/administrative-gender",
    "Person.gender": f"{HL7}/administrative-gender",
    "RelatedPerson.gender": f"{HL7}/administrative-gender",
    "ServiceRequest.status": f"{HL7}/request-status",
    "Task.status": f"{HL7}/task-status",
}
"""The code systems of R4's elements of type code, as far as code tables fill them."""
SOURCES: Final[Mapping[str, str]] = {
    "absent-address": "CL-28b",
    "goal-achievement": "CL-22c",
}
"""Tables whose canonical side is looked for elsewhere (`seek`).  A truth value is no code of any
system: a table of truth values names no source."""
ABSENT: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


def concept_maps(ones: Sequence[Format], stamp: Stamp) -> Iterator[dict[str, Any]]:
    """Yield a ConceptMap for every code table in use whose other side is a code."""
    seen: dict[str, tuple[Table, str | None, str]] = {}
    for one in ones:
        for place in mentions.places(one):
            for rule in place.rules:
                target = _target(place, stamp)
                if rule.codes is not None and target is not None:
                    seen.setdefault(rule.codes.name, (rule.codes, _source(rule), target))
    for name, (table, source, target) in sorted(seen.items()):
        made = concept_map(name, table.rows, source, stamp.base)
        group = made["group"][0]
        if source is None:
            del group["source"]
        group["target"] = target
        for element in group["element"]:
            for mapped in element["target"]:
                if mapped["equivalence"] == "narrower":  # cmd-1 asks why
                    mapped.setdefault("comment", "read, and never written")
        yield {
            **stamp.head("ConceptMap", name, words(name), f"The code table {name}."),
            "group": [group],
        }


def _source(rule: Rule) -> str | None:
    if rule.codes is not None and rule.codes.name in SOURCES:
        return SOURCES[rule.codes.name]
    leaf = all_leaves().get(rule.covers or "")
    return None if leaf is None else leaf.codes


def _target(place: Place, stamp: Stamp) -> str | None:
    """Return the code system of what stands at *place*; None if it is no code."""
    name = place.path.rpartition(".")[2]
    if name == "code" and isinstance(system := place.within.fields.get("system"), Constant):
        return str(system.value)
    if place.path in CODES:
        return CODES[place.path]
    for element, system_url in CODES.items():
        kind, _, member = element.partition(".")
        if kind in {"Address", "HumanName"} and name == member and _holds(place, kind):
            return system_url
    if name == "valueCode":
        url = place.within.fields.get("url")
        if isinstance(url, Constant) and str(url.value).endswith("data-absent-reason"):
            return ABSENT
        if isinstance(url, Constant) and stamp.name_of(str(url.value), "StructureDefinition"):
            return stamp.url("CodeSystem", "CL-18")
    return None


def _holds(place: Place, kind: str) -> bool:
    return place.within.kind == kind
