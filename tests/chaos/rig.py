"""One chaos run: a site, a hub that can be killed, producers, partners, and the verdict."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from types import MappingProxyType

from hub.scenarios.processes import free_port
from tests.chaos.disclosures import undisclosed
from tests.chaos.forked import Forked, Zygote
from tests.chaos.hub_process import SERVE, HubProcess, make_site
from tests.chaos.ledger import Ledger, Verdict, judge
from tests.chaos.load import PRODUCERS, RECIPIENTS, Message, Producer, conversation
from tests.chaos.partner import Partner

BURST_SECONDS = 120.0
DROPS = 0.02
POLLS = "SCH-B"
QUEUED = "HV-A"


class Rig:
    """Everything around one hub; made by `rig`."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        database: str,
        broker: str | None,
        program: Sequence[str] | None,
        drops: float,
        edits: Mapping[str, Callable[[str], str]],
        settings: Mapping[str, str],
    ) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.ledger = Ledger(folder / "ledger")
        self.kills = 0
        self.slowest_start = 0.0
        self._broker = broker
        self._episodes = itertools.count(1)
        self._expected = 0
        self._ended = 0
        urls: dict[str, str | None] = {name: _url() for name in ("EHM-A", "GP-A", "HOU-A")}
        urls |= {"SCH-A": None, "SCH-B": None, QUEUED: None if broker else _url()}
        self.site, self.keys = make_site(folder / "site", urls)
        self.folder = folder
        for name, edit in edits.items():
            profile = self.site.profiles[name]
            profile.write_text(edit(profile.read_text()))
        self._database = database
        self._zygote = Zygote(self.site.folder) if program is None else None
        begun = None if self._zygote is None else partial(Forked, self._zygote)
        self.hub = HubProcess(
            self.site, database, broker, program=program or SERVE, begun=begun, settings=settings
        )
        self.partners = {
            name: Partner(name, self.ledger, drops=drops, seed=seed) for name in RECIPIENTS
        }
        for name, partner in self.partners.items():
            if url := urls[name]:
                secret = self.site.keys.webhook_secrets[name].read_text()
                partner.listen(url, secret)
        self._talks: list[asyncio.Task[None]] = []
        self._producers = [
            Producer(name, self.hub.address, self.keys[name], self.ledger, seed)
            for name in PRODUCERS
        ]

    async def start(self) -> None:
        """Start the hub and everybody around it."""
        if self._zygote is not None:
            await self._zygote.start()
        await self.hub.start()
        for name, partner in self.partners.items():
            queue = self._broker if name == QUEUED else None
            key = self.keys[name]
            await partner.start(self.hub.address, key, queue=queue, polls=name == POLLS)

    async def stop(self) -> None:
        """End everything."""
        try:
            for partner in self.partners.values():
                await partner.stop()
        finally:
            for producer in self._producers:
                await producer.close()
            await self.hub.stop()
            if self._zygote is not None:
                await self._zygote.stop()
            self.ledger.close()

    @asynccontextmanager
    async def burst(self, episodes: int, updates: int) -> AsyncIterator[None]:
        """Submit *episodes* of every producer while the block runs, and then to the end."""
        talks = self._talks = []
        for producer, name in zip(self._producers, PRODUCERS, strict=True):
            for _ in range(episodes):
                episode = f"e{self.seed}-{next(self._episodes)}"
                messages = conversation(name, episode, updates)
                # One more: the index learns of every episode.
                self._expected += 1 + sum(len(message.expect) for message in messages)
                talks.append(asyncio.create_task(producer.talk(messages)))
        try:
            yield
            await asyncio.wait_for(asyncio.gather(*talks), BURST_SECONDS)
        finally:
            for talk in talks:
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)

    async def moment(self, kind: str, number: int) -> None:
        """Return when *number* more lines of *kind* are in the ledger (``answer``, ``receipt``)."""
        goal = self.ledger.counted[kind] + number
        deadline = asyncio.get_running_loop().time() + BURST_SECONDS
        while self.ledger.counted[kind] < goal:
            assert asyncio.get_running_loop().time() < deadline, f"no {kind}: {self.hub.tail()}"
            await asyncio.sleep(0.001)

    async def acknowledged(self) -> None:
        """Return in the instant in which a message that has recipients is acknowledged, or when
        nobody of the burst has anything left to say: a bad hub may refuse it all.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[None] = loop.create_future()

        def seen(message: Message, status: int) -> None:
            if message.expect and 200 <= status < 300 and not found.done():
                found.set_result(None)

        for producer in self._producers:
            producer.on_answer = seen
        waited: set[asyncio.Future[None]] = {found, *self._talks}
        while not found.done() and not all(talk.done() for talk in self._talks):
            done, waited = await asyncio.wait(
                waited, timeout=BURST_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            assert done, f"nothing acknowledged: {self.hub.tail()}"

    async def another(self) -> Forked:
        """Start one more worker on the same store and broker; whoever asks ends it."""
        assert self._zygote is not None
        log = self.folder / "worker.log"
        worker = Forked(self._zygote, self.hub.environ, log, role="worker")
        await worker.start()
        return worker

    async def kill_and_restart(self) -> None:
        """Kill -9, and start on the same store."""
        await self.hub.kill()
        self.killed("hub")
        self.slowest_start = max(self.slowest_start, await self.hub.start())
        self.ledger.note("restarted", number=self.kills)

    def killed(self, what: str) -> None:
        """Note that something has been killed."""
        self.kills += 1
        self.ledger.note("killed", number=self.kills, what=what)

    async def settle(self, seconds: float) -> float:
        """Wait for rest and check that every delivery that there must be ended as delivered.

        This is the conservation law of `reliability.md` section 1; returns the seconds to rest.
        """
        try:
            states, took = await self.hub.rest(seconds)
        finally:
            for partner in self.partners.values():
                partner.check()
        assert {name: n for name, n in states.items() if n} == {"delivered": self._expected}
        return took

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing has been received for *seconds*; what still waits is left waiting."""
        loop = asyncio.get_running_loop()
        seen, since = -1, loop.time()
        while loop.time() - since < seconds:
            if self.ledger.counted["receipt"] != seen:
                seen, since = self.ledger.counted["receipt"], loop.time()
            await asyncio.sleep(0.1)

    async def undisclosed(self) -> list[str]:
        """End the hub, and return what partners received without a record in its audit."""
        await self.hub.stop()
        return await undisclosed(self.ledger.lines(), self._database, self.site.vault_key)

    def verdict(self) -> Verdict:
        """Return what the ledger proves."""
        return judge(self.ledger.lines())


def _url() -> str:
    return f"http://127.0.0.1:{free_port()}/hook"


@asynccontextmanager
async def rig(
    seed: int,
    *,
    database: str | None = None,
    broker: str | None = None,
    program: Sequence[str] | None = None,
    drops: float = DROPS,
    edits: Mapping[str, Callable[[str], str]] = MappingProxyType({}),
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Rig]:
    """A running rig in a folder of its own; without *database* on SQLite.

    Without *program* hubs are forked from a warm process, which is quick.  *settings* are the
    hub's own on top of what every hub of the tests has, *drops* is the share of webhooks that
    partners take and do not answer, *edits* change partners' profiles.
    """
    # Not under pytest's folders: the path of a socket may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="ecaf-chaos-"))
    try:
        url = database or f"sqlite:///{folder}/hub.db"
        made = Rig(folder, seed, url, broker, program, drops, edits, settings)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
