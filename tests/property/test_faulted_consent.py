"""Consent reads that fail, on every path out and with both registers: nothing leaves.

`reliability.md` P22 (T).  Each trial takes one delivery of content through one path (first
send, retry, fetch, view) while the decisions are read wrongly in one way; 250 trials for each store
in the suite, 10,000 in the slow tier (``ECAF_TEST_FAULTED=10000``).  What is counted is bytes of
content that any recipient got.
"""

import asyncio
import os
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.memory import MemoryStore
from hub.domain.exchange import Decision, Delivery, State
from hub.domain.partner import Delivering
from hub.domain.register import Asked, Holding, Kept
from hub.errors import Code, Fault, HubError, Malformed, Unavailable
from hub.ports import Needs, Session
from tests import builders as b
from tests.contract.registered import Registered
from tests.unit.services.world import PARTNERS, completion

TRIALS: Final = int(os.environ.get("ECAF_TEST_FAULTED", "250"))
Tree = dict[str, Any]
NOTHING: Final[Any] = None
Picked = tuple[str, str | None, str | None]


class Broken(Exception):
    """Something that nobody expected."""


def _records(change: Callable[[Tree], Tree]) -> Callable[[Sequence[Decision]], Any]:
    """Every decision with its record changed."""
    return lambda found: [replace(one, record=change(dict(one.record))) for one in found]


def _raising(error: BaseException) -> Callable[[Sequence[Decision]], Any]:
    def fault(_found: Sequence[Decision]) -> Any:
        raise error

    return fault


READS: Final[dict[str, Callable[[Sequence[Decision]], Any]]] = {
    "exception": _raising(Broken("disk")),
    "timeout": _raising(TimeoutError()),
    "unavailable": _raising(Unavailable(Code.STORE, "the database went away")),
    "vault": _raising(Malformed(Code.VAULT, "cannot be opened")),
    "empty": lambda _found: [],
    "nothing": lambda _found: None,
    "wrong type": lambda _found: [42, "x"],
    "one lost": lambda found: found[:-1],
    "another lost": lambda found: [*found[:1], *found[2:]],
    "no record": _records(lambda _record: {}),
    "null record": lambda found: [replace(one, record=NOTHING) for one in found],
    "unknown state": _records(lambda record: {**record, "state": "SHARE_EVERYTHING"}),
    "unknown basis": _records(lambda record: {**record, "given_by_basis": "NEIGHBOUR"}),
    "unknown purpose": _records(lambda record: {**record, "purpose": ["ASSESS", "SELL"]}),
    "null state": _records(lambda record: {**record, "state": None}),
    "null scope": _records(lambda record: {**record, "scope_includes": None}),
    "scope of another kind": _records(lambda record: {**record, "scope_includes": ["all"]}),
    "another subject": _records(lambda record: {**record, "subject_id": "s9"}),
    "future version": _records(
        lambda record: {**record, "signed_at": {"version": 2}, "state": ["SHARE"]}
    ),
    "no dates": _records(
        lambda record: {k: v for k, v in record.items() if k not in {"signed_at", "expires_at"}}
    ),
    "out of order": lambda found: list(reversed(found)),
}


class FaultySession:
    """A session whose decisions are read wrongly."""

    def __init__(self, session: Session, fault: Callable[[Sequence[Decision]], Any]) -> None:
        self._session, self._fault = session, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def decisions(self, episode_id: str) -> Any:
        return self._fault(self._session.decisions(episode_id))


class FaultyStore:
    """A store that breaks reads of decisions while it has a *fault*."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.fault: Callable[[Sequence[Decision]], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def run(self, unit: Any, needs: Needs = Needs()) -> Any:
        fault = self.fault
        if fault is None:
            return await self.inner.run(unit, needs)
        return await self.inner.run(lambda session: unit(FaultySession(session, fault)), needs)


class FaultyServer:
    """A consent server in this process: what it is asked is answered by *answer*."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.answer: Callable[[Holding, Asked], Any] = lambda holding, _asked: holding

    async def read(self, asked: Asked) -> Holding:
        found = self.answer(Holding(tuple(self.kept)), asked)
        if isinstance(found, BaseException):
            raise found
        await asyncio.sleep(0)
        return found  # type: ignore[no-any-return]


ANSWERS: Final[dict[str, Callable[[Holding, Asked], Any]]] = {
    "exception": lambda _holding, _asked: Broken("parser"),
    "timeout": lambda _holding, _asked: TimeoutError(),
    "unreachable": lambda _holding, _asked: Unavailable(Code.UNAVAILABLE, "down"),
    "malformed": lambda _holding, _asked: Malformed(Code.SYNTAX, "no JSON"),
    "nothing": lambda _holding, _asked: None,
    "empty": lambda _holding, _asked: Holding(()),
    "one lost": lambda holding, _asked: Holding(holding.consents[:-1]),
    "faults": lambda holding, _asked: Holding(
        holding.consents, (Fault(Code.CODELIST, "Consent.status", "unknown"),)
    ),
    "unknown code": lambda holding, _asked: Holding(
        tuple(
            replace(one, version="9", decision={**(one.decision or {}), "state": "SHARE_ALL"})
            for one in holding.consents
        )
    ),
    "future": lambda holding, _asked: Holding(
        tuple(
            replace(one, version="9", changed_at=one.changed_at + timedelta(days=900))
            for one in holding.consents
        )
    ),
    "rolled back": lambda holding, _asked: Holding(
        tuple(
            replace(one, version="0", changed_at=one.changed_at - timedelta(days=1))
            for one in holding.consents
        )
    ),
    "other content": lambda holding, _asked: Holding(
        tuple(
            replace(one, decision={**(one.decision or {}), "index_consent": "no"})
            for one in holding.consents
        )
    ),
    "twice": lambda holding, _asked: Holding((*holding.consents, *holding.consents)),
}


PULLS = [
    replace(one, delivering=Delivering("pull", "thin")) if one.name == "EHM-A" else one
    for one in PARTNERS
]


class Rig:
    """A hub with content that waits for one recipient and is offered to another."""

    def __init__(self, store: Any, server: FaultyServer | None) -> None:
        self.store = FaultyStore(store)
        self.server = server
        lease = timedelta(seconds=60)
        self.world = Registered(server, store=self.store, lease=lease, partners=PULLS)
        self.templates: dict[str, Delivery] = {}

    async def prepare(self) -> "Rig":
        """Go to where the assessment is complete and nobody has it yet."""
        world = self.world

        async def say(name: str, record: Tree) -> None:
            if self.server is None:
                await world.decide("SCH-A", record)
                return
            at = await world.asked(lambda session: session.clock())
            self.server.kept.append(Kept(name, "1", at, record))

        await world.begin(say)
        message = {"event": "assessment.completed", "episode": completion()}
        await world.post("SCH-A", b.wire(message))
        waiting = {one.partner: one for one in await world.sent(message_type="N7")}
        first = waiting["HV-A"]
        self.templates["first"] = first
        world.doubles["HV-A"].faults.append(Unavailable(Code.OUTCOME_UNKNOWN, "no answer"))
        await world.dispatcher.deliver(first.delivery_id)
        tried = (await world.sent(delivery_id=first.delivery_id))[0]
        assert tried.digest is not None
        self.templates["retry"] = replace(tried, next_attempt_at=None)
        self.templates["taken over"] = replace(tried, state=State.SENDING, lease_until=None)
        await world.dispatcher.deliver(waiting["EHM-A"].delivery_id)
        offered = (await world.sent(delivery_id=waiting["EHM-A"].delivery_id))[0]
        assert offered.state is State.HANDED_OVER
        self.templates["fetch"] = offered
        world.inbox.clear()
        return self

    async def reset(self, path: str) -> None:
        """Put back what the last trial changed, and let the lease run out."""
        self.store.fault = None
        template = self.templates.get(path)

        def unit(session: Session) -> None:
            if template is not None:
                now = session.delivery(template.delivery_id)
                epoch = (now.lease_epoch if now else 0) + 1
                session.put_delivery(replace(template, lease_epoch=epoch))
            head = session.episode("e1")
            assert head is not None
            held = (head.facts or {}).get("register")
            if held is not None:
                facts = {**(head.facts or {}), "register": {**held, "until": None}}
                session.put_episode(replace(head, facts=facts))

        await self.store.run(unit)
        self.world.inbox.clear()
        if self.server is not None:
            self.server.answer = lambda holding, _asked: holding

    async def leaves(self, path: str) -> int:
        """Take one way out, and return the bytes of content that got there."""
        world = self.world
        if path == "view":
            shown = await world.viewer.view(
                world.partners["HV-A"], "HV-A/HV", "e1", "ASSESS", "application/fhir+json"
            )
            return len(shown.body)
        if path == "fetch":
            offered = self.templates["fetch"].delivery_id
            return len((await world.collector.fetch(world.partners["EHM-A"], offered)).body)
        await world.dispatcher.deliver(self.templates[path].delivery_id)
        return sum(len(one.parcel.body) for one in world.inbox)


PATHS: Final = ("first", "retry", "taken over", "view", "fetch")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """Where the decisions are read."""
    if request.param == "memory":
        yield MemoryStore()
        return
    FileVault.create(tmp_path / "vault.key")
    made = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}", FileVault(tmp_path / "vault.key"))
    yield made
    await made.close()


async def trial(rig: Rig, path: str, *, read: str | None, answer: str | None) -> int:
    """One way out under one fault of reading, of the server, or of both; bytes that left."""
    await rig.reset(path)
    rig.store.fault = READS[read] if read else None
    if answer and rig.server is not None:
        rig.server.answer = ANSWERS[answer]
    with suppress(Broken, TimeoutError, HubError, TypeError, AttributeError, KeyError, ValueError):
        return await rig.leaves(path)
    return 0


@pytest.mark.parametrize("register", ["own", "external"])
async def test_no_content_leaves_while_consent_cannot_be_read(register: str, store: Any) -> None:
    """Every path under every fault, then as many more at random as there are trials left."""
    rig = await Rig(store, FaultyServer() if register == "external" else None).prepare()
    chance = random.Random(4)
    answers: list[str | None] = [None, *(ANSWERS if register == "external" else ())]
    wanted: list[Picked] = [(path, read, None) for path in PATHS for read in READS]
    wanted += [(path, None, answer) for path in PATHS for answer in answers if answer]
    while len(wanted) < TRIALS:
        picked = chance.choice(PATHS), chance.choice([*READS]), chance.choice(answers)
        wanted.append(picked)
    left: Counter[tuple[str, str | None, str | None]] = Counter()
    for path, read, answer in wanted[:TRIALS]:
        left[path, read, answer] += await trial(rig, path, read=read, answer=answer)
    assert {fault: sent for fault, sent in left.items() if sent} == {}
    for path in PATHS:  # last, because nobody is sent the same twice
        assert await trial(rig, path, read=None, answer=None) > 0, f"{path} shows nothing at all"


async def test_a_row_that_was_tampered_with_lets_nothing_leave(tmp_path: Path) -> None:
    """The newest decision's sealed bytes are changed in the database itself."""
    FileVault.create(tmp_path / "vault.key")
    path = tmp_path / "hub.db"
    first = SqlStore(f"sqlite:///{path}", FileVault(tmp_path / "vault.key"))
    await (await Rig(first, None).prepare()).reset("first")
    await first.close()
    with closing(sqlite3.connect(path)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(decision)")]
        sealed = next(name for name in columns if name in {"record", "sealed", "body", "content"})
        database.execute("DROP TRIGGER IF EXISTS decision_no_update")
        for (trigger,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'decision'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute(
            f"UPDATE decision SET {sealed} = zeroblob(length({sealed})) "
            "WHERE sequence = (SELECT max(sequence) FROM decision)"
        )
        database.commit()
    second = SqlStore(f"sqlite:///{path}", FileVault(tmp_path / "vault.key"))
    world = Registered(store=second)
    with suppress(HubError):
        await world.drain()
    await second.close()
    assert [one.type for one in world.inbox if one.type in {"N6", "N7", "N9", "N16"}] == []
