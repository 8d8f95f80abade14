"""The record on SQLite or PostgreSQL: `hub.ports.Store` by group commit.

SQLite has one writer, for it has one connection.  PostgreSQL may have several, which take turns
on an episode by its row lock.  Reads wait their turn with the writes: they see what is committed
and nothing else, and on SQLite there is no second connection to read with.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from adapters.database.backlog import backlog
from adapters.database.engine import FileLock, check_postgresql, database, engine, unreachable
from adapters.database.examining import audited, dossiers
from adapters.database.keys import owner_of
from adapters.database.migrate import upgrade
from adapters.database.noticing import StoredNotices
from adapters.database.patience import STATEMENTS, Patience
from adapters.database.rows import micros
from adapters.database.searching import search
from adapters.database.session import SqlSession
from adapters.database.soundness import unsound
from adapters.database.statements import Statements, statements
from adapters.database.tally import Tally
from adapters.database.vault import Vault
from adapters.database.waiting import StoredWaits
from adapters.database.writer import DRIVER_ERRORS, Job, Waiting, Writer
from hub.domain.backlog import Backlog
from hub.domain.dossier import Dossier
from hub.domain.exchange import Alert, Audited, Delivery, Priority, State, Watch
from hub.domain.search import Search
from hub.errors import Code, HubError, Misconfigured, Unavailable
from hub.ports import Needs, Unit
from hub.services.conservation import Finding

T = TypeVar("T")

RAW_DAYS = timedelta(days=30)
"""How long a message's raw bytes are kept at most (`design.md` section 7)."""
SENT_AGAIN = timedelta(days=34)
"""How long after its own day a notice is known when it is sent again (35 in all, P4)."""

_NOTHING = Needs()


class SqlStore(StoredNotices, StoredWaits):
    """`hub.ports.Store` on the database at *url*; migrated, checked and locked when it is made."""

    def __init__(
        self,
        url: str,
        vault: Vault,
        *,
        connections: int = 1,
        group: int = 200,
        limit: int = 20_000,
        statement_seconds: int = 30,
        patience: float | None = None,
    ) -> None:
        """Open; raises `Misconfigured` if the database is not fit, `Unavailable` if it is not
        there.

        *connections* counts for PostgreSQL only, and so does *patience*, the seconds that an
        answer may take before its connection is given up (twice a statement's).  More than
        *limit* waiting units are refused.
        """
        where = database(url)
        self._patience = Patience(patience or STATEMENTS * statement_seconds)
        self._sql = statements(where.get_backend_name())
        self._lock = None if self._sql.postgresql else FileLock(where)
        self._limit = limit
        self._vault = vault
        self._waiting: Waiting = Waiting()
        self._tally = Tally()
        self._closed = False
        self._writers: list[Writer] = []
        try:
            # Its statements have a limit of their own, as the server is told it (`engine`).
            upgrade(url, patience=self._patience if patience else None)
            made = engine(where, statement_seconds, self._patience)
            for number in range(connections if self._sql.postgresql else 1):
                writer = Writer(
                    *(made, self._sql, vault, self._waiting),
                    group=group,
                    name=f"writer-{number}",
                    patience=self._patience,
                )
                self._writers.append(writer)
            cursor = self._writers[0].cursor()
            if self._sql.postgresql:
                check_postgresql(cursor)
            check_vault(cursor, self._sql, vault)
            if self._lock is not None:
                # Nobody else has this file, so nobody holds a lease: what a killed hub had in hand
                # is due at once and not when its lease would have run out (`reliability.md` P11).
                for statement in self._sql.end_leases:
                    cursor.execute(statement)
        except BaseException as fault:
            for writer in self._writers:
                writer.disconnect()
            if self._lock is not None:
                self._lock.release()
            if isinstance(fault, (*DRIVER_ERRORS, DBAPIError)):
                raise unreachable(fault) from fault
            raise
        for writer in self._writers:
            writer.start()

    async def run(self, unit: Unit[T], needs: Needs = _NOTHING) -> T:
        """Run *unit* in a transaction shared with other waiting units and return after the commit.

        *unit* may run more than once, and runs in another thread: it touches nothing but its
        session.
        """
        return await self._submit(unit, needs, alone=False)

    async def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> Sequence[str]:
        """Return ids of deliveries that may be attempted now, most urgent first."""

        def find(session: SqlSession) -> Sequence[str]:
            nobody, left_out = self._sql.many([]), self._sql.many(sorted(without))
            found = session.rows_of(self._sql.lapsed, micros(session.clock()), limit)
            heads = [(priority, name) for name, priority in found]
            priority = -(1 << 30)
            while len(heads) < limit:
                ((least,),) = session.rows_of(self._sql.next_priority, priority)
                if least is None:
                    break
                priority = least
                out = left_out if priority >= Priority.CONTENT else nobody
                found = session.rows_of(self._sql.due, priority, micros(now), out, limit)
                heads += [(priority, name) for (name,) in found]
            heads.sort(key=lambda head: head[0])
            return tuple(name for _, name in heads[:limit])

        return await self._submit(find, _NOTHING, alone=False)

    async def inbox_of(self, partner: str, after: int, limit: int) -> Sequence[Delivery]:
        """Return what waits for *partner* to fetch, in lane order, without the first *after*."""
        return await self._submit(
            lambda s: s.opened(s.rows_of(self._sql.inbox_of, partner, limit, after)),
            _NOTHING,
            alone=False,
        )

    async def search(
        self, wanted: Search, after: int, limit: int
    ) -> tuple[Sequence[Delivery], int | None]:
        """Return a page of what is looked for, and where the next begins (`searching`)."""
        return await self._submit(
            lambda s: search(s, self._sql, wanted, after, limit), _NOTHING, alone=False
        )

    async def stuck(self, older_than: datetime) -> Sequence[str]:
        """Return ids of unsettled deliveries created before *older_than*, oldest first."""
        return await self._submit(
            lambda s: tuple(name for (name,) in s.rows_of(self._sql.stuck, micros(older_than))),
            _NOTHING,
            alone=False,
        )

    async def counts(self, among: Collection[State] | None = None) -> Mapping[str, int]:
        """Return the number of deliveries by state (`tally`)."""
        return await self._submit(
            lambda s: self._tally.counts(s, self._sql, among), _NOTHING, alone=False
        )

    async def examine(self, after: str, limit: int) -> Sequence[Dossier]:
        """Return the dossiers of up to *limit* episodes beyond *after*, all of one moment."""
        return await self._submit(
            lambda s: dossiers(s.rows_of, self._sql, self._vault, after, limit),
            _NOTHING,
            alone=True,
            of_one_moment=True,
        )

    async def audited(self, after: int, limit: int) -> Sequence[tuple[int, Audited]]:
        """Return rows of audit with their positions, in order, beyond position *after*."""
        return await self._submit(
            lambda s: audited(s.rows_of, self._sql, self._vault, after, limit),
            _NOTHING,
            alone=False,
        )

    async def sound(self, now: datetime) -> Sequence[Finding]:
        """Return what is wrong with the database; *now* is the business clock (`soundness`)."""
        return await self._submit(
            lambda s: tuple(unsound(s.rows_of, self._sql, self._vault, now)), _NOTHING, alone=True
        )

    async def backlog(self) -> Backlog:
        """Return what has not ended, counted by partner, class and state (`backlog`)."""
        return await self._submit(lambda s: backlog(s, self._sql), _NOTHING, alone=False)

    async def alerts(
        self,
        after: int,
        limit: int,
        *,
        audiences: Collection[str] | None = None,
        unacknowledged: bool = True,
    ) -> Sequence[tuple[int, Alert]]:
        """Return alerts with their positions, oldest first, beyond position *after*."""
        statement = self._sql.alerts[audiences is not None, unacknowledged]
        among = () if audiences is None else (self._sql.many(sorted(audiences)),)
        return await self._submit(
            lambda s: s.alerts_of(s.rows_of(statement, *among, after, limit)),
            _NOTHING,
            alone=False,
        )

    async def watched(self, watch: Watch, after: str, limit: int) -> Sequence[str]:
        """Return ids of episodes that *watch* names, in their order, beyond the id *after*."""
        return await self._submit(
            lambda s: tuple(e for (e,) in s.rows_of(self._sql.watched[watch], after, limit)),
            _NOTHING,
            alone=False,
        )

    async def take_turn(self, name: str, owner: str, seconds: float) -> bool:
        """Return whether *owner* may do what is called *name* for *seconds*."""

        def take(session: SqlSession) -> bool:
            now = micros(session.clock())
            until = now + int(seconds * 1_000_000)
            return session.change(self._sql.take_turn, name, owner, until, now) == 1

        return await self._submit(take, _NOTHING, alone=True)

    async def purge(self, now: datetime) -> int:
        """Destroy ended notices and raw bodies past their time, keys first; return how many."""

        def sweep(session: SqlSession) -> int:
            sql = self._sql
            notices = [n for (n,) in session.rows_of(sql.notices.old, micros(now - SENT_AGAIN))]
            messages = [m for (m,) in session.rows_of(sql.old_raw, micros(now - RAW_DAYS))]
            owners = [owner_of("notice", n) for n in notices]
            owners += [owner_of("message", m) for m in messages]
            session.change(sql.drop_keys, sql.many(owners))
            session.change(sql.drop_notices, sql.many(notices))
            session.change(sql.drop_raw, sql.many(messages))
            session.change(sql.drop_tokens, micros(session.clock()))
            return len(owners)

        return await self._submit(sweep, _NOTHING, alone=True)

    async def shred(self, episode_id: str, subject_id: str = "") -> bool:
        """Destroy the key of one child's part, or of the shared part if no child is named.

        What it sealed is unreadable from then on, in this database and in every copy of its
        content. Returns whether there was a key.
        """

        def destroy(session: SqlSession) -> bool:
            session.episode(episode_id)
            name = owner_of("episode", episode_id)
            there = session.change(self._sql.drop_key, name, subject_id) > 0
            session.change(self._sql.shredded, episode_id)
            return there

        return await self._submit(destroy, Needs(episodes=(episode_id,)), alone=True)

    async def close(self) -> None:
        """Finish what was accepted and release everything; a second call does nothing.

        A database that says nothing is waited for no longer than a stop allows (`patience`): what
        was not committed then has not been, and nobody was told that it was.
        """
        if self._closed:
            return
        self._closed = True
        self._patience.close()
        for _ in self._writers:
            self._waiting.put(None)
        loop = asyncio.get_running_loop()
        for writer in self._writers:
            await loop.run_in_executor(None, writer.join)
        if self._lock is not None:
            self._lock.release()

    async def _submit(
        self,
        unit: Callable[[SqlSession], T],
        needs: Needs,
        *,
        alone: bool,
        of_one_moment: bool = False,
    ) -> T:
        if self._closed:
            raise Unavailable(Code.STORE, "the store is closed")
        if self._waiting.qsize() >= self._limit:
            raise Unavailable(Code.BUSY, "too much waits to be written")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = Job(unit, needs, future, alone=alone, of_one_moment=of_one_moment)
        self._waiting.put(job)
        return await future


def check_vault(cursor: Any, sql: Statements, vault: Vault) -> None:
    """Raise `Misconfigured` unless *vault* is the one that this database was begun with."""
    name = "store/check"
    cursor.execute(sql.keys, (sql.many([name]),))
    row = cursor.fetchone()
    if row is None:
        _, wrapped = vault.new_key(name)
        cursor.execute(sql.add_key.text(1) + " ON CONFLICT DO NOTHING", (name, "", 0, wrapped))
        return
    try:
        vault.unwrap(name, bytes(row[3]))
    except HubError as fault:
        raise Misconfigured(
            Code.VAULT, "this database was begun with another vault key file"
        ) from fault
