"""Rows to values and back: what is sealed, under which key, bound to which place."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from adapters.database.keys import SHARED, Keys, Lru, owner_of
from adapters.database.parts import join, split
from adapters.database.vault import DataKey, Vault, bind
from hub.domain.exchange import (
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
from hub.errors import Code, Missing

T = TypeVar("T")
Row = tuple[Any, ...]
Opened = Lru[tuple[str, Any, Any], tuple[int, Row, Any]]
"""Rows opened before, by kind and their first two cells, which name them: the episode's count of
destroyed keys, the row as it was, and what it holds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Return microseconds since 1970; *at* knows its zone.

    >>> micros(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment(number: int) -> datetime:
    """Return the moment, in UTC."""
    return _EPOCH + timedelta(microseconds=number)


def _at(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def _when(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


class Purposes:
    """The keys that belong to no episode, derived once.

    Audit rows and answers outlive an erased episode, so its key may not be what opens them; the
    index has a key of its own, that opens nothing else (`domain.md` 5.4).
    """

    def __init__(self, vault: Vault) -> None:
        """Derive from *vault*."""
        self.answer = vault.derived("inbox.answer")
        self.audit = vault.derived("audit")
        self.index = vault.derived("index")
        self.practitioner = vault.derived("practitioner")


def _seal(key: DataKey, value: Any, *place: str) -> bytes:
    return key.seal(orjson.dumps(value), bind(*place))


def _open(key: DataKey, sealed: bytes, *place: str) -> Any:
    return orjson.loads(key.open(bytes(sealed), bind(*place)))


def _still(key: DataKey | None, sealed: bytes) -> DataKey | None:
    """Return *key* unless what it should open went with a destroyed forerunner."""
    return None if key is None or key.succeeded(bytes(sealed[:5])) else key


class Rows:
    """Seals and opens with the keys of one transaction.

    *shreds* is the episode's count of destroyed keys.  A cell whose key was destroyed reads as
    empty.
    """

    def __init__(self, keys: Keys, purposes: Purposes, opened: Opened) -> None:
        """Use *keys* for content and *purposes* for the rest, and *opened* where it can."""
        self._keys, self._opened = keys, opened
        self._purposes = self.purposes = purposes

    def known(self, read: Callable[[Row, int], T], row: Row, shreds: int) -> T:
        """Return what *read* makes of *row*, opened once as long as not a byte of it changes."""
        name = read.__name__, row[0], row[1]
        before = self._opened.get(name)
        if before is not None and before[0] == shreds and before[1] == row:
            found: T = before[2]
            return found
        found = read(row, shreds)
        self._opened.put(name, (shreds, row, found))
        return found

    def inbox_row(self, e: InboxEntry) -> Row:
        """Seal the raw bytes under a key of their own, the answer under the answers' key."""
        raw = None
        if e.raw is not None:
            key = self._keys.make(owner_of("message", e.message_id), SHARED)
            raw = key.seal(e.raw, bind("inbox", "raw", e.message_id))
        answer = _seal(self._purposes.answer, e.answer, "inbox", "answer", e.message_id)
        return (
            e.message_id, e.partner, e.key, e.digest, e.content_type, raw, micros(e.received_at),
            e.status, answer, e.episode_id, e.version,
        )  # fmt: skip

    def inbox(self, row: Row) -> InboxEntry:
        """Open a row; *raw* is ``None`` once its key is gone."""
        message_id, partner, key, digest, content_type, sealed, at, status, answer, *rest = row
        raw = None
        if sealed is not None:
            opener = self._keys.find(owner_of("message", message_id), SHARED)
            if opener is not None:
                raw = opener.open(bytes(sealed), bind("inbox", "raw", message_id))
        told = _open(self._purposes.answer, answer, "inbox", "answer", message_id)
        return InboxEntry(
            message_id,
            partner,
            key,
            bytes(digest),
            content_type,
            raw,
            moment(at),
            status,
            told,
            *rest,
        )

    def head_row(self, h: EpisodeHead, shreds: int) -> Row:
        """Seal the head's facts under the shared key."""
        facts = None
        if h.facts is not None:
            key = self._keys.ensure(owner_of("episode", h.episode_id), SHARED, shreds)
            facts = _seal(key, h.facts, "episode", "facts", h.episode_id)
        return (
            h.episode_id, h.owner, h.home_authority, h.process, h.resume_to, h.lead, h.index,
            h.version, h.consent_version, micros(h.created_at), micros(h.changed_at),
            h.assessor_service, h.lead_service, orjson.dumps(h.index_entries).decode(), facts,
        )  # fmt: skip

    def head(self, row: Row) -> EpisodeHead:
        """Open a row."""
        (
            episode_id, owner, authority, process, resume_to, lead, index, version, consent,
            created, changed, assessor, lead_service, entries, sealed, shreds,
        ) = row  # fmt: skip
        facts = None
        if sealed is not None:
            key = _still(self._keys.find(owner_of("episode", episode_id), SHARED, shreds), sealed)
            facts = {} if key is None else _open(key, sealed, "episode", "facts", episode_id)
        return EpisodeHead(
            episode_id, owner, authority, process, resume_to, lead, index, version, consent,
            moment(created), moment(changed), assessor, lead_service,
            tuple(orjson.loads(entries)), facts,
        )  # fmt: skip

    def version_rows(self, v: Version, shreds: int) -> tuple[Row, list[Row], int]:
        """Return the row, a row for each child's part, and the size of the content."""
        shared, parts = split(v.tree)
        owner, number = owner_of("episode", v.episode_id), str(v.version)
        text = orjson.dumps(shared)
        size = len(text)
        sealed = self._keys.ensure(owner, SHARED, shreds).seal(
            text, bind("version", "shared", v.episode_id, number)
        )
        rows: list[Row] = []
        for subject, part in parts.items():
            text = orjson.dumps(part)
            size += len(text)
            place = bind("version_part", "part", v.episode_id, number, subject)
            cell = self._keys.ensure(owner, subject, shreds).seal(text, place)
            rows.append((v.episode_id, v.version, subject, cell))
        return (
            (
                v.episode_id,
                v.version,
                sealed,
                v.event,
                v.sender,
                v.message_id,
                micros(v.recorded_at),
            ),
            rows,
            size,
        )

    def version(
        self, row: Row, parts: Sequence[tuple[str, bytes]], shreds: int
    ) -> tuple[Version, int]:
        """Return the version and its size; `Missing` when the episode's key was destroyed."""
        episode_id, number, sealed, event, sender, message_id, at = row
        owner = owner_of("episode", episode_id)
        key = _still(self._keys.find(owner, SHARED, shreds), sealed)
        if key is None:
            raise Missing(Code.NOT_FOUND, "the content of this episode was destroyed")
        shared = _open(key, sealed, "version", "shared", episode_id, str(number))
        size, opened = len(sealed), {}
        for subject, cell in parts:
            key = _still(self._keys.find(owner, subject, shreds), cell)
            if key is not None:
                place = ("version_part", "part", episode_id, str(number), subject)
                opened[subject] = _open(key, cell, *place)
                size += len(cell)
        tree: Tree = join(shared, opened)
        return Version(episode_id, number, tree, event, sender, message_id, moment(at)), size

    def decision_row(self, d: Decision, shreds: int) -> Row:
        """Seal the record under the shared key: it outlives a child's own key, as proof."""
        key = self._keys.ensure(owner_of("episode", d.episode_id), SHARED, shreds)
        record = _seal(key, d.record, "decision", "record", d.episode_id, d.decision_id)
        return (
            d.episode_id, d.sequence, d.decision_id, d.data_subject, record, d.recorded_by,
            micros(d.recorded_at),
        )  # fmt: skip

    def decision(self, row: Row, shreds: int) -> Decision:
        """Open a row."""
        episode_id, sequence, decision_id, subject, sealed, by, at = row
        key = _still(self._keys.find(owner_of("episode", episode_id), SHARED, shreds), sealed)
        place = ("decision", "record", episode_id, decision_id)
        record = {} if key is None else _open(key, sealed, *place)
        return Decision(decision_id, episode_id, subject, sequence, record, by, moment(at))

    @staticmethod
    def involvement_row(i: Involvement) -> Row:
        """Nothing here is sealed: ids and dates."""
        return (
            i.involvement_id, i.episode_id, i.service, i.partner, micros(i.since), _at(i.until),
        )  # fmt: skip

    @staticmethod
    def involvement(row: Row) -> Involvement:
        """Read a row."""
        involvement_id, episode_id, service, partner, since, until = row
        return Involvement(
            involvement_id, episode_id, service, partner, moment(since), _when(until)
        )

    def content(self, d: Delivery, shreds: int) -> bytes:
        """Seal focus and facts of a delivery."""
        key = self._keys.ensure(owner_of("episode", d.episode_id), SHARED, shreds)
        return _seal(key, [d.focus, d.facts], "delivery", "content", d.delivery_id)

    def delivery_row(self, d: Delivery, content: bytes, shreds: int) -> Row:
        """Seal the evidence, bound to state and attempt: older evidence cannot be put back."""
        evidence = None
        if d.evidence is not None:
            key = self._keys.ensure(owner_of("episode", d.episode_id), SHARED, shreds)
            place = ("delivery", "evidence", d.delivery_id, d.state, str(d.attempts))
            evidence = _seal(key, d.evidence, *place)
        return (
            d.delivery_id, d.partner, d.service, d.episode_id, d.message_type, d.priority,
            d.lane_sequence, d.version, content, d.correlation_id, d.causation_id,
            micros(d.created_at), d.state.value, d.reason, d.attempts, _at(d.next_attempt_at),
            d.lease_owner, d.lease_epoch, _at(d.lease_until), d.sequence, d.digest, evidence,
            _at(d.settled_at),
        )  # fmt: skip

    def delivery(self, row: Row, shreds: int) -> Delivery:
        """Open a row, without its position."""
        (
            delivery_id, partner, service, episode_id, message_type, priority, sequence, version,
            content, correlation_id, causation_id, created, state, reason, attempts, due,
            lease_owner, epoch, lease, given, digest, sealed, settled,
        ) = row  # fmt: skip
        key = self._keys.find(owner_of("episode", episode_id), SHARED, shreds)
        focus: Sequence[str] = ()
        facts: Tree = {}
        evidence: Tree | None = None
        opener = _still(key, content)
        if opener is not None:
            focus, facts = _open(opener, content, "delivery", "content", delivery_id)
        if sealed is not None:
            evidence = {}
            opener = _still(key, sealed)
            if opener is not None:
                place = ("delivery", "evidence", delivery_id, state, str(attempts))
                evidence = _open(opener, sealed, *place)
        return Delivery(
            delivery_id, partner, service, episode_id, message_type, priority, sequence, version,
            tuple(focus), facts, correlation_id, causation_id, moment(created), State(state),
            reason, attempts, _when(due), lease_owner, epoch, _when(lease), given,
            None if digest is None else bytes(digest), evidence, _when(settled),
        )  # fmt: skip

    def released_row(self, r: ReleasedRecord, shreds: int) -> Row:
        """Seal the paths."""
        key = self._keys.ensure(owner_of("episode", r.episode_id), SHARED, shreds)
        paths = _seal(key, r.paths, "released", "paths", r.delivery_id)
        return (
            r.delivery_id, r.episode_id, r.service, r.message_type, r.version, paths, r.digest,
            micros(r.released_at),
        )  # fmt: skip

    def released(self, row: Row, shreds: int) -> ReleasedRecord:
        """Open a row, without its position."""
        delivery_id, episode_id, service, message_type, version, sealed, digest, at = row
        key = _still(self._keys.find(owner_of("episode", episode_id), SHARED, shreds), sealed)
        paths = () if key is None else _open(key, sealed, "released", "paths", delivery_id)
        return ReleasedRecord(
            delivery_id, episode_id, service, message_type, version, tuple(paths), bytes(digest),
            moment(at),
        )  # fmt: skip

    def audit_row(self, a: Audited) -> Row:
        """Seal the facts."""
        facts = _seal(self._purposes.audit, a.facts, "audit", "facts", a.audit_id)
        return (
            a.audit_id, micros(a.at), a.kind, a.actor, a.episode_id, a.service, a.delivery_id,
            a.code, facts,
        )  # fmt: skip

    def audit(self, row: Row) -> Audited:
        """Open a row, without its position."""
        audit_id, at, kind, actor, episode_id, service, delivery_id, code, sealed = row
        facts = _open(self._purposes.audit, sealed, "audit", "facts", audit_id)
        return Audited(
            audit_id, moment(at), kind, actor, episode_id, service, delivery_id, code, facts
        )

    def alert_row(self, a: Alert) -> Row:
        """Seal the facts, which outlive an erased episode as audit rows do."""
        facts = _seal(self._purposes.audit, a.facts, "alert", "facts", a.alert_id)
        return (
            a.alert_id, micros(a.at), a.kind, a.audience, a.episode_id, a.service, a.delivery_id,
            facts, _at(a.due_at), _at(a.acknowledged_at),
        )  # fmt: skip

    def alert(self, row: Row) -> Alert:
        """Open a row, without its position."""
        alert_id, at, kind, audience, episode_id, service, delivery_id, sealed, due, seen = row
        facts = _open(self._purposes.audit, sealed, "alert", "facts", alert_id)
        return Alert(
            alert_id, moment(at), kind, audience, episode_id, service, delivery_id, facts,
            _when(due), _when(seen),
        )  # fmt: skip

    def index_row(self, e: IndexEntry) -> Row:
        """Seal match set and contact under the index's own key."""
        key = self._purposes.index
        match = _seal(key, e.match, "index_entry", "match", e.entry_id)
        contact = _seal(key, e.contact, "index_entry", "contact", e.entry_id)
        return (
            e.entry_id, e.reference, match, e.caf_state, contact, e.authority, e.mediated,
            e.last_sequence, micros(e.verified_at),
        )  # fmt: skip

    def index(self, row: Row, tokens: Sequence[bytes]) -> IndexEntry:
        """Open a row."""
        entry_id, reference, match, caf_state, contact, authority, mediated, sequence, at = row
        key = self._purposes.index
        return IndexEntry(
            entry_id, reference, tuple(tokens), _open(key, match, "index_entry", "match", entry_id),
            caf_state, _open(key, contact, "index_entry", "contact", entry_id), authority,
            bool(mediated), sequence, moment(at),
        )  # fmt: skip

    def notice_row(self, n: Notice) -> Row:
        """Seal the body under a key of its own: unmatched, it goes within a day."""
        body = None
        if n.body is not None:
            key = self._keys.ensure(owner_of("notice", n.notice_id), SHARED)
            body = _seal(key, n.body, "notice", "body", n.notice_id)
        return (
            n.notice_id, n.partner, n.key, n.digest, n.kind, body, micros(n.received_at),
            micros(n.expires_at), n.episode_id, n.state, n.attempts, _at(n.next_attempt_at),
            n.reason, n.decider,
        )  # fmt: skip

    def notice(self, row: Row) -> Notice:
        """Open a row."""
        notice_id, partner, key, digest, kind, sealed, received, expires, *rest = row
        episode_id, state, attempts, next_attempt, reason, decider = rest
        body: Mapping[str, Any] | None = None
        if sealed is not None:
            opener = self._keys.find(owner_of("notice", notice_id), SHARED)
            if opener is not None:
                body = _open(opener, sealed, "notice", "body", notice_id)
        return Notice(
            notice_id, partner, key, bytes(digest), kind, body, moment(received), moment(expires),
            episode_id, state, attempts, _when(next_attempt), reason, decider,
        )  # fmt: skip
