"""Rows of audit as FHIR R4 AuditEvents, after IHE's Basic Audit Log Patterns (BALP 1.1).

What left is a *privacy disclosure at source* (DICOM 110106 Export), what came in one *as recorded
by a recipient* (110107 Import), a look into the child index a query (110112) without the profile,
which asks for the query itself.  The patient is named by the episode's opaque reference and nothing
else: no row of audit knows a child.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Row = Mapping[str, Any]
"""A row as `GET /admin/audit` shows it."""

DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
ENTITY: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
OBSERVER: Final = "http://terminology.hl7.org/CodeSystem/security-source-type"
RESOURCES: Final = "http://hl7.org/fhir/resource-types"
PROFILES: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
SUCCESS, REFUSED = "0", "4"
POSITION: Final = "audit-position"
"""The extension that says which row of the hub's audit this is: where a sealed tree will count."""

SENT: Final = frozenset({
    "disclosure.intended", "disclosure.fetched", "view.released", "view.copied",
    "view.overridden", "view.pulled", "view.refused",
})  # fmt: skip
REFUSALS: Final = frozenset({"view.refused"})
RECEIVED: Final = frozenset({"message.accepted", "consent.recorded", "disclosure.recorded"})
ASKED: Final = frozenset({"index.checked"})
EXPORTED: Final = SENT | RECEIVED | ASKED
"""The kinds that become AuditEvents: what concerns data of a family, not the hub's own work."""
ABOUT: Final = ("message", "decision", "exception")
"""By which of its facts a row names what came in."""
DETAILS: Final = ("message_type", "consent_version", "mapping", "view", "attempt", "version")


def audit_event(row: Row, *, hub: str, canonical: str) -> dict[str, Any] | None:
    """Return the AuditEvent of one row; ``None`` for a kind that is not `EXPORTED`.

    *hub* is the name of this hub, *canonical* the base of its own URLs.
    """
    kind = str(row["kind"])
    if kind not in EXPORTED:
        return None
    code, display, profile = "110112", "Query", None
    if kind in SENT:
        # What was refused disclosed nothing, and has no data to name.
        code, display = "110106", "Export"
        profile = None if kind in REFUSALS else "PrivacyDisclosure.Source"
    elif kind in RECEIVED:
        code, display, profile = "110107", "Import", "PrivacyDisclosure.Recipient"
    if not row.get("episode_id"):
        profile = None  # the pattern asks for a patient, and this row is about no episode
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": str(row["audit_id"]),
        **({} if profile is None else {"meta": {"profile": [PROFILES + profile]}}),
        "extension": [
            {
                "url": f"{canonical}/StructureDefinition/{POSITION}",
                "valueString": str(row["position"]),
            }
        ],
        "type": _coding(DICOM, code, display),
        "subtype": [
            *([] if profile is None else [_coding(LIFECYCLE, "disclose", "Disclose")]),
            _coding(f"{canonical}/CodeSystem/audit-kind", kind, kind),
        ],
        "action": "R" if kind in SENT else "C" if kind in RECEIVED else "E",
        "recorded": row["at"],
        "outcome": SUCCESS if row["code"] == "OK" or kind in RECEIVED else REFUSED,
        "outcomeDesc": str(row["code"]),
        "agent": _agents(row, kind, hub),
        "source": {
            "site": hub,
            "observer": {"display": hub},
            "type": [_coding(OBSERVER, "4", "Application Server")],
        },
        "entity": list(_entities(row, kind, canonical)),
    }
    purpose = row["facts"].get("purpose")
    if purpose:
        event["purposeOfEvent"] = [
            {"coding": [_coding(f"{canonical}/CodeSystem/purpose", str(purpose), str(purpose))]}
        ]
    if not event["entity"]:
        del event["entity"]
    return event


def bundle(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the events as one Bundle of the type *collection*."""
    entries = [{"fullUrl": f"urn:uuid:{_uuid(one['id'])}", "resource": one} for one in events]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        **({"entry": entries} if entries else {}),
    }


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}


def _agents(row: Row, kind: str, hub: str) -> list[dict[str, Any]]:
    """Return from whom to whom: the hub at one end, a service or a partner at the other."""
    other = str(row.get("service") or row["actor"])
    sender, receiver = (hub, other) if kind in SENT else (str(row["actor"]), hub)
    agents = [
        _agent("110153", "Source Role ID", sender, asks=kind not in SENT),
        _agent("110152", "Destination Role ID", receiver, asks=kind.startswith("view.")),
    ]
    user = row["facts"].get("user")
    if user:
        agents.append({"who": {"identifier": {"value": str(user)}}, "requestor": True})
    return agents


def _agent(code: str, display: str, name: str, *, asks: bool) -> dict[str, Any]:
    return {
        "type": {"coding": [_coding(DICOM, code, display)]},
        "who": {"display": name},
        "requestor": asks,
        "network": {"address": f"urn:ecaf:{name}", "type": "5"},
    }


def _entities(row: Row, kind: str, canonical: str) -> Iterator[dict[str, Any]]:
    """Yield whose record, which delivery or message, and the decisions that it rests on."""
    facts = row["facts"]
    if row.get("episode_id"):
        yield {
            "what": {
                "type": "Patient",
                "identifier": {"system": f"{canonical}/Id/episode", "value": row["episode_id"]},
            },
            "type": _coding(ENTITY, "1", "Person"),
            "role": _coding(ROLE, "1", "Patient"),
        }
    about = row.get("delivery_id") or next(
        (facts[name] for name in ABOUT if facts.get(name)), row["audit_id"]
    )
    if kind not in ASKED:
        detail = [
            {"type": name, "valueString": str(facts[name])} for name in DETAILS if name in facts
        ]
        yield {
            "what": {"identifier": {"system": f"{canonical}/Id/message", "value": str(about)}},
            "type": _coding(ENTITY, "2", "System Object"),
            "role": _coding(ROLE, "3", "Report"),
            **({"detail": detail} if detail else {}),
        }
    for decision in facts.get("decisions", ()):
        yield {
            "what": {
                "type": "Consent",
                "identifier": {"system": f"{canonical}/Id/consent", "value": str(decision)},
            },
            "type": _coding(RESOURCES, "Consent", "Consent"),
        }


def _uuid(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
