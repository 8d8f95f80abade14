"""Existence is data at every other door, too: what `test_existence` asks, of the rest of the paths.

A stranger who holds every right that a system can hold (child protection's look past a shield,
disclosures, pulling) sees of shielded, sensitive and plain episodes what it sees of none: the same
bytes, headers and status, by the same statements (`domain.md` 4.4, `reliability.md` P24, P25).
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson
import pytest

from hub.domain.events import WIRE
from tests.acceptance.real_hub import CAF, real_hub
from tests.acceptance.test_existence import (
    ABSENT,
    KINDS,
    NUMBERS,
    STRANGER,
    Watched,
    at_rest,
    made,
    reference,
    watch,
)
from tests.unit.fhir.door import FHIR, message

IDS: Final = "https://ecaf.example/fhir/Id"
NHS: Final = "https://fhir.nhs.uk/Id/nhs-number"


ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PARTS: Final = ("status", "headers", "body", "statements")
CSC: Final = f"{STRANGER}/CSC"


def every_right(folder: Path) -> None:
    """Let the stranger's system serve child protection and look past shields as well."""
    profile = folder / "partners" / f"{STRANGER}.yaml"
    text = profile.read_text("utf-8")
    for before, after in (
        ("disclose, vouch]", "disclose, vouch, override]"),
        ("services:\n", f"services:\n  - {{service: {CSC}, name: Social care}}\n"),
    ):
        assert before in text
        text = text.replace(before, after)
    profile.write_text(text, "utf-8")


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """One hub with an episode of every kind, at rest."""
    async with real_hub(tmp_path, change=every_right) as real:
        for number, kind in enumerate(KINDS):
            await made(real, kind, number)
        await at_rest(real)
        yield Watched(real, await watch(real), "")


async def lookups(watched: Watched, kind: str) -> dict[str, tuple[Any, ...]]:
    """Return what the stranger sees of every look-up that names the episode of this kind."""
    ref, ask = reference(kind), watched.ask
    named = quote(f"{IDS}/caf-episode|{ref}", safe="")
    person = quote(f"{IDS}/caf-subject|s1", safe="")
    past = {"purpose": "PLAN", "basis": "S47", "reference": "CP/1", "warned": True}
    pulled = {"sections": ["sec.identity"], "reference": "CFA-1"}
    by = {"ecaf-user": "p-dsl"}
    of, at = f"service={CSC}", f"/episodes/{ref}"
    found = {
        "audit": await ask("GET", f"{at}/audit"),
        "report": await ask("GET", f"{at}/access-report?person=s1"),
        "copy": await ask("GET", f"{at}/family-copy?person=s1&purpose=PLAN&{of}"),
        "override": await ask(
            "POST", f"{at}/override?{of}", past, key=f"o-{kind}", accept=CAF, **by
        ),
        "pull": await ask("POST", f"{at}/pull-through?{of}", pulled, key=f"p-{kind}", **by),
        "Consent": await ask("GET", f"/fhir/Consent?data:identifier={named}"),
        "AuditEvent": await ask(
            "GET", f"/fhir/AuditEvent?entity:identifier={named}&patient:identifier={person}"
        ),
    }
    for one in ("Consent", "AuditEvent"):  # the id of an OperationOutcome is the request's own
        status, headers, body, statements = found[one]
        told = json.loads(body)
        assert told.pop("id")
        found[one] = (status, headers, told, statements)
    return found


async def events(watched: Watched, kind: str) -> dict[str, tuple[Any, ...]]:
    """Return what the stranger sees of every event that it sends about the episode."""
    found = {}
    for event in WIRE:
        told = {"event": event, "episode": {"episode_id": reference(kind)}}
        found[str(event)] = await watched.ask(
            "POST", "/messages", told, key=f"{event}-{kind}", **{"content-type": CAF}
        )
    return found


async def in_fhir(watched: Watched, kind: str) -> dict[str, tuple[Any, ...]]:
    """Return what it sees of messages at the FHIR door: the acknowledgement without its own ids."""
    ref = reference(kind)
    part = {"episode_id": ref, "conclusions": {"need_level": "L3"}}
    bundle = orjson.loads(message({"episode": part}, episode_id=ref, message_type="N6"))
    bundle["id"] = f"bundle-{ref}"
    bundle["entry"][0]["resource"]["id"] = f"message-{ref}"
    answer = await watched.ask(
        "POST", "/fhir/$process-message", bundle, key="-", **{"content-type": FHIR}
    )
    return {"process-message": (answer[0], answer[1], same(answer[2], ref), answer[3])}


def same(body: bytes, ref: str) -> Any:
    """Return an acknowledgement without what is made for it alone and what it repeats of ids."""
    told = json.loads(ID.sub("-", body.decode().replace(ref, "-")))
    told.pop("timestamp")
    return told


@pytest.mark.parametrize(
    ("asked", "cold"),
    [
        (lookups, False),
        (in_fhir, False),
        *(pytest.param(asked, True, marks=pytest.mark.slow) for asked in (lookups, in_fhir)),
        *(pytest.param(events, cold, marks=pytest.mark.slow) for cold in (False, True)),
    ],
)
async def test_no_door_tells_that_there_is_an_episode(
    watched: Watched, asked: Any, cold: bool
) -> None:
    """Reports, copies, overrides, pulls, FHIR, and every event that a message can name."""
    watched = replace(watched, cold=cold)
    await asked(watched, "warm-up")
    absent = await asked(watched, ABSENT)
    refused = {lookups: {404}, in_fhir: {200}, events: {403, 409, 422}}[asked]
    assert {one[0] for one in absent.values()} <= refused
    for kind in KINDS:
        for operation, found in (await asked(watched, kind)).items():
            told_apart = [
                part
                for part, one, other in zip(PARTS, found, absent[operation], strict=True)
                if one != other
            ]
            assert told_apart == [], f"{operation} of a {kind} episode"


async def test_a_match_in_fhir_finds_nobody_who_is_hidden(watched: Watched) -> None:
    """Shielded in full and unknown: an empty searchset of the same bytes and statements."""

    async def match(number: int) -> tuple[Any, ...]:
        patient = {
            "resourceType": "Patient",
            "identifier": [{"system": NHS, "value": NUMBERS[number]}],
            "birthDate": "2016-05-14",
        }
        why = {"name": "purpose", "valueCode": "ASSESS"}
        parts = [{"name": "resource", "resource": patient}, why]
        body = {"resourceType": "Parameters", "parameter": parts}
        return await watched.ask(
            "POST", "/fhir/Patient/$match", body, key="-", **{"content-type": FHIR}
        )

    await match(len(KINDS))
    full, unknown, plain = [
        await match(n) for n in (KINDS.index("full"), len(KINDS), KINDS.index("plain"))
    ]

    assert full == unknown
    assert b"entry" not in full[2]
    assert b"OPEN" in plain[2]
