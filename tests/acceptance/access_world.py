"""The ground of the access matrix: every role at its own system, three episodes, one real door.

Everything is as in the hub itself, but for the store, which is dictionaries that are put back
before each question.  *open* is Ava's episode, *other* one that none of the roles has to do with,
*shielded* Ava's again after somebody in it was shielded in full.
"""

import asyncio
import copy
from dataclasses import replace
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from adapters.partners.keys import new_api_key
from hub.api.app import create_app, create_operator_app
from hub.domain.events import WIRE
from hub.domain.partner import ApiKey, Coordinator, Credentials, Delivering, Registry
from hub.hub import Hub
from hub.partner_life import PartnerLife
from hub.serving import consent_in_fhir
from hub.settings import Listen, Settings
from tests import builders as b
from tests.contract.records import assertion
from tests.unit.fhir.door import FHIR
from tests.unit.fhir.door import message as fhir_message
from tests.unit.services.world import (
    CANONICAL,
    PARTNERS,
    World,
    appointment,
    completion,
    includes,
    opening,
    part,
    partner,
)

ROLES: Final = {
    "stranger": ("VCS-N", "p-ola"),
    "assessor": ("SCH-A", "p-teach"),
    "lead": ("EHM-A", "p-lead"),
    "member": ("HV-A", "p-visit"),
    "sensitive": ("CAMHS-A", "p-camhs"),
    "coordinator": ("LA-A", "p-co"),
    "administrator": ("EHM-A", "admin-ehm-a"),
    "social_care": ("CSC-A", "p-csc"),
    "receiving": ("EHM-B", "p-new"),
}
EPISODES: Final = ("open", "other", "shielded")
EVERYTHING: Final = frozenset({"submit", "consent", "index", "notify", "read", "disclose", "vouch"})
SECRET: Final = "Ava copes well"
"""In every element of Ava's assessment: where this is, content is."""


def _operations(name: str) -> frozenset[str]:
    if name == "IDX":
        return frozenset()
    return EVERYTHING | {"override"} if name == "CSC-A" else EVERYTHING


def _partners() -> list[Any]:
    made = [*PARTNERS, partner("LA-A", "FSW")]
    pull = Delivering("pull", "thin")
    return [
        replace(
            one,
            vouches=True,
            operations=_operations(one.name),
            delivering=pull if one.name == "HV-A" else one.delivering,
        )
        for one in made
    ]


async def _story() -> World:
    world = World(partners=_partners())
    desk = Coordinator("CAF co-ordinator", "LA-A", service="LA-A/FSW")
    world.registry.coordinators["001"] = desk  # type: ignore[index]
    for organisation, ref in {*ROLES.values()} - {ROLES["administrator"]} | {("HOU-A", "p-house")}:
        await world.store.run(lambda s, o=organisation, r=ref: s.put_practitioner(assertion(o, r)))
    await world.opened()
    services = ("SCH-A/SCH", "EHM-A/FSW", "HV-A/HV", "HOU-A/HOUS", "CAMHS-A/CAMHS")
    for decision in (world.decision, world.own):
        await world.decide("SCH-A", decision(scope_includes=includes(*services)))
    await world.send("SCH-A", "assessment.completed", episode=completion())
    await world.send("EHM-A", "lead_professional.appointed", episode=appointment())
    plan = {"episode_id": "e1", "plan": b.plan()}
    await world.send("EHM-A", "plan.agreed", episode=plan)
    await world.decide("SCH-B", world.store_only(episode_id="e2"))
    await world.send("SCH-B", "episode.opened", episode=_elsewhere("e2"))
    return world


def _elsewhere(episode_id: str) -> dict[str, Any]:
    """Return an episode of people whom none of the roles employs, at home in authority 002."""
    tree = opening(episode_id=episode_id, home_authority="002")
    theirs = b.practitioner("p-sch-b", organisation="SCH-B", service_type="SCH")
    return {**tree, "services": {**tree["services"], "assessor": [theirs], "other_service": []}}


@cache
def door() -> "Door":
    """Return the one door; made once for all questions."""
    return Door(asyncio.run(_story()))


class Door:
    """A real hub behind its real applications, put back to the same moment for each question."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys, credentials = {}, {}
        for name in world.partners:
            key, digest = new_api_key(name, "k1")
            self.keys[name] = key.reveal()
            credentials[name] = Credentials((ApiKey("k1", digest, date(2099, 1, 1)),))
        registry = Registry(
            "Hub", "support@hub.example", world.partners, credentials, world.registry.coordinators
        )
        folder = Path("/nonexistent")
        settings = Settings(config_dir=folder, vault_key_file=folder, listen=Listen("127.0.0.1", 1))
        parse = orjson.loads
        reader = world.translator
        self.hub = Hub(
            settings, registry, world.clock, world.store, world.digester, reader, reader, parse
        )
        self.app = create_app(self.hub, consent=partial(consent_in_fhir, self.hub))
        self.operator = create_operator_app(self.hub, life=PartnerLife(self.hub))
        self.before = {"open": self._tables(), "other": self._tables()}
        asyncio.run(self._shield())
        self.before["shielded"] = self._tables()
        self.waiting = next(
            d.delivery_id for d in world.deliveries(partner="HV-A", message_type="N9")
        )
        self.message = next(
            e.message_id for e in self.before["open"]["inbox"].values() if e.partner == "EHM-A"
        )

    def _tables(self) -> dict[str, Any]:
        held = vars(self.world.store._tables)
        return {name: copy.copy(table) for name, table in held.items()}

    async def _shield(self) -> None:
        shielded = [{**b.subject(), "shielding": "full"}]
        await self.world.send("SCH-A", episode=part(subjects=shielded))

    def put_back(self, episode: str) -> None:
        """Make it the same moment again."""
        held = vars(self.world.store._tables)
        for name, table in self.before[episode].items():
            held[name] = copy.copy(table)

    async def ask(self, app: Any, call: dict[str, Any], who: str | None, user: str | None) -> Any:
        """Make one call; return the answer."""
        headers = dict(call.get("headers", {}))
        if who is not None:
            headers["authorization"] = f"Bearer {self.keys[who]}"
        if user is not None:
            headers["ecaf-user"] = user
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.request(
                call["method"], call["path"], headers=headers, content=call.get("body")
            )


def outcome(answer: Any) -> str:
    """Return the code of a refusal, else the status."""
    if answer.headers.get("content-type") == FHIR:
        return _of_fhir(answer)
    if answer.status_code < 400:
        return str(answer.status_code)
    return str(answer.json().get("code", answer.status_code))


def _of_fhir(answer: Any) -> str:
    """Return the code of an OperationOutcome, or of the one that an acknowledgement goes with."""
    tree = answer.json()
    entries = tree.get("entry", ())
    header = entries[0]["resource"] if entries else {}
    if answer.status_code < 400 and header.get("response", {}).get("code", "ok") == "ok":
        return str(answer.status_code)
    told = tree if answer.status_code >= 400 else entries[1]["resource"]
    return str(told["issue"][0]["details"]["coding"][0]["code"])


def call_for(operation: str, episode: str, service: str, user: str) -> dict[str, Any]:
    """Return one complete, sound call of an operation about an episode."""
    ref = "e2" if episode == "other" else "e1"
    if operation in WIRE:
        return _post("/messages", {"event": operation, "episode": _part(operation, ref)}, user)
    if operation == "(bare episode)":
        return _post("/messages", {"episode": _part("", ref)}, user)
    if operation == "POST /fhir/$process-message":
        return _in_fhir(_part("", ref), user)
    if operation in LOOKED_UP:
        path = LOOKED_UP[operation].format(ref=ref, id="https://ecaf.example/fhir/Id")
        if operation.startswith("GET"):
            return {"method": "GET", "path": path}
        headers = {"content-type": FHIR}
        return {
            "method": "POST",
            "path": path,
            "body": orjson.dumps(MATCHED),
            "headers": headers,
        }
    if operation == "(contribution)":
        element = {"subject_id": "s1", "element": "1.1", "commentary": "Sleeps better."}
        patch = {"episode_id": ref, "element": element}
        return _post("/messages", {"contribution": patch}, user)
    method, path = operation.split(" ")
    path = path.replace("{ref}", user if "practitioners" in path else ref)
    path = path.replace("{delivery_id}", door().waiting).replace("{message_id}", door().message)
    path = path.replace("{alert_id}", "a-none").replace("{partner}", "SCH-A")
    if path.endswith(f"/episodes/{ref}"):
        path += f"?purpose=PLAN&service={service}"
    if path.endswith("/family-copy"):
        path += f"?person=s1&purpose=PLAN&service={service}"
    if path.endswith("/why"):
        path += "?service=HV-A/HV&purpose=PLAN&field=conclusions.need_level"
    if path.endswith("/known"):
        path += "?service=HV-A/HV&at=2027-03-03T00:00:00Z"
    if path.endswith("/why-not"):
        path += "?service=HV-A/HV"
    if path.endswith("/received"):
        path += "?from=SCH-A&key=k1"
    if path.endswith("/access-report"):
        path += "?person=s1"
    body = BODIES.get(operation)
    made: dict[str, Any] = {"method": method, "path": path}
    made["headers"] = {"accept": CANONICAL} if operation in SHOWS else {}
    if body is not None:
        made["body"] = orjson.dumps(body(ref, user))
        kind = KINDS.get(operation, "application/json")
        made["headers"] |= {"content-type": kind, "idempotency-key": "k-matrix"}
    return made


def _part(event: str, ref: str) -> dict[str, Any]:
    if event == "episode.opened":
        return opening(episode_id=ref)
    # Nothing but the event: whether it may be brought about, not what else would be written.
    return (
        {"episode_id": ref} if event else {"episode_id": ref, "conclusions": {"need_level": "L3"}}
    )


def _post(path: str, message: dict[str, Any], user: str) -> dict[str, Any]:
    wire = b.wire(message)
    tree = orjson.loads(wire)
    tree.setdefault("message", {})["sender_user_ref"] = user
    headers = {"content-type": CANONICAL + ";version=1", "idempotency-key": "k-matrix"}
    return {"method": "POST", "path": path, "body": orjson.dumps(tree), "headers": headers}


def _in_fhir(part: dict[str, Any], user: str) -> dict[str, Any]:
    told = {"sender_user_ref": user, "episode_id": part["episode_id"], "message_type": "N6"}
    raw = fhir_message({"episode": part}, **told)
    headers = {"content-type": FHIR}
    return {"method": "POST", "path": "/fhir/$process-message", "body": raw, "headers": headers}


def _decision(ref: str, _user: str) -> Any:
    record = door().world.decision(scope_includes=includes("SCH-A/SCH"), episode_id=ref)
    return {**record, "consent_decision_id": "d-matrix"}


def _disclosure(_ref: str, user: str) -> Any:
    organisation = next(who for who, ref in ROLES.values() if ref == user)
    decider = b.practitioner("p-dsl", name="Ms Safe", role="DSL", organisation=organisation)
    told = b.disclosure(decided_by=decider)
    whole = orjson.loads(b.wire({"disclosure": told, "episode": b.episode()}))
    whole["event"] = "social_care.referred"
    return whole


BODIES: Final = {
    "POST /messages": lambda ref, _u: {"episode": {"episode_id": ref}},
    "POST /episodes/{ref}/consents": _decision,
    "POST /index/check": lambda _r, _u: {
        "purpose": "ASSESS", "subject": {"identifiers": [{"system": "nhs-number",
        "value": "9990000018"}], "date_of_birth": "2016-05-14"}},
    "POST /notifications": lambda _r, _u: b.notification(),
    "POST /notifications/{partner}": lambda _r, _u: b.notification(),
    "POST /deliveries/{delivery_id}/ack": lambda _r, _u: {"code": "APPLIED"},
    "PUT /practitioners/{ref}": lambda _r, _u: dict(assertion("X", "p").record),
    "POST /episodes/{ref}/override": lambda _r, _u: {
        "purpose": "PLAN", "basis": "S47", "reference": "REF-0001", "warned": True},
    "POST /episodes/{ref}/pull-through": lambda _r, _u: {
        "sections": ["sec.identity"], "reference": "REF-0001"},
    "POST /disclosures": _disclosure,
    "POST /admin/quarantine/{delivery_id}": lambda _ref, user: {
        "action": "release",
        "reason": "TRY_AGAIN",
        "by": user or "op-1",
    },
    "POST /admin/partners/{name}": lambda _ref, user: {
        "action": "suspend",
        "reason": "TEST",
        "by": user or "op-1",
    },
    "POST /admin/partners/{name}/test": lambda _ref, _user: {},
    "POST /admin/partners/{name}/remove": lambda _ref, _user: {},
    "POST /admin/config/activate": lambda _ref, user: {"by": user or "op-1"},
    "POST /admin/replay": lambda ref, _user: {"query": {"episode": ref}, "as_it_was": True},
    "POST /admin/consent/preview": _decision,
}  # fmt: skip
LOOKED_UP: Final = {
    "GET /fhir/Consent": "/fhir/Consent?data:identifier={id}/caf-episode|{ref}",
    "GET /fhir/AuditEvent": "/fhir/AuditEvent?entity:identifier={id}/caf-episode|{ref}"
    "&patient:identifier={id}/caf-subject|s1",
    "POST /fhir/Patient/$match": "/fhir/Patient/$match",
}
MATCHED: Final = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "resource",
            "resource": {
                "resourceType": "Patient",
                "identifier": [
                    {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
                ],
                "birthDate": "2016-05-14",
            },
        },
        {"name": "purpose", "valueCode": "ASSESS"},
    ],
}
SHOWS: Final = frozenset({"GET /episodes/{ref}", "POST /episodes/{ref}/override"})
KINDS: Final = dict.fromkeys(("POST /messages", "POST /disclosures"), CANONICAL + ";version=1")
