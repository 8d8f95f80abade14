"""The ways through the hub that are measured; each takes a message and puts it into one queue."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import yaml

from adapters.clock import SystemClock
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.destinations.amqp import queue_of
from adapters.partners.profiles import load_registry
from adapters.partners.site import Site
from hub.bootstrap import compose, topology, translator
from hub.domain.partner import Partner
from hub.hub import Hub
from hub.reaching import Carriers
from hub.secrets import Secret
from hub.serving import calm_collector
from hub.settings import Settings
from hub.worker import Workers
from mappings.formats.json_strict import parse
from messaging.rabbit import RabbitTransport
from tests.bench import load
from tests.bench.bare import IN_FLIGHT
from tests.bench.story import CONTENT, MESSAGE, RECIPIENT, SENDER, decisions, opening
from tests.chaos.hub_process import HubProcess, make_site

CONNECTIONS: Final = 64
PARTNERS: Final = {SENDER: None, RECIPIENT: None}
RESTLESS: Final = ("pending", "sending")


class Way(Protocol):
    """One way through the hub."""

    async def decide(self, episode_id: str, raw: bytes, key: str) -> None:
        """Record a consent decision."""
        ...

    async def submit(self, raw: bytes, key: str) -> None:
        """Have one message accepted."""
        ...

    async def states(self) -> Mapping[str, int]:
        """Return deliveries by state."""
        ...

    def cpu(self) -> Mapping[str, float]:
        """Return the hub's processor seconds so far, by thread or process."""
        ...


class InProcess:
    """The composed hub, called directly."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._sender: Partner = hub.registry.partners[SENDER]

    async def decide(self, episode_id: str, raw: bytes, key: str) -> None:
        """Record a consent decision."""
        await self.hub.record_consent(self._sender, episode_id, raw, key)

    async def submit(self, raw: bytes, key: str) -> None:
        """Have one message accepted."""
        await self.hub.receive(self._sender, MESSAGE, raw, key)

    async def states(self) -> Mapping[str, int]:
        """Return deliveries by state."""
        return await self.hub.store.counts()

    def cpu(self) -> Mapping[str, float]:
        """Return the processor seconds of the event loop's thread and of the writer's."""
        spent = load.of_threads()
        return {"loop": spent["MainThread"], "writer": spent.get("writer-0", 0.0)}


class OverHttp:
    """A real `serve`, by HTTP/1.1 with an API key over connections that stay open."""

    def __init__(self, process: HubProcess, key: str) -> None:
        self._process, self._key = process, key
        where = urlsplit(process.address)
        self._host, self._port = str(where.hostname), where.port
        self._free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()

    async def connect(self) -> None:
        """Open the connections."""
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection(self._host, self._port))

    async def close(self) -> None:
        """Close them."""
        while not self._free.empty():
            _, writer = self._free.get_nowait()
            writer.close()

    async def decide(self, episode_id: str, raw: bytes, key: str) -> None:
        """Record a consent decision."""
        await self._post(f"/episodes/{episode_id}/consents", "application/json", raw, key)

    async def submit(self, raw: bytes, key: str) -> None:
        """Have one message accepted."""
        await self._post("/messages", MESSAGE, raw, key)

    async def states(self) -> Mapping[str, int]:
        """Return deliveries by state."""
        told: Mapping[str, int] = (await self._process.summary())["states"]
        return told

    def cpu(self) -> Mapping[str, float]:
        """Return the processor seconds of the serving process."""
        pid = self._process.pid
        if pid is None:
            raise RuntimeError(f"the hub has ended:\n{self._process.tail()}")
        return {"serve": load.of_process(pid)}

    async def _post(self, path: str, content_type: str, raw: bytes, key: str) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\n"
            f"authorization: Bearer {self._key}\r\nidempotency-key: {key}\r\n"
            f"content-type: {content_type}\r\ncontent-length: {len(raw)}\r\n\r\n"
        )
        # A client of our own, since a library's costs as much as the hub on the same two cores.
        reader, writer = await self._free.get()
        writer.write(head.encode() + raw)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        sizes = [x for x in lines if x.lower().startswith("content-length:")]
        answer = await reader.readexactly(int(sizes[0].partition(":")[2]))
        self._free.put_nowait((reader, writer))
        if lines[0].split()[1] not in {"201", "202"}:
            raise RuntimeError(f"{path} was answered {lines[0]}: {answer[:300].decode()}")


class Course:
    """One way with its recipient's queue: opens episodes, sends, waits, and checks."""

    def __init__(self, way: Way, transport: RabbitTransport) -> None:
        self.way, self._transport = way, transport
        self._keys = itertools.count(1)

    async def open(self, episodes: Sequence[str]) -> None:
        """Open *episodes* and let each complete its assessment: that is one message each."""

        async def one(episode_id: str) -> None:
            for record in decisions(episode_id):
                raw = json.dumps(record).encode()
                await self.way.decide(episode_id, raw, record["consent_decision_id"])
            for raw in opening(episode_id):
                await self.submit(raw)

        for at in range(0, len(episodes), CONNECTIONS):
            await asyncio.gather(*map(one, episodes[at : at + CONNECTIONS]))
        await self.arrived(len(episodes))
        await self.settled()

    async def submit(self, raw: bytes) -> None:
        """Have one message accepted, under a key of its own."""
        await self.way.submit(raw, f"k{next(self._keys)}")

    async def send(self, raws: Sequence[bytes]) -> None:
        """Have *raws* accepted, `IN_FLIGHT` at once, and wait until each is in the queue."""
        turns = asyncio.Semaphore(IN_FLIGHT)

        async def one(raw: bytes) -> None:
            async with turns:
                await self.submit(raw)

        await asyncio.gather(*map(one, raws))
        await self.arrived(len(raws))

    async def arrived(self, count: int, seconds: float = 120.0) -> None:
        """Wait until *count* messages are confirmed into the recipient's queue."""
        async with asyncio.timeout(seconds):
            while True:
                if await self._transport.depth(queue_of(RECIPIENT)) >= count:
                    return
                await asyncio.sleep(0.005)

    async def settled(self, seconds: float = 60.0) -> Mapping[str, int]:
        """Wait until nothing is on its way any more; return deliveries by state."""
        async with asyncio.timeout(seconds):
            while True:
                states = await self.way.states()
                if not any(states.get(name) for name in RESTLESS):
                    return states
                await asyncio.sleep(0.05)

    async def emptied(self) -> int:
        """Empty the recipient's queue; return how many it held."""
        return await self._transport.purge(queue_of(RECIPIENT))


@asynccontextmanager
async def embedded(folder: Path, broker: str, database: str) -> AsyncIterator[Course]:
    """The hub with workers in memory: accept, commit, gate, render, publish in one process."""
    site, _ = full_site(folder)
    registry = load_registry(site.folder)
    settings = Settings(config_dir=site.folder, vault_key_file=site.vault_key)
    vault = FileVault(site.vault_key)
    store = SqlStore(database, vault)
    both = translator(settings.canonical_url)
    hub = Hub(settings, registry, SystemClock(), store, vault, both, both, parse)
    async with transport_to(broker) as transport:
        hub.transport = transport
        carriers = Carriers(hub)
        carriers.adopt(carriers.prepare(registry))
        workers = Workers(carriers.deliver, store, hub.clock, hub.hints, concurrency=IN_FLIGHT)
        workers.start()
        try:
            yield Course(InProcess(hub), transport)
        finally:
            await workers.stop()
            await carriers.close()
            await store.close()


@asynccontextmanager
async def queued(folder: Path, broker: str, database: str) -> AsyncIterator[Course]:
    """The hub as `serve` composes it: what was accepted goes to its workers over a queue."""
    site, _ = full_site(folder)
    settings = Settings(
        config_dir=site.folder,
        vault_key_file=site.vault_key,
        database_url=Secret(database),
        broker_url=Secret(broker),
    )
    async with compose(settings) as hub, transport_to(broker) as transport:
        yield Course(InProcess(hub), transport)


@asynccontextmanager
async def served(folder: Path, broker: str, database: str) -> AsyncIterator[Course]:
    """A real `serve` behind its HTTP door, with the same queues."""
    site, keys = full_site(folder)
    process = HubProcess(site, database, broker)
    await process.start()
    try:
        async with transport_to(broker) as transport:
            way = OverHttp(process, keys[SENDER])
            await way.connect()
            try:
                yield Course(way, transport)
            finally:
                await way.close()
    finally:
        await process.stop()


@asynccontextmanager
async def transport_to(broker: str) -> AsyncIterator[RabbitTransport]:
    transport = RabbitTransport(broker)
    await transport.open()
    try:
        await transport.declare(topology())
        await transport.declare_queue(queue_of(RECIPIENT))
        await transport.purge(queue_of(RECIPIENT))
        await transport.purge("caf.work")
        calm_collector()
        yield transport
    finally:
        await transport.close()


def full_site(folder: Path) -> tuple[Site, dict[str, str]]:
    """Return a site whose recipient takes whole messages from a queue, and the API keys."""
    site, keys = make_site(folder / "site", PARTNERS)
    profile = site.profiles[RECIPIENT]
    written = yaml.safe_load(profile.read_text())
    written["deliver"] = {
        "channel": "amqp",
        "body": "full",
        "content": CONTENT,
        "notification": "caf-json",
    }
    profile.write_text(yaml.safe_dump(written))
    return site, keys
