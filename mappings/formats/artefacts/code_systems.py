"""CodeSystems: one for every code list of the data dictionary, and for the hub's own small ones;
a ValueSet of all codes beside each, for what binds to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.domain.codes import CodeList, code_list, list_ids
from hub.errors import Code
from mappings.engine.catalogue import Format
from mappings.formats.artefacts import mentions
from mappings.formats.artefacts.stamp import Stamp, words
from mappings.formats.fhir_r4_schema import ALONE

OWN: Final[Mapping[str, tuple[str, str]]] = {
    "caf-message-event": ("CAF message events", "What a message of the hub, or to it, tells."),
    "caf-part": ("Parts", "The part that somebody or something has in a message about an episode."),
    "caf-organisation-kind": ("Kinds of organisation", "Why a message names an organisation."),
    "caf-task": ("Kinds of task", "What a Task of a delivery plan is about."),
    "caf-request": ("Requests", "What kind of request a ServiceRequest is."),
    "caf-goal": ("Kinds of goal", "Where a Goal comes from, if not from a plan."),
    "hub-error": ("Refusals", "Why the hub refuses something: in every OperationOutcome of it."),
    "caf-consent-giver": ("Consent givers", "Whether somebody gives consent for a child."),
}
"""Title and description of the code systems that are the mappings' own."""


def code_systems(ones: Sequence[Format], stamp: Stamp) -> Iterator[dict[str, Any]]:
    """Yield a CodeSystem for every code list, and for every system that the mappings mention."""
    for list_id in list_ids():
        yield _of_list(code_list(list_id), stamp)
    own = {**own_codes(ones, stamp), "hub-error": sorted(code.value for code in Code)}
    for name, codes in sorted(own.items()):
        title, description = OWN.get(name, (words(name), f"Codes of {words(name).lower()}."))
        yield {
            **stamp.head("CodeSystem", name, title, description),
            "caseSensitive": True,
            "content": "complete",
            "count": len(codes),
            "concept": [{"code": code, "display": words(code)} for code in codes],
        }


def own_codes(ones: Sequence[Format], stamp: Stamp) -> dict[str, list[str]]:
    """Return the codes of the mappings' own systems: constants, and the rows of tables."""
    found: dict[str, dict[str, None]] = {}
    for one in ones:
        for system, within in mentions.systems(one):
            name = stamp.name_of(system, "CodeSystem")
            if name is not None and name not in list_ids():
                held = found.setdefault(name, {})
                held.update(dict.fromkeys(mentions.code_of(within)))
        for kind in set(one.written.accepts).difference(ALONE):
            found.setdefault("caf-message-event", {})[kind] = None
    return {name: sorted(codes) for name, codes in found.items()}


def _of_list(held: CodeList, stamp: Stamp) -> dict[str, Any]:
    """Return the CodeSystem of a list; what else the list says of a code is a property of it."""
    named = sorted({name for code in held.codes.values() for name in code.attributes})
    concepts: list[dict[str, Any]] = []
    for code in held.codes.values():
        concept: dict[str, Any] = {"code": code.code, "display": code.display}
        said = [
            {"code": _property(name), "valueString": code.attributes[name]}
            for name in named
            if code.attributes.get(name)
        ]
        concepts.append({**concept, **({"property": said} if said else {})})
    made = {
        **stamp.head(
            "CodeSystem", held.list_id, held.title, f"{held.title}. Source: {held.source}."
        ),
        "caseSensitive": True,
        # An open list accepts whatever has its shape; what is known of it is a part.
        "content": "fragment" if held.open else "complete",
    }
    if not held.open:
        made["count"] = len(concepts)
    if named:
        made["property"] = [
            {"code": _property(name), "description": words(name), "type": "string"}
            for name in named
        ]
    return {**made, "concept": concepts}


def _property(name: str) -> str:
    return name.replace("_", "-")


def value_sets(bound: set[str], stamp: Stamp) -> Iterator[dict[str, Any]]:
    """Yield a ValueSet of all codes for each code system in *bound*."""
    for name in sorted(bound):
        title = code_list(name).title if name in list_ids() else OWN.get(name, (words(name), ""))[0]
        yield {
            **stamp.head("ValueSet", name, title, f"All codes of {title.lower()}."),
            "immutable": False,
            "compose": {"include": [{"system": stamp.url("CodeSystem", name)}]},
        }
