"""Code tables as FHIR R4 ConceptMaps, and back, without losing what a table says.

Source: FHIR R4, ConceptMap.  A ConceptMap knows one direction and a degree of equivalence; a code
table knows which way each row goes, that the format has no word for a code (``unmatched``), that
other codes pass as they are (``unmapped.mode`` ``provided``), and a note (``comment``).  What has
no element of its own stands in one extension on the target, so that what we export we import as it
was; a ConceptMap of somebody else's needs no extension: its equivalences say which way a row goes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mappings.engine.tables import ANY, CodeRow

BASE: Final = "https://ecaf.example/fhir"
WAY: Final = "StructureDefinition/code-table-way"
PASSING: Final = "StructureDefinition/code-table-passing"
SILENT: Final = "StructureDefinition/code-table-silent"
"""A code that is read from a word of theirs, and for which none is written: R4 does not let one
code be matched and ``unmatched`` at once."""
EQUAL: Final = frozenset({"equal", "equivalent"})
NONE: Final = frozenset({"unmatched", "disjoint"})
TOWARDS: Final = frozenset({"relatedto", "wider", "subsumes", "narrower", "specializes", "inexact"})
_SAID: Final = {"=": "equivalent", ">": "wider", "<": "narrower"}


def concept_map(
    name: str, rows: Sequence[CodeRow], source: str | None = None, base: str = BASE
) -> dict[str, Any]:
    """Return the ConceptMap of a table; *source* is the canonical code list's id (``CL-01``)."""
    group: dict[str, Any] = {"source": f"{base}/CodeSystem/{source or f'{name}-source'}"}
    group["target"] = f"{base}/CodeSystem/{name}-target"
    elements: list[dict[str, Any]] = []
    for row in rows:
        if row.passes:
            group["unmapped"] = {
                "mode": "provided",
                "extension": [_at(f"{base}/{PASSING}", rows, row)],
            }
        elif not row.wire and any(other.caf == row.caf and other.wire for other in rows):
            silent = [_at(f"{base}/{SILENT}", rows, row)]
            if elements and elements[-1]["code"] == row.caf:
                elements[-1].setdefault("extension", []).extend(silent)
            else:
                elements.append({"extension": silent, "code": row.caf, "target": []})
        elif elements and elements[-1]["code"] == row.caf:
            elements[-1]["target"].append(_target(row, base))
        else:
            elements.append({"code": row.caf, "target": [_target(row, base)]})
    group["element"] = elements
    return {
        "resourceType": "ConceptMap",
        "url": f"{base}/ConceptMap/{name}",
        "name": name,
        "status": "active",
        "group": [group],
    }


def _at(url: str, rows: Sequence[CodeRow], row: CodeRow) -> dict[str, Any]:
    """Return the extension that says where *row* stands in its table, and its note."""
    parts: list[dict[str, Any]] = [{"url": "row", "valueInteger": rows.index(row)}]
    if row.note:
        parts.append({"url": "note", "valueString": row.note})
    return {"url": url, "extension": parts}


def _target(row: CodeRow, base: str) -> dict[str, Any]:
    target: dict[str, Any] = {
        "extension": [{"url": f"{base}/{WAY}", "valueCode": row.way}],
        "equivalence": _SAID[row.way] if row.wire else "unmatched",
    }
    if row.wire:
        target["code"] = row.wire
    if row.note:
        target["comment"] = row.note
    return target


class NotAConceptMap(ValueError):
    """A JSON value that is no R4 ConceptMap; *path* says where, *message* what."""

    def __init__(self, path: str, message: str) -> None:
        """Keep where and what."""
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


def rows_of(value: Any) -> list[tuple[str, str, str, str]]:
    """Return the rows (caf, way, wire, note) of a ConceptMap; raises `NotAConceptMap`.

    Without our extension ``equivalent`` is both ways, ``unmatched`` no word, and every other
    equivalence one way towards the target.  Further groups are more rows.
    """
    if not isinstance(value, Mapping) or value.get("resourceType") != "ConceptMap":
        raise NotAConceptMap("", "this is no FHIR ConceptMap")
    found: list[tuple[str, str, str, str]] = []
    for number, group in enumerate(_items(value, "group", "")):
        at = f"group[{number}]"
        found += _grouped(group, at)
    if not found:
        raise NotAConceptMap("group", "no element maps anything")
    return found


def _grouped(group: Mapping[str, Any], at: str) -> list[tuple[str, str, str, str]]:
    found = []
    apart: list[tuple[Any, tuple[str, str, str, str]]] = []
    for position, element in enumerate(_items(group, "element", at)):
        here = f"{at}.element[{position}]"
        code = _text(element, "code", here)
        targets = list(_items(element, "target", here))
        if parts := _parts(element, SILENT):
            apart.append((parts.get("row"), (code, ">", "", str(parts.get("note", "")))))
        elif not targets:
            found.append((code, ">", "", ""))
        for number, target in enumerate(targets):
            found.append(_row(code, target, f"{here}.target[{number}]"))
    unmapped = group.get("unmapped")
    if isinstance(unmapped, Mapping):
        if unmapped.get("mode") != "provided":
            raise NotAConceptMap(
                f"{at}.unmapped.mode", "a code table knows provided only: codes pass as they are"
            )
        parts = _parts(unmapped, PASSING)
        apart.append((parts.get("row", 0), (ANY, "=", ANY, str(parts.get("note", "")))))
    for place, row in sorted(apart, key=lambda one: one[0] if isinstance(one[0], int) else 0):
        found.insert(place if isinstance(place, int) else 0, row)
    return found


def _row(code: str, target: Mapping[str, Any], at: str) -> tuple[str, str, str, str]:
    if target.get("dependsOn") or target.get("product"):
        raise NotAConceptMap(f"{at}.dependsOn", "a code table knows no further conditions")
    equivalence = target.get("equivalence")
    wire = "" if "code" not in target else _text(target, "code", at)
    note = "" if "comment" not in target else _text(target, "comment", at)
    way = _way(target)
    if equivalence in NONE:
        return code, way or ">", "", note
    if equivalence not in EQUAL | TOWARDS:
        raise NotAConceptMap(f"{at}.equivalence", "this is no equivalence of R4")
    return code, way or ("=" if equivalence in EQUAL else ">"), wire, note


def _way(target: Mapping[str, Any]) -> str | None:
    for extension in target.get("extension", ()):
        if isinstance(extension, Mapping) and str(extension.get("url", "")).endswith(WAY):
            said = extension.get("valueCode")
            return said if said in _SAID else None
    return None


def _parts(holder: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return the parts of the complex extension *url* by name."""
    found: dict[str, Any] = {}
    for extension in holder.get("extension", ()):
        if isinstance(extension, Mapping) and str(extension.get("url", "")).endswith(url):
            for part in extension.get("extension", ()):
                values = [held for name, held in part.items() if name.startswith("value")]
                found[str(part.get("url"))] = values[0] if values else None
    return found


def _items(holder: Mapping[str, Any], name: str, at: str) -> Iterator[Mapping[str, Any]]:
    listed = holder.get(name, [])
    here = f"{at}.{name}" if at else name
    if not isinstance(listed, list):
        raise NotAConceptMap(here, "a list is wanted here")
    for number, item in enumerate(listed):
        if not isinstance(item, Mapping):
            raise NotAConceptMap(f"{here}[{number}]", "an object is wanted here")
        yield item


def _text(holder: Mapping[str, Any], name: str, at: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str) or not value:
        raise NotAConceptMap(f"{at}.{name}", "text is wanted here")
    return value
