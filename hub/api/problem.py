"""Problem bodies (RFC 9457): the one shape of every refusal at this door.

A refusal names a stable code, places, remedies, whom to ask, and the request id that the log has
too. It never repeats a value of the request (promise P18).
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from hub.api.fhir import outcome
from hub.errors import (
    Code,
    Conflict,
    Fault,
    Forbidden,
    HubError,
    InvalidContent,
    Malformed,
    Missing,
    Rejected,
    Unauthorised,
    Unavailable,
    Withheld,
)

CONTENT_TYPE: Final = "application/problem+json"
TYPES: Final = "https://ecaf.example/problems/"
MOST_FAULTS: Final = 100

_BY_CODE: Final[Mapping[Code, int]] = {
    Code.TOO_LARGE: 413,
    Code.CONTENT_TYPE: 415,
    Code.NOT_ACCEPTABLE: 406,
    Code.METHOD: 405,
    Code.NOT_FOUND: 404,
    Code.RATE: 429,
    Code.BUSY: 503,
    Code.TIMEOUT: 408,
}
_BY_CLASS: Final[tuple[tuple[type[HubError], int], ...]] = (
    (Malformed, 400),
    (InvalidContent, 422),
    (Conflict, 409),
    (Unauthorised, 401),
    (Forbidden, 403),
    (Missing, 404),
    (Rejected, 422),
    (Withheld, 403),
    (Unavailable, 503),
)


def status_of(error: HubError) -> int:
    """Return the status of *error*: by its code where that says more than its class."""
    if isinstance(error, Rejected | Unavailable) and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((status for kind, status in _BY_CLASS if isinstance(error, kind)), 500)


def internal() -> HubError:
    """Return what a caller is told of anything that is our own fault: nothing but that."""
    return HubError(
        Code.INTERNAL,
        "the hub failed; nothing was accepted",
        [Fault(Code.INTERNAL, remedy="quote the request id to the support contact")],
    )


def malformed(code: Code, path: str, remedy: str, detail: str | None = None) -> Malformed:
    """Return a refusal by the door itself, of one place in the request."""
    return Malformed(code, detail or remedy, [Fault(code, path=path, remedy=remedy)])


def missing() -> Missing:
    """Return the one answer for whatever does not exist or may not be known of."""
    remedy = "check the address; what you may not know of looks the same as what does not exist"
    return Missing(Code.NOT_FOUND, "no such thing here", [Fault(Code.NOT_FOUND, remedy=remedy)])


def _fault(fault: Fault) -> dict[str, Any]:
    shown: dict[str, Any] = {"code": fault.code, "path": fault.path, "remedy": fault.remedy}
    if fault.code_list is not None:
        shown["code_list"] = fault.code_list
    if fault.allowed:
        shown["allowed"] = list(fault.allowed)
    return shown


def body_of(
    error: HubError,
    status: int,
    *,
    support_contact: str,
    request_id: str,
    members: Mapping[str, str] | None = None,
) -> bytes:
    """Return the problem as JSON bytes; *members* are extensions (OAuth 2's ``error``)."""
    return orjson.dumps(
        {
            "type": TYPES + error.code,
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": error.code,
            "detail": error.detail,
            "errors": [_fault(fault) for fault in error.faults[:MOST_FAULTS]],
            "support_contact": support_contact,
            "request_id": request_id,
            **(members or {}),
        }
    )


def answer(
    error: HubError,
    *,
    support_contact: str,
    request_id: str,
    members: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    fhir: str | None = None,
) -> Response:
    """Return the response for *error*, with the headers that its status asks for.

    *fhir* is the code system of our codes where the caller speaks FHIR: an OperationOutcome then.
    """
    status = status_of(error)
    if status >= 500 and not isinstance(error, Unavailable):
        error = internal()
    extra = dict(headers or {})
    if status == 401:
        extra["www-authenticate"] = "Bearer"
    if isinstance(error, Unavailable) or status == 429:
        wait = error.retry_after if isinstance(error, Unavailable) else None
        extra.setdefault("retry-after", str(max(1, math.ceil(wait or 1.0))))
    if fhir is not None:
        said = outcome.body_of(
            error, system=fhir, support_contact=support_contact, request_id=request_id
        )
        return Response(said, status, extra, outcome.CONTENT_TYPE)
    body = body_of(
        error, status, support_contact=support_contact, request_id=request_id, members=members
    )
    return Response(body, status, extra, CONTENT_TYPE)
