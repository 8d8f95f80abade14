"""The FHIR R4 definitions as the hub reads them, element by element, from two files beside this
one: of what stands in messages, and of what the hub publishes about them.

``python -m mappings.formats.fhir_r4_definitions`` writes both anew from the models.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

MESSAGES: Final = "fhir_r4_definitions.json"
PUBLISHED: Final = "fhir_r4_published.json"


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type; *targets* are the resources that a reference may name (none: any)."""

    name: str
    type: str
    many: bool
    required: bool
    codes: tuple[str, ...]
    targets: tuple[str, ...]
    choice: str | None
    choice_required: bool


@cache
def types(file: str = MESSAGES) -> Mapping[str, Mapping[str, Element]]:
    """Return every type in use with its elements by name."""
    text = files("mappings.formats").joinpath(file).read_text("utf-8")
    return {
        kind: {name: _element(name, given) for name, given in elements.items()}
        for kind, elements in json.loads(text).items()
    }


def _element(name: str, given: Mapping[str, Any]) -> Element:
    return Element(
        name=name,
        type=given["type"],
        many=given.get("many", False),
        required=given.get("required", False),
        codes=tuple(given.get("codes", ())),
        targets=tuple(given.get("targets", ())),
        choice=given.get("choice"),
        choice_required=given.get("choice_required", False),
    )


def primitive(kind: str) -> bool:
    """Return whether *kind* is a primitive type."""
    return kind[0].islower()


@cache
def resources(file: str = MESSAGES) -> frozenset[str]:
    """Return the names of the resource types in use."""
    return frozenset(kind for kind, elements in types(file).items() if "implicitRules" in elements)


def written(file: str = MESSAGES) -> str:
    """Return the text of *file*, made anew from the models."""
    from mappings.formats import fhir_r4_models  # noqa: PLC0415  it costs 0.6 s

    made = fhir_r4_models.definitions(
        fhir_r4_models.RESOURCES if file == MESSAGES else fhir_r4_models.PUBLISHED
    )
    lines = [
        f"  {json.dumps(kind)}: {{\n"
        + ",\n".join(f"    {json.dumps(name)}: {json.dumps(one)}" for name, one in elements.items())
        + "\n  }"
        for kind, elements in made.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    for name in (MESSAGES, PUBLISHED):
        Path(__file__).with_name(name).write_text(written(name), "utf-8")
