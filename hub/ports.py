"""What the hub needs from outside, as Protocols; adapters and mappings satisfy them by shape."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from hub.domain.backlog import Backlog
from hub.domain.carriage import Outcome, Parcel
from hub.domain.dossier import Dossier
from hub.domain.exchange import (
    Alert,
    Audited,
    Decision,
    Delivery,
    EpisodeHead,
    InboxEntry,
    IndexEntry,
    Involvement,
    ReleasedRecord,
    State,
    Tree,
    Version,
    Watch,
)
from hub.domain.practitioner import Assertion
from hub.domain.register import Asked, Holding
from hub.domain.search import Search
from hub.errors import Fault
from hub.ports_notices import NoticeSession, NoticeStore
from hub.ports_waits import WaitStore

T = TypeVar("T")


class Clock(Protocol):
    """The business clock; scenarios move it.  Leases and time-outs never use it."""

    def now(self) -> datetime:
        """Return the current moment, timezone-aware, in UTC."""
        ...


class Session(NoticeSession, Protocol):
    """One unit of work inside a group transaction: reads see its own writes, writes land together.

    All reads of an episode happen under its head's row lock.  If the unit raises, none of its
    writes land, and the other units of the same group are not harmed.
    """

    def clock(self) -> datetime:
        """Return real time in UTC, by the database's clock where it has one: for leases only."""
        ...

    def use_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        """Remember a client assertion's id; ``False`` if this issuer used it before."""
        ...

    def inbox(self, partner: str, key: str) -> InboxEntry | None:
        """Return what this partner sent before under this key."""
        ...

    def add_inbox(self, entry: InboxEntry) -> None:
        """Keep one message; a second with the same (partner, key) fails the unit."""
        ...

    def message(self, message_id: str) -> InboxEntry | None:
        """Return the message that the hub received under its own id *message_id* (without raw)."""
        ...

    def episode(self, episode_id: str) -> EpisodeHead | None:
        """Return the head, locked until the transaction ends."""
        ...

    def put_episode(self, head: EpisodeHead) -> None:
        """Insert or replace the head."""
        ...

    def version(self, episode_id: str, version: int) -> Version | None:
        """Return one version with its whole tree."""
        ...

    def add_version(self, version: Version) -> None:
        """Append a version; versions are never changed."""
        ...

    def decisions(self, episode_id: str) -> Sequence[Decision]:
        """Return every decision of the episode, oldest first."""
        ...

    def add_decision(self, decision: Decision) -> None:
        """Append a decision; decisions are never changed."""
        ...

    def involvements(self, episode_id: str) -> Sequence[Involvement]:
        """Return the services' relationships to the episode, open and ended."""
        ...

    def put_involvement(self, involvement: Involvement) -> None:
        """Insert or replace one relationship."""
        ...

    def episodes_before(self, partner: str, episode_id: str) -> int:
        """Return in how many other episodes *partner* had a relationship before it had one in this
        (all of them, where it has none here); ties go by episode id.
        """
        ...

    def practitioner(self, organisation: str, ref: str) -> Assertion | None:
        """Return what an organisation vouches for of the practitioner that it calls *ref*."""
        ...

    def put_practitioner(self, assertion: Assertion) -> None:
        """Insert or replace what an organisation vouches for."""
        ...

    def practitioners(self, after: tuple[str, str], limit: int) -> Sequence[Assertion]:
        """Return what organisations vouch for, by (organisation, ref), beyond *after*."""
        ...

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return one delivery."""
        ...

    def deliveries(self, episode_id: str) -> Sequence[Delivery]:
        """Return every delivery of the episode, in order of creation."""
        ...

    def unsettled(self, episode_id: str, partner: str | None = None) -> Sequence[Delivery]:
        """Return what is not final, or quarantined, of the episode (and partner), in lane order."""
        ...

    def next_sequence(self, partner: str, episode_id: str) -> int:
        """Return the next number of the lane; gapless per (partner, episode)."""
        ...

    def give_back(self, partner: str, episode_id: str, number: int) -> bool:
        """Take *number* of the lane back, if it is the last that was given: it was never used."""
        ...

    def put_delivery(self, delivery: Delivery) -> None:
        """Insert or replace one delivery."""
        ...

    def add_released(self, record: ReleasedRecord) -> None:
        """Append to the ledger of what recipients were given."""
        ...

    def last_released(self, episode_id: str, service: str) -> Sequence[ReleasedRecord]:
        """Return the newest ledger record for each message type that *service* was given."""
        ...

    def given(self, episode_id: str, service: str) -> Sequence[ReleasedRecord]:
        """Return everything that *service* was given of the episode, oldest first."""
        ...

    def add_audit(self, row: Audited) -> None:
        """Append one audit row."""
        ...

    def audit(self, episode_id: str) -> Sequence[Audited]:
        """Return the audit rows of an episode, oldest first."""
        ...

    def add_alert(self, alert: Alert) -> bool:
        """Keep one alert; ``False``, and nothing changes, if its id is known already."""
        ...

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert."""
        ...

    def acknowledge_alert(self, alert_id: str, at: datetime) -> Alert | None:
        """Note that somebody has seen it; the first time counts.  ``None`` if there is none."""
        ...

    def index_entry(self, reference: str) -> IndexEntry | None:
        """Return the index entry with this opaque reference."""
        ...

    def index_matches(self, tokens: Iterable[bytes]) -> Sequence[IndexEntry]:
        """Return the entries that share any of these blind indexes."""
        ...

    def put_index_entry(self, entry: IndexEntry) -> None:
        """Insert or replace one index entry."""
        ...

    def subject_episodes(self, tokens: Iterable[bytes]) -> Sequence[tuple[str, str, bytes]]:
        """Return (episode id, subject id, token) of subjects that share one of these tokens."""
        ...

    def put_subject_tokens(self, episode_id: str, subject_id: str, tokens: Iterable[bytes]) -> None:
        """Replace the blind indexes by which a subject of an episode is found."""
        ...


Unit = Callable[[Session], T]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a unit will read, so that a group can fetch for all of its units at once.

    Only a hint: what is not named here is read when it is asked for.  *hidden*: how the record is
    read may not tell who asks whether there is such an episode or delivery.
    """

    inbox: tuple[tuple[str, str], ...] = ()
    episodes: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()
    hidden: bool = False


class Store(NoticeStore, WaitStore, Protocol):
    """The record: commits units of work in groups, durably, before it answers."""

    async def run(self, unit: Unit[T], needs: Needs = ...) -> T:
        """Run *unit* in a transaction shared with other waiting units and return after the commit.

        Raises what the unit raises (its writes are dropped); `Unavailable` with
        ``E_OUTCOME_UNKNOWN`` when the commit itself failed and nobody knows.
        """
        ...

    async def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> Sequence[str]:
        """Return ids of deliveries that may be attempted now: pending and due, or sending with a
        lease that ran out by the database's clock; heads of their lanes only, most urgent first.
        Pending content for partners *without* is left out.
        """
        ...

    async def inbox_of(self, partner: str, after: int, limit: int) -> Sequence[Delivery]:
        """Return what waits for *partner* to fetch, in lane order."""
        ...

    async def search(
        self, wanted: Search, after: int, limit: int
    ) -> tuple[Sequence[Delivery], int | None]:
        """Return a page of deliveries, newest first, in a state oldest first, and where the next
        begins, which is None at the end; bounded work, so that a page may be short.
        """
        ...

    async def stuck(self, older_than: datetime) -> Sequence[str]:
        """Return ids of unsettled deliveries created before *older_than*."""
        ...

    async def examine(self, after: str, limit: int) -> Sequence[Dossier]:
        """Return dossiers of the next *limit* episodes beyond the id *after*; of one moment."""
        ...

    async def audited(self, after: int, limit: int) -> Sequence[tuple[int, Audited]]:
        """Return rows of audit with their positions, in order, beyond position *after*."""
        ...

    async def counts(self, among: Collection[State] | None = None) -> Mapping[str, int]:
        """Return the number of deliveries by state; *among*: of these alone, which costs what
        there is of these.  Where many have ended, their number may be a while old.
        """
        ...

    async def backlog(self) -> Backlog:
        """Return what has not ended, counted by partner, class and state."""
        ...

    async def alerts(
        self,
        after: int,
        limit: int,
        *,
        audiences: Collection[str] | None = None,
        unacknowledged: bool = True,
    ) -> Sequence[tuple[int, Alert]]:
        """Return alerts with their positions, oldest first, beyond position *after*.

        *audiences*: only for these; ``None`` means everybody's.
        """
        ...

    async def watched(self, watch: Watch, after: str, limit: int) -> Sequence[str]:
        """Return ids of episodes that *watch* names, in their order, beyond the id *after*.

        RECALLED are those with a recall (N10) that its recipient has not acknowledged.
        """
        ...

    async def take_turn(self, name: str, owner: str, seconds: float) -> bool:
        """Return whether *owner* may do what is called *name* for *seconds*: one at a time.

        By the database's clock; who has the turn may take it again, and who ended loses it by time.
        """
        ...

    async def purge(self, now: datetime) -> int:
        """Destroy what is past its time, and return how many: raw bodies, and what is left of
        notices once nobody sends them again.  A notice that waits is none of these.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted and release everything."""
        ...


class Digester(Protocol):
    """Keyed digests: what leaves them tells nothing without the key."""

    def digest(self, data: bytes) -> bytes:
        """Return the keyed digest of a message or view."""
        ...

    def digest_tree(self, tree: Tree) -> bytes:
        """Return the keyed digest of a tree, the same whatever the order of its members."""
        ...

    def token(self, kind: str, value: str) -> bytes:
        """Return the blind index of an identifying value (already normalised)."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader made of bytes: a canonical wire message, and what it could not place."""

    message: Tree
    unmapped: tuple[str, ...] = ()
    warnings: tuple[Fault, ...] = ()


class Reader(Protocol):
    """Turns the bytes of one content type into a canonical wire message, strictly.

    Raises `Malformed` or `InvalidContent` with every fault found; never anything else.
    """

    def read(self, content_type: str, raw: bytes, *, partner: str) -> Read:
        """Read *raw*; anything not understood is named, never dropped in silence."""
        ...

    def content_types(self) -> Sequence[str]:
        """Return the content types that can be read."""
        ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """Wire bytes of a released view."""

    content_type: str
    body: bytes
    mapping: str
    paths: tuple[str, ...] = field(default=())


class Renderer(Protocol):
    """Turns a released view into a partner's format; accepts nothing but `Released`."""

    def render(self, format_name: str, released: Any, *, partner: str) -> Rendered:
        """Render; raises `Rejected` (``E_MAPPING``) where the format cannot say it truthfully."""
        ...

    def identity(self, format_name: str, partner: str) -> str:
        """Return name and version of the mapping, with the overlay's; empty for no such format."""
        ...

    def formats(self) -> Sequence[str]:
        """Return the names of the formats that can be rendered."""
        ...

    def format_for(self, content_type: str) -> str | None:
        """Return the format behind a content type, for `Accept`."""
        ...


class ConsentServer(Protocol):
    """A server of somebody else's that keeps consent decisions."""

    async def read(self, asked: Asked) -> Holding:
        """Return what it keeps; raises `Unavailable` or `Rejected` where it does not say."""
        ...


class Destination(Protocol):
    """Carries parcels to one partner.

    Raises `Unavailable` (try again; may carry *retry_after*) or `Rejected` (never, as it stands).
    """

    async def send(self, parcel: Parcel) -> Outcome:
        """Carry one parcel; the same delivery id on every attempt."""
        ...


class Handover(Protocol):
    """Tells the workers that deliveries wait; losing what it is told loses no delivery."""

    def offer(self, delivery_ids: Sequence[str]) -> None:
        """Offer committed deliveries; never blocks and never raises."""
        ...
