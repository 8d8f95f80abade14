"""What a partner's answer to a FHIR message says, and when it says nothing that can be believed.

Source: FHIR R4 messaging (MessageHeader.response), `standards.md` 3.6, `reliability.md` P9
("delivered" means that the receiver said so) and 5.12 (a reply is as hostile as any input).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.errors import Code, Unavailable

CODES: Final = ("ok", "transient-error", "fatal-error")
TYPES: Final = ("application/fhir+json", "application/json")
_DEEPEST: Final = 64
_NAYS: Final = ("error", "fatal")


def heard(content_type: str, body: bytes, message_id: str) -> str:
    """Return the response code of the acknowledgement *body* of the message *message_id*.

    Raises `Unavailable` (``E_OUTCOME_UNKNOWN``) where it is no acknowledgement of this message, or
    contradicts itself.
    """
    bare, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if bare not in TYPES or any(p not in ("charset=utf-8", "fhirversion=4.0") for p in parameters):
        raise unknown("the receiver answered in something that is not FHIR JSON")
    bundle = _object(body)
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "message":
        raise unknown("the receiver answered with something that is no acknowledgement")
    resources = list(_resources(bundle.get("entry")))
    headers = [one for one in resources if one.get("resourceType") == "MessageHeader"]
    if len(headers) != 1 or resources[0] is not headers[0]:
        raise unknown("the answer does not begin with its one MessageHeader")
    response = headers[0].get("response")
    if not isinstance(response, dict):
        raise unknown("the receiver sent a message, and no answer")
    if response.get("identifier") != message_id:
        raise unknown("the acknowledgement is for another message")
    code = response.get("code")
    if code not in CODES:
        raise unknown("the acknowledgement has no known code")
    if code == "ok" and any(_complaints(resources)):
        raise unknown("the acknowledgement says yes and reports an error")
    return str(code)


def unknown(detail: str) -> Unavailable:
    """Return what is said where nobody knows whether a message was taken."""
    return Unavailable(Code.OUTCOME_UNKNOWN, detail)


def _resources(entries: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(entries, list) or not entries:
        raise unknown("the answer has no entries")
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            raise unknown("an entry of the answer has no resource")
        yield resource


def _complaints(resources: Sequence[Mapping[str, Any]]) -> Iterator[bool]:
    """Yield for each issue of each OperationOutcome whether it is an error."""
    for resource in resources:
        if resource.get("resourceType") == "OperationOutcome":
            issues = resource.get("issue")
            for issue in issues if isinstance(issues, list) else (None,):
                yield not isinstance(issue, dict) or issue.get("severity") in _NAYS


def _object(body: bytes) -> Mapping[str, Any]:
    """Return the one JSON object in *body*: keys once, no numbers that are none, not too deep."""
    if body.count(b"{") + body.count(b"[") > _DEEPEST * 1_000:
        raise unknown("the answer is not readable")
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_none)
    except (ValueError, RecursionError):
        raise unknown("the answer is not readable") from None
    if not isinstance(found, dict):
        raise unknown("the answer is no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _none(_constant: str) -> None:
    raise ValueError("no number of JSON")
