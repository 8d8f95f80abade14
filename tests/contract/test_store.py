"""What every store promises, held against each of them: in memory, on SQLite, on PostgreSQL.

The docstrings are the promises; `hub.ports` says the same in prose.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from adapters.database import searching
from adapters.database.examiner import Examiner
from adapters.database.migrate import upgrade
from adapters.database.roles import grant
from adapters.database.store import SqlStore
from adapters.database.tables import APPEND_ONLY, metadata
from adapters.database.vault import FileVault
from adapters.memory import MemoryStore
from hub.domain.exchange import ERASED, SET_ASIDE, UNMATCHED, Notice, State, Taken, Watch
from hub.domain.search import Search
from hub.errors import Code, Conflict, Misconfigured, Unavailable
from hub.ports import Needs, Session, Store
from hub.secrets import Secret
from hub.services.doctor import examination, joined
from hub.services.predecessor import heads_of
from tests import builders
from tests.contract.records import (
    HOUR,
    NOW,
    TREE,
    alert,
    assertion,
    audited,
    decision,
    delivery,
    entry,
    head,
    index_entry,
    involvement,
    notice,
    released,
    version,
    writing,
)
from tests.servers.postgres import Databases, plain_dsn, sqlalchemy_url, start_postgres
from tests.unit.services.world import CANONICAL, PARTNERS, World, part

ROOT = Path(__file__).resolve().parent.parent.parent
POSTGRES = pytest.param("postgres", marks=pytest.mark.database)


@pytest.fixture(scope="module")
def durable() -> Iterator[Databases]:
    """A PostgreSQL that waits for its disk, for the store refuses any other."""
    given = os.environ.get("ECAF_TEST_DATABASE_URL")
    if given:
        yield Databases(plain_dsn(given))
        return
    folder = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    server = start_postgres(folder, durable=True)
    try:
        yield server.databases
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def one_database(durable: Databases) -> Iterator[str]:
    """The database that all tests here share, for to make one takes longer than any of them."""
    dsn = durable.create()
    upgrade(sqlalchemy_url(dsn))
    yield dsn
    durable.drop(dsn)


@pytest.fixture
def postgres_dsn(one_database: str) -> str:
    """The shared database, emptied: its owner can lift the guards that hold the hub."""
    with psycopg.connect(one_database) as owner:
        for table in metadata.tables:
            guarded = table in APPEND_ONLY
            if guarded:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only".encode())
            owner.execute(f"DELETE FROM {table}".encode())
            if guarded:
                owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER append_only".encode())
    return one_database


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with its tables, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(migrated, tmp_path / 'ecaf.db')}"


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return FileVault.create(tmp_path / "vault.key")


@pytest.fixture
def open_sql(
    request: pytest.FixtureRequest, sqlite_url: str, vault: FileVault
) -> Callable[..., SqlStore]:
    """Opens the SQL store that the test's parameter names; again and again on the same database."""
    url = sqlite_url
    if request.param == "postgres":
        url = sqlalchemy_url(request.getfixturevalue("postgres_dsn"))
    return lambda **options: SqlStore(url, vault, **options)


def empty(
    request: pytest.FixtureRequest, sqlite_url: str, vault: FileVault, connections: int
) -> Store:
    """Return the store that the test's parameter names."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return SqlStore(sqlite_url, vault)
    url = sqlalchemy_url(request.getfixturevalue("postgres_dsn"))
    return SqlStore(url, vault, connections=connections)


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
async def store(
    request: pytest.FixtureRequest, sqlite_url: str, vault: FileVault
) -> AsyncIterator[Store]:
    """An empty store."""
    opened = empty(request, sqlite_url, vault, connections=2)
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
async def one_writer(
    request: pytest.FixtureRequest, sqlite_url: str, vault: FileVault
) -> AsyncIterator[Store]:
    """An empty store with one connection: with more of them, units take turns in any order."""
    opened = empty(request, sqlite_url, vault, connections=1)
    yield opened
    await opened.close()


both_sql = pytest.mark.parametrize("open_sql", ["sqlite", POSTGRES], indirect=True)


async def together(store: Store, *units: Callable[[Session], Any]) -> list[Any]:
    """Run *units* at the same moment, so that they share a group; exceptions are returned."""
    return await asyncio.gather(*(store.run(unit) for unit in units), return_exceptions=True)


def putting(*deliveries: Any) -> Callable[[Session], None]:
    def unit(session: Session) -> None:
        for one in deliveries:
            if session.episode(one.episode_id) is None:
                session.put_episode(head(one.episode_id))
            session.put_delivery(one)

    return unit


async def test_everything_written_is_read_back_equal(store: Store) -> None:
    """Each kind of row comes back as it was given, by every way of asking for it."""

    def write(s: Session) -> None:
        s.add_inbox(entry())
        s.put_episode(head())
        s.add_version(version())
        s.add_decision(decision())
        s.put_involvement(involvement())
        s.put_delivery(delivery())
        s.add_released(released())
        s.add_audit(audited())
        s.put_index_entry(index_entry())
        s.put_notice(notice())

    await store.run(write)

    read = await store.run(
        lambda s: [
            s.inbox("SCH-A", "key-m1"),
            s.message("m1"),
            s.episode("e1"),
            s.version("e1", 1),
            s.decisions("e1"),
            s.involvements("e1"),
            s.delivery("d1"),
            s.deliveries("e1"),
            s.unsettled("e1"),
            s.last_released("e1", "HOU-A/HOUS"),
            s.audit("e1"),
            s.index_entry("ref-x1"),
            s.notice("SCH-A", "key-n1"),
        ]
    )
    assert read == [
        entry(),
        entry(raw=None),
        head(),
        version(),
        (decision(),),
        (involvement(),),
        delivery(),
        (delivery(),),
        (delivery(),),
        (released(),),
        (audited(),),
        index_entry(),
        notice(),
    ]


async def test_what_is_not_there_is_none_or_nothing(store: Store) -> None:
    """Asking for what nobody wrote is no error."""
    read = await store.run(
        lambda s: [
            s.inbox("SCH-A", "k"), s.message("m"), s.episode("e"), s.version("e", 1),
            s.delivery("d"), s.index_entry("r"), s.notice("SCH-A", "k"),
            s.decisions("e"), s.involvements("e"), s.deliveries("e"), s.unsettled("e"),
            s.last_released("e", "S"), s.audit("e"), s.index_matches([b"t"]),
            s.subject_episodes([b"t"]),
        ],
        Needs(inbox=(("SCH-A", "k"),), episodes=("e",), deliveries=("d",)),
    )  # fmt: skip
    assert read == [None] * 7 + [()] * 8


async def test_a_unit_sees_its_own_writes(store: Store) -> None:
    """Reads inside a unit show what it has written already, replaced or added."""

    def unit(s: Session) -> Any:
        s.put_episode(head())
        s.put_episode(head(process="PLANNING"))
        s.add_version(version())
        s.add_decision(decision())
        s.put_delivery(delivery())
        s.put_delivery(delivery(state=State.DELIVERED))
        s.put_delivery(delivery("d2", 2))
        s.add_audit(audited())
        s.add_released(released())
        s.put_index_entry(index_entry())
        s.put_subject_tokens("e1", "c1", [b"t1"])
        s.add_inbox(entry())
        return [
            s.episode("e1").process,  # type: ignore[union-attr]
            s.version("e1", 1),
            s.decisions("e1"),
            [d.delivery_id for d in s.deliveries("e1")],
            [d.delivery_id for d in s.unsettled("e1")],
            s.audit("e1"),
            s.last_released("e1", "HOU-A/HOUS"),
            s.index_matches([b"\x04" * 32]),
            s.subject_episodes([b"t1"]),
            s.inbox("SCH-A", "key-m1"),
            s.message("m1"),
        ]

    assert await store.run(unit) == [
        "PLANNING", version(), (decision(),), ["d1", "d2"], ["d2"], (audited(),), (released(),),
        (index_entry(),), (("e1", "c1", b"t1"),), entry(), entry(raw=None),
    ]  # fmt: skip


async def test_a_later_unit_of_the_same_moment_sees_an_earlier_one(one_writer: Store) -> None:
    """Units that arrive together run one after the other, each on what the one before it left."""
    store = one_writer
    units = [
        lambda s, n=n: (
            s.put_episode(head(version=n + 1, facts=None))
            if (s.episode("e1") is None and n == 0) or s.episode("e1").version == n
            else pytest.fail("the unit before was not seen")
        )
        for n in range(20)
    ]

    assert await together(store, *units) == [None] * 20
    assert (await store.run(lambda s: s.episode("e1"))).version == 20  # type: ignore[union-attr]


async def test_a_unit_that_raises_leaves_nothing_and_harms_nobody(store: Store) -> None:
    """Its exception goes to its caller, its writes nowhere; units beside it are committed."""

    def fails(s: Session) -> None:
        s.put_episode(head("bad"))
        s.add_inbox(entry("mb", episode_id="bad"))
        s.add_version(version("bad"))
        s.put_delivery(delivery("db", s.next_sequence("HOU-A", "bad"), episode_id="bad"))
        s.put_delivery(delivery("dz", 99))
        s.add_audit(audited("ab", episode_id="bad"))
        s.put_subject_tokens("bad", "c1", [b"tb"])
        s.put_episode(head("e1", process="SPOILT"))
        raise LookupError("no")

    def first(s: Session) -> None:
        putting(delivery("d1", s.next_sequence("HOU-A", "e1")))(s)

    def second(s: Session) -> int:
        s.add_audit(audited("a2"))
        return s.next_sequence("HOU-A", "e1")

    one, two, three = await together(store, first, fails, second)

    assert one is None
    assert isinstance(two, LookupError)
    assert three == 2
    read = await store.run(
        lambda s: [
            s.episode("bad"), s.inbox("SCH-A", "key-mb"), s.message("mb"), s.version("bad", 1),
            s.deliveries("bad"), s.audit("bad"), s.subject_episodes([b"tb"]),
            s.episode("e1"), [d.delivery_id for d in s.deliveries("e1")],
            s.next_sequence("HOU-A", "bad"),
        ]
    )  # fmt: skip
    assert read == [None, None, None, None, (), (), (), head(), ["d1"], 1]


async def test_a_value_that_cannot_be_kept_fails_its_own_unit_only(store: Store) -> None:
    """What is no JSON is the caller's error; the units of the same moment do not hear of it."""
    if isinstance(store, MemoryStore):
        return  # keeps the very objects, so nothing has to be written down
    outcomes = await together(
        store,
        lambda s: s.put_episode(head("e1")),
        lambda s: s.add_version(version("e2", tree={"x": object()})),
        lambda s: s.put_episode(head("e3")),
    )

    assert [type(o) for o in outcomes] != [type(None)] * 3
    assert isinstance(outcomes[1], Exception)
    assert await store.run(lambda s: [s.episode(e) is None for e in ("e1", "e2", "e3")]) == [
        False, True, False,
    ]  # fmt: skip


async def test_one_of_fifty_with_the_same_key_wins(store: Store) -> None:
    """Fifty at once with one key: one message is kept, and the others see that one."""

    def unit(n: int) -> Callable[[Session], str]:
        def receive(s: Session) -> str:
            before = s.inbox("SCH-A", "same")
            if before is not None:
                return before.message_id
            s.add_inbox(entry(f"m{n}", key="same"))
            return f"m{n}"

        return receive

    outcomes = await asyncio.gather(
        *(store.run(unit(n), Needs(inbox=(("SCH-A", "same"),))) for n in range(50))
    )

    assert len(set(outcomes)) == 1
    kept = await store.run(lambda s: [s.message(f"m{n}") for n in range(50)])
    assert sum(one is not None for one in kept) == 1


async def test_a_key_used_before_fails_the_unit_that_did_not_look(store: Store) -> None:
    """A second message under the same (partner, key) is a conflict, asked for or not."""
    await store.run(lambda s: s.add_inbox(entry("m1", key="same")))

    first, second, third = await together(
        store,
        lambda s: s.add_inbox(entry("m3", key="other")),
        lambda s: s.add_inbox(entry("m2", key="same")),
        lambda s: s.add_inbox(entry("m4", key="same", partner="EHM-A")),
    )

    assert (first, third) == (None, None)
    assert isinstance(second, Conflict)
    assert second.code is Code.DUPLICATE


@pytest.mark.parametrize(
    ("add", "code"),
    [
        (lambda s: s.add_version(version(event="other")), Code.VERSION_CONFLICT),
        (lambda s: s.add_decision(decision(data_subject="c2")), Code.DUPLICATE),
        (lambda s: s.add_decision(decision(decision_id="dec-x")), Code.DUPLICATE),
        (lambda s: s.add_inbox(entry("m1", key="another")), Code.DUPLICATE),
        (lambda s: s.put_notice(notice("n2", key="key-n1")), Code.DUPLICATE),
    ],
    ids=["version", "decision", "decision sequence", "message id", "notice key"],
)
async def test_what_is_recorded_once_is_not_recorded_again(
    store: Store, add: Callable[[Session], None], code: Code
) -> None:
    """A version, a decision, a message id, a notice's key: the second is a conflict."""

    def write(s: Session) -> None:
        s.put_episode(head())
        s.add_version(version())
        s.add_decision(decision())
        s.add_inbox(entry())
        s.put_notice(notice())

    await store.run(write)

    with pytest.raises(Conflict) as refused:
        await store.run(add)

    assert refused.value.code is code
    read = await store.run(lambda s: [s.version("e1", 1), s.decisions("e1"), s.message("m1")])
    assert read == [version(), (decision(),), entry(raw=None)]


async def test_a_token_is_used_once(store: Store) -> None:
    """Of twenty uses of one assertion at once, one is the first; another issuer's is its own."""
    uses = await together(
        store, *[lambda s: s.use_token("EHM-A", "jti-1", NOW + HOUR) for _ in range(20)]
    )

    assert uses.count(True) == 1
    assert await store.run(lambda s: s.use_token("EHM-A", "jti-1", NOW + HOUR)) is False
    assert await store.run(lambda s: s.use_token("SCH-A", "jti-1", NOW + HOUR)) is True


@both_sql
async def test_two_episodes_that_read_each_other_do_not_deadlock(
    open_sql: Callable[..., SqlStore],
) -> None:
    """Who names both heads beforehand gets both locks in one order, whoever follows whom: each unit
    runs once, for a store that finds a deadlock runs its victims again.
    """
    ran: list[str] = []
    store = open_sql(connections=2, group=1)

    def follow(mine: str, other: str) -> Callable[[Session], None]:
        def unit(s: Session) -> None:
            ran.append(mine)
            here, before = s.episode(mine), s.episode(other)
            assert here is not None
            assert before is not None
            time.sleep(0.002)
            s.put_episode(replace(here, version=here.version + before.version))

        return unit

    await together(store, *(lambda s, e=e: s.put_episode(head(e)) for e in ("e1", "e2")))
    tree = {"e1": {"previous_episode_id": "e2"}, "e2": {"previous_episode_id": "e1"}}
    pairs = [("e1", "e2"), ("e2", "e1")] * 15
    await asyncio.gather(
        *(
            store.run(follow(mine, other), Needs(episodes=heads_of(mine, tree[mine]), hidden=True))
            for mine, other in pairs
        )
    )
    await store.close()

    assert sorted(ran) == ["e1"] * 15 + ["e2"] * 15


@both_sql
async def test_who_meets_others_again_and_again_has_a_turn_alone(
    open_sql: Callable[..., SqlStore],
) -> None:
    """Units that nobody could foresee to meet, each holding what the next wants: all end well, and
    none is run more than three times, for the last time nobody else writes.
    """
    ran: Counter[int] = Counter()
    store = open_sql(connections=3, group=1)

    def unit(number: int) -> Callable[[Session], None]:
        def follow(s: Session) -> None:
            ran[number] += 1
            for step in range(3):
                name = f"e{(number + step) % 3}"
                here = s.episode(name)
                assert here is not None
                time.sleep(0.01)
                s.put_episode(replace(here, version=here.version + 1))

        return follow

    await together(store, *(lambda s, n=n: s.put_episode(head(f"e{n}")) for n in range(3)))

    outcomes = await together(store, *(unit(n) for n in range(6)))

    assert outcomes == [None] * 6
    counted = await store.run(lambda s: [s.episode(f"e{n}") for n in range(3)])
    await store.close()
    assert [here and here.version for here in counted] == [7] * 3
    assert max(ran.values()) <= 3


async def test_sequences_are_gapless_whoever_fails(store: Store) -> None:
    """A hundred units at once, a third of them failing, count a lane from one without a gap."""

    def unit(n: int) -> Callable[[Session], int]:
        def take(s: Session) -> int:
            number = s.next_sequence("HOU-A", "e1")
            if n % 3 == 0:
                raise LookupError
            return number

        return take

    outcomes = await together(store, *[unit(n) for n in range(100)])

    numbers = sorted(n for n in outcomes if isinstance(n, int))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == 66
    other = await store.run(
        lambda s: (s.next_sequence("EHM-A", "e1"), s.next_sequence("HOU-A", "e2"))
    )
    assert other == (1, 1)


async def test_a_number_that_was_never_used_is_given_again(store: Store) -> None:
    """The last number of a lane can be taken back; an earlier one, or another lane's, cannot."""
    await store.run(lambda s: [s.next_sequence("HOU-A", "e1") for _ in range(3)])

    assert not await store.run(lambda s: s.give_back("HOU-A", "e1", 2))
    assert not await store.run(lambda s: s.give_back("EHM-A", "e1", 3))
    assert await store.run(lambda s: s.next_sequence("HOU-A", "e1")) == 4
    assert await store.run(lambda s: s.give_back("HOU-A", "e1", 4))
    assert await store.run(lambda s: s.next_sequence("HOU-A", "e1")) == 4
    assert await store.run(lambda s: s.next_sequence("EHM-A", "e1")) == 1


async def test_deliveries_keep_the_order_of_their_creation(store: Store) -> None:
    """`deliveries` is in order of creation, whatever changed since; `unsettled` in lane order."""
    await store.run(putting(delivery("d3", 1), delivery("d1", 2), delivery("d2", 3, priority=1)))
    await store.run(putting(delivery("d3", 1, state=State.HANDED_OVER)))
    await store.run(putting(delivery("d0", 4), delivery("d9", 1, partner="EHM-A")))

    read = await store.run(
        lambda s: [
            [d.delivery_id for d in s.deliveries("e1")],
            [d.delivery_id for d in s.unsettled("e1")],
            [d.delivery_id for d in s.unsettled("e1", "HOU-A")],
        ]
    )

    assert read == [
        ["d3", "d1", "d2", "d0", "d9"],
        ["d9", "d2", "d3", "d1", "d0"],
        ["d2", "d3", "d1", "d0"],
    ]


@pytest.mark.parametrize(
    "state",
    [s for s in State if s not in {"pending", "sending", "handed_over", "quarantined"}],
)
async def test_a_final_delivery_is_not_unsettled(store: Store, state: State) -> None:
    """What has ended is in `deliveries` and not in `unsettled`; what is quarantined may hold."""
    await store.run(putting(delivery(state=state, settled_at=NOW, evidence={"status": 200})))

    read = await store.run(lambda s: (s.deliveries("e1"), s.unsettled("e1")))

    assert read == ((delivery(state=state, settled_at=NOW, evidence={"status": 200}),), ())


async def test_a_worker_that_lost_its_lease_is_refused(store: Store) -> None:
    """Who writes with an older lease epoch hears "lease lost" and changes nothing."""
    claimed = delivery(state=State.SENDING, lease_epoch=1, lease_owner="w1", attempts=1)
    taken = replace(claimed, lease_epoch=2, lease_owner="w2", attempts=2)
    await store.run(putting(delivery()))
    await store.run(putting(claimed))
    await store.run(putting(taken))

    with pytest.raises(Conflict, match="lease lost") as refused:
        await store.run(putting(replace(claimed, state=State.DELIVERED)))

    assert refused.value.code is Code.STATE
    assert await store.run(lambda s: s.delivery("d1")) == taken
    await store.run(putting(replace(taken, state=State.DELIVERED)))


async def test_a_delivery_keeps_its_lane(store: Store) -> None:
    """Partner, episode, priority and number on the lane cannot be changed."""
    await store.run(putting(delivery()))

    with pytest.raises(Conflict, match="keeps its place"):
        await store.run(putting(delivery(priority=1)))


async def test_of_many_workers_one_claims(store: Store) -> None:
    """Twenty workers that read, check and write back at once: one has the lease."""
    await store.run(putting(delivery()))

    def claim(n: int) -> Callable[[Session], bool]:
        def unit(s: Session) -> bool:
            found = s.delivery("d1")
            assert found is not None
            if found.state is not State.PENDING:
                return False
            s.put_delivery(
                replace(
                    found,
                    state=State.SENDING,
                    lease_owner=f"w{n}",
                    lease_epoch=found.lease_epoch + 1,
                    lease_until=s.clock() + timedelta(seconds=60),
                )
            )
            return True

        return unit

    needs = Needs(deliveries=("d1",))
    claims = await asyncio.gather(*(store.run(claim(n), needs) for n in range(20)))

    assert sum(claims) == 1


async def due(store: Store, at: timedelta = timedelta()) -> list[str]:
    return list(await store.due(NOW + at, 100))


async def test_only_the_head_of_a_lane_is_due(store: Store) -> None:
    """Of one lane the first is due; other partners and other episodes are lanes of their own."""
    await store.run(
        putting(
            delivery("d1", 1),
            delivery("d2", 2),
            delivery("d3", 1, partner="EHM-A"),
            delivery("d4", 1, episode_id="e2"),
            delivery("d5", 2, episode_id="e2"),
        )
    )

    assert sorted(await due(store)) == ["d1", "d3", "d4"]


async def test_a_later_insert_does_not_displace_the_head(store: Store) -> None:
    """A lane that has a head keeps it when more arrives behind, in another transaction."""
    await store.run(putting(delivery("d1", 1)))
    await store.run(putting(delivery("d2", 2)))

    assert await due(store) == ["d1"]


async def test_the_next_is_due_when_the_head_has_ended(store: Store) -> None:
    """Delivered, suppressed, expired, erased or handed over: the lane goes on."""
    for n, state in enumerate(("delivered", "suppressed", "expired", "erased", "handed_over"), 1):
        await store.run(putting(delivery(f"d{n}", n), delivery(f"d{n + 1}", n + 1)))
        assert await due(store) == [f"d{n}"]
        await store.run(putting(delivery(f"d{n}", n, state=State(state))))

    assert await due(store) == ["d6"]


async def test_a_delivery_waits_for_its_time(store: Store) -> None:
    """What is put off is due at its time by the business clock, and holds its lane until then."""
    await store.run(putting(delivery("d1", 1, next_attempt_at=NOW + HOUR), delivery("d2", 2)))

    assert await due(store) == []
    assert await due(store, HOUR - timedelta(microseconds=1)) == []
    assert await due(store, HOUR) == ["d1"]


async def test_content_for_who_is_full_is_passed_over(store: Store) -> None:
    """It does not hide what waits for others; what is urgent, or was begun, is not passed over."""
    lapsed = NOW - 9**5 * HOUR
    await store.run(
        putting(
            delivery("d1", 1, episode_id="e1", partner="FULL"),
            delivery("d2", 1, episode_id="e2", partner="FULL"),
            delivery("d3", 1, episode_id="e3", partner="FULL", priority=1, message_type="N10"),
            delivery("d4", 1, episode_id="e4", partner="FULL", state=State.SENDING,
                     lease_until=lapsed),
            delivery("d5", 1, episode_id="e5", partner="GOOD", next_attempt_at=NOW),
        )
    )  # fmt: skip

    assert sorted(await store.due(NOW, 100)) == ["d1", "d2", "d3", "d4", "d5"]
    assert sorted(await store.due(NOW, 100, {"FULL"})) == ["d3", "d4", "d5"]
    assert sorted(await store.due(NOW, 3, {"FULL"})) == ["d3", "d4", "d5"]
    assert sorted(await store.due(NOW, 100, {"FULL", "GOOD"})) == ["d3", "d4"]


async def test_waits_are_drawn_back_with_a_clock_that_was_ahead(store: Store) -> None:
    """What waits beyond a moment goes that much sooner, never before now; the rest stays."""
    ahead, later = NOW + 5 * HOUR, NOW + 5 * HOUR + timedelta(minutes=30)
    await store.run(putting(delivery("d1", 1, next_attempt_at=later)))
    await store.run(putting(delivery("d2", 1, episode_id="e2", next_attempt_at=NOW + HOUR)))
    await store.run(putting(delivery("d3", 1, episode_id="e3", next_attempt_at=NOW)))
    done = delivery("d4", 1, episode_id="e4", next_attempt_at=ahead, state=State.DELIVERED)
    await store.run(putting(done))

    assert await store.sooner(NOW, NOW + 2 * HOUR, 5 * HOUR) == 1
    assert await due(store) == ["d3"]
    assert sorted(await due(store, timedelta(minutes=30))) == ["d1", "d3"]
    assert await store.sooner(NOW, NOW, 5 * HOUR) == 2
    assert sorted(await due(store)) == ["d1", "d2", "d3"]
    found = await store.run(lambda s: [s.delivery(name) for name in ("d1", "d2", "d3", "d4")])
    assert [one.next_attempt_at for one in found if one] == [NOW, NOW, NOW, ahead]


async def test_the_urgent_overtakes_and_is_first(store: Store) -> None:
    """A withdrawal goes before waiting content of its lane, and before the content of any other."""
    await store.run(putting(delivery("d1", 1), delivery("d0", 1, partner="EHM-A")))
    await store.run(putting(delivery("d2", 2, priority=1, message_type="N10")))
    await store.run(putting(delivery("d3", 1, episode_id="e2", priority=0, message_type="N13")))

    assert await due(store) == ["d3", "d2", "d0"]


async def test_the_urgent_overtakes_what_is_being_sent(store: Store) -> None:
    """Content on the wire does not hold a withdrawal back."""
    lease = timedelta(seconds=60)
    await store.run(
        lambda s: putting(
            delivery("d1", 1, state=State.SENDING, lease_epoch=1, lease_until=s.clock() + lease),
            delivery("d2", 2, priority=1, message_type="N10"),
            delivery("d3", 3),
        )(s)
    )

    assert await due(store) == ["d2"]


async def test_an_unacknowledged_recall_holds_content_back(store: Store) -> None:
    """While an N10 is handed over and not acknowledged its lane carries only what is as urgent."""
    recall = delivery("d1", 1, priority=1, message_type="N10")
    await store.run(putting(recall, delivery("d2", 2)))
    await store.run(putting(replace(recall, state=State.HANDED_OVER)))
    assert await due(store) == []

    await store.run(putting(delivery("d3", 3, priority=3, message_type="N14")))
    assert await due(store) == ["d3"]

    await store.run(
        putting(delivery("d3", 3, priority=3, message_type="N14", state=State.DELIVERED))
    )
    assert await due(store) == []
    await store.run(putting(replace(recall, state=State.DELIVERED)))
    assert await due(store) == ["d2"]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ({"state": State.HANDED_OVER, "priority": 1, "message_type": "N10"}, []),
        ({"state": State.QUARANTINED}, []),
        ({"state": State.QUARANTINED, "priority": 1}, []),
        ({"state": State.HANDED_OVER}, ["d2"]),
        ({"state": State.DELIVERED, "priority": 1, "message_type": "N10"}, ["d2"]),
        ({"state": State.PENDING, "next_attempt_at": NOW + HOUR}, []),
    ],
)
async def test_a_lane_made_in_one_go_obeys_the_same_rules(
    store: Store, first: dict[str, Any], expected: list[str]
) -> None:
    """Whether a lane's deliveries came in one transaction or in many, the same one is due."""
    await store.run(putting(delivery("d1", 1, **first), delivery("d2", 2)))
    assert await due(store) == expected

    await store.run(putting(delivery("d3", 3)))
    assert await due(store) == expected


async def test_another_handed_over_delivery_holds_nothing_back(store: Store) -> None:
    """Only a recall is waited for."""
    await store.run(putting(delivery("d1", 1, state=State.HANDED_OVER), delivery("d2", 2)))

    assert await due(store) == ["d2"]


async def test_quarantine_holds_later_content_only(store: Store) -> None:
    """Behind a quarantined delivery content waits, urgent messages and earlier content do not."""
    await store.run(
        putting(
            delivery("d1", 1),
            delivery("d2", 2, state=State.QUARANTINED),
            delivery("d3", 3),
        )
    )
    assert await due(store) == ["d1"]

    await store.run(putting(delivery("d1", 1, state=State.DELIVERED)))
    assert await due(store) == []

    await store.run(putting(delivery("d4", 4, priority=3)))
    assert await due(store) == ["d4"]

    await store.run(
        putting(
            delivery("d4", 4, priority=3, state=State.DELIVERED),
            delivery("d2", 2, state=State.SUPPRESSED),
        )
    )
    assert await due(store) == ["d3"]


async def test_a_released_delivery_is_due_again(store: Store) -> None:
    """Quarantined, then pending again: it is the head of its lane as before."""
    await store.run(putting(delivery("d1", 1, state=State.QUARANTINED, attempts=11)))
    assert await due(store) == []

    await store.run(putting(delivery("d1", 1, attempts=11)))
    assert await due(store) == ["d1"]


async def test_a_lease_that_ran_out_is_due_by_real_time(store: Store) -> None:
    """A lease is judged by real time: a business clock years ahead does not break it."""

    def sending(lease: timedelta) -> Callable[[Session], None]:
        return lambda s: putting(
            delivery("d1", 1, state=State.SENDING, lease_epoch=1, lease_until=s.clock() + lease),
            delivery("d2", 2),
        )(s)

    await store.run(sending(timedelta(seconds=60)))
    assert await due(store, timedelta(days=4000)) == []

    await store.run(sending(timedelta(seconds=-1)))
    assert await due(store, timedelta(days=-4000)) == ["d1"]


async def test_due_gives_no_more_than_asked(store: Store) -> None:
    """The limit holds over all classes, and the most urgent are in it."""
    await store.run(
        putting(*[delivery(f"d{n}", 1, episode_id=f"e{n}", priority=n % 4) for n in range(12)])
    )

    found = await store.due(NOW, 5)

    assert len(found) == 5
    assert set(found[:3]) == {"d0", "d4", "d8"}


async def test_due_agrees_with_the_plain_rule(store: Store) -> None:
    """Over hundreds of random lanes, SQL and the rule said plainly name the same heads."""
    chance = random.Random(7)
    model = MemoryStore()
    for step in range(8):
        batch = []
        for lane in range(30):
            for sequence in range(1, 5):
                if chance.random() < 0.35:
                    priority = (sequence * lane) % 4
                    batch.append(
                        delivery(
                            f"d{lane}-{sequence}",
                            sequence,
                            episode_id=f"e{lane % 10}",
                            partner=f"P-{lane // 10}",
                            priority=10 if priority == 3 else priority,
                            message_type=("N7", "N10")[(sequence + lane) % 2],
                            state=chance.choice(list(State)[:6]),
                            next_attempt_at=chance.choice([None, NOW - HOUR, NOW + HOUR]),
                            lease_until=chance.choice([None, NOW - 9**5 * HOUR, NOW + 9**5 * HOUR]),
                        )
                    )
        await store.run(putting(*batch))
        await model.run(putting(*batch))
        expected = await model.due(NOW, 1000)
        assert sorted(await store.due(NOW, 1000)) == sorted(expected), step
        assert await store.counts() == await model.counts()
        assert await store.backlog() == await model.backlog()


async def test_the_inbox_of_a_partner_is_in_lane_order_and_paged(store: Store) -> None:
    """What waits for a partner, urgent first, in lane order; *after* leaves out so many."""
    await store.run(
        putting(
            delivery("d2", 2),
            delivery("d1", 1, state=State.HANDED_OVER),
            delivery("d3", 3, priority=1),
            delivery("d4", 1, partner="EHM-A"),
            delivery("d0", 4, state=State.DELIVERED),
        )
    )

    pages = [await store.inbox_of("HOU-A", n, 2) for n in (0, 2, 4)]

    assert [[d.delivery_id for d in page] for page in pages] == [["d3", "d1"], ["d2"], []]
    assert pages[1] == (delivery("d2", 2),)


@pytest.mark.parametrize("open_sql", [POSTGRES], indirect=True)
async def test_who_looks_into_an_inbox_waits_for_nobody(
    open_sql: Callable[..., SqlStore], postgres_dsn: str
) -> None:
    """A page names many episodes: to lock them all would be to meet everybody who writes."""
    store = open_sql(connections=1)
    await store.run(putting(delivery("d1", 1), delivery("d2", 1, episode_id="e2")))

    with psycopg.connect(postgres_dsn) as writing_one:
        writing_one.execute("SELECT * FROM episode FOR UPDATE")
        async with asyncio.timeout(20):
            inbox = await store.inbox_of("HOU-A", 0, 9)
            page, _after = await store.search(Search(partner="HOU-A"), 0, 9)
    await store.close()

    assert {d.delivery_id for d in inbox} == {d.delivery_id for d in page} == {"d1", "d2"}


async def test_stuck_names_what_is_unsettled_and_old(store: Store) -> None:
    """Older than the moment asked for and not ended; oldest first."""
    await store.run(
        putting(
            delivery("d1", 1, created_at=NOW - HOUR),
            delivery("d2", 2, created_at=NOW - 2 * HOUR, state=State.HANDED_OVER),
            delivery("d3", 3, created_at=NOW - 3 * HOUR, state=State.DELIVERED),
            delivery("d4", 4, created_at=NOW),
        )
    )

    assert list(await store.stuck(NOW)) == ["d2", "d1"]


async def test_counts_adds_up(store: Store) -> None:
    """Every delivery is counted once, in its state."""
    await store.run(
        putting(delivery("d1", 1), delivery("d2", 2), delivery("d3", 3, state=State.DELIVERED))
    )

    assert dict(await store.counts()) == {"pending": 2, "delivered": 1}


async def test_the_backlog_knows_what_is_withdrawn_and_still_being_sent(store: Store) -> None:
    """The oldest recall whose recipient may still get content from before it; nothing afterwards,
    nothing for others, and nothing for what was made later.
    """
    early, late = NOW - 2 * HOUR, NOW - HOUR
    sending = delivery("d1", 1, created_at=early, state=State.SENDING)
    recall = delivery("d2", 2, created_at=late, message_type="N10", priority=1)
    await store.run(
        putting(
            sending,
            recall,
            delivery("d3", 3, created_at=late + HOUR, state=State.SENDING),
            delivery("d4", 1, partner="EHM-A", created_at=early, state=State.SENDING),
            delivery("d5", 2, partner="EHM-A", created_at=early - HOUR, message_type="N10"),
        )
    )

    during = await store.backlog()
    await store.run(putting(replace(sending, state=State.DELIVERED)))
    after = await store.backlog()

    assert (during.withdrawn_since, after.withdrawn_since) == (late, None)
    assert [(one.partner, one.state, one.count, one.oldest) for one in after.open] == [
        ("EHM-A", State.PENDING, 1, early - HOUR),
        ("EHM-A", State.SENDING, 1, early),
        ("HOU-A", State.PENDING, 1, late),
        ("HOU-A", State.SENDING, 1, late + HOUR),
    ]


async def test_the_newest_release_of_each_type_is_known(store: Store) -> None:
    """`last_released` has the last one of each message type for the service asked for, no other."""
    await store.run(
        writing(released("d1", digest=b"1"), released("d2", message_type="N5", digest=b"2"))
    )
    await store.run(
        writing(
            released("d3", digest=b"3"),
            released("d4", service="EHM-A/FSW", digest=b"4"),
            released("d5", episode_id="e2", digest=b"5"),
        )
    )

    found = await store.run(lambda s: s.last_released("e1", "HOU-A/HOUS"))

    assert [(r.message_type, r.digest) for r in found] == [("N5", b"2"), ("N7", b"3")]


async def test_everything_that_a_service_was_given_is_known(store: Store) -> None:
    """`given` has every record of the service asked for, oldest first, of this unit as well."""
    before = [released("d1"), released("d2", service="SCH-A/CLASS"), released("d3", version=2)]
    for record in before:
        await store.run(lambda s, given=record: s.add_released(given))  # type: ignore[misc]

    def unit(s: Session) -> list[str]:
        s.add_released(released("d4", message_type="VIEW"))
        return [record.delivery_id for record in s.given("e1", "HOU-A/HOUS")]

    assert await store.run(unit) == ["d1", "d3", "d4"]
    assert await store.run(lambda s: s.given("e1", "SCH-A/CLASS")) == (before[1],)
    assert not await store.run(lambda s: s.given("e2", "HOU-A/HOUS"))


async def found(store: Store, page: int = 2, **wanted: Any) -> list[str]:
    """Return the ids of everything that is found, page by page."""
    ids: list[str] = []
    after: int | None = 0
    while after is not None:
        rows, after = await store.search(Search(**wanted), after, page)
        assert len(rows) <= page
        ids += [one.delivery_id for one in rows]
    return ids


async def test_deliveries_are_found_by_ids_codes_and_times(store: Store) -> None:
    """Each condition alone and together, in pages; newest first, in a state what stands longest."""
    await store.run(
        putting(
            delivery("d1", 1),
            delivery("d2", 2, created_at=NOW + HOUR, message_type="N6"),
            delivery("d3", 1, partner="EHM-A", service="EHM-A/FSW", state=State.QUARANTINED),
            delivery("d4", 1, episode_id="e2", created_at=NOW - HOUR),
            delivery("d5", 3, state=State.QUARANTINED, reason="E_MAPPING", created_at=NOW - HOUR),
        )
    )

    assert await found(store) == ["d5", "d4", "d3", "d2", "d1"]
    assert await found(store, episode_id="e1") == ["d5", "d3", "d2", "d1"]
    assert await found(store, page=1, state=State.QUARANTINED) == ["d5", "d3"]
    assert await found(store, state=State.PENDING) == ["d4", "d1", "d2"]
    assert await found(store, partner="EHM-A") == ["d3"]
    assert await found(store, service="HOU-A/HOUS", message_type="N6") == ["d2"]
    assert await found(store, reason="E_MAPPING", state=State.QUARANTINED) == ["d5"]
    assert await found(store, since=NOW, until=NOW + HOUR) == ["d3", "d1"]
    assert await found(store, episode_id="e1", state=State.PENDING) == ["d2", "d1"]
    assert await found(store, partner="nobody") == []


@pytest.mark.parametrize("open_sql", ["sqlite", POSTGRES], indirect=True)
async def test_a_search_looks_at_a_bounded_part_of_the_table(
    open_sql: Callable[..., SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page through many rows may be empty and goes on; all that there is is found in the end."""
    monkeypatch.setattr(searching, "WINDOW", 3)
    store = open_sql()
    await store.run(putting(*[delivery(f"d{n}", n, message_type="N6") for n in range(1, 9)]))
    await store.run(putting(delivery("first", 1, episode_id="e2"), delivery("x", 9)))

    page, after = await store.search(Search(message_type="N8"), 0, 5)
    names = await found(store, message_type="N6")
    await store.close()

    assert page == ()
    assert after is not None  # which row that is, only SQLite's numbers tell: PostgreSQL's may jump
    assert names == [f"d{n}" for n in range(8, 0, -1)]


async def test_the_index_is_found_by_any_token(store: Store) -> None:
    """An entry is found by each of its tokens; replaced, by its new ones only."""
    await store.run(
        writing(index_entry("x1", tokens=(b"a", b"b")), index_entry("x2", tokens=(b"b", b"c")))
    )
    both = await store.run(lambda s: s.index_matches([b"b"]))
    assert [e.entry_id for e in both] == ["x1", "x2"]

    await store.run(
        lambda s: s.put_index_entry(index_entry("x1", tokens=(b"d",), caf_state="PREVIOUS"))
    )

    read = await store.run(
        lambda s: [
            [e.entry_id for e in s.index_matches(tokens)]
            for tokens in ([b"a"], [b"b"], [b"d", b"c"], [])
        ]
    )
    assert read == [[], ["x2"], ["x1", "x2"], []]
    assert (await store.run(lambda s: s.index_entry("ref-x1"))).caf_state == "PREVIOUS"  # type: ignore[union-attr]


async def test_subjects_are_found_by_their_tokens(store: Store) -> None:
    """Tokens of a subject are replaced whole; a token shared by two episodes finds both."""

    def write(s: Session) -> None:
        s.put_episode(head())
        s.put_episode(head("e2"))
        s.put_subject_tokens("e1", "c1", [b"a", b"b", b"b"])
        s.put_subject_tokens("e2", "c1", [b"b"])

    await store.run(write)
    assert await store.run(lambda s: s.subject_episodes([b"b", b"x"])) == (
        ("e1", "c1", b"b"),
        ("e2", "c1", b"b"),
    )

    await store.run(lambda s: s.put_subject_tokens("e1", "c1", [b"c"]))

    read = await store.run(lambda s: [s.subject_episodes([t]) for t in (b"a", b"b", b"c")])
    assert read == [(), (("e2", "c1", b"b"),), (("e1", "c1", b"c"),)]


async def test_purge_destroys_what_is_past_its_time(store: Store) -> None:
    """Ended notices after 35 days and raw bytes after thirty go; what waits stays."""
    long_ago = NOW - 35 * 24 * HOUR
    await store.run(
        writing(
            notice("n1", state="routed", body=None, expires_at=long_ago),
            notice("n2", state="waiting", expires_at=long_ago),
            notice("n3", state="routed", body=None, expires_at=NOW - 33 * 24 * HOUR),
            entry("m1", received_at=NOW - 720 * HOUR),
            entry("m2"),
            entry("m3", raw=None, received_at=NOW - 7200 * HOUR),
        )
    )

    assert await store.purge(NOW - 24 * 24 * HOUR) == 0
    assert await store.purge(NOW) == 2
    assert await store.purge(NOW) == 0

    read = await store.run(
        lambda s: [
            s.notice("SCH-A", "key-n1"),
            s.notice("SCH-A", "key-n2"),
            s.notice("SCH-A", "key-n3"),
            s.inbox("SCH-A", "key-m1"),
            s.inbox("SCH-A", "key-m2"),
        ]
    )
    assert read == [
        None,
        notice("n2", state="waiting", expires_at=long_ago),
        notice("n3", state="routed", body=None, expires_at=NOW - 33 * 24 * HOUR),
        entry("m1", received_at=NOW - 720 * HOUR, raw=None),
        entry("m2"),
    ]


WAITS = (0.0, 3600.0)


async def test_notices_are_taken_oldest_first_and_counted(store: Store) -> None:
    """A page of what nobody has tried, and each only once until its wait is over."""
    late = notice("n1", state=UNMATCHED, received_at=NOW + HOUR)
    await store.run(writing(late, notice("n2", state=UNMATCHED), notice("n3")))

    assert await store.unmatched(10) == 2
    assert await store.unmatched(1) == 1
    taken = await store.take_notices(10, WAITS)
    kind = "attendance_concern"
    assert taken == (
        Taken("n2", "SCH-A", "key-n2", kind, 1),
        Taken("n1", "SCH-A", "key-n1", kind, 1),
    )
    assert await store.unmatched(10) == 2


async def test_what_was_tried_waits_behind_what_was_not(store: Store) -> None:
    """One at a time, when nothing is new; after its last wait it does not come back by itself."""
    await store.run(writing(notice("n1", state=UNMATCHED), notice("n2", state=UNMATCHED)))
    assert len(await store.take_notices(10, WAITS)) == 2
    await store.run(writing(notice("n3", state=UNMATCHED)))

    taken = [[(t.key, t.attempt) for t in await store.take_notices(10, WAITS)] for _ in range(4)]
    assert taken[0] == [("key-n3", 1)]
    assert sorted(taken[1] + taken[2] + taken[3]) == [("key-n1", 2), ("key-n2", 2), ("key-n3", 2)]
    assert await store.take_notices(10, WAITS) == ()


async def test_a_notice_is_changed_without_opening_it(store: Store) -> None:
    """Set aside, claimed, erased: the body stays as it is, or goes; the others stay."""
    await store.run(writing(notice("n1", state=UNMATCHED), notice("n2")))
    sealed = await store.run(lambda s: s.sealed_notice("n1"))
    assert sealed == notice("n1", state=UNMATCHED, body=None)
    aside = replace(
        sealed, state=SET_ASIDE, reason="KeyError", attempts=5, expires_at=NOW + 2 * HOUR
    )

    def unit(s: Session) -> list[Notice | None]:
        s.change_notice(aside)
        return [s.sealed_notice("n1"), s.notice("SCH-A", "key-n1")]

    whole = replace(aside, body=notice().body)
    assert await store.run(unit) == [aside, whole]
    assert await store.run(lambda s: s.notice("SCH-A", "key-n1")) == whole
    assert await store.take_notices(10, WAITS) == ()
    listed = await store.notices((SET_ASIDE,), "", 10), await store.notices((SET_ASIDE,), "n1", 10)
    assert listed == ((aside,), ())

    erased = replace(aside, state=ERASED)
    await store.run(lambda s: s.change_notice(erased, erase=True))
    assert await store.run(lambda s: s.notice("SCH-A", "key-n1")) == erased
    assert await store.run(lambda s: s.notice("SCH-A", "key-n2")) == notice("n2")


async def test_changes_of_one_group_follow_one_another(store: Store) -> None:
    """What one unit put, the next changes, and the third puts again: the last word counts."""
    await store.run(writing(notice("n1", state="waiting")))
    claimed = notice("n1", state="waiting", body=None, decider="p1")
    ended = notice("n1", state="routed", body=None, episode_id="e1", decider="p1")

    async def three() -> None:
        first = store.run(lambda s: s.change_notice(claimed))
        second = store.run(lambda s: s.put_notice(replace(claimed, body={"text": "x"})))
        third = store.run(lambda s: s.put_notice(ended))
        if len(getattr(store, "_writers", ())) > 1:  # no group then: each takes any writer
            for one in (first, second, third):
                await one
        else:
            await asyncio.gather(first, second, third)

    await three()
    assert await store.run(lambda s: s.notice("SCH-A", "key-n1")) == ended

    def both(s: Session) -> None:
        s.put_notice(notice("n1", state="waiting"))
        s.change_notice(claimed)

    await store.run(both)
    kept = await store.run(lambda s: s.notice("SCH-A", "key-n1"))
    assert kept == notice("n1", state="waiting", decider="p1")


async def test_what_waits_for_a_person_expires(store: Store) -> None:
    """Longest first, only what waits, without the body; a unit that fails changes nothing."""
    await store.run(
        writing(
            notice("n1", state="waiting", expires_at=NOW + HOUR),
            notice("n2", state=SET_ASIDE, expires_at=NOW),
            notice("n3", state="routed", expires_at=NOW),
            notice("n4", state=UNMATCHED, expires_at=NOW),
        )
    )

    def names(at: datetime, limit: int = 10) -> Any:
        return lambda s: [(n.notice_id, n.body) for n in s.expired_notices(at, limit)]

    assert await store.run(names(NOW)) == [("n2", None)]
    assert await store.run(names(NOW + HOUR)) == [("n2", None), ("n1", None)]
    assert await store.run(names(NOW + HOUR, 1)) == [("n2", None)]

    def fails(s: Session) -> None:
        s.change_notice(notice("n1", state=ERASED, body=None), erase=True)
        raise ValueError

    with pytest.raises(ValueError):
        await store.run(fails)
    kept = await store.run(lambda s: s.notice("SCH-A", "key-n1"))
    assert kept == notice("n1", state="waiting", expires_at=NOW + HOUR)


async def test_an_alert_is_kept_once(store: Store) -> None:
    """The second with the same id changes nothing, in the same unit, group or later."""
    first = await store.run(lambda s: (s.add_alert(alert()), s.add_alert(alert(facts={}))))
    again = await together(store, *[lambda s: s.add_alert(alert(kind="other"))] * 2)

    assert (first, again) == ((True, False), [False, False])
    assert await store.run(lambda s: s.alert("al1")) == alert()
    assert [one for _, one in await store.alerts(0, 10)] == [alert()]


async def test_an_alert_of_a_unit_that_raises_is_not_kept(store: Store) -> None:
    """Alerts land with the rest of their unit or not at all."""

    def unit(session: Session) -> None:
        session.add_alert(alert())
        raise ValueError

    await together(store, unit)

    assert await store.alerts(0, 10) == ()
    assert await store.run(lambda s: s.alert("al1")) is None


async def test_the_first_acknowledgement_of_an_alert_counts(store: Store) -> None:
    """Who looks again changes nothing; what is not there is ``None``."""
    await store.run(lambda s: s.add_alert(alert()))

    seen = await store.run(lambda s: s.acknowledge_alert("al1", NOW + HOUR))
    again = await store.run(lambda s: s.acknowledge_alert("al1", NOW + 2 * HOUR))

    assert seen == again == alert(acknowledged_at=NOW + HOUR)
    assert await store.run(lambda s: s.acknowledge_alert("none", NOW)) is None
    assert await store.alerts(0, 10) == ()
    assert [one for _, one in await store.alerts(0, 10, unacknowledged=False)] == [seen]


async def test_alerts_are_listed_by_audience_in_pages(store: Store) -> None:
    """Oldest first, from a position on, only those of the audiences that were named."""
    for number in range(5):
        audience = "operator" if number % 2 else "lead:SCH-A/SCH"
        one = alert(f"al{number}", audience=audience)
        await store.run(writing(one))

    page = await store.alerts(0, 2)
    rest = await store.alerts(page[-1][0], 10)
    operator = await store.alerts(0, 10, audiences={"operator", "nobody"})

    assert [one.alert_id for _, one in [*page, *rest]] == [f"al{n}" for n in range(5)]
    assert [one.alert_id for _, one in operator] == ["al1", "al3"]
    assert await store.alerts(0, 10, audiences=set(), unacknowledged=False) == ()


async def test_the_scheduler_finds_the_episodes_that_it_watches(store: Store) -> None:
    """Open, ended and recalled ones, by id and in pages; those that are gone never."""
    for number, process in enumerate(("ASSESSING", "CLOSED", "PAUSED", "VOID", "ARCHIVED", "NONE")):
        one = head(f"e{number}", process=process)
        await store.run(writing(one))
    states = (
        State.DELIVERED,
        State.PENDING,
        State.HANDED_OVER,
        State.SUPPRESSED,
        State.QUARANTINED,
    )
    for number, state in enumerate(states):
        recall = delivery(
            f"d{number}", episode_id=f"e{number}", message_type="N10", priority=1, state=state
        )
        await store.run(writing(recall))
    await store.run(writing(delivery("d9", episode_id="e5")))

    assert await store.watched(Watch.OPEN, "", 10) == ("e0", "e2", "e5")
    assert await store.watched(Watch.OPEN, "e0", 1) == ("e2",)
    assert await store.watched(Watch.ENDED, "", 10) == ("e1", "e4")
    assert await store.watched(Watch.RECALLED, "", 10) == ("e1", "e2", "e4")
    assert await store.watched(Watch.RECALLED, "e1", 1) == ("e2",)


async def test_what_is_vouched_for_is_replaced_and_listed(store: Store) -> None:
    """By organisation and reference; the same reference elsewhere is somebody else."""
    first, second = assertion("HV-A", "p-1"), assertion("HV-B", "p-1")

    await store.run(lambda s: s.put_practitioner(first))
    await store.run(lambda s: s.put_practitioner(second))
    later = assertion("HV-A", "p-1", may_author=False)
    await store.run(lambda s: s.put_practitioner(later))

    assert await store.run(lambda s: s.practitioner("HV-A", "p-1")) == later
    assert await store.run(lambda s: s.practitioner("HV-A", "p-2")) is None
    assert await store.run(lambda s: s.practitioners(("", ""), 9)) == (later, second)
    assert await store.run(lambda s: s.practitioners(("HV-A", "p-1"), 9)) == (second,)
    assert await store.run(lambda s: s.practitioners(("", ""), 1)) == (later,)


async def test_what_is_vouched_for_by_a_unit_that_raises_is_not_kept(store: Store) -> None:
    """Nobody becomes eligible by a failed unit."""

    def fails(s: Session) -> None:
        s.put_practitioner(assertion("HV-A", "p-1"))
        raise Conflict(Code.STATE, "on purpose")

    with pytest.raises(Conflict):
        await store.run(fails)

    assert await store.run(lambda s: s.practitioner("HV-A", "p-1")) is None


async def test_the_episodes_that_a_partner_was_in_before_are_counted(store: Store) -> None:
    """By the first relationship, ties by episode; without one here, all of them count."""
    for number, (episode, partner, after) in enumerate(
        [("e1", "HV-A", 0), ("e2", "HV-A", 1), ("e2", "HV-A", 5), ("e3", "HV-A", 1),
         ("e4", "SCH-A", 0)]
    ):  # fmt: skip
        held = involvement(
            involvement_id=f"i{number}", episode_id=episode, partner=partner,
            since=NOW + after * HOUR,
        )  # fmt: skip

        def join(s: Session, held: Any = held) -> None:
            s.put_episode(head(held.episode_id))
            s.put_involvement(held)

        await store.run(join)

    async def before(episode: str, partner: str = "HV-A") -> int:
        return await store.run(lambda s: s.episodes_before(partner, episode))

    assert [await before(e) for e in ("e1", "e2", "e3", "e4")] == [0, 1, 2, 3]
    assert await before("e4", "SCH-A") == 0


async def test_one_owner_at_a_time_has_the_turn(store: Store) -> None:
    """It can be kept, it is nobody else's while it lasts, and time takes it from who has gone."""
    name = uuid4().hex
    answers = await asyncio.gather(*(store.take_turn(name, f"w{n}", 60) for n in range(5)))
    holder = f"w{answers.index(True)}"

    assert sum(answers) == 1
    assert await store.take_turn(name, holder, 0)
    assert await store.take_turn(name, "another", 60)
    assert not await store.take_turn(name, holder, 60)
    assert await store.take_turn("other work", holder, 60)


async def test_the_clock_of_leases_is_real_time(store: Store) -> None:
    """`Session.clock` is near the machine's clock and knows its zone."""
    read = await store.run(lambda s: s.clock())

    assert read.utcoffset() == timedelta()
    assert abs(read - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_closed_store_takes_nothing(store: Store) -> None:
    """After `close` a unit is refused; closing twice is no error."""
    await store.close()
    await store.close()

    with pytest.raises(Unavailable):
        await store.run(lambda s: s.episode("e1"))


async def test_close_finishes_what_was_accepted(store: Store) -> None:
    """Units that wait when the store is closed are committed and answered."""
    waiting = [
        asyncio.ensure_future(store.run(lambda s, n=n: s.put_episode(head(f"e{n}")) or n))  # type: ignore[misc]
        for n in range(50)
    ]
    await asyncio.sleep(0)
    await store.close()

    assert await asyncio.gather(*waiting) == list(range(50))


@both_sql
async def test_what_was_committed_is_there_after_reopening(
    open_sql: Callable[..., SqlStore],
) -> None:
    """Closed and opened again, the store has everything, opened by the same key file."""
    store = open_sql()
    await store.run(
        writing(head(), version(), entry(), delivery(next_attempt_at=NOW)),
    )
    await store.run(lambda s: s.next_sequence("HOU-A", "e1"))
    await store.close()

    store = open_sql()
    read = await store.run(
        lambda s: [
            s.episode("e1"), s.version("e1", 1), s.inbox("SCH-A", "key-m1"), s.delivery("d1"),
            s.next_sequence("HOU-A", "e1"),
        ]
    )  # fmt: skip
    found = await store.due(NOW, 10)
    await store.close()

    assert read == [head(), version(), entry(), delivery(next_attempt_at=NOW), 2]
    assert list(found) == ["d1"]


@both_sql
async def test_a_lease_outlives_its_holder_only_where_others_may_hold_one(
    open_sql: Callable[..., SqlStore], request: pytest.FixtureRequest
) -> None:
    """What a killed hub had in hand is due at once on SQLite, which one process has to itself; on
    PostgreSQL another host may be at it, and the lease runs its time.
    """
    store = open_sql()
    lease = timedelta(seconds=60)
    await store.run(
        lambda s: putting(
            delivery("d1", 1, state=State.SENDING, lease_epoch=1, lease_until=s.clock() + lease)
        )(s)
    )
    assert await due(store) == []
    await store.close()

    store = open_sql()
    found = await due(store)
    await store.close()

    assert found == ([] if "postgres" in request.node.name else ["d1"])


@both_sql
@pytest.mark.parametrize("table", ["audit", "version", "version_part", "decision", "released"])
@pytest.mark.parametrize("change", ["UPDATE {} SET episode_id = 'x'", "DELETE FROM {}"])
async def test_the_record_is_append_only(
    open_sql: Callable[..., SqlStore], table: str, change: str
) -> None:
    """The database itself refuses to change or delete what the record is made of."""
    store = open_sql()
    await store.run(
        writing(audited(), version(), decision(), released())
    )  # fmt: skip

    with pytest.raises(Unavailable):
        await store.run(lambda s: s.change(change.format(table)))  # type: ignore[attr-defined]

    rows = await store.run(lambda s: s.rows_of(f"SELECT * FROM {table}"))  # type: ignore[attr-defined]
    await store.close()
    assert rows


@both_sql
async def test_a_child_can_be_destroyed_and_its_sibling_kept(
    open_sql: Callable[..., SqlStore],
) -> None:
    """With one child's key gone its part is unreadable everywhere, and nothing else is."""
    store = open_sql()
    await store.run(writing(head(), version()))
    assert await store.run(lambda s: s.version("e1", 1)) == version()

    assert await store.shred("e1", "c2") is True
    assert await store.shred("e1", "c2") is False

    tree = (await store.run(lambda s: s.version("e1", 1))).tree  # type: ignore[union-attr]
    assert [child["subject_id"] for child in tree["subjects"]] == ["c1"]
    assert tree["parents_carers"][0]["relationships"] == [
        {"subject_id": "c1", "relationship": "01"}
    ]
    assert tree["conclusions"] == {"conclusions": "Canary conclusion", "child_comment": []}

    # The child comes back under a new key; the old version does not.
    await store.run(lambda s: s.add_version(version(number=2)))
    read = await store.run(lambda s: [s.version("e1", n).tree for n in (1, 2)])  # type: ignore[union-attr]
    await store.close()
    assert read == [tree, TREE]


@both_sql
async def test_an_episode_can_be_destroyed(open_sql: Callable[..., SqlStore]) -> None:
    """With the shared key gone content reads as nothing, and deliveries still come to their end."""
    store = open_sql()
    await store.run(
        writing(head(), version(), decision(), delivery(), audited())
    )  # fmt: skip
    await store.shred("e1")

    def settle(s: Session) -> None:
        found = s.delivery("d1")
        assert found is not None
        s.put_delivery(replace(found, state=State.ERASED, evidence={"by": "retention"}))

    await store.run(settle)

    read = await store.run(
        lambda s: [s.episode("e1"), s.decisions("e1"), s.delivery("d1"), s.audit("e1")]
    )
    with pytest.raises(Exception, match="destroyed"):
        await store.run(lambda s: s.version("e1", 1))
    await store.close()
    assert read == [
        head(facts={}),
        (decision(record={}),),
        delivery(focus=(), facts={}, state=State.ERASED, evidence={"by": "retention"}),
        (audited(),),
    ]


@pytest.mark.database
@pytest.mark.parametrize("open_sql", [POSTGRES], indirect=True)
async def test_two_processes_share_a_database(open_sql: Callable[..., SqlStore]) -> None:
    """Two stores on one database: one winner a key, gapless lanes, no update lost."""
    one, two = open_sql(), open_sql(connections=2)

    def receive(key: str, name: str) -> Callable[[Session], str]:
        def unit(s: Session) -> str:
            before = s.inbox("SCH-A", key)
            if before is not None:
                return before.message_id
            s.add_inbox(entry(name, key=key))
            return name

        return unit

    def count(episode_id: str) -> Callable[[Session], int]:
        def unit(s: Session) -> int:
            before = s.episode(episode_id)
            after = 1 if before is None else before.version + 1
            s.put_episode(head(episode_id, version=after))
            s.put_delivery(
                delivery(
                    f"{episode_id}-{after}",
                    s.next_sequence("HOU-A", episode_id),
                    episode_id=episode_id,
                )
            )
            return after

        return unit

    calls: list[Awaitable[Any]] = []
    for n in range(60):
        for who, store in (("one", one), ("two", two)):
            key, episode = f"k{n}", f"e{n % 5}"
            calls.append(store.run(receive(key, f"{who}-{n}"), Needs(inbox=(("SCH-A", key),))))
            # Half of them say what they need, the others lock as they go.
            calls.append(
                store.run(count(episode), Needs(episodes=(episode,)) if n % 2 else Needs())
            )
    outcomes = await asyncio.gather(*calls)
    await two.close()

    keys = {n: {outcomes[4 * n], outcomes[4 * n + 2]} for n in range(60)}
    assert all(len(winners) == 1 for winners in keys.values())
    lanes = await one.run(
        lambda s: [[d.lane_sequence for d in s.deliveries(f"e{n}")] for n in range(5)]
    )
    await one.close()
    assert lanes == [list(range(1, 25))] * 5


def acknowledged_by_a_killed(command: list[str | Path], count: int) -> list[str]:
    """Start a writing process, kill -9 it after *count* answers, and return all that it printed."""
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(count)]
    child.kill()
    rest, said = child.communicate()
    assert lines[-1], said
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return [line.strip() for line in lines]


@both_sql
async def test_nothing_acknowledged_is_lost_by_kill_9(
    request: pytest.FixtureRequest, open_sql: Callable[..., SqlStore], tmp_path: Path
) -> None:
    """A writing process is killed five times; all that it had acknowledged is there, whole."""
    sqlite = request.node.callspec.params["open_sql"] == "sqlite"
    url = request.getfixturevalue("sqlite_url")
    if not sqlite:
        url = sqlalchemy_url(request.getfixturevalue("postgres_dsn"))
    command = [sys.executable, "-m", "tests.contract.crash_writer", url, tmp_path / "vault.key"]
    for round_ in range(5):
        names = acknowledged_by_a_killed(command, 40 + 17 * round_)

        store = open_sql()

        def look(s: Session, names: list[str] = names) -> list[Any]:
            return [
                (
                    s.inbox("SCH-A", f"key-{n}"), s.episode(n), s.version(n, 1),
                    s.delivery(f"d-{n}"), s.audit(n),
                )
                for n in names
            ]  # fmt: skip

        needs = Needs(episodes=tuple(names), inbox=tuple(("SCH-A", f"key-{n}") for n in names))
        assert await store.run(look, needs) == [
            (
                entry(n, episode_id=n), head(n), version(n), delivery(f"d-{n}", 1, episode_id=n),
                (audited(f"a-{n}", episode_id=n),),
            )
            for n in names
        ]  # fmt: skip
        # Whole or not at all, also for what nobody heard of.
        counted = await store.run(
            lambda s: [
                s.rows_of(f"SELECT count(*) FROM {table}")[0][0]  # type: ignore[attr-defined]
                for table in ("inbox", "episode", "version", "delivery", "lane", "audit")
            ]
        )
        await store.close()
        assert len(set(counted)) == 1


async def test_an_examination_sees_every_row_of_an_episode(store: Store) -> None:
    """Each store shows the same dossier, healthy, of the episodes beyond an id and in their order.

    Rows of an episode without a head are found, too.
    """
    await store.run(writing(head("e1"), version("e1"), audited(episode_id="e1")))
    await store.run(lambda s: s.next_sequence("HOU-A", "e1"))
    await store.run(writing(delivery("x1", lane_sequence=1), released(delivery_id="x1")))
    await store.run(writing(head("e2", version=0)))
    await store.run(writing(decision(1, "e3")))

    first, *others = await store.examine("", 10)

    assert [one.episode_id for one in (first, *others)] == ["e1", "e2", "e3"]
    assert [one.episode_id for one in await store.examine("e1", 1)] == ["e2"]
    assert await store.examine("e3", 10) == ()
    assert (first.version, first.versions, first.lanes) == (1, (1,), {"HOU-A": 1})
    assert [one.delivery_id for one in first.deliveries] == ["x1"]
    assert [one.delivery_id for one in first.given] == ["x1"]
    assert len(first.audit) == 1
    assert (first.misled, first.unreadable) == ((), ())
    assert (others[1].version, others[1].decisions) == (None, (1,))


@pytest.mark.database
async def test_an_examiner_looks_beside_a_hub_at_work(postgres_dsn: str, vault: FileVault) -> None:
    """On PostgreSQL it sees what is committed, all of one moment, and cannot write."""
    url = sqlalchemy_url(postgres_dsn)
    store = SqlStore(url, vault)
    examiner = Examiner(url, vault)
    await store.run(writing(head("e1"), version("e1"), audited(episode_id="e1")))

    (found,) = await examiner.examine("", 10)
    await store.run(writing(version("e1", 2)))

    assert found.versions == (1,)
    ((again,), (own,)) = (await examiner.examine("", 10), await store.examine("", 10))
    assert again == own
    assert again.versions == (1, 2)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        examiner.ask("UPDATE episode SET version = 9")
    examiner.close()
    await store.run(writing(version("e1", 3)))
    await store.close()


@pytest.mark.database
async def test_what_a_server_forgets_is_named(postgres_dsn: str, vault: FileVault) -> None:
    """Settings that lose what was acknowledged, guards that are off, and a clock that differs."""
    url = sqlalchemy_url(postgres_dsn)
    examiner = Examiner(url, vault)
    sound = await examiner.sound(NOW)
    examiner.close()
    with psycopg.connect(postgres_dsn, autocommit=True) as owner:
        name = owner.info.dbname
        owner.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'.encode())
        owner.execute("ALTER TABLE audit DISABLE TRIGGER append_only")
    try:
        examiner = Examiner(url, vault)
        found = await examiner.sound(NOW)
        examiner.close()
    finally:
        with psycopg.connect(postgres_dsn, autocommit=True) as owner:
            owner.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit'.encode())
            owner.execute("ALTER TABLE audit ENABLE TRIGGER append_only")

    assert [one.code for one in sound] == ["AUDIT_OWNED"]
    assert [(one.code, one.where) for one in found if one.code != "AUDIT_OWNED"] == [
        ("GUARD_MISSING", {"table": "audit"}),
        ("STORE_UNSAFE", {"setting": "synchronous_commit"}),
    ]


@pytest.mark.database
async def test_a_hub_under_its_own_role_cannot_change_the_record(
    postgres_dsn: str, vault: FileVault
) -> None:
    """It works whole, and can neither change nor take out what must only be added to, nor switch
    the guards off; the owner's role could, and the doctor says so.
    """
    role = f"hub_{uuid4().hex[:12]}"
    with pytest.raises(Misconfigured, match="no such role"):
        grant(sqlalchemy_url(postgres_dsn), role)
    try:
        for password in (Secret("before"), Secret("x"), None):
            grant(sqlalchemy_url(postgres_dsn), role, password)
        url = make_url(sqlalchemy_url(postgres_dsn)).set(username=role, password="x")
        limited = url.render_as_string(hide_password=False)
        store = SqlStore(limited, vault)
        world = World(store=store)
        await world.planned()
        whole = joined([await examination(store)])
        sound = {one.code for one in await store.sound(world.clock.now() + HOUR)}
        refused = []
        for change in (
            "UPDATE audit SET code = 'x'", "DELETE FROM audit", "TRUNCATE released",
            "DELETE FROM decision", "UPDATE version SET sender = 'x'",
            "ALTER TABLE audit DISABLE TRIGGER append_only", "DROP TRIGGER append_only ON audit",
        ):  # fmt: skip
            with psycopg.connect(plain_dsn(limited)) as hub:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    hub.execute(change.encode())
                refused.append(change)
        await store.close()
    finally:
        with psycopg.connect(postgres_dsn, autocommit=True) as owner:
            owner.execute(f"DROP OWNED BY {role}".encode())
            owner.execute(f"DROP ROLE {role}".encode())
    examiner = Examiner(sqlalchemy_url(postgres_dsn), vault)
    own = {one.code for one in await examiner.sound(world.clock.now() + HOUR)}
    examiner.close()

    assert (whole["findings"], whole["balance"], len(refused)) == ([], 0, 7)
    assert whole["law"]["delivered"] > 10
    assert "AUDIT_OWNED" not in sound
    assert "AUDIT_OWNED" in own


def test_roles_need_postgresql(sqlite_url: str) -> None:
    """On SQLite the command says so."""
    with pytest.raises(Misconfigured, match="no roles"):
        grant(sqlite_url, "hub")


AUDIT_FULL = {
    "sqlite": (
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END",
        "DROP TRIGGER full",
    ),
    "postgres": (
        "ALTER TABLE audit ADD CONSTRAINT full_ CHECK (kind = 'nothing') NOT VALID",
        "ALTER TABLE audit DROP CONSTRAINT full_",
    ),
}


@pytest.mark.parametrize("backend", ["sqlite", POSTGRES])
async def test_without_audit_nothing_is_sent(
    backend: str, sqlite_url: str, vault: FileVault, request: pytest.FixtureRequest
) -> None:
    """The table of audit takes nothing: no destination is called, no view and no body is given,
    and nothing is lost; once it takes rows again, everything goes.
    """
    url = sqlite_url
    if backend == "postgres":
        url = sqlalchemy_url(request.getfixturevalue("postgres_dsn"))
    store = SqlStore(url, vault)
    partners = tuple(
        replace(one, delivering=replace(one.delivering, channel="pull", body="thin"))
        if one.name == "HV-A"
        else one
        for one in PARTNERS
    )
    world = World(store=store, partners=partners)
    await world.shared()
    await world.post("SCH-A", builders.wire({"episode": part(conclusions={"need_level": "L3"})}))
    ids = world.hints.drain(100)
    visitor, lead = world.partners["HV-A"], world.partners["EHM-A"]
    (offered, *_) = (await world.collector.inbox(visitor, 0, 9))["deliveries"]
    world.take()
    full, again = AUDIT_FULL[backend]
    await store.run(lambda s: s.change(full))  # type: ignore[attr-defined]

    for one in ids:
        with pytest.raises(Unavailable):
            await world.dispatcher.deliver(one)
    with pytest.raises(Unavailable):
        await world.viewer.view(lead, "EHM-A/FSW", "e1", "ASSESS", CANONICAL)
    with pytest.raises(Unavailable):
        await world.collector.fetch(visitor, offered["delivery_id"])
    assert ids
    assert world.take() == {}

    await store.run(lambda s: s.change(again))  # type: ignore[attr-defined]
    await world.drain()
    assert {"EHM-A", "HOU-A"} <= world.take().keys()
    found = joined([await examination(store)])
    assert (found["findings"], found["balance"]) == ([], 0)
    await store.close()


async def test_the_audit_is_read_in_its_order(store: Store) -> None:
    """Page by page, every row once, with its position."""
    for number in range(5):
        await store.run(writing(audited(audit_id=f"{number:032d}")))

    first = await store.audited(0, 3)
    rest = await store.audited(first[-1][0], 3)

    assert [row.audit_id[-1] for _, row in (*first, *rest)] == ["0", "1", "2", "3", "4"]
    assert [place for place, _ in (*first, *rest)] == sorted({p for p, _ in (*first, *rest)})
