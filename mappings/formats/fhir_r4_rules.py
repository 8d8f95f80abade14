"""The second layer over FHIR R4: what the models let pass and a receiver would not.

Codes of required bindings, lengths and letters of ids, empty objects, choices, required elements,
and the invariants of single elements are one JSON Schema per resource, generated from the
definitions and compiled once; it is fast enough for every message.  What spans a document
(references and their targets, bdl-12, unique addresses) is checked by hand, for input and in tests:
for output the mapping's own check has settled it at load (`standards.md` 3.2, 3.3).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from hub.errors import Code, Fault
from mappings.formats.fhir_r4_definitions import Element, primitive, resources, types

MOST_FAULTS: Final = 100
SPACE: Final = r"[^\x00-\x08\x0B\x0C\x0E-\x1F]"
MOMENT: Final = (
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
    r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
)
MONTH: Final = "(0[1-9]|1[0-2])"
DAY: Final = "(0[1-9]|[12][0-9]|3[01])"
YEAR: Final = "[1-9][0-9]{3}"

PRIMITIVES: Final[Mapping[str, Mapping[str, Any]]] = {
    "base64Binary": {"type": "string", "pattern": r"^[A-Za-z0-9+/=\s]+$"},
    "boolean": {"type": "boolean"},
    "canonical": {"type": "string", "pattern": r"^\S+$"},
    "code": {"type": "string", "pattern": r"^[^\s]+(\s[^\s]+)*$"},
    "date": {"type": "string", "pattern": f"^{YEAR}(-{MONTH}(-{DAY})?)?$"},
    "dateTime": {"type": "string", "pattern": f"^{YEAR}(-{MONTH}(-{DAY}({MOMENT})?)?)?$"},
    "decimal": {"type": "number"},
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9.-]{1,64}$"},
    "instant": {"type": "string", "pattern": f"^{YEAR}-{MONTH}-{DAY}{MOMENT}$"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "markdown": {"type": "string", "minLength": 1, "pattern": f"^{SPACE}+$"},
    "oid": {"type": "string", "pattern": r"^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$"},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "string": {"type": "string", "minLength": 1, "pattern": f"^{SPACE}+$"},
    "time": {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?$"},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "uri": {"type": "string", "pattern": r"^\S+$"},
    "url": {"type": "string", "pattern": r"^\S+$"},
    "uuidVersion": {"type": "string", "pattern": r"^urn:uuid:[0-9a-f-]{36}$"},
    "xhtml": {
        "type": "string",
        "pattern": r"^<div[\s>]",
        "not": {
            "pattern": r"(?i)<\s*(script|iframe|object|embed|form|link|style|base)|\son\w+\s*="
        },
    },
}


def _needs(name: str) -> dict[str, Any]:
    return {"required": [name]}


INVARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    # cpl-3: detail or reference, never both
    "CarePlanActivity": {"not": {"required": ["detail", "reference"]}},
    # ppc-1: a policy or a policy rule
    "Consent": {"anyOf": [_needs("policy"), _needs("policyRule")]},
    # qrs-1: nested items stand below the item or below its answer, never below both
    "QuestionnaireResponseItem": {"not": {"required": ["item", "answer"]}},
    # org-1: an identifier or a name
    "Organization": {"anyOf": [_needs("identifier"), _needs("name")]},
    # cpt-2: a value needs its system
    "ContactPoint": {"dependentRequired": {"value": ["system"]}},
    # ref-1 and common sense: a reference says something
    "Reference": {
        "anyOf": [
            _needs("reference"),
            _needs("identifier"),
            _needs("display"),
            _needs("extension"),
        ]
    },
    # grp-1: members only of an actual group
    "Group": {
        "anyOf": [{"not": _needs("member")}, {"properties": {"actual": {"const": True}}}],
    },
    # ctm-1 needs the member's type; its half that needs no look-up: who stands in, stands in for
    # somebody
    "CareTeamParticipant": {"dependentRequired": {"onBehalfOf": ["member"]}},
}


def _element(element: Element, kind: str) -> dict[str, Any]:
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
def _definitions() -> dict[str, Any]:
    known: dict[str, Any] = {name: dict(rule) for name, rule in PRIMITIVES.items()}
    for kind, elements in types().items():
        known[kind] = _type(kind, elements)
    known["Resource"] = {"type": "object", "required": ["resourceType"]}
    return known


def _type(kind: str, elements: Mapping[str, Element]) -> dict[str, Any]:
    properties = {name: _element(one, kind) for name, one in elements.items()}
    needs: list[Any] = []
    required: list[str] = []
    if kind in resources():
        properties["resourceType"] = {"const": kind}
        required.append("resourceType")
    for name, one in elements.items():
        if not one.required or one.choice:
            continue
        if primitive(one.type) and f"_{name}" in elements:
            needs.append({"anyOf": [_needs(name), _needs(f"_{name}")]})
        else:
            required.append(name)
    needs += list(_choices(elements))
    if kind in INVARIANTS:
        needs.append(dict(INVARIANTS[kind]))
    if kind == "Extension":
        needs = [{"anyOf": [{"maxProperties": 2}, {"allOf": needs}]}]
        properties |= {f"_{n}": {"$ref": "#/$defs/Element"} for n in properties if n[:5] == "value"}
        needs.append({"anyOf": [{"minProperties": 2}]})
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
            # Nearly every answer is one value and nothing else: that needs no counting.
            rule = {"anyOf": [{"maxProperties": 1}, rule]}
        yield rule


@cache
def validator(resource: str) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled validator of one resource type."""
    known = _definitions()
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


def structure_holds(bundle: Mapping[str, Any]) -> bool:
    """Return whether the Bundle and every resource in it pass the generated rules: the hot path."""
    envelope = {name: value for name, value in bundle.items() if name != "entry"}
    if not validator("Bundle").is_valid(envelope):
        return False
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        return False
    for entry in entries:
        resource = entry.get("resource")
        kind = resource.get("resourceType")
        if kind not in resources() or not validator(kind).is_valid(resource):
            return False
    return str(entries[0]["resource"]["resourceType"]) == "MessageHeader"  # bdl-12


def faults(bundle: Any) -> list[Fault]:
    """Return what is wrong with a received message Bundle: at most a hundred faults."""
    found = list(islice(_faults(bundle), MOST_FAULTS))
    return found or list(islice(_across(bundle), MOST_FAULTS))


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
        if kind not in resources():
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
    for error in checker.iter_errors(value):
        yield _fault(error, path)


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


def _fault(error: jsonschema_rs.ValidationError, path: str) -> Fault:
    kind: Any = error.kind
    steps = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path
    )
    code, remedy = _CODES.get(kind.name, (Code.RULE, "a rule of FHIR R4 is broken here"))
    return Fault(code, f"{path}{steps}".removeprefix("."), remedy)


def _across(bundle: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong between resources: addresses that repeat, references that miss."""
    kinds: dict[str, str] = {}
    for position, entry in enumerate(bundle["entry"]):
        kind = entry["resource"]["resourceType"]
        if entry["fullUrl"] in kinds:
            yield Fault(
                Code.DUPLICATE, f"entry[{position}].fullUrl", "addresses are unique (bdl-7)"
            )
        kinds[entry["fullUrl"]] = kind
        if "id" in entry["resource"]:
            kinds[f"{kind}/{entry['resource']['id']}"] = kind
    for position, entry in enumerate(bundle["entry"]):
        kind = entry["resource"]["resourceType"]
        yield from _references(entry["resource"], kind, f"entry[{position}].resource", kinds)


def _references(
    value: Mapping[str, Any], kind: str, path: str, kinds: Mapping[str, str]
) -> Iterator[Fault]:
    elements = types().get(kind, {})
    for name, inner in value.items():
        element = elements.get(name)
        if element is None or primitive(element.type):
            continue
        several = inner if isinstance(inner, list) else [inner]
        for position, one in enumerate(several):
            if not isinstance(one, dict):
                continue
            here = f"{path}.{name}" + (f"[{position}]" if isinstance(inner, list) else "")
            if element.type == "Reference":
                yield from _target(one, element, here, kinds)
            yield from _references(one, element.type, here, kinds)


def _target(
    reference: Mapping[str, Any], element: Element, path: str, kinds: Mapping[str, str]
) -> Iterator[Fault]:
    said = reference.get("reference")
    if said is None:
        return
    kind = kinds.get(said)
    if kind is None and said.startswith("urn:uuid:"):
        yield Fault(Code.REFERENCE, f"{path}.reference", "refers to nothing in this message")
    elif element.targets and (kind or said.split("/")[-2:][0]) not in element.targets:
        yield Fault(
            Code.REFERENCE,
            f"{path}.reference",
            f"may refer to {', '.join(element.targets)} only",
        )
