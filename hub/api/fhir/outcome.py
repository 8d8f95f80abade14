"""Refusals below ``/fhir``: OperationOutcome with our stable codes, never problem+json.

A refusal names code, place and remedy and repeats no value of the request (`reliability.md` P18).
Places are FHIRPath where they lie in the resource, ``http.`` and a name where they lie in header or
query (FHIR R4, OperationOutcome.issue.expression); a place in the canonical message, which FHIR has
no path for, stands in the words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from hub.errors import Code, Fault, HubError

CONTENT_TYPE: Final = "application/fhir+json"
ROOT: Final = "/fhir"
CODES: Final = "hub-error"
MOST_ISSUES: Final = 100

_TYPES: Final[Mapping[Code, str]] = {
    Code.SYNTAX: "structure",
    Code.ENCODING: "structure",
    Code.DEPTH: "too-costly",
    Code.DUPLICATE_KEY: "structure",
    Code.UNKNOWN_FIELD: "structure",
    Code.TOO_LARGE: "too-long",
    Code.CONTROL_CHAR: "value",
    Code.NUMBER: "value",
    Code.TYPE: "value",
    Code.FORMAT: "value",
    Code.LENGTH: "value",
    Code.IDENTIFIER_CHECK: "value",
    Code.REQUIRED: "required",
    Code.RULE: "invariant",
    Code.CODELIST: "code-invalid",
    Code.REFERENCE: "invalid",
    Code.MATCH_AMBIGUOUS: "multiple-matches",
    Code.IDEMPOTENCY: "duplicate",
    Code.DUPLICATE: "duplicate",
    Code.VERSION_CONFLICT: "conflict",
    Code.CONTENT_TYPE: "not-supported",
    Code.NOT_ACCEPTABLE: "not-supported",
    Code.METHOD: "not-supported",
    Code.NOT_FOUND: "not-found",
    Code.NO_RELATIONSHIP: "not-found",
    Code.UNAUTHENTICATED: "login",
    Code.FORBIDDEN: "forbidden",
    Code.ORG_NOT_ACCREDITED: "forbidden",
    Code.USER_NOT_ELIGIBLE: "forbidden",
    Code.CONSENT_NONE: "suppressed",
    Code.CONSENT_SCOPE: "suppressed",
    Code.CONSENT_EXPIRED: "suppressed",
    Code.CONSENT_GIVER: "suppressed",
    Code.RATE: "throttled",
    Code.BUSY: "throttled",
    Code.TIMEOUT: "timeout",
    Code.UNAVAILABLE: "transient",
    Code.OUTCOME_UNKNOWN: "transient",
    Code.REGISTER: "transient",
    Code.STORE: "transient",
    Code.INTERNAL: "exception",
}
"""IssueType of each code; ``business-rule`` for the rest."""


def speaks(path: str) -> bool:
    """Return whether *path* is answered in FHIR.

    >>> speaks("/fhir/metadata"), speaks("/fhirish")
    (True, False)
    """
    return path == ROOT or path.startswith(ROOT + "/")


def system_for(path: str, canonical_url: str) -> str | None:
    """Return the code system of our codes where *path* is answered in FHIR, else ``None``."""
    return f"{canonical_url}/CodeSystem/{CODES}" if speaks(path) else None


def expression(path: str) -> str | None:
    """Return the place as OperationOutcome names places; ``None`` for one outside the resource.

    >>> expression("entry[2].resource.status"), expression("header.accept")
    ('Bundle.entry[2].resource.status', 'http.accept')
    >>> expression("/episode/status") is None
    True
    """
    before, _, rest = path.partition(".")
    if before in ("header", "query") and rest:
        return f"http.{rest}"
    if before in ("query", "method", "operation", "body"):
        return None
    if not path or path.startswith("/"):
        return None
    return f"{'Parameters' if path.startswith('parameter') else 'Bundle'}.{path}"


def issue(fault: Fault, system: str, *, severity: str, text: str = "") -> dict[str, Any]:
    """Return one issue; *system* is the code system of our codes, *text* what happened."""
    made: dict[str, Any] = {
        "severity": severity,
        "code": _TYPES.get(fault.code, "business-rule"),
        "details": {"coding": [{"system": system, "code": fault.code.value}]},
    }
    if text:
        made["details"]["text"] = text
    place = expression(fault.path)
    words = fault.remedy if place or not fault.path else f"{fault.path}: {fault.remedy}"
    allowed = [*fault.allowed, *([fault.code_list] if fault.code_list else [])]
    if allowed:
        words += f" (allowed: {', '.join(allowed)})"
    if words.strip():
        made["diagnostics"] = words.strip()
    if place:
        made["expression"] = [place]
    return made


def outcome(
    error: HubError, system: str, *, severity: str = "error", more: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Return the OperationOutcome of *error*; *more* are issues that stand behind its own."""
    faults = list(error.faults[:MOST_ISSUES]) or [Fault(error.code)]
    issues = [
        issue(fault, system, severity=severity, text=error.detail if number == 0 else "")
        for number, fault in enumerate(faults)
    ]
    return {"resourceType": "OperationOutcome", "issue": [*issues, *more]}


def body_of(error: HubError, *, system: str, support_contact: str, request_id: str) -> bytes:
    """Return the answer to a refused request; its id is the request id that the log has too."""
    contact = {
        "severity": "information",
        "code": "informational",
        "diagnostics": f"whom to ask: {support_contact}",
    }
    return orjson.dumps({**outcome(error, system, more=[contact]), "id": request_id})
