"""What the hub answers in a partner's queue of answers: that it took a message, or why not.

To FHIR its own acknowledgement, to anything else the receipt or problem as JSON, with codes, places
and remedies and no value of the message but its sender's own id for it.  An answer that is given
again has the same id, so that its reader knows the double.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from adapters.mesh import answers
from adapters.mesh.answers import FHIR, About
from hub.errors import Fault, HubError
from hub.services.receipt import Receipt
from messaging.arrival import Arrival
from messaging.envelope import Envelope

SOUND: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
"""Ids of messages that are taken and repeated: as the HTTP door's ``Idempotency-Key``."""
MINE: Final = "a."


def reply(
    arrival: Arrival, ended: Receipt | HubError, *, channel: str, canonical: str, at: datetime
) -> Envelope:
    """Return the answer to a message that *ended* so, for the queue *channel*."""
    digest = sha256(arrival.body).hexdigest()
    named = arrival.message_id if SOUND.fullmatch(arrival.message_id or "") else None
    fhir = (arrival.content_type or "").partition(";")[0].strip().lower() == FHIR
    if fhir and named is not None:
        about = About(f"amqp/{channel}/{named}", named, at)
        told = (
            answers.refused(canonical, FHIR, about, ended)
            if isinstance(ended, HubError)
            else answers.taken(canonical, FHIR, about, ended.body)
        )
        body, kind = told.body, told.content_type
    else:
        # Who gave it no id that can be repeated knows it by what was in it.
        which = {"sha256": digest} if named is None else {"message_id": named}
        body = json.dumps({**_said(ended), **which}, ensure_ascii=False, default=str).encode()
        kind = "application/json"
    refused = isinstance(ended, HubError)
    code = ended.code.value if isinstance(ended, HubError) else "OK"
    known = sha256(f"{channel}\0{named}\0{digest}\0{code}".encode()).hexdigest()[:40]
    return Envelope(
        message_id=f"{MINE}{known}",
        channel=channel,
        body=body,
        content_type=kind,
        headers={"ecaf-status": "refused" if refused else "accepted", "ecaf-code": code},
        correlation_id=named,
    )


def _said(ended: Receipt | HubError) -> Mapping[str, Any]:
    if not isinstance(ended, HubError):
        return {"status": "accepted", **ended.body}
    faults = ended.faults or (Fault(ended.code),)
    return {
        "status": "refused",
        "code": ended.code.value,
        "detail": ended.detail,
        "errors": [
            {"code": one.code.value, "path": one.path, "remedy": one.remedy} for one in faults
        ],
    }
