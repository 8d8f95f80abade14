"""Schemas and examples of the HTTP surface, written by hand because bodies stay bytes.

The canonical message has its own JSON Schema (`ecaf schema`); here it is an object with the members
that every reader of this page needs.  The people in the examples are invented.
"""

from collections.abc import Mapping
from typing import Any, Final

from hub.api import disclosing, overseeing, pulling
from hub.api.fhir import routes as fhir
from hub.api.lifting import SHIELD_OVERRIDE
from hub.api.schemas_people import DIRECTORY, PRACTITIONER, PRACTITIONER_EXAMPLE, REFERENCE
from hub.domain.codes import code_list

Schema = Mapping[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
_REFERENCE: Final[Schema] = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
}


def _object(properties: Mapping[str, Any], required: tuple[str, ...] = (), **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), **more}


SUBJECT: Final = _object(
    {
        "identifiers": {
            "type": "array",
            "items": _object({"system": _TEXT, "value": _TEXT}, ("system", "value")),
        },
        "given_names": {"type": "array", "items": _TEXT},
        "family_name": _TEXT,
        "date_of_birth": {"type": "string", "format": "date"},
        "postcode": _TEXT,
    },
    description="Whom it is about; in the body only, never in an address.",
)

_ALERT: Final = _object(
    {
        "alert_id": _REFERENCE,
        "at": _MOMENT,
        "kind": {"type": "string", "examples": ["consent.expiring"]},
        "audience": {"type": "string", "examples": ["lead:EHM-A/FSW"]},
        "episode_id": _REFERENCE,
        "service": _TEXT,
        "delivery_id": _REFERENCE,
        "due_at": _MOMENT,
        "acknowledged_at": _MOMENT,
        "facts": {"type": "object", "description": "Codes, counts, dates and ids only."},
    },
    ("alert_id", "at", "kind", "audience"),
)

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Practitioner": PRACTITIONER,
    "Reference": REFERENCE,
    "ShieldOverride": SHIELD_OVERRIDE,
    "Problem": _object(
        {
            "type": {"type": "string", "format": "uri"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "code": {"type": "string", "pattern": "^E_[A-Z_]+$"},
            "detail": _TEXT,
            "errors": {
                "type": "array",
                "items": _object(
                    {
                        "code": {"type": "string", "pattern": "^E_[A-Z_]+$"},
                        "path": {"type": "string", "description": "Where in the request."},
                        "remedy": {"type": "string", "description": "What would put it right."},
                        "code_list": _TEXT,
                        "allowed": {"type": "array", "items": _TEXT},
                    },
                    ("code", "path", "remedy"),
                ),
            },
            "support_contact": _TEXT,
            "request_id": {"type": "string", "description": "Also in X-Request-Id and the log."},
            "error": {"type": "string", "description": "At /token: the OAuth 2 error code."},
        },
        (
            "type",
            "title",
            "status",
            "code",
            "detail",
            "errors",
            "support_contact",
            "request_id",
        ),
        description="Every refusal (RFC 9457). It never repeats a value of the request.",
    ),
    "Message": _object(
        {
            "message": _object({"message_id": _REFERENCE, "episode_id": _REFERENCE}),
            "event": _TEXT,
            "event_detail": {"type": "object"},
            "episode": {"type": "object"},
            "consent_decision": {"type": "object"},
            "contribution": {"type": "object"},
            "acknowledgement": {"type": "object"},
            "notification": {"$ref": "#/components/schemas/Notification"},
        },
        description="The canonical wire message with exactly one payload; `ecaf schema` prints its "
        "whole JSON Schema.",
    ),
    "Receipt": _object(
        {"message_id": _REFERENCE, "status": _TEXT, "episode_id": _REFERENCE},
        description="What the hub promises after the commit: the message cannot be lost any more.",
    ),
    **disclosing.SCHEMAS,
    **pulling.SCHEMAS,
    **overseeing.SCHEMAS,
    **fhir.SCHEMAS,
    "ConsentDecision": _object(
        {
            "consent_decision_id": _REFERENCE,
            "subject_id": _REFERENCE,
            "state": {"type": "string", "description": "CL-21a"},
            "given_by_basis": {"type": "string", "description": "CL-21c"},
            "store_decision": {"enum": ["yes", "no"]},
            "share_decision": {"enum": ["yes", "no"]},
            "signed_at": _MOMENT,
        },
        ("subject_id", "state"),
        description="One decision record of one data subject; the message schema has every field.",
    ),
    "Consents": _object(
        {"decisions": {"type": "array", "items": {"type": "object"}}},
        description="The decisions that the caller may know of, oldest first.",
    ),
    "AccessReport": _object(
        {
            "episode_id": _REFERENCE,
            "made_at": _MOMENT,
            "disclosures": {
                "type": "array",
                "items": _object(
                    {
                        "at": _MOMENT,
                        "organisation": _TEXT,
                        "service": _TEXT,
                        "what": {**_TEXT, "description": "In words."},
                        "sections": {"type": "array", "items": _TEXT},
                        "purpose": _TEXT,
                        "ground": {
                            "type": "array",
                            "items": _object({"agreed_by": _TEXT, "on": _TEXT}),
                        },
                    },
                    ("at", "organisation", "service", "what", "sections", "ground"),
                ),
            },
        },
        ("episode_id", "made_at", "disclosures"),
        description="Who received what; no values, and nobody's name.",
    ),
    "IndexQuestion": _object({"subject": SUBJECT}, ("subject",)),
    "IndexAnswer": _object(
        {
            "answer": {"enum": ["NONE", "OPEN", "PREVIOUS", "POSSIBLE", "MEDIATED"]},
            "contact": {"type": "object", "description": "Whom to ring, and nothing else."},
        },
        ("answer",),
    ),
    "Notification": _object(
        {
            "kind": {"enum": list(code_list("notification-kinds").codes)},
            "subject": SUBJECT,
            "occurred_on": {"type": "string", "format": "date"},
            "codes": {
                "type": "array",
                "items": _object({"system": _TEXT, "code": _TEXT}, ("system", "code")),
            },
            "text": _TEXT,
            "practitioner": {"type": "object"},
        },
        ("kind", "subject"),
    ),
    "Directory": DIRECTORY,
    "Inbox": _object(
        {
            "deliveries": {
                "type": "array",
                "items": _object(
                    {
                        "delivery_id": _REFERENCE,
                        "message_type": _TEXT,
                        "episode_id": _REFERENCE,
                        "sequence": {"type": "integer"},
                        "created_at": _MOMENT,
                    },
                    ("delivery_id", "message_type"),
                ),
            },
            "next": {"type": ["integer", "null"], "description": "Give it as `after` next time."},
        },
        ("deliveries",),
    ),
    "Acknowledgement": _object(
        {
            "code": {
                "enum": [
                    "RECEIVED",
                    "APPLIED",
                    "COPIES_LOCKED",
                    "COPIES_DELETED",
                    "COPIES_RETURNED",
                    "REJECTED",
                ]
            },
            "rejected_reason": _TEXT,
        },
        ("code",),
    ),
    "Token": _object(
        {
            "access_token": _TEXT,
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "maximum": 300},
            "scope": _TEXT,
        },
        ("access_token", "token_type", "expires_in", "scope"),
    ),
    "TokenRequest": _object(
        {
            "grant_type": {"const": "client_credentials"},
            "client_assertion_type": {
                "const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            },
            "client_assertion": {
                "type": "string",
                "description": "A JWT signed with ES384 or RS384: iss = sub = the partner's name, "
                "aud = this address exactly, exp at most five minutes ahead, a new jti every time, "
                "kid of a registered key.",
            },
            "client_id": _TEXT,
            "scope": {"type": "string", "description": "Operations, separated by spaces."},
        },
        ("grant_type", "client_assertion_type", "client_assertion"),
        additionalProperties=False,
    ),
    "Alert": _ALERT,
    "Alerts": _object(
        {
            "alerts": {"type": "array", "items": _ALERT},
            "next": {"type": "integer", "description": "Give it as `after` next time."},
        },
        ("alerts",),
    ),
    "State": {"type": "object", "description": "Names of parts and their states."},
}

_SUBJECT_EXAMPLE: Final = {
    "identifiers": [{"system": "nhs-number", "value": "9990000018"}],
    "given_names": ["Ava"],
    "family_name": "Example",
    "date_of_birth": "2016-05-14",
    "postcode": "ZZ99 3WZ",
}

_ALERT_EXAMPLE: Final = {
    "alert_id": "0b7c6a2e-0f5b-5d5c-8a52-2f3f6f0c9f11",
    "at": "2026-09-01T09:00:00Z",
    "kind": "consent.expiring",
    "audience": "lead:EHM-A/FSW",
    "episode_id": "ep-0001",
    "due_at": "2026-09-29T00:00:00Z",
    "facts": {"days": 28},
}

EXAMPLES: Final[Mapping[str, Any]] = {
    "Practitioner": PRACTITIONER_EXAMPLE,
    "Reference": {"reference": "mfrggzdfmztwq2lknnwg23tpobyxe43uov3ho6dzpiydcmrt"},
    "ShieldOverride": {
        "purpose": "PLAN",
        "basis": "S47",
        "reference": "CP/2026/0042",
        "warned": True,
    },
    "Message": {
        "message": {"message_id": "m-0001", "episode_id": "ep-0001"},
        "event": "assessment.completed",
        "episode": {"episode_id": "ep-0001"},
    },
    "Alert": _ALERT_EXAMPLE,
    "Alerts": {"alerts": [_ALERT_EXAMPLE]},
    "Receipt": {"message_id": "01J9ZX", "status": "accepted", "episode_id": "ep-0001"},
    **disclosing.EXAMPLES,
    **pulling.EXAMPLES,
    **overseeing.EXAMPLES,
    **fhir.EXAMPLES,
    "ConsentDecision": {
        "consent_decision_id": "c-0001",
        "subject_id": "child-1",
        "state": "SHARE",
        "given_by_basis": "PR_HOLDER",
        "store_decision": "yes",
        "share_decision": "yes",
        "signed_at": "2026-09-01T09:00:00Z",
    },
    "Consents": {"decisions": []},
    "AccessReport": {
        "episode_id": "3f1c0b1e",
        "made_at": "2026-10-01T09:00:00Z",
        "disclosures": [
            {
                "at": "2026-09-05T09:00:00Z",
                "organisation": "Housing of authority A",
                "service": "HOU-A/HOUS",
                "what": "what was agreed to be shared",
                "sections": ["Identifying details", "Housing, employment and finance"],
                "purpose": "Plan and deliver",
                "ground": [
                    {"agreed_by": "Person with parental responsibility", "on": "2026-09-01"}
                ],
            }
        ],
    },
    "IndexQuestion": {"subject": _SUBJECT_EXAMPLE},
    "IndexAnswer": {
        "answer": "OPEN",
        "contact": {"name": "Mr Lead", "telephone": "0113 496 0001"},
    },
    "Notification": {
        "kind": "attendance_concern",
        "subject": _SUBJECT_EXAMPLE,
        "occurred_on": "2026-10-02",
        "text": "Absent on ten days this half term.",
    },
    "Directory": {
        "services": [
            {
                "service": "EHM-A/FSW",
                "name": "Early help family support",
                "organisation": "Early help of authority A",
                "organisation_type": "LA_EH",
                "authority": "001",
                "stage": "live",
                "authorities": ["*"],
                "channel": "webhook",
                "format": "fhir-r4/episode",
            }
        ]
    },
    "Inbox": {
        "deliveries": [
            {
                "delivery_id": "d-0001",
                "message_type": "N7",
                "episode_id": "ep-0001",
                "sequence": 3,
                "created_at": "2026-09-01T09:00:01Z",
            }
        ],
        "next": 3,
    },
    "Acknowledgement": {"code": "APPLIED"},
    "Token": {
        "access_token": "eyJ…",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "read submit",
    },
    "TokenRequest": {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "eyJ…",
    },
    "State": {"ready": True},
    "Problem": {
        "type": "https://ecaf.example/problems/E_CODELIST",
        "title": "Unprocessable Content",
        "status": 422,
        "code": "E_CODELIST",
        "detail": "the message breaks a rule of the data dictionary",
        "errors": [
            {
                "code": "E_CODELIST",
                "path": "/episode/subjects/0/gender",
                "remedy": "use a code of the list",
                "code_list": "CL-01",
            }
        ],
        "support_contact": "support@hub.example",
        "request_id": "9f86d081884c7d65",
    },
}
