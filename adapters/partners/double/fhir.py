"""What a FHIR system answers to a message: an acknowledgement of its own making.

Nothing of the hub is used here: a double that shared its code could only agree with it.
"""

import json
from typing import Any

from adapters.partners.double.http import Answer

CONTENT_TYPE = "application/fhir+json"


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


def refusal(text: str) -> Answer:
    """Return the answer to what is no message."""
    issue = {"severity": "error", "code": "structure", "diagnostics": text}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Answer(400, json.dumps(outcome).encode(), CONTENT_TYPE)
