"""The route by which an episode's audit is looked over (`domain.md` 5.3)."""

from typing import Any, Final

from hub.api.declared import Declared
from hub.api.documented import JSON, PARTNER, documented
from hub.services.oversight import WHAT

AUDIT: Final = Declared(
    "GET",
    "/episodes/{ref}/audit",
    "read",
    JSON,
    query={
        "after": {
            "description": "`next` of the previous page.",
            "schema": {"type": "integer", "minimum": 0, "default": 0},
        },
        "limit": {
            "description": "How many at most.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        },
    },
    document=documented(
        "readAudit",
        "See who did what to an episode",
        "Oldest first: what happened, when, by whose system or to which service; no content, "
        "person, decision or code. The lead professional's system and the co-ordinator of the "
        "episode's authority see all of it, who is at work there what they did. Disclosures "
        "by law (N13) and views past a shield are not in it; to a co-ordinator, nothing of "
        "sensitive services. Where the child index may not know of the episode, there is none "
        "for a co-ordinator.",
        answers={200: ("What happened.", "Audit")},
        refusals=(*PARTNER, 404),
    ),
)
_TEXT: Final = {"type": "string"}
SCHEMAS: Final[dict[str, Any]] = {
    "Audit": {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "at": {"type": "string", "format": "date-time"},
                        "what": {"enum": sorted(set(WHAT.values()))},
                        "by": {**_TEXT, "description": "The organisation; or the hub itself."},
                        "service": {**_TEXT, "description": "ORGANISATION/TYPE"},
                        "message_type": _TEXT,
                    },
                    "required": ["at", "what", "by"],
                },
            },
            "next": {"type": "integer", "description": "Where the next page begins."},
        },
        "required": ["rows"],
    },
}
EXAMPLES: Final[dict[str, Any]] = {
    "Audit": {
        "rows": [
            {"at": "2026-09-08T10:00:00Z", "what": "WROTE", "by": "SCH-A"},
            {
                "at": "2026-09-08T10:00:01Z",
                "what": "GIVEN",
                "by": "hub",
                "service": "HV-A/HV",
                "message_type": "N7",
            },
        ]
    },
}
