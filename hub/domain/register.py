"""What passes between the hub and a server that keeps consent decisions: question and answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.domain.exchange import Tree
from hub.errors import Fault


@dataclass(frozen=True, slots=True)
class Asked:
    """What a consent server is asked: an episode, its people, and which Consents are known.

    *known* maps the ids of Consents that were in force to the version that was seen.
    """

    episode_id: str
    persons: tuple[str, ...]
    known: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Kept:
    """One Consent as its server keeps it; *decision* is a `domain.md` 4.3 record, or ``None`` where
    it is no longer in force (inactive, entered in error, deleted).
    """

    resource: str
    version: str
    changed_at: datetime
    decision: Tree | None


@dataclass(frozen=True, slots=True)
class Holding:
    """What a server keeps about one episode; with *faults* it cannot be relied on."""

    consents: tuple[Kept, ...]
    faults: tuple[Fault, ...] = ()
