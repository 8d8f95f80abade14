"""The route by which child protection sees past a shield, once."""

from typing import Any, Final

from hub.api.declared import Declared
from hub.api.documented import BODY, PARTNER, documented

OVERRIDE: Final = Declared(
    "POST",
    "/episodes/{ref}/override",
    "override",
    "",
    takes="json",
    query={
        "service": {
            "description": "Which of the caller's services asks; needed where it has several.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        },
    },
    document=documented(
        "overrideShield",
        "See past a shield, for one view",
        "For child protection services whose profile has the operation `override`. Triggers an "
        "immediate investigation: the caller's system shows that to its practitioner (ECAF-User) "
        "and says so by `warned`. Lifts the shield, not consent; nothing of it is kept. Unknown, "
        "unrelated and shielded answer alike.",
        body="ShieldOverride",
        answers={200: ("What this service may see, without the shield.", "Message")},
        refusals=(*PARTNER, *BODY, 404, 422),
    ),
)
SHIELD_OVERRIDE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "purpose": {"type": "string", "description": "What for: a code of the list CL-21b."},
        "basis": {"type": "string", "description": "On what ground: a code of the list CL-21f."},
        "reference": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/-]{2,39}$",
            "description": "The caller's own reference to the reason; no names.",
        },
        "warned": {"const": True, "description": "The practitioner has seen the warning."},
    },
    "required": ["purpose", "basis", "reference", "warned"],
    "additionalProperties": False,
}
