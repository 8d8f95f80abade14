"""Schemas and examples of sharing without consent (N13) at the HTTP door."""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
_REFERENCE: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"}


def _object(properties: Mapping[str, Any], required: tuple[str, ...] = (), **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), **more}


SCHEMAS: Final[Mapping[str, Schema]] = {
    "DisclosureMessage": _object(
        {
            "event": {"const": "social_care.referred"},
            "disclosure": _object(
                {
                    "exception_id": _REFERENCE,
                    "kind": {"enum": ["DISCLOSE", "REQUEST"]},
                    "episode_id": _REFERENCE,
                    "request_id": _REFERENCE,
                    "subject_ids": {"type": "array", "items": _REFERENCE},
                    "basis": {"type": "string", "description": "CL-21f"},
                    "basis_reference": _TEXT,
                    "concern_summary": _TEXT,
                    "why_no_consent": _TEXT,
                    "decided_by": {"type": "object", "description": "A named practitioner."},
                    "decided_at": _MOMENT,
                    "manager_consulted": {"type": "boolean"},
                    "family_informed": {"type": "string", "description": "CL-21g"},
                    "disclosed_to": {"type": "string", "description": "ORGANISATION/TYPE"},
                    "disclosed_sections": {"type": "array", "items": _TEXT, "minItems": 1},
                },
                (
                    *("exception_id", "kind", "basis", "concern_summary", "why_no_consent"),
                    *("decided_by", "decided_at", "family_informed", "disclosed_to"),
                    "disclosed_sections",
                ),
            ),
            "episode": {"type": "object", "description": "The sections, from the sender's own."},
        },
        ("disclosure",),
        description="One decision to share without consent, or a request for one (N13).",
    ),
    "DisclosureReceipt": _object(
        {"message_id": _REFERENCE, "status": _TEXT, "exception_id": _REFERENCE},
        ("message_id", "exception_id"),
        description="The same whether or not the hub knows of an episode.",
    ),
}

EXAMPLES: Final[Mapping[str, Any]] = {
    "DisclosureMessage": {
        "disclosure": {
            "exception_id": "x-0001",
            "kind": "DISCLOSE",
            "episode_id": "ep-0001",
            "subject_ids": ["child-1"],
            "basis": "S47",
            "concern_summary": "An injury that nobody explains.",
            "why_no_consent": "Asking first would put the child at risk.",
            "decided_by": {
                "practitioner_id": "p-dsl",
                "name": "Ms Safe",
                "organisation": "SCH-A",
                "role": "DSL",
            },
            "decided_at": "2026-10-02T11:00:00Z",
            "manager_consulted": True,
            "family_informed": "NOT_TOLD_RISK",
            "disclosed_to": "CSC-A/CSC",
            "disclosed_sections": ["sec.identity", "sec.child.health"],
        },
        "episode": {
            "episode_id": "ep-0001",
            "subjects": [{"subject_id": "child-1", "is_unborn": False}],
        },
    },
    "DisclosureReceipt": {
        "message_id": "01J9ZY",
        "status": "accepted",
        "exception_id": "x-0001",
    },
}
