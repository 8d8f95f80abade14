"""FHIR R4 definitions taken from the field metadata of the `fhir.resources` R4B models, and those
models.

R4B equals R4 in every element of the resources in use (`standards.md` 3.1).  Importing the models
costs 0.6 s, so the hub never does it: `fhir_r4_definitions.json` is made from them by
`definitions()` and a test keeps the two equal.  The models themselves are the second opinion on
every golden bundle.
"""

import importlib
import json
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

RESOURCES: Final = (
    "AuditEvent",
    "Basic",
    "Bundle",
    "CarePlan",
    "CareTeam",
    "Communication",
    "Consent",
    "EpisodeOfCare",
    "Goal",
    "Group",
    "MessageHeader",
    "OperationOutcome",
    "Organization",
    "Patient",
    "Person",
    "Practitioner",
    "PractitionerRole",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Task",
)

PUBLISHED: Final = (
    "CapabilityStatement",
    "CodeSystem",
    "ConceptMap",
    "MessageDefinition",
    "NamingSystem",
    "Questionnaire",
    "StructureDefinition",
    "ValueSet",
)
"""What the hub publishes about its messages, and never receives."""

REQUIRED: Final = "fhir_r4_required_codes.json"
"""Every code of R4's required bindings (valuesets.json of FHIR 4.0.1, which HL7 gives to the public
domain), by type and element: the models cut some lists short with a ``+``."""

VALUES: Final = (
    *("Boolean", "Code", "CodeableConcept", "Coding", "Date", "DateTime", "Decimal"),
    *("Identifier", "Instant", "Integer", "Period", "Quantity", "Reference", "String", "Uri"),
    *("Address", "ContactPoint", "HumanName", "Annotation", "Canonical", "Id", "Markdown", "Url"),
)
"""The types of extension values that are followed; others are accepted as objects."""


ANY_VALUE: Final = ("Extension", "ElementDefinition", "ElementDefinitionExample")
"""Types with values of every type there is."""


def model(resource: str) -> Any:
    """Return the R4B model of a resource."""
    module = importlib.import_module("fhir.resources.R4B")
    return module.get_fhir_model_class(resource)


def faults(resource: Mapping[str, Any]) -> list[str]:
    """Return what the models find wrong with *resource*, as places; empty if nothing."""
    pydantic = importlib.import_module("pydantic")
    try:
        model(str(resource.get("resourceType"))).model_validate(resource)
    except pydantic.ValidationError as wrong:
        return [".".join(map(str, error["loc"])) + f": {error['type']}" for error in wrong.errors()]
    except ValueError as wrong:
        return [str(wrong)[:200]]
    return []


def definitions(
    resources: Sequence[str] = RESOURCES,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return every type that *resources* use: its elements with type, cardinality, codes, targets
    and choice.
    """
    todo = list(resources)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    while todo:
        name = todo.pop(0)
        if name in found:
            continue
        found[name] = elements = {}
        for field in model(name).model_fields.values():
            element = _element(name, field)
            if element is None:
                continue
            elements[field.alias] = element
            kind = element["type"]
            if kind[0].isupper() and kind not in {"Resource", "Element"}:
                todo.append(kind)
    found["Element"] = {
        "id": {"type": "string"},
        "extension": {"type": "Extension", "many": True},
    }
    return dict(sorted(found.items()))


def _element(owner: str, field: Any) -> dict[str, Any] | None:
    alias = field.alias
    if alias in {"fhir_comments", "resource_type"}:
        return None
    bare = alias.removeprefix("_")
    extra = field.json_schema_extra or {}
    choice = extra.get("one_of_many")
    if choice and bare.removeprefix(choice) not in VALUES and owner in ANY_VALUE:
        return None
    kind, many = _unwrapped(field.annotation)
    element: dict[str, Any] = {"type": kind}
    if many:
        element["many"] = True
    if extra.get("element_required") or field.is_required():
        element["required"] = True
    if kind == "code" and (codes := required_codes().get(f"{owner}.{alias}")):
        element["codes"] = list(codes)
    targets = extra.get("enum_reference_types")
    if kind == "Reference" and targets and "Resource" not in targets:
        element["targets"] = list(targets)
    if extra.get("one_of_many"):
        element["choice"] = extra["one_of_many"]
        if extra.get("one_of_many_required"):
            element["choice_required"] = True
    return element


@cache
def required_codes() -> Mapping[str, tuple[str, ...]]:
    """Return the codes of R4's required bindings."""
    text = files("mappings.formats").joinpath(REQUIRED).read_text("utf-8")
    return {place: tuple(codes) for place, codes in json.loads(text).items()}


def _unwrapped(annotation: Any) -> tuple[str, bool]:
    many = False
    while True:
        origin = typing.get_origin(annotation)
        arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
        if origin is typing.Annotated:
            # A primitive says its FHIR name in the class of its metadata.
            return _primitive(type(arguments[-1]).__name__), many
        if origin is list:
            many, annotation = True, arguments[0]
        elif origin is not None and len(arguments) >= 1 and not isinstance(annotation, type):
            if any(typing.get_origin(a) is list for a in arguments) and len(arguments) > 1:
                return "string", False
            annotation = arguments[0]
        elif annotation is bool:
            return "boolean", many
        else:
            break
    name = annotation.__name__.removesuffix("Type")
    return ("Element" if name == "FHIRPrimitiveExtension" else name), many


def _primitive(name: str) -> str:
    return name[0].lower() + name[1:]
