"""What is wrong with a received message Bundle: everything that the models let pass and a receiver
would not, each fault with its place.

First every resource by its schema; then, if that holds, what spans the document: addresses,
references and their targets, and the invariants that only FHIRPath can say (`standards.md` 3.3).
On the way out the schema alone is asked: the rest has been settled by the mapping's own check at
load.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from hub.errors import Code, Fault
from mappings.formats import fhir_r4_invariants as fhirpath
from mappings.formats.fhir_profiles import PROFILES
from mappings.formats.fhir_r4_definitions import primitive, resources, types
from mappings.formats.fhir_r4_schema import ALONE, INVARIANTS, MODIFIERS, structure_holds, validator
from mappings.formats.fhir_r4_walk import Trail, kinds, objects, said
from mappings.formats.fhir_r4_walk import resources as resources_of

__all__ = ["ALONE", "faults", "structure_holds"]

MOST_FAULTS: Final = 100


def faults(bundle: Any) -> list[Fault]:
    """Return what is wrong with a received message Bundle, or with a resource that may stand alone:
    at most a hundred faults.
    """
    kind = bundle.get("resourceType") if isinstance(bundle, dict) else None
    if isinstance(kind, str) and kind in ALONE:
        return list(islice(_alone(bundle), MOST_FAULTS))
    found = list(islice(_faults(bundle), MOST_FAULTS))
    return found or list(islice(_across(bundle), MOST_FAULTS))


def _alone(resource: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with a resource by itself, at places that begin in it."""
    broken = [*_of(resource, resource["resourceType"], "")]
    yield from broken
    if not broken:
        before = "entry[0].resource."
        for fault in _across(
            {"resourceType": "Bundle", "entry": [{"fullUrl": "", "resource": resource}]}
        ):
            yield replace(fault, path=fault.path.removeprefix(before))


def _faults(bundle: Any) -> Iterator[Fault]:
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        yield Fault(Code.TYPE, "", "a FHIR R4 Bundle is expected")
        return
    if bundle.get("type") != "message":
        yield Fault(Code.RULE, "type", "a Bundle of type message is expected")
    yield from _of({name: value for name, value in bundle.items() if name != "entry"}, "Bundle", "")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        yield Fault(Code.REQUIRED, "entry", "a message has entries")
        return
    for position, entry in enumerate(entries):
        here = f"entry[{position}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
            yield Fault(Code.REQUIRED, f"{here}.resource", "an entry of a message has a resource")
            continue
        for name in entry.keys() - {"resource", "fullUrl", "id", "extension", "link"}:
            shown = name if name in {"request", "response", "search"} else "?"
            yield Fault(Code.UNKNOWN_FIELD, f"{here}.{shown}", "not allowed in a message")
        if not isinstance(entry.get("fullUrl"), str):
            yield Fault(Code.REQUIRED, f"{here}.fullUrl", "every entry of a message needs one")
        kind = entry["resource"].get("resourceType")
        if not isinstance(kind, str) or kind not in resources():
            yield Fault(
                Code.RULE, f"{here}.resource.resourceType", "not a type that this hub reads"
            )
            continue
        yield from _of(entry["resource"], kind, f"{here}.resource")
    first = entries[0].get("resource", {}) if isinstance(entries[0], dict) else {}
    if not isinstance(first, dict) or first.get("resourceType") != "MessageHeader":
        yield Fault(Code.RULE, "entry[0].resource", "the first entry is the MessageHeader (bdl-12)")


def _of(value: Mapping[str, Any], kind: str, path: str) -> Iterator[Fault]:
    checker = validator(kind)
    if checker.is_valid(value):
        return
    seen = set()
    for error in checker.iter_errors(value):
        fault = _fault(error, value, kind, path)
        if fault not in seen:
            seen.add(fault)
            yield fault


_CODES: Final[Mapping[str, tuple[Code, str]]] = {
    "additionalProperties": (Code.UNKNOWN_FIELD, "FHIR R4 has no such element here"),
    "required": (Code.REQUIRED, "a required element is missing"),
    "type": (Code.TYPE, "a value of another type is expected"),
    "enum": (Code.CODELIST, "use a code of FHIR's required value set"),
    "pattern": (Code.FORMAT, "not written as FHIR writes this type"),
    "minLength": (Code.LENGTH, "leave it out rather than empty"),
    "minItems": (Code.LENGTH, "leave it out rather than empty"),
    "minProperties": (Code.LENGTH, "leave it out rather than empty"),
    "minimum": (Code.NUMBER, "out of range"),
    "maximum": (Code.NUMBER, "out of range"),
}


def _fault(
    error: jsonschema_rs.ValidationError, value: Mapping[str, Any], kind: str, path: str
) -> Fault:
    said_by: Any = error.kind
    steps = list(error.instance_path)
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    here = f"{path}{where}".removeprefix(".")
    if steps and steps[-1] in MODIFIERS:
        return Fault(Code.RULE, here, "changes what the rest means, in a way this hub cannot know")
    if (rule := _rule(value, kind, steps)) is not None:
        return Fault(Code.RULE, here, rule)
    code, remedy = _CODES.get(said_by.name, (Code.RULE, "a rule of FHIR R4 is broken here"))
    if said_by.name == "not":
        code, remedy = Code.FORMAT, "not written as FHIR writes this type"
    return Fault(code, here, remedy)


def _rule(value: Any, kind: str, steps: Sequence[str | int]) -> str | None:
    """Return which invariant or profile rule is broken on the way to *steps*, innermost first."""
    found = None
    for position in range(len(steps) + 1):
        for says, holds in _named(kind):
            if not holds.is_valid(value):
                found = says
        if position == len(steps):
            break
        step = steps[position]
        if isinstance(step, str):
            element = types().get(kind, {}).get(step)
            if element is None or primitive(element.type):
                break
            kind = element.type
        value = value[step]
    return found


@cache
def _named(kind: str) -> Sequence[tuple[str, jsonschema_rs.Draft202012Validator]]:
    rules = [
        (f"{key} of FHIR R4 does not hold", schema)
        for key, schema in INVARIANTS.get(kind, {}).items()
    ]
    rules += [(f"{one.profile}: {one.says}", one.schema) for one in PROFILES if one.type == kind]
    return [(says, jsonschema_rs.Draft202012Validator(dict(schema))) for says, schema in rules]


def _across(bundle: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong between resources, and what only FHIRPath finds."""
    addresses: dict[str, str] = {}
    for position, entry in enumerate(bundle["entry"]):
        kind = entry["resource"]["resourceType"]
        if entry["fullUrl"] in addresses:
            where = f"entry[{position}].fullUrl"
            yield Fault(Code.DUPLICATE, where, "addresses are unique (bdl-7)")
        addresses[entry["fullUrl"]] = kind
        if "id" in entry["resource"]:
            addresses[f"{kind}/{entry['resource']['id']}"] = kind
    found = [*_references(bundle, addresses)]
    yield from sorted(found, key=lambda fault: fault.path)


def _references(bundle: Mapping[str, Any], addresses: Mapping[str, str]) -> Iterator[Fault]:
    invariants = fhirpath.by_type()
    wanted = invariants.keys() | {"Reference"}
    known = kinds()
    for resource, trail in resources_of(bundle):
        kind = known[resource["resourceType"]]
        for held, here, targets, where in objects(resource, kind, wanted, trail):
            if here.name == "Reference":
                yield from _target(held, targets, where, addresses)
            about = invariants.get(here.name)
            if about is None:
                continue
            for broken in fhirpath.asked(about, held, where, (bundle, resource)):
                if broken.key != "bdl-7":  # said with its place already
                    yield Fault(Code.RULE, broken.path, f"{broken.key} of FHIR R4 does not hold")


def _target(
    reference: Mapping[str, Any],
    targets: tuple[str, ...],
    trail: Trail,
    addresses: Mapping[str, str],
) -> Iterator[Fault]:
    named = reference.get("reference")
    if named is None:
        return
    kind = addresses.get(named)
    if kind is None and named.startswith("urn:uuid:"):
        yield Fault(Code.REFERENCE, f"{said(trail)}.reference", "refers to nothing in this message")
    elif targets and (kind or named.split("/")[-2:][0]) not in targets and named[:1] != "#":
        yield Fault(
            Code.REFERENCE,
            f"{said(trail)}.reference",
            f"may refer to {', '.join(targets)} only",
        )
