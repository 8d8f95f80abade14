"""What the hub keeps about an exchange: heads, versions, decisions, relationships, deliveries,
audit.

These are the rows that the store holds, as plain values.  Content (`tree`, `facts`, `record`,
`raw`) is encrypted by the store; everything else here is free of personal data by construction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Final

Tree = Mapping[str, Any]
"""A plain canonical tree (JSON types only), treated as immutable by everybody."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One accepted (or refused for consent) message of one partner, for deduplication and receipts.

    *digest* is keyed (HMAC), so that it tells nothing to who reads the store.  *raw* is ``None``
    when the body was refused for lack of consent: then only key and digest are kept (`design.md`
    section 4).
    """

    message_id: str
    partner: str
    key: str
    digest: bytes
    content_type: str
    raw: bytes | None
    received_at: datetime
    status: int
    answer: Tree
    episode_id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class EpisodeHead:
    """The head of one episode: its four regions and counters; the row that everybody locks.

    *consent_version* counts decisions.  *sequence* counts deliveries and messages per partner
    elsewhere.
    """

    episode_id: str
    owner: str
    home_authority: str | None
    process: str
    resume_to: str | None
    lead: str
    index: str
    version: int
    consent_version: int
    created_at: datetime
    changed_at: datetime
    assessor_service: str | None = None
    lead_service: str | None = None
    index_entries: tuple[str, ...] = ()
    facts: Tree | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One append-only version of the content of an episode."""

    episode_id: str
    version: int
    tree: Tree
    event: str | None
    sender: str
    message_id: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """One consent decision as recorded; *record* is the full `domain.md` 4.3 record."""

    decision_id: str
    episode_id: str
    data_subject: str
    sequence: int
    record: Tree
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Involvement:
    """A service's relationship to an episode: an open, dated interval (`design.md` section 6)."""

    involvement_id: str
    episode_id: str
    service: str
    partner: str
    since: datetime
    until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it stands now.  Beginning and end are written as they happen, so what has no end
        is open and what has one is over, whatever a clock says that has been set back since: it
        must neither shut what was opened nor open again what was ended (`reliability.md` P15, P26).
        """
        return self.until is None


class Priority(IntEnum):
    """Which class overtakes which on a lane (`domain.md` 1.5, ordering): lower goes first."""

    STATUTORY = 0
    CONSENT = 1
    VOID = 2
    CLOSURE = 3
    CONTENT = 10


class State(StrEnum):
    """Where a delivery is; the last five are final (`reliability.md` 1)."""

    PENDING = "pending"
    SENDING = "sending"
    HANDED_OVER = "handed_over"
    DELIVERED = "delivered"
    SUPPRESSED = "suppressed"
    QUARANTINED = "quarantined"
    EXPIRED = "expired"
    ERASED = "erased"


UNSETTLED = frozenset({State.PENDING, State.SENDING, State.HANDED_OVER})
HOLDING = UNSETTLED | {State.QUARANTINED}
"""What may hold others of its lane back: what is quarantined is final until somebody acts."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One accepted message times one recipient service; its id is every id the recipient sees.

    *lane_sequence* is per (partner, episode), assigned under the head's lock; *sequence* is the
    number that the recipient sees, given at the first release so that what was suppressed leaves no
    gap.  *version* is the newest content that it may show.  *focus* restricts what is shown (paths
    or sections; empty: everything that the type shows).  *facts* are the small facts of a
    notification (may hold personal data).
    """

    delivery_id: str
    partner: str
    service: str
    episode_id: str
    message_type: str
    priority: int
    lane_sequence: int
    version: int
    focus: tuple[str, ...]
    facts: Tree
    correlation_id: str
    causation_id: str
    created_at: datetime
    state: State = State.PENDING
    reason: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    lease_owner: str | None = None
    lease_epoch: int = 0
    lease_until: datetime | None = None
    sequence: int | None = None
    digest: bytes | None = None
    evidence: Tree | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """One audit row: who did what to what, by which decisions; never a value."""

    audit_id: str
    at: datetime
    kind: str
    actor: str
    episode_id: str | None
    service: str | None
    delivery_id: str | None
    code: str
    facts: Tree


@dataclass(frozen=True, slots=True)
class ReleasedRecord:
    """The ledger: what one recipient was given, and a keyed digest of the view."""

    delivery_id: str
    episode_id: str
    service: str
    message_type: str
    version: int
    paths: tuple[str, ...]
    digest: bytes
    released_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should look at; the hub has no screen, so it says it here.

    *kind* is dotted (``consent.expiring``).  *audience* is ``lead:<SERVICE>``,
    ``administrator:<ORGANISATION>``, ``protocol-owner:<ORGANISATION>``,
    ``data-protection:<AUTHORITY or ->`` or ``operator``.  *facts* hold codes, counts, dates and ids
    and never personal data.  The same *alert_id* is kept once, so who must not repeat an alert
    makes the id from what it is about (`hub.services.alerts.alert`).
    """

    alert_id: str
    at: datetime
    kind: str
    audience: str
    episode_id: str | None
    service: str | None
    delivery_id: str | None
    facts: Tree
    due_at: datetime | None = None
    acknowledged_at: datetime | None = None


class Watch(StrEnum):
    """Which episodes the scheduler's duties look at (`hub.services.scheduler`)."""

    OPEN = "open"
    RECALLED = "recalled"
    ENDED = "ended"


ENDED: Final = frozenset({"CLOSED", "ARCHIVED"})
"""Processes that are over and whose records are still kept."""
GONE: Final = frozenset({"VOID", "DECLINED", "PURGED"})
"""Processes about which there is nothing to do any more."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What the child index holds (`domain.md` 5.4): a match set, a state, whom to ring; nothing
    else.

    *tokens* are keyed blind indexes made by the index's own key; *match* is encrypted under it.
    """

    entry_id: str
    reference: str
    tokens: tuple[bytes, ...]
    match: Tree
    caf_state: str
    contact: Tree
    authority: str | None
    mediated: bool
    last_sequence: int
    verified_at: datetime


UNMATCHED: Final = "received"
"""The state of a notice that was recorded and not yet looked at."""
WAITING: Final = "waiting"
"""Looked at, and certain of nobody: a person may decide."""
SET_ASIDE: Final = "set_aside"
"""Matching it failed every time: a person may decide."""
ERASED: Final = "erased"
"""Its body was destroyed when its time was over."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification from a school or health system.

    Its *body* is kept until it is matched, and at most until *expires_at* if it is not; without it
    the notice only tells a repeated message from a new one.  *attempts* counts how often matching
    was begun; *reason* is a code that says why it waits, *decider* a reference to who has said that
    they will decide.
    """

    notice_id: str
    partner: str
    key: str
    digest: bytes
    kind: str
    body: Tree | None
    received_at: datetime
    expires_at: datetime
    episode_id: str | None
    state: str
    attempts: int = 0
    next_attempt_at: datetime | None = None
    reason: str | None = None
    decider: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A notice that may be matched now: its attempt, the first being 1, is counted already."""

    notice_id: str
    partner: str
    key: str
    kind: str
    attempt: int
