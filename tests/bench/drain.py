"""A hub that starts and finds much to send, beside aio-pika alone publishing the same bodies.

A first hub takes the messages, works out who is to have them and ends before it has sent any.  The
clock runs from the moment in which a second one opens the store until the broker has confirmed all
of it in the recipient's queue; interpreter and modules are loaded before.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from adapters.clock import SystemClock
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.destinations.amqp import queue_of
from adapters.partners.profiles import load_registry
from adapters.partners.site import Site
from hub.bootstrap import compose, translator
from hub.hub import Hub
from hub.reaching import Carriers
from hub.secrets import Secret
from hub.settings import Settings
from hub.worker import Workers
from mappings.formats.json_strict import parse
from messaging.rabbit import RabbitTransport
from tests.bench.bare import IN_FLIGHT, bare, sample
from tests.bench.figure import Figure, check, told
from tests.bench.hubs import Course, InProcess, full_site, transport_to
from tests.bench.load import Watch, of_threads
from tests.bench.story import RECIPIENT, update

GOAL: Final = 0.6
EPISODES: Final = 500

Start = Callable[[Site, str, str, RabbitTransport], AbstractAsyncContextManager[Hub]]


@asynccontextmanager
async def accepting(site: Site, database: str) -> AsyncIterator[Hub]:
    """A hub that takes and sends nothing."""
    vault = FileVault(site.vault_key)
    settings = Settings(config_dir=site.folder, vault_key_file=site.vault_key)
    store = SqlStore(database, vault)
    both = translator(settings.canonical_url)
    registry = load_registry(site.folder)
    try:
        yield Hub(settings, registry, SystemClock(), store, vault, both, both, parse)
    finally:
        await store.close()


@asynccontextmanager
async def in_memory(
    site: Site, database: str, broker: str, transport: RabbitTransport
) -> AsyncIterator[Hub]:
    """The hub with workers in memory, on a *transport* that is open; *broker* is where to."""
    async with accepting(site, database) as hub:
        hub.transport = transport
        carriers = Carriers(hub)
        carriers.adopt(carriers.prepare(hub.registry))
        workers = Workers(carriers.deliver, hub.store, hub.clock, hub.hints, concurrency=IN_FLIGHT)
        workers.start()
        try:
            yield hub
        finally:
            await workers.stop()
            await carriers.close()


@asynccontextmanager
async def as_served(
    site: Site, database: str, broker: str, transport: RabbitTransport
) -> AsyncIterator[Hub]:
    """The hub as `serve` composes it: over the work queue, and on connections of its own."""
    settings = Settings(
        config_dir=site.folder,
        vault_key_file=site.vault_key,
        database_url=Secret(database),
        broker_url=Secret(broker),
    )
    async with compose(settings) as hub:
        yield hub


async def drained(
    name: str, start: Start, broker: str, *, rounds: int, messages: int
) -> list[Figure]:
    """Return how fast a starting hub sends what waits, beside a bare burst of the same bodies."""
    figure = Figure(f"drain after a restart, {name} / bare burst", GOAL)
    rates: list[str] = []
    async with AsyncExitStack() as stack:
        top = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecaf-bench-"))
        database = f"sqlite:///{top}/hub.db"
        site, _ = full_site(Path(top))
        transport = await stack.enter_async_context(transport_to(broker))
        peer = await stack.enter_async_context(bare(broker))
        episodes = [f"e{number}" for number in range(min(EPISODES, messages))]
        async with in_memory(site, database, broker, transport) as hub:
            await Course(InProcess(hub), transport).open(episodes)
        body = await sample(broker, queue_of(RECIPIENT))
        await transport.purge(queue_of(RECIPIENT))
        for number in range(rounds + 1):
            await filled(site, database, transport, episodes, number * messages, messages)
            bodies = [bytes(bytearray(body)) for _ in range(messages)]
            with Watch() as unit:
                await peer.burst(bodies)
            before = sum(of_threads().values())
            with Watch() as watch:
                began = time.perf_counter()
                async with start(site, database, broker, transport) as hub:
                    course = Course(InProcess(hub), transport)
                    ready = time.perf_counter() - began
                    await course.arrived(messages)
                    took = time.perf_counter() - began
                    states = await course.settled()
                    spent = sum(of_threads().values()) - before
            check("messages in the bare queue", await peer.emptied(), messages)
            check("messages in the recipient's queue", await course.emptied(), messages)
            handed = len(episodes) + (number + 1) * messages
            check("handed over", states.get("handed_over", 0), handed)
            others = max(unit.others, watch.others)
            rate = (
                f"{messages / took:.0f}/s beside {messages / unit.seconds:.0f}/s, ready in"
                f" {ready:.2f} s, processor {spent / messages * 1e6:.0f} µs a message"
            )
            told(f"drain, {name}", number, f"{unit.seconds / took:.2f}: {rate}", others)
            if number:
                figure.add(unit.seconds / took, others)
                rates.append(rate)
    figure.beside = f"{messages} messages of {len(body)} bytes; the last round: {rates[-1]}"
    return [figure]


async def filled(
    site: Site,
    database: str,
    transport: RabbitTransport,
    episodes: list[str],
    first: int,
    messages: int,
) -> None:
    """Have that many messages accepted by a hub that ends before it sends one."""
    async with accepting(site, database) as hub:
        way = InProcess(hub)
        turns = asyncio.Semaphore(IN_FLIGHT)

        async def one(number: int) -> None:
            async with turns:
                await way.submit(update(episodes[number % len(episodes)], number), f"d{number}")

        await asyncio.gather(*(one(number) for number in range(first, first + messages)))
        states = await way.states()
        check("deliveries that wait", states.get("pending", 0), messages)
        check("messages in the queue", await transport.depth(queue_of(RECIPIENT)), 0)
