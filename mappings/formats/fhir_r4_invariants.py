"""The error-level invariants of FHIR R4, evaluated by FHIRPath: what no look at one element shows.

The expressions are R4's own (`fhir_r4_invariants.json`, taken from its StructureDefinitions, which
HL7 gives to the public domain), compiled once.  Used on the way in and in tests; nothing of it is
imported before it is first needed.  FHIRPath in Python lacks `hasValue` and `htmlChecks`: these two
are ours.  What it cannot do at all (`resolve`, times with zones, quantities) is by hand.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from threading import Lock
from typing import Any, Final

from mappings.formats.fhir_r4_definitions import MESSAGES
from mappings.formats.fhir_r4_schema import ACTIVE, in_schema
from mappings.formats.fhir_r4_walk import Trail, kinds, objects, resources, said

FILE: Final = "fhir_r4_invariants.json"
Evaluate = Callable[[Any, Mapping[str, Any]], Sequence[Any]]

DAY: Final = len("2015-03-14")
Held = Mapping[str, Any]
GUARDS: Final[Mapping[str, Callable[[Held], bool]]] = {
    "bdl-1": lambda held: "total" in held,
    "bdl-2": lambda held: any("search" in entry for entry in held.get("entry", ())),
    "bdl-3": lambda held: any("request" in entry for entry in held.get("entry", ())),
    "bdl-4": lambda held: any("response" in entry for entry in held.get("entry", ())),
    "bdl-7": lambda held: _repeated([entry.get("fullUrl") for entry in held.get("entry", ())]),
    "bdl-8": lambda held: "/_history/" in str(held.get("fullUrl")),
    "bdl-9": lambda held: held.get("type") == "document",
    "bdl-10": lambda held: held.get("type") == "document",
    "bdl-11": lambda held: held.get("type") == "document",
    "bdl-12": lambda held: _first(held) != "MessageHeader",
    "ctm-1": lambda held: "onBehalfOf" in held,
    "inv-1": lambda held: "lastModified" in held and "authoredOn" in held,
    "per-1": lambda held: "start" in held and "end" in held,
    "ppc-2": lambda held: "patient" not in held,
    "ppc-3": lambda held: "patient" not in held,
    "ppc-4": lambda held: "patient" not in held,
    "ppc-5": lambda held: "patient" not in held,
    "ref-1": lambda held: str(held.get("reference", "")).startswith("#"),
    "rng-2": lambda held: "low" in held and "high" in held,
    "txt-1": lambda div: re.search(ACTIVE, str(div)) is not None,
    "txt-2": lambda div: not re.search(r">[^<>]*[^\s<>]", str(div)),
}
"""Where an invariant cannot be broken, it is not asked: FHIRPath costs more than the rest together.
A test holds each guard against FHIRPath itself.
"""


def _first(bundle: Held) -> Any:
    entries = bundle.get("entry")
    return entries[0].get("resource", {}).get("resourceType") if entries else None


_one_at_a_time = Lock()


@dataclass(frozen=True, slots=True)
class Invariant:
    """One invariant; *element* is the member whose items it is about (none: the type itself)."""

    key: str
    path: str
    type: str
    element: str | None
    expression: str
    human: str


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, and where."""

    key: str
    path: str
    human: str


@cache
def invariants() -> tuple[Invariant, ...]:
    """Return every error-level invariant of the types in use."""
    text = files("mappings.formats").joinpath(FILE).read_text("utf-8")
    return tuple(
        Invariant(
            one["key"],
            one["path"],
            one["type"],
            one.get("element"),
            one["expression"],
            one["human"],
        )
        for one in json.loads(text)
    )


@cache
def by_type(*, every: bool = False) -> Mapping[str, Sequence[Invariant]]:
    """Return the invariants by type: those that the schema does not hold, or *every* one."""
    found: dict[str, list[Invariant]] = {}
    held = in_schema()
    for one in invariants():
        if every or one.key not in held:
            found.setdefault(one.type, []).append(one)
    return found


def broken(
    bundle: Mapping[str, Any], *, every: bool = False, file: str = MESSAGES
) -> Iterator[Broken]:
    """Yield the invariants that *bundle* (or another resource) breaks.

    Those that the schema holds are left out, and guards are asked first, unless *every* one is to
    be evaluated.
    """
    known = by_type(every=every)
    for resource, trail in resources(bundle):
        kind = kinds(file).get(str(resource.get("resourceType")))
        if kind is None:
            continue
        for held, here, _, where in objects(resource, kind, known, trail):
            yield from asked(known[here.name], held, where, (bundle, resource), every=every)


def asked(
    about: Sequence[Invariant],
    held: Held,
    trail: Trail,
    around: tuple[Held, Held],
    *,
    every: bool = False,
) -> Iterator[Broken]:
    """Yield those of the invariants *about* one object that it breaks."""
    for one in about:
        guard = None if every else GUARDS.get(one.key)
        for inner, where in _items(held, one.element, trail):
            if guard is not None and not guard(inner):
                continue
            if not holds(one, inner, *around):
                yield Broken(one.key, said(where), one.human)


def holds(one: Invariant, held: Any, bundle: Held, resource: Held) -> bool:
    """Return whether *one* holds of *held*, as FHIRPath says; no answer breaks nothing.

    What cannot be evaluated at all does not hold: in doubt a message is refused, and says why.
    """
    if one.key in BY_HAND:
        return BY_HAND[one.key](held, bundle)
    evaluate = compiled(one)
    with _one_at_a_time:
        try:
            found = evaluate(held, {"resource": resource, "rootResource": resource})
        except Exception:  # noqa: BLE001  FHIRPath says so of whatever it cannot do
            return False
    return list(found) != [False]


def _practitioner(participant: Held, bundle: Held) -> bool:
    """Return whether who stands in for somebody is a practitioner, if the message shows it."""
    if "onBehalfOf" not in participant:
        return True
    named = participant.get("member", {}).get("reference")
    kinds = {
        entry["resource"]["resourceType"]
        for entry in bundle.get("entry", ())
        if named in {entry.get("fullUrl"), _local(entry["resource"])}
    }
    return kinds <= {"Practitioner"}


def _local(resource: Held) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _in_order(period: Held, _bundle: Held) -> bool:
    """Return whether a period begins before it ends, as far as both are exact."""
    start, end = str(period.get("start", "")), str(period.get("end", ""))
    if "T" in start and "T" in end:
        with suppress(ValueError):  # R4 writes leap seconds, and days that no month has
            return datetime.fromisoformat(start) <= datetime.fromisoformat(end)
    length = min(len(start), len(end), DAY)
    return start[:length] <= end[:length]


def _rising(held: Held, _bundle: Held) -> bool:
    """Return whether a range begins below where it ends, where both have the same unit."""
    low, high = held.get("low", {}), held.get("high", {})
    if low.get("code") != high.get("code") or not {"value"} <= low.keys() & high.keys():
        return True
    return bool(low["value"] <= high["value"])


BY_HAND: Final[Mapping[str, Callable[[Any, Held], bool]]] = {
    "ctm-1": _practitioner,
    "per-1": _in_order,
    "rng-2": _rising,
}


def _repeated(values: Sequence[Any]) -> bool:
    return len(set(values)) != len(values)


def _items(held: Held, name: str | None, trail: Trail) -> Iterator[tuple[Any, Trail]]:
    if name is None:
        yield held, trail
        return
    value = held.get(name)
    if isinstance(value, list):
        yield from ((inner, (trail, name, position)) for position, inner in enumerate(value))
    elif value is not None:
        yield value, (trail, name, None)


@cache
def compiled(one: Invariant) -> Evaluate:
    """Return the evaluation of *one*; a resource that it is given is not changed."""
    make, node, model = _fhirpath()
    evaluate = make(one.expression, model, _OPTIONS)
    path = one.path

    def ask(held: Any, around: Mapping[str, Any]) -> Sequence[Any]:
        found: Sequence[Any] = evaluate(node(held, path), dict(around))
        return found

    return ask


@cache
def _fhirpath() -> tuple[Any, Any, Any]:
    import fhirpathpy  # noqa: PLC0415  it costs 0.2 s
    from fhirpathpy.engine.nodes import ResourceNode  # noqa: PLC0415
    from fhirpathpy.models import models  # noqa: PLC0415

    return fhirpathpy.compile, ResourceNode.create_node, models["r4"]


def _has_value(values: Sequence[Any]) -> list[bool]:
    return [len(values) == 1 and not isinstance(values[0], dict | list)]


def _html_checks(values: Sequence[Any]) -> list[bool]:
    """Return whether a narrative holds text and nothing active (txt-1, txt-2)."""
    text = str(values[0]) if values else ""
    told = re.sub(r"<[^>]*>", "", text).strip() or re.search(r"<img\b", text)
    return [bool(told) and re.search(ACTIVE, text) is None]


def _silent(_label: object, _value: object) -> None:
    """Take what `trace` says: it would print it, and it is personal data."""


_OPTIONS: Final = {
    "traceFn": _silent,
    "userInvocationTable": {
        "hasValue": {"fn": _has_value, "arity": {0: []}},
        "htmlChecks": {"fn": _html_checks, "arity": {0: []}},
    },
}
