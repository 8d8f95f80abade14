"""A synthetic day of England: what a hub has to send, kind by kind, until all of it is confirmed.

A family's day, many times over, each at another moment: the parents decide, the episode is opened,
its assessment completed and reworded three times, and three of eight organisations have each of it
in a queue of their own; the child index is told once.  Every message is a whole episode, and goes
through everything that it would go through in production.
"""

import asyncio
import json
import resource
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import yaml

from adapters.destinations.amqp import queue_of
from hub.bootstrap import compose
from hub.errors import Unavailable
from hub.hub import Hub
from hub.secrets import Secret
from hub.serving import calm_collector
from hub.settings import Settings
from messaging.channel import Transport
from tests.bench.figure import check
from tests.bench.hubs import InProcess
from tests.bench.load import QUIET, Watch, of_threads
from tests.bench.story import CONTENT, RECIPIENT, SENDER, decisions, opening, update
from tests.chaos.hub_process import make_site

DAY: Final = 150_000
"""Deliveries of a day of England."""
HOURS: Final = 24
RECIPIENTS: Final = (RECIPIENT, *(f"EHM-{number:03}" for number in range(1, 8)))
SHARED: Final = 3
"""How many services each family lets see all of it."""
UPDATES: Final = 3
EACH: Final = SHARED * (1 + UPDATES) + 1
"""Deliveries of one family: its assessment and each rewording to all, one to the child index."""
AT_ONCE: Final = 64
"""Families under way at once."""
REST: Final = ("pending", "sending")


@dataclass(slots=True)
class Spent:
    """What the day took, and what became of it."""

    deliveries: int
    states: dict[str, int]
    seconds: float
    cpu: float
    others: float
    stored: int

    def lines(self) -> str:
        """Return the rows of the report, with the time that a whole day would take."""
        each = self.seconds / self.deliveries
        whole = DAY * each / 3600
        busy = "" if self.others <= QUIET else "  NOT TO BE JUDGED: others were busy"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return (
            f"synthetic day: {self.deliveries} deliveries in {self.seconds:.0f} s,"
            f" {1 / each:.0f}/s, processor {self.cpu / self.deliveries * 1e6:.0f} µs each,"
            f" others {self.others:.1f}{busy}\n"
            f"  all {DAY} would take {whole:.2f} h of the {HOURS}; {self.states}\n"
            f"  memory at most {memory:.0f} MiB, database {self.stored / 2**20:.0f} MiB"
        )


class Family:
    """One episode's day."""

    def __init__(self, hub: Hub, number: int) -> None:
        """The *number* decides who is asked for and who is told."""
        self._way, self._name, self._sent = InProcess(hub), f"day{number}", 0
        first = number % len(RECIPIENTS)
        self._shared = [RECIPIENTS[(first + n) % len(RECIPIENTS)] for n in range(SHARED)]

    async def live(self) -> None:
        """Go through the day, one thing after the other."""
        await self._decide()
        for raw in opening(self._name):
            await self._say(raw)
        for number in range(UPDATES):
            await self._say(update(self._name, number))

    async def _say(self, raw: bytes) -> None:
        self._sent += 1
        await patient(partial(self._way.submit, raw, f"{self._name}-{self._sent}"))

    async def _decide(self) -> None:
        scope = [
            {"service": f"{one}/FSW", "section": "all", "sensitive": True} for one in self._shared
        ]
        for record in decisions(self._name):
            told = json.dumps({**record, "scope_includes": scope}).encode()
            await patient(
                partial(self._way.decide, self._name, told, record["consent_decision_id"])
            )


async def patient(attempt: Callable[[], Awaitable[None]]) -> None:
    """Do it again under the same key while the hub has more than it can carry, as senders do."""
    while True:
        try:
            return await attempt()
        except Unavailable:
            await asyncio.sleep(0.5)


def site_of(folder: Path) -> Settings:
    """Return the settings of a site whose recipients take whole messages from queues."""
    site, _ = make_site(folder / "site", {SENDER: None, RECIPIENT: None})
    first = yaml.safe_load(site.profiles[RECIPIENT].read_text())
    first["deliver"] = {
        "channel": "amqp",
        "body": "full",
        "content": CONTENT,
        "notification": "caf-json",
    }
    del first["credentials"]
    for name in RECIPIENTS:
        text = yaml.safe_dump(first).replace(RECIPIENT, name)
        (site.profiles[RECIPIENT].parent / f"{name}.yaml").write_text(text)
    return Settings(
        config_dir=site.folder,
        vault_key_file=site.vault_key,
        database_url=Secret(f"sqlite:///{folder}/hub.db"),
    )


async def spent(broker: str, deliveries: int) -> Spent:
    """Let so many deliveries come about, and at least be handed over; return what it took."""
    families = -(-deliveries // EACH)
    async with AsyncExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecaf-bench-")))
        settings = replace(site_of(top), broker_url=Secret(broker))
        hub = await stack.enter_async_context(compose(settings))
        if hub.transport is None:
            raise RuntimeError("this hub has no broker")
        transport = hub.transport
        calm_collector()
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with turns:
                await Family(hub, number).live()

        before = sum(of_threads().values())
        read: Counter[str] = Counter()
        with Watch() as watch:
            living = asyncio.gather(*map(one, range(families)))
            while not living.done() or await on_the_way(hub):
                await asyncio.sleep(0.2)
                await empty(transport, read)
            await living
        states = {name: n for name, n in (await hub.store.counts()).items() if n}
        stored = size_of(top)
        cpu = sum(of_threads().values()) - before
        await empty(transport, read)
    found = sum(states.values())
    check("deliveries", found, families * EACH)
    check("at the child index", states.get("delivered", 0), families)
    check("messages in the queues", read.total(), states.get("handed_over", 0))
    return Spent(found, states, watch.seconds, cpu, watch.others, stored)


def size_of(folder: Path) -> int:
    """Return the bytes of the database in *folder*."""
    return sum(one.stat().st_size for one in folder.glob("hub.db*"))


async def on_the_way(hub: Hub) -> int:
    """Return how many deliveries are still to be sent."""
    states = await hub.store.counts()
    return sum(states.get(name, 0) for name in REST)


async def empty(transport: Transport, read: Counter[str]) -> None:
    """Take what is in the recipients' queues, and count it."""
    for name in RECIPIENTS:
        read[name] += await transport.purge(queue_of(name))
