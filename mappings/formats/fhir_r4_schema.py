"""One JSON Schema for each FHIR R4 resource, generated from the definitions and compiled once: the
second layer, fast enough for every message (`standards.md` 3.2, 3.3).

It holds the codes of required bindings, lengths and letters of primitives, empty objects, choices,
required elements, and every invariant that looks at one element only; then what UK Core and IHE PCF
ask beyond R4 (`fhir_profiles`).  What modifies meaning in a way that this hub does not know
(`modifierExtension`, `implicitRules`) is refused: a reader must not pass over it.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import jsonschema_rs

from mappings.formats.fhir_profiles import PROFILES
from mappings.formats.fhir_r4_definitions import MESSAGES, Element, primitive, resources, types

MOMENT: Final = (
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
    r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
)
MONTH: Final = "(0[1-9]|1[0-2])"
DAY: Final = "(0[1-9]|[12][0-9]|3[01])"
YEAR: Final = "[1-9][0-9]{3}"
CONTROL: Final = r"[\x00-\x08\x0B\x0C\x0E-\x1F]"
ACTIVE: Final = (
    r"(?i)<\s*(script|iframe|object|embed|form|link|style|base)|\son\w+\s*="
    r"|(href|src)\s*=\s*['\x22]?\s*(javascript|vbscript|data):|<!\s*(doctype|entity)"
)
"""What has no place in a narrative (txt-1), found without parsing it."""
MODIFIERS: Final = frozenset({"modifierExtension", "implicitRules", "_implicitRules"})

PRIMITIVES: Final[Mapping[str, Mapping[str, Any]]] = {
    "base64Binary": {"type": "string", "pattern": r"^[A-Za-z0-9+/=\s]+$"},
    "boolean": {"type": "boolean"},
    "canonical": {"type": "string", "minLength": 1, "not": {"pattern": r"\s"}},
    "code": {"type": "string", "pattern": r"^\S+( \S+)*$"},
    "date": {"type": "string", "pattern": f"^{YEAR}(-{MONTH}(-{DAY})?)?$"},
    "dateTime": {"type": "string", "pattern": f"^{YEAR}(-{MONTH}(-{DAY}({MOMENT})?)?)?$"},
    "decimal": {"type": "number"},
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9.-]{1,64}$"},
    "instant": {"type": "string", "pattern": f"^{YEAR}-{MONTH}-{DAY}{MOMENT}$"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "markdown": {"type": "string", "minLength": 1, "not": {"pattern": CONTROL}},
    "oid": {"type": "string", "pattern": r"^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$"},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "string": {"type": "string", "minLength": 1, "not": {"pattern": CONTROL}},
    "time": {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?$"},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "uri": {"type": "string", "minLength": 1, "not": {"pattern": r"\s"}},
    "url": {"type": "string", "minLength": 1, "not": {"pattern": r"\s"}},
    "uuidVersion": {"type": "string", "pattern": r"^urn:uuid:[0-9a-f-]{36}$"},
    "xhtml": {"type": "string", "pattern": r"^<div[\s>]", "not": {"pattern": ACTIVE}},
}


def _needs(name: str) -> dict[str, Any]:
    return {"required": [name]}


def _with(first: str, *others: str) -> dict[str, Any]:
    return {"dependentRequired": {first: list(others)}}


_NOT_HOME: Final = {"not": {"properties": {"use": {"const": "home"}}, "required": ["use"]}}

INVARIANTS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "Attachment": {"att-1": _with("data", "contentType")},
    "BundleEntry": {"bdl-5": {"anyOf": [_needs(n) for n in ("resource", "request", "response")]}},
    "CarePlanActivity": {"cpl-3": {"not": {"required": ["detail", "reference"]}}},
    # who stands in, stands in for somebody; that it is a practitioner needs a look at the member
    "CareTeamParticipant": {"ctm-1": _with("onBehalfOf", "member")},
    "Consent": {"ppc-1": {"anyOf": [_needs("policy"), _needs("policyRule")]}},
    "ContactPoint": {"cpt-2": _with("value", "system")},
    "Expression": {"exp-1": {"anyOf": [_needs("expression"), _needs("reference")]}},
    "GoalTarget": {
        "gol-1": {
            "dependentRequired": {
                f"detail{kind}": ["measure"]
                for kind in (
                    *("Quantity", "Range", "CodeableConcept", "String"),
                    *("Boolean", "Integer", "Ratio"),
                )
            }
        }
    },
    "Group": {
        "grp-1": {"anyOf": [{"not": _needs("member")}, {"properties": {"actual": {"const": True}}}]}
    },
    "Organization": {
        "org-1": {"anyOf": [_needs("identifier"), _needs("name")]},
        "org-2": {"properties": {"address": {"items": _NOT_HOME}}},
        "org-3": {"properties": {"telecom": {"items": _NOT_HOME}}},
    },
    "PatientContact": {
        "pat-1": {"anyOf": [_needs(n) for n in ("name", "telecom", "address", "organization")]}
    },
    "Quantity": {"qty-3": _with("code", "system")},
    "QuestionnaireResponseItem": {"qrs-1": {"not": {"required": ["item", "answer"]}}},
    # ref-1 looks at the whole resource; that a reference says something is common sense
    "Reference": {
        "says": {"anyOf": [_needs(n) for n in ("reference", "identifier", "display", "extension")]}
    },
    "ServiceRequest": {"prr-1": _with("orderDetail", "code")},
}
"""Invariants of R4 that one element shows, by type and key; the others are FHIRPath's."""


def in_schema() -> frozenset[str]:
    """Return the keys of the invariants that the schema holds whole."""
    return frozenset(key for held in INVARIANTS.values() for key in held) - {"ctm-1", "says"}


def _element(element: Element, kind: str) -> dict[str, Any] | bool:
    if element.name in MODIFIERS:
        return False
    if element.name == "contained":
        one: dict[str, Any] = {"type": "object", "required": ["resourceType"]}
    elif element.codes:
        one = {"enum": list(element.codes)}
    else:
        one = {"$ref": f"#/$defs/{element.type}"}
    if not element.many:
        return one
    if element.name.startswith("_"):
        one = {"anyOf": [{"type": "null"}, one]}
    most = {"maxItems": 1} if (kind, element.name) == ("Bundle", "link") else {}
    return {"type": "array", "minItems": 1, "items": one, **most}


@cache
def _definitions(file: str, *, texts: bool = True) -> dict[str, Any]:
    known: dict[str, Any] = {name: dict(rule) for name, rule in PRIMITIVES.items()}
    if not texts:
        known["string"] = known["markdown"] = {"type": "string", "minLength": 1}
    for kind, elements in types(file).items():
        known[kind] = _type(kind, elements, file)
    known["Resource"] = {"type": "object", "required": ["resourceType"]}
    return known


def _type(kind: str, elements: Mapping[str, Element], file: str) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _element(one, kind) for name, one in elements.items()}
    needs: list[Any] = []
    required: list[str] = []
    if kind in resources(file):
        properties["resourceType"] = {"const": kind}
        required.append("resourceType")
    for name, one in elements.items():
        if not one.required or one.choice:
            continue
        if primitive(one.type) and f"_{name}" in elements:
            needs.append({"anyOf": [_needs(name), _needs(f"_{name}")]})
        else:
            required.append(name)
    needs += _choices(elements)
    needs += [dict(rule) for rule in INVARIANTS.get(kind, {}).values()]
    if file == MESSAGES:
        needs += [dict(rule.schema) for rule in PROFILES if rule.type == kind]
    if kind == "Extension":
        # Nearly every extension is a url and one value: that needs no counting.
        needs = [{"anyOf": [{"maxProperties": 2}, {"allOf": needs}]}, {"minProperties": 2}]
        properties |= {f"_{n}": {"$ref": "#/$defs/Element"} for n in properties if n[:5] == "value"}
    made = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
    }
    if required:
        made["required"] = required
    if needs:
        made["allOf"] = needs
    return made


def _choices(elements: Mapping[str, Element]) -> Iterator[dict[str, Any]]:
    """Yield the rule that of each ``value[x]`` at most (or exactly) one is there."""
    groups: dict[str, list[str]] = {}
    needed: set[str] = set()
    for name, one in elements.items():
        if one.choice and not name.startswith("_"):
            groups.setdefault(one.choice, []).append(name)
            if one.choice_required:
                needed.add(one.choice)
    for group, names in groups.items():
        one_of: list[Any] = [_needs(name) for name in names]
        if group not in needed:
            one_of.append({"not": {"anyOf": [_needs(name) for name in names]}})
        rule: dict[str, Any] = {"oneOf": one_of}
        if group == "value" and len(elements) < 40 and set(names) >= {"valueString", "valueCoding"}:
            # Nearly every answer is one value and nothing else, too.
            rule = {"anyOf": [{"maxProperties": 1}, rule]}
        yield rule


@cache
def validator(
    resource: str, file: str = MESSAGES, *, texts: bool = True
) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled validator of one resource type; without *texts* it looks for no control
    characters, which costs a fifth of the whole.
    """
    known = _definitions(file, texts=texts)
    needed: dict[str, Any] = {}
    todo = [resource]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed[name] = known[name]
            todo += _refers(known[name])
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{resource}", "$defs": needed})


def _refers(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            if name == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from _refers(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _refers(item)


ALONE: Final = ("Consent",)  # a tuple: a stranger may put a list where the type belongs
"""What may stand by itself, in no message Bundle."""


def structure_holds(bundle: Mapping[str, Any], body: bytes | None = None) -> bool:
    """Return whether the Bundle and every resource in it (or the resource that may stand alone)
    pass the generated rules: the hot path.

    Its *body*, where it is at hand, shows at once that no text holds a control character: JSON
    writes none without a backslash.
    """
    texts = body is None or b"\\" in body
    if bundle.get("resourceType") in ALONE:
        return validator(str(bundle["resourceType"]), texts=texts).is_valid(bundle)
    envelope = {name: value for name, value in bundle.items() if name != "entry"}
    if not validator("Bundle", texts=texts).is_valid(envelope):
        return False
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        return False
    known = resources()
    for entry in entries:
        resource = entry.get("resource")
        kind = resource.get("resourceType")
        if kind not in known or not validator(kind, texts=texts).is_valid(resource):
            return False
    return str(entries[0]["resource"]["resourceType"]) == "MessageHeader"  # bdl-12
