"""The crash-point sweep: one small story, and a hub that dies at a named point of it.

SQLite's own method (fail the nth operation, for every n): the story is told once to a hub that
lives, which names the points that it passes; then once for each of them to a hub that dies there,
is started again and goes on.  The oracle is the ledger, beside the audit (`reliability.md` 2.1).
"""

import asyncio
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aio_pika
import httpx

from hub.scenarios.processes import free_port
from tests.chaos.disclosures import undisclosed
from tests.chaos.forked import Forked, Zygote
from tests.chaos.hub_process import Ended, HubProcess, make_site
from tests.chaos.ledger import Ledger, Verdict, judge
from tests.chaos.load import RECIPIENTS, SERVICES, TWICE, Message, Producer, conversation, narrowing
from tests.chaos.partner import Partner

T = TypeVar("T")
Point = tuple[str, int]
POLLS, QUEUED, LOSES, SENDS = "SCH-B", "HV-A", "HOU-A", "SCH-A"
TRIES = 5
LIVES = 3
STEP_SECONDS = 60.0
REST_SECONDS = 60.0
UNWELL = (httpx.HTTPError, Ended)


@dataclass(frozen=True)
class Told:
    """What came of telling the story once.

    *faults* must be empty; *killed* says whether the point was reached, *points* what was passed.
    """

    verdict: Verdict
    faults: dict[str, list[str]]
    killed: bool
    points: Sequence[Point]


@dataclass(frozen=True)
class _Talk:
    """How one story is told, and who is there to hear it."""

    ledger: Ledger
    partners: dict[str, Partner]
    patience: float
    twice: float


@dataclass
class Swept:
    """What came of telling the story once for each of many points."""

    stories: int = 0
    kills: int = 0
    attempted: int = 0
    acknowledged: int = 0
    delivered: int = 0
    repeats: int = 0
    lost: int = 0
    duplicated: int = 0
    missed: list[Point] = field(default_factory=list)
    """Points that were not passed again, however often the story was told."""
    faults: dict[Point, dict[str, list[str]]] = field(default_factory=dict)

    def add(self, point: Point, told: Told) -> None:
        """Count one story."""
        self.stories += 1
        self.kills += told.killed
        self.attempted += told.verdict.attempted
        self.acknowledged += told.verdict.acknowledged
        self.delivered += told.verdict.delivered
        self.repeats += told.verdict.repeats
        self.lost += len(told.verdict.lost)
        self.duplicated += len(told.verdict.duplicated)
        if told.faults:
            self.faults[point] = told.faults

    def __str__(self) -> str:
        """Say the numbers in one line."""
        return (
            f"{self.kills} kills in {self.stories} stories, {self.attempted} attempted, "
            f"{self.acknowledged} acknowledged, {self.delivered} delivered, "
            f"{self.repeats} repeats, {self.lost} lost, {self.duplicated} duplicated, "
            f"{len(self.missed)} points missed"
        )


class Sweep:
    """One site and its warm process; every story has a database and a ledger of its own."""

    def __init__(
        self,
        folder: Path,
        broker: str | None,
        database: Callable[[], str] | None,
    ) -> None:
        """Prepare; without *database*, which makes an empty one, on SQLite."""
        self._folder, self._broker = folder, broker
        self._database = database
        urls: dict[str, str | None] = {name: _url() for name in ("EHM-A", "GP-A", "HOU-A")}
        urls |= {"SCH-A": None, "SCH-B": None, QUEUED: None if broker else _url()}
        self._urls = urls
        self._site, self._keys = make_site(folder / "site", urls)
        self.zygote = Zygote(self._site.folder)
        self._stories = 0

    async def tell(
        self,
        deadly: Point | None = None,
        flaw: str | None = None,
        patience: float = STEP_SECONDS,
    ) -> Told:
        """Tell the story to a new hub, which dies at *deadly* and is started again; each step of it
        is waited for up to *patience* seconds.

        *flaw* names a promise that this hub breaks (`sabotaged_hub`).  It is sent everything once,
        so that what happens at *deadly* is no chance.
        """
        self._stories += 1
        folder = self._folder / str(self._stories)
        folder.mkdir()
        database = self._database() if self._database else f"sqlite:///{folder}/hub.db"
        ledger = Ledger(folder / "ledger")
        made: list[Forked] = []

        def begun(environ: Mapping[str, str], _log: Path) -> Forked:
            log, points = folder / "hub.log", folder / "points"
            made.append(Forked(self.zygote, environ, log, points=points, flaw=flaw))
            return made[0]

        hub = HubProcess(self._site, database, self._broker, begun=begun)
        process = made[0]
        process.deadly = deadly
        try:
            async with self._partners(ledger, hub.address) as partners:
                keeper = asyncio.create_task(_keep(hub, process, ledger, dies=deadly is not None))
                try:
                    talk = _Talk(ledger, partners, patience, twice=TWICE if flaw is None else 0.0)
                    faults = await self._story(hub, keeper, talk)
                finally:
                    keeper.cancel()
                    await asyncio.gather(keeper, return_exceptions=True)
                    await process.kill()
            lines = ledger.lines()
            verdict = judge(lines)
            faults |= verdict.faults()
            if found := await undisclosed(lines, database, self._site.vault_key):
                faults["undisclosed"] = found
            if not self._database and (said := _damage(folder / "hub.db")) != "ok":
                faults["damaged"] = [said]
        finally:
            ledger.close()
        if not faults:
            passed = numbered((folder / "points").read_text().splitlines())
            shutil.rmtree(folder)
        else:
            passed = ()
        return Told(verdict, faults, ledger.counted["killed"] > 0, passed)

    async def points(self) -> list[Point]:
        """Return what every one of some lives passes, in order; the rest is a beat of the clock."""
        lives = [await self.tell() for _ in range(LIVES)]
        for told in lives:
            assert told.faults == {}, told.faults
        common = set.intersection(*(set(told.points) for told in lives))
        return [point for point in lives[0].points if point in common]

    async def through(self, points: Iterable[Point]) -> Swept:
        """Tell the story once for each of *points*, and again where it did not come by there.

        What is grouped in one commit is chance, and so is a beat of the clock.
        """
        swept = Swept()
        for point in points:
            for _ in range(TRIES):
                told = await self.tell(point)
                swept.add(point, told)
                if told.killed:
                    break
            else:
                swept.missed.append(point)
        return swept

    async def _story(
        self, hub: HubProcess, keeper: "asyncio.Task[None]", how: _Talk
    ) -> dict[str, list[str]]:
        """Send each message when what the one before led to has arrived; return what went wrong."""
        episode = f"e-{self._stories}"
        talk = conversation(SENDS, episode, 1) + narrowing(SENDS, episode, 3, LOSES)
        how.partners[LOSES].recalls[episode] = 3
        key, seed = self._keys[SENDS], self._stories
        producer = Producer(SENDS, hub.address, key, how.ledger, seed, how.twice)
        try:
            for message in talk:
                await _unless_ended(keeper, producer.talk([message]), how.patience)
                await _unless_ended(keeper, _arrival(how.ledger, message), how.patience)
            states = await _unless_ended(keeper, _rest(hub), how.patience)
            stopped = await _stopped(hub) if self._database else []
        except TimeoutError:
            return {"stuck": [f"after {message.key}"]}
        finally:
            await producer.close()
        # The index is told of the episode, and what came after the narrowing stops at the gate.  So
        # does what had arrived when its hub died without having written that down, where a lease
        # must run out first: by then, consent is narrower, and nobody may send it once more.
        late = {one["delivery_id"] for one in stopped if one["service"] == SERVICES[LOSES]}
        late &= {line["delivery"] for line in how.ledger.lines() if line["kind"] == "receipt"}
        told = 1 + sum(len(message.expect) for message in talk) - len(late)
        owed = {"delivered": told, "suppressed": 1 + len(late)}
        found = {name: number for name, number in states.items() if number}
        return {} if found == owed else {"states": [f"{found}, not {owed}: {stopped}"]}

    @asynccontextmanager
    async def _partners(self, ledger: Ledger, hub: str) -> AsyncIterator[dict[str, Partner]]:
        partners = {name: Partner(name, ledger) for name in RECIPIENTS}
        for name, partner in partners.items():
            if url := self._urls[name]:
                partner.listen(url, self._site.keys.webhook_secrets[name].read_text())
        try:
            for name, partner in partners.items():
                queue = self._broker if name == QUEUED else None
                await partner.start(hub, self._keys[name], queue=queue, polls=name == POLLS)
            yield partners
            for partner in partners.values():
                partner.check()
        finally:
            for partner in partners.values():
                await partner.stop()
            if self._broker:
                await _empty(self._broker)


def numbered(names: Sequence[str]) -> tuple[Point, ...]:
    """Return each name with how often it has come.

    >>> numbered(["BEGIN", "COMMIT", "BEGIN"])
    (('BEGIN', 1), ('COMMIT', 1), ('BEGIN', 2))
    """
    counts: Counter[str] = Counter()
    found = []
    for name in names:
        counts[name] += 1
        found.append((name, counts[name]))
    return tuple(found)


async def _keep(hub: HubProcess, process: Forked, ledger: Ledger, *, dies: bool) -> None:
    """Start the hub, and again if it dies as it was told to; ends when it dies of itself."""
    if dies:
        with suppress(Ended):
            await hub.start()
        while not await process.ended(STEP_SECONDS):
            pass
        ledger.note("killed")
    await hub.start()
    while not await process.ended(STEP_SECONDS):
        pass
    raise Ended(f"the hub ended by itself:\n{hub.tail()}")


async def _unless_ended(
    keeper: "asyncio.Task[None]", work: Coroutine[Any, Any, T], seconds: float
) -> T:
    """Return what *work* returns; raises `Ended` if the hub ends for good before, and
    `TimeoutError` after *seconds*.
    """
    doing = asyncio.create_task(work)
    await asyncio.wait({doing, keeper}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        if keeper.done():
            keeper.result()
        raise TimeoutError
    return doing.result()


async def _arrival(ledger: Ledger, message: Message) -> None:
    """Return when everybody who is to hear of *message* has received something for it."""
    owed = {(message.episode, message.version, *one) for one in message.expect}
    while not owed <= ledger.arrived:  # noqa: ASYNC110  many partners, one ledger
        await asyncio.sleep(0.002)


async def _rest(hub: HubProcess) -> dict[str, int]:
    """Return the deliveries by state at rest; the hub may die once more on the way there."""
    while True:
        with suppress(*UNWELL):
            states, _took = await hub.rest(REST_SECONDS)
            return states
        await asyncio.sleep(0.02)


async def _stopped(hub: HubProcess) -> list[dict[str, Any]]:
    """Return what ended at the gate; the hub may die once more on the way there."""
    while True:
        with suppress(*UNWELL):
            answer = await hub.operator("/admin/messages?state=suppressed")
            answer.raise_for_status()
            found: list[dict[str, Any]] = answer.json()["deliveries"]
            return found
        await asyncio.sleep(0.02)


async def _empty(broker: str) -> None:
    """Take away what came twice and nobody has read: it is of no story to come."""
    async with await aio_pika.connect(broker) as connection:
        channel = await connection.channel()
        for name in ("caf.work", f"caf.out.{QUEUED}"):
            await (await channel.get_queue(name, ensure=False)).purge()


def _damage(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def _url() -> str:
    return f"http://127.0.0.1:{free_port()}/hook"


@asynccontextmanager
async def sweep(
    broker: str | None = None, database: Callable[[], str] | None = None
) -> AsyncIterator[Sweep]:
    """A sweep in a folder of its own, with its process warm."""
    folder = Path(tempfile.mkdtemp(prefix="ecaf-sweep-"))
    try:
        made = Sweep(folder, broker, database)
        await made.zygote.start()
        try:
            yield made
        finally:
            await made.zygote.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
