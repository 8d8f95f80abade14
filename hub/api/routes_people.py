"""The routes by which an organisation vouches for its practitioners, and asks for a reference."""

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
REFERENCE: Final = Declared(
    "POST",
    "/references",
    "consent",
    JSON,
    document=documented(
        "issueReference",
        "Ask for a reference for a new episode",
        "The first consent decision about an episode comes under a reference that the hub gave to "
        "the caller; any other name is refused alike, taken or free, so that nobody can ask for "
        "names (E_NO_RELATIONSHIP). Unused ones cost nothing. The caller's own number of the "
        "episode goes into `local_episode_ids`. A profile with `references: chosen` names its "
        "episodes itself.",
        answers={201: ("A reference of the caller's own.", "Reference")},
        refusals=PARTNER,
    ),
)
