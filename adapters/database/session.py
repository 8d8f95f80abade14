"""The session: one group's transaction as its units see it, an identity map with buffered writes.

All units of a group use one session, one after the other.  Writes change what is known and are
kept back; `flush` seals them and sends them table by table.  A unit that raises is undone and
leaves nothing behind for the others.

A row that nobody has read is added without asking whether it exists: ids are new by construction.
Where one is not, the database refuses the group, and each unit runs again alone with *careful*,
which asks first and refuses with a reason.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.database.alerts import Alerts
from adapters.database.deliveries import Deliveries
from adapters.database.finding import Finding
from adapters.database.keys import Keys, Lru
from adapters.database.messages import Messages
from adapters.database.notices import Notices
from adapters.database.people import People
from adapters.database.rows import Row, Rows, micros, moment
from adapters.database.statements import Statements
from adapters.database.transaction import Batch
from hub.domain.exchange import (
    Audited,
    Decision,
    EpisodeHead,
    Involvement,
    ReleasedRecord,
    Version,
)
from hub.errors import Code, Conflict
from hub.ports import Needs

Trees = Lru[tuple[str, int, int], Version]
"""Versions opened before, by episode, version and the episode's count of destroyed keys."""


NOBODY = "-"
"""The episode of a delivery that does not exist: looked for like any other."""


class SqlSession(Messages, Notices, Deliveries, Finding, Alerts, People):
    """`hub.ports.Session` on one open transaction."""

    def __init__(
        self,
        cursor: Any,
        statements: Statements,
        keys: Keys,
        rows: Rows,
        trees: Trees,
        *,
        careful: bool,
    ) -> None:
        """Read and write through *cursor*; nothing is committed here."""
        super().__init__(cursor, statements, keys, rows, careful=careful)
        self._trees = trees
        self._clock: tuple[datetime, float] | None = None
        self._versions: dict[tuple[str, int], Version | None] = {}
        self._sizes: dict[tuple[str, int], int] = {}
        self._decisions: dict[str, tuple[Decision, ...]] = {}
        self._unopened: dict[str, list[Row]] = {}
        self._involvements: dict[str, dict[str, Involvement]] = {}
        self._newest: dict[tuple[str, str], dict[str, ReleasedRecord]] = {}

        # What to write, in the order that it was written.
        self._dirty_heads: dict[str, EpisodeHead] = {}
        self._new_versions: dict[tuple[str, int], Version] = {}
        self._new_decisions: dict[tuple[str, str], Decision] = {}
        self._dirty_involvements: dict[str, Involvement] = {}
        self._new_released: dict[int, ReleasedRecord] = {}
        self._new_audit: dict[int, Audited] = {}

    def prefetch(self, needs: Iterable[Needs]) -> None:
        """Lock the heads that the units named, in one order, and read what they named."""
        needs = list(needs)
        self._hidden = any(need.hidden for need in needs)
        episodes = {e for need in needs for e in need.episodes}
        deliveries = list(dict.fromkeys(d for need in needs for d in need.deliveries))
        if deliveries and self._sql.postgresql:  # read for good only under the lock of their heads
            self._fetch(self._sql.delivery_episodes, self._sql.many(deliveries))
            episodes.update(e for (e,) in self._cursor.fetchall())
        if episodes:
            self._lock(episodes)
        if deliveries:
            if self._hidden and not self._named and self._sql.postgresql:
                self._lock({NOBODY})
            self._load_deliveries(deliveries)
            if self._hidden and not self._named:
                self._lock({NOBODY})
        keys = {key for need in needs for key in need.inbox}
        if keys:
            self._load_inbox(keys)

    def flush(self) -> None:
        """Seal and send everything that was kept back."""
        batches = [
            *self.message_batches(),
            *self.notice_batches(),
            *self._episode_batches(),
            *self.delivery_batches(),
            *self.index_batches(),
            *self.alert_batches(),
            *self.people_batches(),
        ]
        # Sealed first, for sealing makes keys and may read some.
        batches.insert(0, (self._sql.add_key, self._keys.rows()))
        unsure = self.unsure_lanes()
        # On PostgreSQL the statements leave together, and their answers are waited for once.
        together = self._sql.postgresql and not self._careful
        with self._cursor.connection.pipeline() if together else nullcontext():
            for write, batch in batches:
                self._send(write, batch)
            if unsure:
                self._fetch(self._sql.name_heads, *self._sql.pairs(unsure))
            self.send_tokens()
            self.change_notices()

    def _episode_batches(self) -> Iterator[Batch]:
        sql, rows, shreds = self._sql, self._rows, self._shreds
        heads = self._dirty_heads.values()
        yield sql.put_episode, [rows.head_row(h, shreds[h.episode_id]) for h in heads]
        versions: list[Row] = []
        parts: list[Row] = []
        for name, version in self._new_versions.items():
            row, of_children, self._sizes[name] = rows.version_rows(version, shreds[name[0]])
            versions.append(row)
            parts += of_children
        yield sql.add_version, versions
        yield sql.add_part, parts
        decided = self._new_decisions.values()
        yield sql.add_decision, [rows.decision_row(d, shreds[d.episode_id]) for d in decided]
        involved = self._dirty_involvements.values()
        yield sql.put_involvement, [rows.involvement_row(i) for i in involved]
        given = self._new_released.values()
        yield sql.add_released, [rows.released_row(r, shreds[r.episode_id]) for r in given]
        yield sql.add_audit, [rows.audit_row(a) for a in self._new_audit.values()]

    def committed(self) -> None:
        """Remember across transactions what the commit has made lasting."""
        self._keys.committed()
        for name, version in self._new_versions.items():
            shreds = self._shreds.get(name[0], 0)
            self._trees.put((*name, shreds), version, self._sizes[name])

    def clock(self) -> datetime:
        """Return the database's time, read once and carried on by the monotonic clock."""
        if not self._sql.postgresql:
            return datetime.now(UTC)
        if self._clock is None:
            self._fetch(self._sql.clock)
            self._clock = (moment(self._cursor.fetchone()[0]), time.monotonic())
        at, read = self._clock
        return at + timedelta(seconds=time.monotonic() - read)

    def episode(self, episode_id: str) -> EpisodeHead | None:
        """Return the head, locked until the transaction ends."""
        self._lock({episode_id})
        return self._heads[episode_id]

    def put_episode(self, head: EpisodeHead) -> None:
        """Insert or replace the head."""
        self._lock({head.episode_id})
        self._set(self._heads, head.episode_id, head)
        self._set(self._dirty_heads, head.episode_id, head)

    def version(self, episode_id: str, version: int) -> Version | None:
        """Return one version with its whole tree."""
        self._lock({episode_id})
        name = (episode_id, version)
        if name not in self._versions:
            self._versions[name] = self._load_version(episode_id, version)
        return self._versions[name]

    def add_version(self, version: Version) -> None:
        """Append a version; versions are never changed."""
        name = (version.episode_id, version.version)
        self._lock({version.episode_id})
        if self._careful:
            self.version(*name)
        if self._versions.get(name) is not None:
            raise Conflict(Code.VERSION_CONFLICT, "this version of the episode exists already")
        self._set(self._versions, name, version)
        self._set(self._new_versions, name, version)

    def decisions(self, episode_id: str) -> Sequence[Decision]:
        """Return every decision of the episode, oldest first."""
        self._load_agreed(episode_id)
        for stored in self._unopened.pop(episode_id, ()):
            opened = self._rows.known(self._rows.decision, stored, self._shreds[episode_id])
            self._decisions[episode_id] = (*self._decisions.get(episode_id, ()), opened)
        return self._decisions.get(episode_id, ())

    def add_decision(self, decision: Decision) -> None:
        """Append a decision; decisions are never changed."""
        earlier = self.decisions(decision.episode_id)
        if any(
            d.decision_id == decision.decision_id or d.sequence == decision.sequence
            for d in earlier
        ):
            raise Conflict(Code.DUPLICATE, "this decision is recorded already")
        after = tuple(sorted((*earlier, decision), key=lambda d: d.sequence))
        self._set(self._decisions, decision.episode_id, after)
        name = (decision.episode_id, decision.decision_id)
        self._set(self._new_decisions, name, decision)

    def involvements(self, episode_id: str) -> Sequence[Involvement]:
        """Return the services' relationships to the episode, in order of their beginning."""
        self._load_agreed(episode_id)
        found = self._involvements.get(episode_id, {})
        return tuple(sorted(found.values(), key=lambda i: i.since))

    def _load_agreed(self, episode_id: str) -> None:
        """Read decisions and relationships together: whoever asks for the one needs the other.

        Decisions are opened when they are asked for: who has no relationship is refused before, in
        the time that an unknown episode takes.
        """
        for kind, episode, *row in self._load("agreed", self._sql.agreed, episode_id, times=2):
            number, name, about, by, at, sealed, until = row
            if kind:
                found = self._rows.involvement((name, episode, about, by, at, until))
                self._involvements.setdefault(episode, {})[name] = found
                continue
            stored = (episode, number, name, about, sealed, by, at)
            self._unopened.setdefault(episode, []).append(stored)

    def put_involvement(self, involvement: Involvement) -> None:
        """Insert or replace one relationship."""
        self.involvements(involvement.episode_id)
        known = self._involvements.setdefault(involvement.episode_id, {})
        self._set(known, involvement.involvement_id, involvement)
        self._set(self._dirty_involvements, involvement.involvement_id, involvement)

    def episodes_before(self, partner: str, episode_id: str) -> int:
        """Return in how many other episodes *partner* took part before this one.

        What others of the same group have only just joined is counted from the next group on.
        """
        first: dict[str, int] = dict(self.rows_of(self._sql.first_involved, partner))
        stored = first.pop(episode_id, None)
        own = [i for i in self.involvements(episode_id) if i.partner == partner]
        here = min((micros(i.since) for i in own), default=stored)
        return sum(1 for e, at in first.items() if here is None or (at, e) < (here, episode_id))

    def add_released(self, record: ReleasedRecord) -> None:
        """Append to the ledger of what recipients were given."""
        self._lock({record.episode_id})
        given = self._newest.setdefault((record.episode_id, record.service), {})
        self._set(given, record.message_type, record)
        self._set(self._new_released, len(self._new_released), record)

    def last_released(self, episode_id: str, service: str) -> Sequence[ReleasedRecord]:
        """Return the newest ledger record for each message type that *service* was given."""
        rows = self._load("released", self._sql.released, episode_id)
        # Who asks what was given asks for those deliveries next, and so will the rest of the group.
        self._load_deliveries([row[1] for row in rows])
        for row in rows:
            record = self._rows.known(self._rows.released, row[1:], self._shreds[row[2]])
            given = self._newest.setdefault((record.episode_id, record.service), {})
            given.setdefault(record.message_type, record)
        found = self._newest.get((episode_id, service), {})
        return tuple(record for _, record in sorted(found.items()))

    def given(self, episode_id: str, service: str) -> Sequence[ReleasedRecord]:
        """Return everything that *service* was given of the episode, oldest first."""
        self._lock({episode_id})
        rows = self.rows_of(self._sql.given, self._sql.many([episode_id]))
        shreds = self._shreds[episode_id]
        stored = [self._rows.known(self._rows.released, row[1:], shreds) for row in rows]
        mine, new = (episode_id, service), self._new_released.values()
        return tuple(r for r in (*stored, *new) if (r.episode_id, r.service) == mine)

    def add_audit(self, row: Audited) -> None:
        """Append one audit row."""
        self._set(self._new_audit, len(self._new_audit), row)

    def audit(self, episode_id: str) -> Sequence[Audited]:
        """Return the audit rows of an episode, oldest first."""
        self._lock({episode_id})
        self._fetch(self._sql.audit, self._sql.many([episode_id]))
        stored = [self._rows.audit(row[1:]) for row in self._cursor.fetchall()]
        return (*stored, *(a for a in self._new_audit.values() if a.episode_id == episode_id))

    def _load_version(self, episode_id: str, version: int) -> Version | None:
        shreds = self._shreds[episode_id]
        found = self._trees.get((episode_id, version, shreds))
        if found is not None:
            return found
        self._fetch(self._sql.version, episode_id, version)
        row = self._cursor.fetchone()
        if row is None:
            return None
        self._fetch(self._sql.parts, episode_id, version)
        read, size = self._rows.version(row, self._cursor.fetchall(), shreds)
        self._trees.put((episode_id, version, shreds), read, size)
        return read
