"""Pairs of episodes that release the same to a recipient and differ in everything else.

Each number makes one pair: the family, the decisions, what kind of message, and how the withheld
part is disturbed (other values, nothing, more of it).  Whatever a recipient is told of the one must
be what it is told of the other, byte for byte, in every format (`design.md` section 6).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.domain.exchange import Delivery
from hub.errors import Rejected, Withheld
from hub.services.gate import Case, Request, address, release, release_to_index
from hub.services.released import Released
from hub.services.settle import envelope
from tests.property.families import spoilt
from tests.property.gate_model import leaves_of
from tests.property.test_gate import (
    RECIPIENT,
    SERVICE,
    TRANSLATOR,
    case,
    decided,
    disturbed,
    family,
    mark,
)
from tests.unit.services.world import START

FORMATS: Final = TRANSLATOR.formats()
CHANGED: Final = tuple(
    f"subjects[subject_id=s1].{name}"
    for name in ("given_names", "address", "gender", "identifiers")
)
KINDS: Final[tuple[tuple[str, tuple[str, ...], Mapping[str, Any], str], ...]] = (
    ("N7", (), {}, "PLAN_ACTIVE"),
    ("N9", (), {"event": "plan.agreed"}, "PLAN_ACTIVE"),
    ("N6", (), {}, "ASSESSED"),
    ("N5", CHANGED, {"effective_on": "2026-09-02"}, "PLAN_ACTIVE"),
    ("N16", ("request", "r1"), {"kind": "request", "request_id": "r1"}, "PLAN_ACTIVE"),
    ("N2", (), {"closed_on": "2026-11-01"}, "CLOSED"),
    ("N3", (), {"was_acting": True}, "PLAN_ACTIVE"),
    ("N8", (), {"event": "team.called", "joined": ["HV-A/HV"], "left": ["HOU-A/HOUS"]},
     "TEAM_FORMING"),
    ("N4", ("p-lead",), {"effective_on": "2026-09-02"}, "PLAN_ACTIVE"),
    ("N11", (), {"kind": "offer"}, "TRANSFER_PENDING"),
    ("VIEW", (), {}, "PLAN_ACTIVE"),
    ("PULL", ("sec.identity", "sec.child.health", "sec.parenting", "sec.plan"), {}, "PLAN_ACTIVE"),
    ("N10", (), {"stop": False, "scope": ["sec.plan"], "copies": "LOCK"}, "PLAN_ACTIVE"),
)  # fmt: skip
SILENT: Final = frozenset({"fhir-r4/consent", "hl7v2/adt-merge"})
"""Formats that no message about an episode's content is written in: their errors are compared."""
HOWS: Final = ("change", "remove", "multiply")


@dataclass(frozen=True)
class Pair:
    """What a recipient is told of both, or why nothing; *differs*: the two are not one episode."""

    kind: str
    told: tuple[Released | str, Released | str]
    differs: bool


def pair(number: int) -> Pair:
    """Return pair *number*."""
    chance = random.Random(number)
    kind, focus, facts, process = KINDS[number % len(KINDS)]
    how = HOWS[number // len(KINDS) % len(HOWS)]
    tree = family()
    if chance.random() < 0.5:
        tree = spoilt(tree, chance, chance.choice([0.1, 0.5]))
    records = decided(number)
    asked = Request(RECIPIENT, SERVICE, kind, focus, facts, "PLAN", START)
    first = _released(tree, records, process, asked)
    shown: set[str] = set()
    if isinstance(first, Released):
        marked = _released(mark(tree, ()), records, process, asked)
        if not isinstance(marked, Released):
            return Pair(kind, (first, first), differs=False)
        _places(marked.tree.get("episode", {}), shown)
    other = disturbed(tree, shown, how if isinstance(first, Released) else "change")
    second = _released(other, records, process, asked)
    return Pair(kind, (first, second), differs=other != tree)


def _released(tree: Any, records: Any, process: str, asked: Request) -> Released | str:
    try:
        known = case(tree, records, process)
        return _addressed(release(known, asked), asked, known)
    except Withheld as withheld:
        return f"{withheld.code} {withheld.detail}"


def _addressed(released: Released, asked: Request, known: Case) -> Released:
    delivery = Delivery(
        "0f0f0f0f-0000-4000-8000-000000000001", "HV-A", SERVICE, "e1", asked.message_type, 10, 4, 3,
        asked.focus, asked.facts, "11111111-0000-4000-8000-000000000001", "m1", START, sequence=2,
    )  # fmt: skip
    return address(released, envelope(delivery, released, "Hub", START, known.decisions))


def _places(value: Any, shown: set[str]) -> None:
    if isinstance(value, Mapping):
        for held in value.values():
            _places(held, shown)
    elif isinstance(value, list | tuple):
        for held in value:
            _places(held, shown)
    elif isinstance(value, str) and value.startswith("@"):
        shown.add(value[1:])


def said(format_name: str, told: Released | str) -> bytes:
    """Return the bytes of one side in a format, or of the error that it ends in."""
    if isinstance(told, str):
        return told.encode()
    try:
        rendered = TRANSLATOR.render(format_name, told, partner="HV-A")
    except Rejected as fault:
        return repr((fault.code, fault.detail, fault.faults)).encode()
    return rendered.content_type.encode() + b"\0" + rendered.body


def index_pair(number: int) -> tuple[bytes, bytes]:
    """Return what the child index is told of two families that differ in what it may not hold."""
    chance = random.Random(f"index/{number}")
    kind = chance.choice(["N1", "N3", "N2", "N5"])
    tree = family()
    records = [{**record, "index_consent": "yes"} for record in decided(number)]
    focus = ("subjects[subject_id=s1].given_names", "subjects[subject_id=s1].gender")
    facts = {"subject_id": "s1", "reference": "r1"}
    asked = Request(RECIPIENT, "IDX/INDEX", kind, focus, facts, "INDEX", START)
    held = {"identifiers", "given_names", "family_name", "gender", "date_of_birth", "address",
            "aka_previous_names", "expected_date_of_delivery", "responsible_practitioner",
            "status", "opened_at", "closed_at", "home_authority"}  # fmt: skip
    shown = {
        "/".join(map(str, where)) for where, _, _ in leaves_of(tree) if held & set(map(str, where))
    }
    other = disturbed(tree, shown, HOWS[number % 3])
    desk = {"name": "Duty desk", "organisation": "LA-A", "contact_tel": "0113 496 0100"}
    found = []
    for one in (tree, other):
        known = case(one, records)
        try:
            out = release_to_index(known, asked, coordinator=desk)
        except Withheld as withheld:
            found.append(str(withheld).encode())
        else:
            found.append(said("caf-json", _addressed(out, asked, known)))
    return found[0], found[1]
