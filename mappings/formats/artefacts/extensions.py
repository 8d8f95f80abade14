"""StructureDefinitions: one for every extension of ours in a message, as a differential."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.domain.dictionary import Leaf
from mappings.concept_map import PASSING, SILENT, WAY
from mappings.engine.canonical import all_leaves
from mappings.engine.catalogue import Format
from mappings.engine.model import Rule
from mappings.formats.artefacts import mentions
from mappings.formats.artefacts.mentions import Extended
from mappings.formats.artefacts.stamp import Stamp, words

BASE: Final = "http://hl7.org/fhir/StructureDefinition/Extension"
VALUE: Final = "Extension.value[x]"


def structure_definitions(
    ones: Sequence[Format], stamp: Stamp, bound: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield a StructureDefinition for every extension; lists that they bind go into *bound*."""
    found = {**mentions.extensions(ones, stamp.base), **_of_tables(stamp)}
    for url, held in sorted(found.items()):
        name = stamp.name_of(url, "StructureDefinition")
        if name is None:
            raise ValueError(f"an extension of ours is not under StructureDefinition: {url}")
        title = words(name)
        about = _about(held)
        yield {
            **stamp.head("StructureDefinition", name, title, about or f"{title}."),
            "fhirVersion": "4.0.1",
            "kind": "complex-type",
            "abstract": False,
            "context": [{"type": "element", "expression": path} for path in sorted(held.contexts)],
            "type": "Extension",
            "baseDefinition": BASE,
            "derivation": "constraint",
            "differential": {"element": list(_elements(held, title, url, stamp, bound))},
        }


def _of_tables(stamp: Stamp) -> dict[str, Extended]:
    """Return the extensions by which a ConceptMap says all of a code table."""
    way = Extended(f"{stamp.base}/{WAY}", {"ConceptMap.group.element.target"}, {"valueCode": []})
    passing = Extended(f"{stamp.base}/{PASSING}", {"ConceptMap.group.unmapped"})
    silent = Extended(f"{stamp.base}/{SILENT}", {"ConceptMap.group.element"})
    for name, value in (("row", "valueInteger"), ("note", "valueString")):
        passing.parts[name] = Extended(name, values={value: []})
        silent.parts[name] = Extended(name, values={value: []})
    return {one.url: one for one in (way, passing, silent)}


def _about(held: Extended) -> str:
    """Return of which fields of the data dictionary an extension tells."""
    rules = [rule for one in _all(held) for found in one.values.values() for rule in found]
    fields = sorted({rule.covers for rule in rules if rule.covers})
    return f"Holds {', '.join(fields)} of the CAF data dictionary." if fields else ""


def _all(held: Extended) -> Iterator[Extended]:
    yield held
    for part in held.parts.values():
        yield from _all(part)


def _elements(
    held: Extended, title: str, url: str, stamp: Stamp, bound: set[str]
) -> Iterator[dict[str, Any]]:
    yield {
        "id": "Extension",
        "path": "Extension",
        "short": title,
        "definition": title,
        "min": 0,
        "max": "*" if held.many else "1",
    }
    if not held.parts:
        yield {"id": "Extension.extension", "path": "Extension.extension", "max": "0"}
        yield {"id": "Extension.url", "path": "Extension.url", "fixedUri": url}
        yield _value(held, VALUE, stamp, bound)
        return
    yield {
        "id": "Extension.extension",
        "path": "Extension.extension",
        "slicing": {
            "discriminator": [{"type": "value", "path": "url"}],
            "description": "by url",
            "rules": "closed",
        },
        "min": 1,
    }
    for name, part in sorted(held.parts.items()):
        here = f"Extension.extension:{name.replace('_', '-')}"
        yield {
            "id": here,
            "path": "Extension.extension",
            "sliceName": name.replace("_", "-"),
            "short": words(name),
            "min": 0,
            "max": "*" if part.many else "1",
        }
        yield {"id": f"{here}.extension", "path": "Extension.extension.extension", "max": "0"}
        yield {"id": f"{here}.url", "path": "Extension.extension.url", "fixedUri": name}
        yield _value(part, f"{here}.value[x]", stamp, bound)
    yield {"id": "Extension.url", "path": "Extension.url", "fixedUri": url}
    yield {"id": VALUE, "path": VALUE, "max": "0"}


def _value(held: Extended, where: str, stamp: Stamp, bound: set[str]) -> dict[str, Any]:
    """Return the element of the value: its types, and the code list of a code."""
    path = "Extension.extension.value[x]" if ":" in where else VALUE
    types = [{"code": _type(name)} for name in sorted(held.values)]
    made: dict[str, Any] = {"id": where, "path": path, "min": 1, "type": types}
    for name, rules in held.values.items():
        listed = _list(rules) if name == "valueCode" else None
        if listed is not None:
            bound.add(listed)
            made["binding"] = {"strength": "required", "valueSet": stamp.url("ValueSet", listed)}
    return made


def _type(name: str) -> str:
    kind = name.removeprefix("value")
    primitive = {"String", "Boolean", "Integer", "Code", "Date", "DateTime", "Uri", "Decimal"}
    return kind[:1].lower() + kind[1:] if kind in primitive else kind


def _list(rules: Sequence[Rule]) -> str | None:
    """Return the code list of a code that goes as it is."""
    leaves: Mapping[str, Leaf] = all_leaves()
    for rule in rules:
        leaf = leaves.get(rule.covers or "")
        if leaf is not None and leaf.codes is not None:
            return leaf.codes
    return None
