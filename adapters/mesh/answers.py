"""What the hub answers through MESH: that it took a message, or why not, by codes and places.

To a FHIR message FHIR's own acknowledgement (a message Bundle whose MessageHeader.response names
the message and says ``ok``, ``transient-error`` or ``fatal-error``, with an OperationOutcome); to
anything else the receipt or problem as JSON, as the HTTP door gives it.  No value of the message
is repeated but its sender's own id for it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from hub.errors import Fault, HubError

FHIR: Final = "application/fhir+json"
_NAMESPACE: Final = UUID("b5b8a6f4-5a0d-5c0e-8b57-2f6d0c0b7e11")
_LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its bytes and their type."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class About:
    """What is answered: MESH's id of it, its sender's own id (as far as it can be read), and when
    the hub decided.
    """

    carrier_id: str
    identifier: str
    at: datetime


def identifier_of(tree: object) -> str | None:
    """Return the id of the MessageHeader of a Bundle, if that is what *tree* is.

    >>> identifier_of({"entry": [{"resource": {"resourceType": "MessageHeader", "id": "m-1"}}]})
    'm-1'
    """
    return _id((_header(tree) or {}).get("id"))


def response_of(tree: object) -> tuple[str, str] | None:
    """Return what a FHIR acknowledgement says: the id of the message that it is about, and FHIR's
    code; ``None`` where *tree* is none.
    """
    response = (_header(tree) or {}).get("response")
    if not isinstance(response, dict):
        return None
    about, code = _id(response.get("identifier")), response.get("code")
    return (about, code) if about is not None and isinstance(code, str) else None


def _header(tree: object) -> dict[str, Any] | None:
    entries = tree.get("entry") if isinstance(tree, dict) else None
    first = entries[0] if isinstance(entries, list) and entries else None
    header = first.get("resource") if isinstance(first, dict) else None
    sound = isinstance(header, dict) and header.get("resourceType") == "MessageHeader"
    return header if sound else None


def _id(found: object) -> str | None:
    sound = isinstance(found, str) and 0 < len(found) <= _LONGEST and found.isascii()
    return found if sound and isinstance(found, str) and found.isprintable() else None


def taken(hub: str, content_type: str, about: About, receipt: Mapping[str, Any]) -> Answer:
    """Return the answer to what was recorded."""
    if content_type == FHIR:
        return _bundle(hub, about, "ok", ())
    return _json({"status": "accepted", **receipt, **_named(about)})


def refused(hub: str, content_type: str, about: About, error: HubError) -> Answer:
    """Return the answer to what was not taken, and will not be as it stands."""
    faults = error.faults or (Fault(error.code),)
    if content_type == FHIR:
        return _bundle(hub, about, "fatal-error", [(error.detail, one) for one in faults])
    problem = {
        "status": "refused",
        "code": error.code.value,
        "detail": error.detail,
        "errors": [
            {"code": one.code.value, "path": one.path, "remedy": one.remedy} for one in faults
        ],
    }
    return _json({**problem, **_named(about)})


def _named(about: About) -> dict[str, str]:
    return {"mesh_message_id": about.carrier_id, "message": about.identifier}


def _bundle(hub: str, about: About, code: str, faults: Sequence[tuple[str, Fault]]) -> Answer:
    """Return FHIR's acknowledgement; made again for the same message, it has the same ids."""
    header = str(uuid5(_NAMESPACE, f"{about.carrier_id}/header"))
    outcome = str(uuid5(_NAMESPACE, f"{about.carrier_id}/outcome"))
    response: dict[str, Any] = {"identifier": about.identifier, "code": code}
    entries: list[dict[str, Any]] = []
    if faults:
        response["details"] = {"reference": f"urn:uuid:{outcome}"}
        issues = [_issue(detail, fault) for detail, fault in faults]
        told = {"resourceType": "OperationOutcome", "id": outcome, "issue": issues}
        entries.append({"fullUrl": f"urn:uuid:{outcome}", "resource": told})
    resource: dict[str, Any] = {
        "resourceType": "MessageHeader",
        "id": header,
        "eventCoding": {
            "system": f"{hub}/CodeSystem/caf-message-event",
            "code": "caf-acknowledgement",
        },
        "definition": f"{hub}/MessageDefinition/caf-acknowledgement|1.0.0",
        "source": {"name": "eCAF hub", "endpoint": "urn:ecaf:hub"},
        "response": response,
    }
    entries.insert(0, {"fullUrl": f"urn:uuid:{header}", "resource": resource})
    stamp = about.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    bundle = {
        "resourceType": "Bundle",
        "id": str(uuid5(_NAMESPACE, about.carrier_id)),
        "type": "message",
        "timestamp": stamp,
        "entry": entries,
    }
    return Answer(json.dumps(bundle, ensure_ascii=False).encode(), FHIR)


def _issue(detail: str, fault: Fault) -> dict[str, Any]:
    issue: dict[str, Any] = {
        "severity": "error",
        "code": "processing",
        "details": {"coding": [{"code": fault.code.value}], "text": fault.remedy or detail},
        "diagnostics": detail,
    }
    if fault.path:
        issue["expression"] = [fault.path]
    return issue


def _json(body: Mapping[str, Any]) -> Answer:
    return Answer(json.dumps(body, ensure_ascii=False, default=str).encode(), "application/json")
