"""The routes by which an organisation vouches for its practitioners."""

from typing import Final

from hub.api.declared import Declared
from hub.api.documented import BODY, JSON, PARTNER, documented

VOUCH: Final = Declared(
    "PUT",
    "/practitioners/{ref}",
    "vouch",
    JSON,
    takes="json",
    document=documented(
        "vouchForPractitioner",
        "Vouch for a practitioner",
        "Four dated facts of one of the caller's own practitioners (role, training, identity "
        "check, enhanced DBS), and whether the person may author and may receive. No certificate "
        "and no reason: an unknown key is refused. It takes effect at once, at the door and for "
        "what already waits. `stopped_on` ends it early.",
        body="Practitioner",
        answers={200: ("Kept, and what it allows today.", "Practitioner")},
        refusals=(*PARTNER, *BODY, 422),
    ),
)
PRACTITIONER: Final = Declared(
    "GET",
    "/practitioners/{ref}",
    "vouch",
    JSON,
    document=documented(
        "getPractitioner",
        "See what is vouched for",
        "The caller's own practitioners only.",
        answers={200: ("What was put, and what it allows today.", "Practitioner")},
        refusals=(*PARTNER, 404),
    ),
)
