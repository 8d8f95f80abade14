"""Every statement of the store, built in SQLAlchemy Core once and kept as the driver's own
positional text.

The writer runs thousands of rows a second, so no statement is compiled, and no row becomes a
dict, on the way.  Rows are tuples in the order of the columns named here.  `Statements` is made
once per database.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Executable,
    String,
    Table,
    any_,
    bindparam,
    delete,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.postgresql import psycopg as postgresql_psycopg
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import Select

from adapters.database import tables as t
from adapters.database.agreed import agreed
from adapters.database.noticed import NoticeStatements
from hub.domain.exchange import Watch


class Write:
    """An insert or upsert: `text(n)` holds *n* rows, so that a group needs few calls of the driver.

    Each call of a driver gives up the interpreter lock, and a busy event loop takes its time to
    give it back; rows that go in one call cost one such wait instead of one each.
    """

    def __init__(self, head: str, row: str, tail: str, width: int) -> None:
        """Take the text before and after the rows of values, one row's text and its width."""
        self._head, self._row, self._tail, self.width = head, row, tail, width
        self.text: Callable[[int], str] = cache(self._text)

    def _text(self, rows: int) -> str:
        return self._head + ", ".join([self._row] * rows) + self._tail


LANES = """
UPDATE lane SET (head, head_priority, head_due, head_lease) = (
    SELECT d.delivery_id, d.priority,
           CASE d.state WHEN 'pending' THEN coalesce(d.next_attempt_at, 0) END,
           CASE d.state WHEN 'sending' THEN coalesce(d.lease_until, 0) END
    FROM (SELECT * FROM delivery o
          WHERE o.partner = lane.partner AND o.episode_id = lane.episode_id
            AND o.{open} AND o.state IN ('pending', 'sending')
          ORDER BY o.priority, o.lane_sequence LIMIT 1) d
    WHERE d.priority < 10 OR NOT EXISTS (
          SELECT 1 FROM delivery q
          WHERE q.partner = lane.partner AND q.episode_id = lane.episode_id AND q.{open}
            AND (q.state = 'quarantined' AND (q.priority < d.priority
                    OR q.priority = d.priority AND q.lane_sequence < d.lane_sequence)
                 OR q.state = 'handed_over' AND q.message_type = 'N10')))
WHERE (episode_id, partner) IN ({pairs})
"""
"""Name the head of each lane: the one delivery of it that may be attempted, if any (`Store.due`).

It is the first pending or sending delivery by (priority, lane sequence).  Content waits, too, for a
quarantined predecessor and for a recall (N10) that was handed over and not yet acknowledged.
"""

_PAIRS = {
    "sqlite": "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:p)",
    "postgresql": "SELECT * FROM unnest(:e ::text[], :p ::text[])",
}

UPDATED = (
    "version", "content", "state", "reason", "attempts", "next_attempt_at", "lease_owner",
    "lease_epoch", "lease_until", "sequence", "digest", "evidence", "settled_at",
)  # fmt: skip
"""What an existing delivery may change; who, whither and its place on the lane stay."""


class Statements:
    """The store's statements in the text of one database."""

    def __init__(self, name: str) -> None:
        """Compile for *name*: ``sqlite`` or ``postgresql``."""
        self.postgresql = name == "postgresql"
        self._dialect: Dialect = (
            postgresql_psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
            if self.postgresql
            else pysqlite.dialect(paramstyle="qmark")
        )
        self._insert: Any = postgresql_insert if self.postgresql else sqlite_insert
        self._mark, self._plus = ("%s", "") if self.postgresql else ("?", "+")
        self._writes()
        self._reads()
        self._changes()

    def many(self, values: Iterable[str]) -> Any:
        """Return the one parameter that stands for a list in ``among``."""
        return list(values) if self.postgresql else orjson.dumps(list(values)).decode()

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> tuple[Any, ...]:
        """Return the parameters that stand for pairs in `LANES`."""
        if self.postgresql:
            return [e for e, _ in pairs], [p for _, p in pairs]
        return (orjson.dumps(pairs).decode(),)

    def _writes(self) -> None:
        self.add_key = self._plain(t.data_key)
        self.add_inbox = self._plain(t.inbox)
        self.put_episode = self._upsert(t.episode, ["episode_id"], keep={"shreds"})
        self.add_version = self._plain(t.version)
        self.add_part = self._plain(t.version_part)
        self.add_decision = self._plain(t.decision)
        self.put_involvement = self._upsert(t.involvement, ["involvement_id"])
        self.put_practitioner = self._upsert(t.practitioner, ["organisation", "ref"])
        self.add_delivery = self._plain(t.delivery)
        self.put_delivery = self._upsert(t.delivery, ["delivery_id"], only=UPDATED)
        self.put_lane = self._upsert(t.lane, ["episode_id", "partner"])
        self.count_lane = self._upsert(t.lane, ["episode_id", "partner"], only=["last_sequence"])
        self.add_released = self._plain(t.released)
        self.add_audit = self._plain(t.audit)
        self.add_alert = self._once(t.alert, ["alert_id"])
        self.see_alert = self._upsert(t.alert, ["alert_id"], only=["acknowledged_at"])
        self.put_index_entry = self._upsert(t.index_entry, ["entry_id"])
        self.add_index_token = self._plain(t.index_token)
        self.add_subject_token = self._plain(t.subject_token)
        self.add_token = self._plain(t.used_token)
        self.put_notice = self._upsert(t.notice, ["notice_id"])

    def _reads(self) -> None:
        key, inbox, d, e = t.data_key.c, t.inbox.c, t.delivery.c, t.episode.c
        without_raw = [c if c.name != "raw" else text("NULL") for c in t.inbox.c]
        self.keys = self._text(select(t.data_key).where(self._among(key.owner)))
        self.inbox = self._text(select(t.inbox).where(self._among(inbox.key)))
        self.message = self._text(select(*without_raw).where(inbox.message_id == bindparam("id")))
        heads = select(t.episode).where(self._among(e.episode_id))
        if self.postgresql:  # in one order everywhere, or two groups could wait for each other
            heads = heads.order_by(e.episode_id).with_for_update()
        self.heads = self._text(heads)
        self.shreds = self._text(select(e.episode_id, e.shreds).where(self._among(e.episode_id)))
        self.advisory = "SELECT pg_advisory_xact_lock(h) FROM unnest(%s::bigint[]) AS h"
        v, p = t.version.c, t.version_part.c
        self.version = self._text(
            select(t.version).where(v.episode_id == bindparam("e"), v.version == bindparam("v"))
        )
        self.parts = self._text(
            select(p.subject_id, p.part).where(
                p.episode_id == bindparam("e"), p.version == bindparam("v")
            )
        )
        self.agreed = self._text(agreed(self._among), " ORDER BY 1, 3, 7")
        self.lanes = self._text(
            select(t.lane.c.episode_id, t.lane.c.partner, t.lane.c.last_sequence).where(
                self._among(t.lane.c.episode_id)
            )
        )
        self.deliveries = self._text(select(t.delivery).where(self._among(d.delivery_id)))
        self.delivery_episodes = self._text(select(d.episode_id).where(self._among(d.delivery_id)))
        self.deliveries_of = self._of_episodes(t.delivery, d.position)
        unsettled = text("state IN ('pending', 'sending', 'handed_over')")
        self.unsettled_of = self._text(
            # By the episode: without the + SQLite reads what is open of all, by their state.
            select(t.delivery).where(self._among(d.episode_id), text(self._plus + t.OPEN))
        )
        r = t.released.c
        newest = (
            select(func.max(r.position))
            .where(self._among(r.episode_id))
            .group_by(r.episode_id, r.service, r.message_type)
        )
        self.released = self._text(select(t.released).where(r.position.in_(newest)))
        self.given = self._of_episodes(t.released, r.position)
        self.audit = self._of_episodes(t.audit, t.audit.c.position)
        self._watching()
        i = t.index_entry.c
        self.index_by_id = self._text(select(t.index_entry).where(i.entry_id == bindparam("x")))
        self.index_by_reference = self._text(
            select(t.index_entry).where(i.reference == bindparam("x"))
        )
        self.index_tokens = self._text(
            select(t.index_token.c.token).where(t.index_token.c.entry_id == bindparam("x"))
        )
        self.index_by_token = self._text(
            select(t.index_token.c.entry_id).where(t.index_token.c.token == bindparam("x"))
        )
        s = t.subject_token.c
        self.subjects_by_token = self._text(
            select(s.episode_id, s.subject_id).where(s.token == bindparam("x"))
        )
        u = t.used_token.c
        self.token = self._text(
            select(u.expires_at).where(u.issuer == bindparam("i"), u.token_id == bindparam("x"))
        )
        self.notices = NoticeStatements(self._text, self._among, self._mark, skips=self.postgresql)

        w = t.practitioner.c
        self.practitioner = self._text(
            select(t.practitioner).where(w.organisation == bindparam("o"), w.ref == bindparam("r"))
        )
        by_name = tuple_(w.organisation, w.ref)
        self.practitioners = self._text(
            select(t.practitioner)
            .where(by_name > tuple_(bindparam("o"), bindparam("r")))
            .order_by(w.organisation, w.ref),
            f" LIMIT {self._mark}",
        )
        v = t.involvement.c
        self.first_involved = self._text(
            select(v.episode_id, func.min(v.since))
            .where(v.partner == bindparam("p"))
            .group_by(v.episode_id)
        )

        ln = t.lane.c
        self.next_priority = self._text(
            select(func.min(ln.head_priority)).where(
                ln.head_due.is_not(None), ln.head_priority > bindparam("x")
            )
        )
        self.due = self._text(
            select(ln.head)
            .where(
                ln.head_due.is_not(None),
                ln.head_priority == bindparam("x"),
                ln.head_due <= bindparam("now"),
                ~self._among(ln.partner),
            )
            .order_by(ln.head_due),
            f" LIMIT {self._mark}",
        )
        self.lapsed = self._text(
            select(ln.head, ln.head_priority)
            .where(ln.head_lease.is_not(None), ln.head_lease < bindparam("now"))
            .order_by(ln.head_lease),
            f" LIMIT {self._mark}",
        )
        self.end_leases = (
            "UPDATE delivery SET lease_until = 0 WHERE lease_until > 0",
            "UPDATE lane SET head_lease = 0 WHERE head_lease > 0",
        )
        self.inbox_of = self._text(
            select(t.delivery)
            .where(d.partner == bindparam("x"), text(t.OPEN), unsettled)
            .order_by(d.priority, d.lane_sequence, d.created_at, d.delivery_id),
            f" LIMIT {self._mark} OFFSET {self._mark}",
        )
        self.stuck = self._text(
            select(d.delivery_id)
            .where(unsettled, d.created_at < bindparam("x"))
            .order_by(d.created_at)
        )
        self.clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

    def _watching(self) -> None:
        """What the scheduler and the readers of alerts ask; conditions in an index's very text."""
        a, e, d = t.alert.c, t.episode.c, t.delivery.c
        unseen = text("acknowledged_at IS NULL")
        limit = f" LIMIT {self._mark}"
        listed = select(t.alert).where(a.position > bindparam("x")).order_by(a.position)
        theirs = (
            select(t.alert)
            .where(self._among(a.audience), a.position > bindparam("x"))
            .order_by(a.position)
        )
        self.alert = self._text(select(t.alert).where(a.alert_id == bindparam("x")))
        self.alerts = {
            (False, False): self._text(listed, limit),
            (False, True): self._text(listed.where(unseen), limit),
            (True, False): self._text(theirs, limit),
            (True, True): self._text(theirs.where(unseen), limit),
        }
        beyond = e.episode_id > bindparam("x")
        self.watched = {
            Watch.OPEN: self._text(
                select(e.episode_id).where(text(t.RUNNING), beyond).order_by(e.episode_id), limit
            ),
            Watch.ENDED: self._text(
                select(e.episode_id).where(text(t.ENDED), beyond).order_by(e.episode_id), limit
            ),
            Watch.RECALLED: self._text(
                select(d.episode_id)
                .where(text(t.RECALL), d.episode_id > bindparam("x"))
                .group_by(d.episode_id)
                .order_by(d.episode_id),
                limit,
            ),
        }
        turn = self._insert(t.turn)
        new = turn.excluded
        taken = turn.on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": new.owner, "until": new.until},
            where=(t.turn.c.owner == new.owner) | (t.turn.c.until <= bindparam("now")),
        )
        self.take_turn = self._text(
            taken.values({name: bindparam(name) for name in ("name", "owner", "until")})
        )

    def _changes(self) -> None:
        pairs = _PAIRS["postgresql" if self.postgresql else "sqlite"]
        self.name_heads = self._text(text(LANES.format(open=t.OPEN, pairs=pairs)))
        s = t.subject_token.c
        self.drop_subject_tokens = self._text(
            delete(t.subject_token).where(
                s.episode_id == bindparam("e"), s.subject_id == bindparam("s")
            )
        )
        self.drop_index_tokens = self._text(
            delete(t.index_token).where(t.index_token.c.entry_id == bindparam("x"))
        )
        self.drop_notices = self._text(delete(t.notice).where(self._among(t.notice.c.notice_id)))
        self.drop_tokens = self._text(
            delete(t.used_token).where(t.used_token.c.expires_at < bindparam("x"))
        )
        m = t.inbox.c
        self.old_raw = self._text(
            select(m.message_id).where(m.raw.is_not(None), m.received_at <= bindparam("x"))
        )
        self.drop_raw = self._text(
            update(t.inbox).where(self._among(m.message_id)).values(raw=text("NULL"))
        )
        k = t.data_key.c
        self.drop_keys = self._text(delete(t.data_key).where(self._among(k.owner)))
        self.drop_key = self._text(
            delete(t.data_key).where(k.owner == bindparam("o"), k.part == bindparam("p"))
        )
        self.shredded = self._text(
            update(t.episode)
            .where(t.episode.c.episode_id == bindparam("x"))
            .values(shreds=t.episode.c.shreds + text("1"))
        )

    def bound(self, query: Executable) -> tuple[Any, ...]:
        """Return the text of a query that is made for one occasion, and its parameters."""
        options = {"dialect": self._dialect, "compile_kwargs": {"render_postcompile": True}}
        made = query.compile(**options)  # type: ignore[attr-defined]
        return str(made), *(made.params[name] for name in made.positiontup)

    def _text(self, statement: Executable, tail: str = "") -> str:
        return str(statement.compile(dialect=self._dialect)) + tail  # type: ignore[attr-defined]

    def _among(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that *column* is in a list given as one parameter (see `many`)."""
        if self.postgresql:
            return column == any_(bindparam("many", type_=ARRAY(String)))
        each = func.json_each(bindparam("many", type_=String)).table_valued("value")
        return column.in_(select(each.c.value))

    def _of_episodes(self, table: Table, order: ColumnElement[Any]) -> str:
        query: Select[Any] = select(table).where(self._among(table.c.episode_id))
        return self._text(query.order_by(order))

    def _plain(self, table: Table) -> Write:
        return self._write(table, self._insert(table).inline())

    def _upsert(
        self,
        table: Table,
        on: list[str],
        *,
        keep: Iterable[str] = (),
        only: Iterable[str] = (),
    ) -> Write:
        insert = self._insert(table)
        left = set(only) or {c.name for c in table.c} - {*on, *keep, "position"}
        changes = {name: insert.excluded[name] for name in sorted(left)}
        return self._write(
            table, insert.on_conflict_do_update(index_elements=on, set_=changes), keep
        )

    def _once(self, table: Table, on: list[str]) -> Write:
        insert = self._insert(table).on_conflict_do_nothing(index_elements=on)
        return self._write(table, insert)

    def _write(self, table: Table, insert: Any, keep: Iterable[str] = ()) -> Write:
        names = [c.name for c in table.c if c.name not in {"position", *keep}]
        whole = self._text(insert.values({name: bindparam(name) for name in names}))
        head, rest = whole.split(" VALUES ", 1)
        end = rest.index(")", rest.rindex(self._mark))
        return Write(head + " VALUES ", rest[: end + 1], rest[end + 1 :], len(names))


@cache
def statements(name: str) -> Statements:
    """Return the statements for *name*, compiled once a process."""
    return Statements(name)
