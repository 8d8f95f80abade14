"""The route by which a social care assessment pulls named sections of a CAF through."""

from typing import Any, Final

from hub.api.declared import Declared
from hub.api.documented import BODY, JSON, PARTNER, documented

PULL: Final = Declared(
    "POST",
    "/episodes/{ref}/pull-through",
    "read",
    JSON,
    takes="json",
    query={
        "service": {
            "description": "Which of the caller's services asks; needed where it has several.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        },
    },
    document=documented(
        "pullThrough",
        "Pull sections into a social care assessment",
        "For children's social care, under the family's consent for the purpose PULL_THROUGH: the "
        "named sections as consent allows them now, with where each field comes from. What is "
        "withheld and what was never written look alike. Each extract is a disclosure on record "
        "and in the family's access report. Without consent, ask by POST /disclosures where the "
        "law allows it.",
        body="PullThrough",
        answers={200: ("The extract, with its provenance.", "Extract")},
        refusals=(*PARTNER, *BODY, 404, 409, 422),
    ),
)

_TEXT: Final = {"type": "string"}
_MOMENT: Final = {"type": "string", "format": "date-time"}
SCHEMAS: Final[dict[str, Any]] = {
    "PullThrough": {
        "type": "object",
        "properties": {
            "sections": {
                "type": "array",
                "items": _TEXT,
                "minItems": 1,
                "description": "Section keys; only what the assessment needs.",
            },
            "reference": {
                "type": "string",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/-]{2,39}$",
                "description": "The caller's own reference to its assessment; no names.",
            },
        },
        "required": ["sections", "reference"],
        "additionalProperties": False,
    },
    "Extract": {
        "type": "object",
        "properties": {
            "message": {"type": "object"},
            "episode": {"type": "object", "description": "The named sections, as in a Message."},
            "provenance": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": {
                            "type": "string",
                            "description": "A JSON pointer into this document.",
                        },
                        "section": _TEXT,
                        "recorded_at": _MOMENT,
                        "message_id": {
                            "type": "string",
                            "description": "The message that brought this value to the hub.",
                        },
                        "system": _TEXT,
                        "organisation": _TEXT,
                        "practitioner_id": _TEXT,
                        "author": {"type": "string", "description": "By the item's own word."},
                        "authored_at": _MOMENT,
                    },
                    "required": ["path", "section", "recorded_at", "message_id"],
                },
                "description": "One entry a field; a source that may not be named is left out.",
            },
        },
        "required": ["message", "episode", "provenance"],
    },
}
EXAMPLES: Final[dict[str, Any]] = {
    "PullThrough": {"sections": ["sec.identity", "sec.parenting"], "reference": "CFA-2026-117"},
    "Extract": {
        "message": {"purpose": "PULL_THROUGH"},
        "episode": {
            "episode_id": "ep-0001",
            "subjects": [{"subject_id": "child-1", "is_unborn": False, "gender": "F"}],
        },
        "provenance": [
            {
                "path": "/episode/subjects/0/gender",
                "section": "sec.identity",
                "recorded_at": "2026-09-01T09:00:00Z",
                "message_id": "01J9ZY",
                "system": "SCH-A",
                "organisation": "SCH-A",
                "practitioner_id": "p-teach",
            }
        ],
    },
}
