"""Synthetic messages: about nobody, and marked so that none can ever enter live.

The mark is in the ids: message and episode are UUIDs of version 8 (RFC 9562) that begin with
``ecaf7e57``, which no system makes by chance, for random ones are of version 4 or 7.  So the mark
survives every format, and whoever takes such a message for a real one still cannot place it: every
door of the hub refuses it.  The child is one of the test people (an NHS number from 999, which is
never given to anybody, the surname Example).
"""

import re
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from hub.domain.exchange import Tree
from hub.errors import Code, Fault, InvalidContent

MARK: Final = re.compile(r"ecaf7e57-[0-9a-f]{4}-8[0-9a-f]{3}-", re.ASCII | re.IGNORECASE)
_PAYLOADS: Final = ("message", "episode", "contribution", "consent_decision", "acknowledgement")
_IDS: Final = ("message_id", "episode_id", "correlation_id")


def new_id() -> str:
    """Return a new id that says that it is synthetic.

    >>> synthetic_id(new_id())
    True
    """
    plain = str(uuid4())
    return f"ecaf7e57-{plain[9:13]}-8{plain[15:]}"


def synthetic_id(text: object) -> bool:
    """Return whether *text* is the id of something synthetic.

    >>> synthetic_id("ecaf7e57-0000-4000-8000-000000000001"), synthetic_id("e1")
    (False, False)
    """
    return isinstance(text, str) and MARK.match(text) is not None


def refuse_synthetic(message: Tree) -> None:
    """Refuse a message that bears the mark anywhere in its ids; raises `InvalidContent`.

    An acknowledgement of a synthetic message is none: it names a delivery, not an episode.
    """
    for payload in _PAYLOADS:
        part = message.get(payload)
        if not isinstance(part, dict):
            continue
        for name in _IDS:
            if synthetic_id(part.get(name)):
                fault = Fault(Code.RULE, f"/{payload}/{name}", "send real messages to live systems")
                raise InvalidContent(Code.RULE, "a test message never enters live", (fault,))


def refuse_synthetic_id(reference: str) -> None:
    """Refuse a reference that bears the mark; raises `InvalidContent`."""
    refuse_synthetic({"episode": {"episode_id": reference}})


def message_to(service: str, hub: str, delivery_id: str, now: datetime) -> dict[str, Any]:
    """Return a whole message (N7, content shared) about a child that does not exist."""
    episode_id, at = new_id(), now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "message": {
            "message_id": delivery_id,
            "correlation_id": episode_id,
            "schema_version": "1",
            "episode_id": episode_id,
            "episode_seq": 1,
            "message_type": "N7",
            "sender_org": hub,
            "sender_system": "urn:ecaf:hub",
            "sent_at": at,
            "recipients": [service],
            "purpose": "ASSESS",
        },
        "notification": {"code": "N7"},
        "episode": {
            "episode_id": episode_id,
            "subjects": [
                {
                    "subject_id": "s1",
                    "is_unborn": False,
                    "identifiers": [{"system": "nhs-number", "value": "9990000018"}],
                    "given_names": ["Test"],
                    "family_name": "Example",
                    "gender": "F",
                    "date_of_birth": "2016-05-14",
                    "date_accuracy": "AAA",
                    "address": [
                        {
                            "address_lines": ["1 Example Terrace", "Exampletown"],
                            "postcode": "ZZ99 3AA",
                            "use": "home",
                        }
                    ],
                }
            ],
        },
    }
