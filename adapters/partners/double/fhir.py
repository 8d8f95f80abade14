"""What a FHIR system answers to a message: an acknowledgement of its own making.

Nothing of the hub is used here: a double that shared its code could only agree with it.
"""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapters.partners.double.http import Answer

CONTENT_TYPE = "application/fhir+json"
PROCESS = "/fhir/$process-message"
CANONICAL = "https://ecaf.example/fhir"
"""Under what a hub that was told nothing else publishes its artefacts."""


def message_id(body: bytes) -> str | None:
    """Return the MessageHeader.id of a message Bundle; ``None`` if there is none."""
    try:
        header = json.loads(body)["entry"][0]["resource"]
    except (ValueError, LookupError, TypeError):
        return None
    if not isinstance(header, dict) or header.get("resourceType") != "MessageHeader":
        return None
    found = header.get("id")
    return found if isinstance(found, str) else None


def acknowledgement(about: str, code: str, own: str) -> Answer:
    """Return the acknowledgement of the message *about*; *own* makes its ids."""
    header: dict[str, Any] = {
        "resourceType": "MessageHeader",
        "id": f"ack-{own}",
        "eventUri": "urn:example:received",
        "source": {"endpoint": "urn:example:partner"},
        "response": {"identifier": about, "code": code},
    }
    bundle = {
        "resourceType": "Bundle",
        "id": f"answer-{own}",
        "type": "message",
        "entry": [{"fullUrl": f"urn:example:ack-{own}", "resource": header}],
    }
    return Answer(200, json.dumps(bundle).encode(), CONTENT_TYPE)


def answer_to(about: str, kind: str, canonical: str = CANONICAL) -> bytes:
    """Return the message by which a system says what it did with the delivery *about*: FHIR's own
    acknowledgement, as an event of the hub's; *kind* N10 asks for what became of its copies.
    """
    response: dict[str, Any] = {"identifier": about, "code": "ok"}
    if kind == "N10":
        url = f"{canonical}/StructureDefinition/acknowledgement"
        response["extension"] = [{"url": url, "valueCode": "COPIES_LOCKED"}]
    system = f"{canonical}/CodeSystem/caf-message-event"
    header = {
        "resourceType": "MessageHeader",
        "id": f"ack-{about}",
        "eventCoding": {"system": system, "code": "caf-acknowledgement"},
        "source": {"endpoint": "urn:example:partner"},
        "response": response,
    }
    entry = {"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, about)}", "resource": header}
    return json.dumps({"resourceType": "Bundle", "type": "message", "entry": [entry]}).encode()


def heard(body: bytes) -> tuple[int, dict[str, Any]]:
    """Return what the hub's acknowledgement says, as a status and the codes behind it."""
    bundle = json.loads(body)
    first, *others = (one["resource"] for one in bundle["entry"])
    status = {"ok": 200, "transient-error": 503}.get(first["response"]["code"], 422)
    issues = [issue for one in others for issue in one.get("issue", ())]
    codes = [
        coding["code"] for one in issues for coding in one.get("details", {}).get("coding", ())
    ]
    errors = [{"code": code} for code in codes]
    return status, {"code": codes[0] if codes else "", "errors": errors}


def refusal(text: str) -> Answer:
    """Return the answer to what is no message."""
    issue = {"severity": "error", "code": "structure", "diagnostics": text}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Answer(400, json.dumps(outcome).encode(), CONTENT_TYPE)
