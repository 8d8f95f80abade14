"""A dossier: everything that the record holds about one episode, but for what is sealed as content.

What `hub.services.conservation` judges.  Read in one moment, so that what does not agree in it does
not agree in the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.exchange import Audited, Delivery, ReleasedRecord


@dataclass(frozen=True, slots=True)
class Dossier:
    """The rows of one episode, in their order.

    *version* and *consent_version* are what the head counts, ``None`` without a head; *versions*
    and *decisions* are the numbers that are there.  *lanes* is the last number that each lane has
    given (``to:PARTNER``: the numbers that a recipient sees), *misled* are the partners whose lane
    names another head than the rule of lanes.  Deliveries are without focus and facts, and their
    evidence is empty if there is any; *given* is without paths.  *unreadable* names what does not
    open under the keys of this hub: ``key`` or ``audit``, and which.
    """

    episode_id: str
    version: int | None = None
    consent_version: int | None = None
    versions: tuple[int, ...] = ()
    decisions: tuple[int, ...] = ()
    lanes: Mapping[str, int] | None = None
    misled: tuple[str, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    audit: tuple[Audited, ...] = ()
    given: tuple[ReleasedRecord, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()
