"""The hub's ports in dictionaries: for tests and demonstrations, held to the same contract tests.

Nothing here lasts.  The store runs one unit at a time, at once, and forgets nothing until it is
closed; the rules of lanes are said here plainly, as a second opinion beside the SQL of
`adapters.database`.
"""

import hmac
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

import orjson

from adapters.memory_alerts import MemoryTurns
from adapters.memory_examined import Examined
from adapters.memory_notices import KeptNotices, MemoryNotices
from adapters.memory_people import MemoryPeople
from adapters.memory_waits import KeptWaits
from hub.domain.backlog import Backlog, backlog_of
from hub.domain.exchange import (
    HOLDING,
    UNSETTLED,
    Alert,
    Audited,
    Decision,
    Delivery,
    EpisodeHead,
    InboxEntry,
    IndexEntry,
    Involvement,
    Notice,
    ReleasedRecord,
    State,
    Tree,
    Version,
)
from hub.domain.practitioner import Assertion
from hub.domain.search import Search
from hub.errors import Code, Conflict, Unavailable
from hub.ports import Needs, Unit

T = TypeVar("T")

RAW_DAYS = timedelta(days=30)
"""How long a message's raw bytes are kept at most (`design.md` section 7)."""

_NOTHING = Needs()


class MemoryDigester:
    """Keyed digests under a key that nobody else has and that ends with the process."""

    def __init__(self) -> None:
        """Take a random key."""
        self._key = secrets.token_bytes(32)

    def digest(self, data: bytes) -> bytes:
        """Return the keyed digest of a message or view."""
        return hmac.digest(self._key, b"digest\0" + data, sha256)

    def digest_tree(self, tree: Tree) -> bytes:
        """Return the keyed digest of a tree, the same whatever the order of its members."""
        return self.digest(orjson.dumps(tree, option=orjson.OPT_SORT_KEYS))

    def token(self, kind: str, value: str) -> bytes:
        """Return the blind index of a normalised value."""
        return hmac.digest(self._key, f"token\0{kind}\0{value}".encode(), sha256)


class _Tables:
    """What is kept; every list is a dictionary by position, so that one kind of undo serves all."""

    def __init__(self) -> None:
        self.inbox: dict[tuple[str, str], InboxEntry] = {}
        self.messages: dict[str, tuple[str, str]] = {}
        self.heads: dict[str, EpisodeHead] = {}
        self.versions: dict[tuple[str, int], Version] = {}
        self.decisions: dict[tuple[str, str], Decision] = {}
        self.involvements: dict[str, Involvement] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.sequences: dict[tuple[str, str], int] = {}
        self.released: dict[int, ReleasedRecord] = {}
        self.audit: dict[int, Audited] = {}
        self.index: dict[str, IndexEntry] = {}
        self.subjects: dict[tuple[str, str], frozenset[bytes]] = {}
        self.notices: dict[tuple[str, str], Notice] = {}
        self.tokens: dict[tuple[str, str], datetime] = {}
        self.alerts: dict[str, Alert] = {}
        self.practitioners: dict[tuple[str, str], Assertion] = {}


class MemorySession(MemoryPeople, MemoryNotices):
    """`hub.ports.Session` on dictionaries, with an undo log."""

    _t: _Tables

    def __init__(self, tables: _Tables) -> None:
        """Read and change *tables* at once; `undo` takes the changes back."""
        super().__init__(tables.alerts, tables.practitioners, tables.involvements)
        self._t = tables

    def clock(self) -> datetime:
        """Return real time."""
        return datetime.now(UTC)

    def use_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        """Remember a client assertion's id; ``False`` if this issuer used it before."""
        if (issuer, token_id) in self._t.tokens:
            return False
        self._set(self._t.tokens, (issuer, token_id), expires_at)
        return True

    def inbox(self, partner: str, key: str) -> InboxEntry | None:
        """Return what this partner sent before under this key."""
        return self._t.inbox.get((partner, key))

    def add_inbox(self, entry: InboxEntry) -> None:
        """Keep one message; a second with the same (partner, key) fails the unit."""
        if (name := (entry.partner, entry.key)) in self._t.inbox:
            raise Conflict(Code.DUPLICATE, "this partner has used this key before")
        if entry.message_id in self._t.messages:
            raise Conflict(Code.DUPLICATE, "this message id is taken")
        self._set(self._t.inbox, name, entry)
        self._set(self._t.messages, entry.message_id, name)

    def message(self, message_id: str) -> InboxEntry | None:
        """Return the message with this id, without its raw bytes."""
        name = self._t.messages.get(message_id)
        return None if name is None else _without_raw(self._t.inbox[name])

    def episode(self, episode_id: str) -> EpisodeHead | None:
        """Return the head."""
        return self._t.heads.get(episode_id)

    def put_episode(self, head: EpisodeHead) -> None:
        """Insert or replace the head."""
        self._set(self._t.heads, head.episode_id, head)

    def version(self, episode_id: str, version: int) -> Version | None:
        """Return one version with its whole tree."""
        return self._t.versions.get((episode_id, version))

    def add_version(self, version: Version) -> None:
        """Append a version; versions are never changed."""
        name = (version.episode_id, version.version)
        if name in self._t.versions:
            raise Conflict(Code.VERSION_CONFLICT, "this version of the episode exists already")
        self._set(self._t.versions, name, version)

    def decisions(self, episode_id: str) -> Sequence[Decision]:
        """Return every decision of the episode, oldest first."""
        found = [d for d in self._t.decisions.values() if d.episode_id == episode_id]
        return tuple(sorted(found, key=lambda d: d.sequence))

    def add_decision(self, decision: Decision) -> None:
        """Append a decision; decisions are never changed."""
        name = (decision.episode_id, decision.decision_id)
        if name in self._t.decisions or any(
            d.sequence == decision.sequence for d in self.decisions(decision.episode_id)
        ):
            raise Conflict(Code.DUPLICATE, "this decision is recorded already")
        self._set(self._t.decisions, name, decision)

    def involvements(self, episode_id: str) -> Sequence[Involvement]:
        """Return the services' relationships to the episode, in order of their beginning."""
        found = [i for i in self._t.involvements.values() if i.episode_id == episode_id]
        return tuple(sorted(found, key=lambda i: i.since))

    def put_involvement(self, involvement: Involvement) -> None:
        """Insert or replace one relationship."""
        self._set(self._t.involvements, involvement.involvement_id, involvement)

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return one delivery."""
        return self._t.deliveries.get(delivery_id)

    def deliveries(self, episode_id: str) -> Sequence[Delivery]:
        """Return every delivery of the episode, in order of creation."""
        return tuple(d for d in self._t.deliveries.values() if d.episode_id == episode_id)

    def unsettled(self, episode_id: str, partner: str | None = None) -> Sequence[Delivery]:
        """Return what is not final, or quarantined, of the episode (and partner), in lane order."""
        found = [
            d
            for d in self.deliveries(episode_id)
            if d.state in HOLDING and partner in {None, d.partner}
        ]
        return tuple(sorted(found, key=lambda d: (d.partner, d.priority, d.lane_sequence)))

    def next_sequence(self, partner: str, episode_id: str) -> int:
        """Return the next number of the lane."""
        number = self._t.sequences.get((partner, episode_id), 0) + 1
        self._set(self._t.sequences, (partner, episode_id), number)
        return number

    def give_back(self, partner: str, episode_id: str, number: int) -> bool:
        """Take *number* of the lane back, if it is the last that was given; return whether."""
        last = self._t.sequences.get((partner, episode_id)) == number
        if last:
            self._set(self._t.sequences, (partner, episode_id), number - 1)
        return last

    def put_delivery(self, delivery: Delivery) -> None:
        """Insert or replace one delivery; a worker whose lease was taken over is refused."""
        stored = self._t.deliveries.get(delivery.delivery_id)
        if stored is not None:
            if stored.lease_epoch > delivery.lease_epoch:
                raise Conflict(
                    Code.STATE, "lease lost: another worker has taken this delivery over"
                )
            if _place(stored) != _place(delivery):
                raise Conflict(Code.STATE, "a delivery keeps its place on its lane")
        self._set(self._t.deliveries, delivery.delivery_id, delivery)

    def add_released(self, record: ReleasedRecord) -> None:
        """Append to the ledger of what recipients were given."""
        self._set(self._t.released, len(self._t.released), record)

    def last_released(self, episode_id: str, service: str) -> Sequence[ReleasedRecord]:
        """Return the newest ledger record for each message type that *service* was given."""
        newest = {
            r.message_type: r
            for r in self._t.released.values()
            if r.episode_id == episode_id and r.service == service
        }
        return tuple(newest[message_type] for message_type in sorted(newest))

    def given(self, episode_id: str, service: str) -> Sequence[ReleasedRecord]:
        """Return everything that *service* was given of the episode, oldest first."""
        given = self._t.released.values()
        return tuple(r for r in given if (r.episode_id, r.service) == (episode_id, service))

    def add_audit(self, row: Audited) -> None:
        """Append one audit row."""
        self._set(self._t.audit, len(self._t.audit), row)

    def audit(self, episode_id: str) -> Sequence[Audited]:
        """Return the audit rows of an episode, oldest first."""
        return tuple(a for a in self._t.audit.values() if a.episode_id == episode_id)

    def index_entry(self, reference: str) -> IndexEntry | None:
        """Return the index entry with this opaque reference."""
        found = (e for e in self._t.index.values() if e.reference == reference)
        return next(found, None)

    def index_matches(self, tokens: Iterable[bytes]) -> Sequence[IndexEntry]:
        """Return the entries that share any of these blind indexes."""
        wanted = set(tokens)
        found = sorted(self._t.index.items())
        return tuple(e for _, e in found if not wanted.isdisjoint(e.tokens))

    def put_index_entry(self, entry: IndexEntry) -> None:
        """Insert or replace one index entry."""
        self._set(self._t.index, entry.entry_id, entry)

    def subject_episodes(self, tokens: Iterable[bytes]) -> Sequence[tuple[str, str, bytes]]:
        """Return (episode id, subject id, token) of subjects that share any of these tokens."""
        return tuple(
            (episode, subject, token)
            for token in sorted(set(tokens))
            for (episode, subject), given in sorted(self._t.subjects.items())
            if token in given
        )

    def put_subject_tokens(self, episode_id: str, subject_id: str, tokens: Iterable[bytes]) -> None:
        """Replace the blind indexes by which a subject of an episode is found."""
        self._set(self._t.subjects, (episode_id, subject_id), frozenset(tokens))


class MemoryStore(MemoryTurns, KeptNotices, KeptWaits, Examined):
    """`hub.ports.Store` on dictionaries, for one event loop."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self._tables = _Tables()
        self._closed = False

    async def run(self, unit: Unit[T], needs: Needs = _NOTHING) -> T:  # noqa: ARG002
        """Run *unit* whole or not at all."""
        if self._closed:
            raise Unavailable(Code.STORE, "the store is closed")
        session = MemorySession(self._tables)
        try:
            return unit(session)
        except BaseException:
            session.undo()
            raise

    async def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> Sequence[str]:
        """Return ids of deliveries that may be attempted now, most urgent first."""
        real = datetime.now(UTC)
        found = [
            (d.priority, _since(d), d.delivery_id)
            for d in self._tables.deliveries.values()
            if _attemptable(d, now, real)
            and not self._held(d)
            and not (d.partner in without and d.state is State.PENDING and d.priority >= 10)
        ]
        return tuple(name for _, _, name in sorted(found)[:limit])

    def _held(self, delivery: Delivery) -> bool:
        """Say whether something on its lane must end before *delivery*."""
        for other in self._tables.deliveries.values():
            if (other.partner, other.episode_id) != (delivery.partner, delivery.episode_id):
                continue
            ahead = (other.priority, other.lane_sequence) < (
                delivery.priority, delivery.lane_sequence,
            )  # fmt: skip
            if ahead and other.state in {State.PENDING, State.SENDING}:
                return True
            if delivery.priority >= 10 and (
                (ahead and other.state is State.QUARANTINED)
                or (other.state is State.HANDED_OVER and other.message_type == "N10")
            ):
                return True
        return False

    async def inbox_of(self, partner: str, after: int, limit: int) -> Sequence[Delivery]:
        """Return what waits for *partner* to fetch, in lane order, without the first *after*."""
        found = [
            d
            for d in self._tables.deliveries.values()
            if d.partner == partner and d.state in UNSETTLED
        ]
        found.sort(key=lambda d: (d.priority, d.lane_sequence, d.created_at, d.delivery_id))
        return tuple(found[after : after + limit])

    async def search(
        self, wanted: Search, after: int, limit: int
    ) -> tuple[Sequence[Delivery], int | None]:
        """Return a page of what is looked for and where the next begins."""
        found = [d for d in self._tables.deliveries.values() if wanted.finds(d)]
        if wanted.state is None or wanted.episode_id is not None:
            found.reverse()
        else:
            found.sort(key=lambda d: d.created_at)
        page = found[after : after + limit]
        return page, after + limit if len(found) > after + limit else None

    async def stuck(self, older_than: datetime) -> Sequence[str]:
        """Return ids of unsettled deliveries created before *older_than*, oldest first."""
        every = self._tables.deliveries.values()
        open_ = [d for d in every if d.state in UNSETTLED and d.created_at < older_than]
        found = [(d.created_at, d.delivery_id) for d in open_]
        return tuple(name for _, name in sorted(found))

    async def counts(self, among: Collection[State] | None = None) -> Mapping[str, int]:
        """Return the number of deliveries by state."""
        states = (one.state for one in self._tables.deliveries.values())
        return Counter(state.value for state in states if among is None or state in among)

    async def backlog(self) -> Backlog:
        """Return what has not ended, counted by partner, class and state."""
        return backlog_of(self._tables.deliveries.values())

    async def purge(self, now: datetime) -> int:
        """Destroy ended notices and raw bodies past their time; return how many."""
        t, old = self._tables, self.purge_notices(now)
        bodies = [
            entry
            for entry in t.inbox.values()
            if entry.raw is not None and entry.received_at <= now - RAW_DAYS
        ]
        for entry in bodies:
            t.inbox[(entry.partner, entry.key)] = _without_raw(entry)
        real = datetime.now(UTC)
        t.tokens = {name: until for name, until in t.tokens.items() if until >= real}
        return old + len(bodies)

    async def close(self) -> None:
        """Take no more units."""
        self._closed = True


def _place(d: Delivery) -> tuple[object, ...]:
    return d.partner, d.episode_id, d.priority, d.lane_sequence


def _since(d: Delivery) -> datetime:
    """Return since when *d* may be attempted."""
    at = d.next_attempt_at if d.state is State.PENDING else d.lease_until
    return at or datetime.min.replace(tzinfo=UTC)


def _attemptable(d: Delivery, now: datetime, real: datetime) -> bool:
    """Say whether *d* is due by the business clock, or its lease ran out by the real one."""
    if d.state is State.PENDING:
        return _since(d) <= now
    return d.state is State.SENDING and _since(d) < real


def _without_raw(entry: InboxEntry) -> InboxEntry:
    return replace(entry, raw=None)
