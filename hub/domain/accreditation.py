"""Accreditation: what an organisation has signed, how far it has come, and where that holds.

Source: `domain.md` 5.1 (organisation, agreement, named account) and scenario S8 step 5.  The
information-sharing protocol is signed with an authority; where it lapses, the episodes of that
authority stop and those of others go on.  The home authority of an episode decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Stage(StrEnum):
    """How far a connection has come; only the third and fourth ever touch a child's data."""

    APPLIED = "applied"
    """The application is in; the door stays shut."""
    TEST = "test"
    """The system may prove itself and read the directory; no episode is open to it."""
    PILOT = "pilot"
    """As live, within the scope of the pilot."""
    LIVE = "live"
    SUSPENDED = "suspended"
    """Everything stops at once, in both directions."""


CONNECTED = frozenset({Stage.TEST, Stage.PILOT, Stage.LIVE})
WORKING = frozenset({Stage.PILOT, Stage.LIVE})


@dataclass(frozen=True, slots=True)
class Protocol:
    """One signed information-sharing protocol; *authority* ``None`` holds with every authority."""

    reference: str
    expires_on: date
    version: str | None = None
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class Pilot:
    """How far a pilot goes; what is not limited is open, and at least one thing is limited."""

    authorities: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    episodes: int | None = None


def protocol_for(protocols: Sequence[Protocol], authority: str | None) -> Protocol | None:
    """Return the protocol that holds in *authority*: its own, else the one for every authority.

    An authority's own protocol counts even where a general one would last longer: it is what the
    two have agreed.

    >>> general, own = Protocol("G", date(2030, 1, 1)), Protocol("B", date(2027, 1, 1), "1", "002")
    >>> protocol_for((general, own), "002").reference, protocol_for((general, own), "001").reference
    ('B', 'G')
    """
    own = [one for one in protocols if one.authority is not None and one.authority == authority]
    general = [one for one in protocols if one.authority is None]
    found = own or general
    return max(found, key=lambda one: one.expires_on) if found else None
