"""Organisations and their people, as the HTTP surface documents them: what they vouch for, and the
directory of their services.
"""

from typing import Any, Final

_DAY: Final = {"type": "string", "format": "date"}


def _dated(**more: Any) -> dict[str, Any]:
    """Return the schema of one fact: from when to when it holds, ends included."""
    return {
        "type": "object",
        "properties": {**more, "from": _DAY, "expires": _DAY},
        "required": [*more, "from", "expires"],
    }


PRACTITIONER: Final = {
    "type": "object",
    "properties": {
        "role": _dated(code={"type": "string", "description": "A code of the list CL-12."}),
        "training": _dated(),
        "identity_check": _dated(),
        "enhanced_dbs": _dated(),
        "may_author": {"type": "boolean"},
        "may_receive": {"type": "boolean"},
        "stopped_on": {**_DAY, "description": "From this day the person may do nothing."},
    },
    "required": [
        "role", "training", "identity_check", "enhanced_dbs", "may_author", "may_receive",
    ],
    "description": "What an organisation vouches for: dates, never a certificate or a reason.",
}  # fmt: skip

REFERENCE: Final = {
    "type": "object",
    "properties": {"reference": {"type": "string", "pattern": "^[a-z2-7]{48}$"}},
    "required": ["reference"],
    "description": "For one new episode of the caller's; chance, with a proof of whose it is.",
}

_TEXT: Final = {"type": "string"}
_SERVICE: Final = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            ("service", "name", "organisation", "organisation_type", "channel", "format"), _TEXT
        ),
        "authority": {"type": ["string", "null"]},
        "stage": {"enum": ["pilot", "live"]},
        "authorities": {
            "type": "array",
            "items": _TEXT,
            "description": "Authorities that a protocol covers today; `*`: every.",
        },
    },
    "required": ["service", "name", "stage", "authorities"],
}
DIRECTORY: Final = {
    "type": "object",
    "properties": {"services": {"type": "array", "items": _SERVICE}},
    "description": "Accredited services, their codes and channels; no personal data.",
}

PRACTITIONER_EXAMPLE: Final = {
    "role": {"code": "FSW", "from": "2026-01-01", "expires": "2028-12-31"},
    "training": {"from": "2026-01-10", "expires": "2029-01-09"},
    "identity_check": {"from": "2025-12-01", "expires": "2030-11-30"},
    "enhanced_dbs": {"from": "2025-12-15", "expires": "2028-12-14"},
    "may_author": True,
    "may_receive": True,
}
