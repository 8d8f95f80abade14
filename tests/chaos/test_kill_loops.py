"""Kill loops: hub, broker and database killed at random under load, alone and in pairs, or paused.

`reliability.md` P1, P2, P3, P4, P6, P10, P11 and P27: nothing acknowledged is lost, everything that
was owed arrives once and in order with a record of its disclosure, and nobody has to help.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.chaos.hub_process import LEASE_SECONDS
from tests.chaos.rig import Rig, rig
from tests.servers.postgres import PostgresServer, sqlalchemy_url, start_postgres
from tests.servers.rabbitmq import EXTERNAL, RabbitServer, start_rabbitmq

pytestmark = [pytest.mark.acceptance, pytest.mark.database, pytest.mark.broker]
Said = Callable[[str], None]
REST_SECONDS = 120.0
KILLS = int(os.environ.get("ECAF_TEST_KILLS") or 200)
EPISODES, UPDATES = 3, 4
KILLS_A_BURST = 4
VICTIMS = (
    *("hub", "hub", "hub", "broker", "database", "hub and database", "hub and broker"),
    *("hub paused", "broker paused"),
)
FIRST = ("hub", "broker", "database", "hub paused")
"""What a short run comes to, in an order of its own."""
PAUSE_SECONDS = 1.5 * LEASE_SECONDS
"""Longer than the lease of what a paused hub was sending."""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitServer]:
    """A broker of our own to kill, whatever the others use."""
    monkeypatch.delenv(EXTERNAL, raising=False)
    with start_rabbitmq() as server:
        yield server


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    """A database of our own to kill, which waits for its disk."""
    folder = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    server = start_postgres(folder, durable=True)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def victims(random: Random) -> Iterator[str]:
    """Yield who is next, for ever: everybody before anybody comes again.

    >>> drawn = victims(Random(1))
    >>> sorted(next(drawn) for _ in FIRST)
    ['broker', 'database', 'hub', 'hub paused']
    """
    yield from random.sample(FIRST, len(FIRST))
    while True:
        yield from random.sample(VICTIMS, len(VICTIMS))


async def pause(run: Rig, victim: str, broker: RabbitServer) -> None:
    """Stop *victim* for longer than a lease, and let it go on."""
    pid = run.hub.pid
    assert pid is not None
    if victim == "hub":
        os.kill(pid, signal.SIGSTOP)
    else:
        await asyncio.to_thread(broker.sigstop)
    await asyncio.sleep(PAUSE_SECONDS)
    if victim == "hub":
        os.kill(pid, signal.SIGCONT)
    else:
        await asyncio.to_thread(broker.sigcont)
    run.killed(f"{victim} paused")


async def kill(run: Rig, victim: str, broker: RabbitServer, database: PostgresServer) -> None:
    """Kill *victim*, leave it dead for a moment, and start it again."""
    if "broker" in victim:
        await asyncio.to_thread(broker.kill9)
        run.killed("broker")
    if "database" in victim:
        await asyncio.to_thread(database.kill9)
        run.killed("database")
    if "hub" in victim:
        await run.hub.kill()
        run.killed("hub")
    await asyncio.sleep(run.random.uniform(0.0, 1.0))
    if "database" in victim:
        await asyncio.to_thread(database.restart)
    if "broker" in victim:
        await asyncio.to_thread(broker.start)
    if "hub" in victim:
        run.slowest_start = max(run.slowest_start, await run.hub.start())


@pytest.mark.parametrize("kills", [4, pytest.param(KILLS, marks=pytest.mark.slow)])
async def test_random_kills_lose_and_double_nothing(
    kills: int, seed: int, broker: RabbitServer, database: PostgresServer, said: Said
) -> None:
    """Everything acknowledged arrives once, in order and on record, whatever died meanwhile."""
    rested, bursts = 0.0, 0
    dead: Counter[str] = Counter()
    drawn = victims(Random(seed))
    dsn = database.databases.create()
    async with rig(seed, database=sqlalchemy_url(dsn), broker=broker.url) as run:
        while run.kills < kills:
            bursts += 1
            async with run.burst(EPISODES, UPDATES):
                for _ in range(KILLS_A_BURST):
                    if run.kills >= kills:
                        break
                    await asyncio.sleep(run.random.uniform(0.05, 1.0))
                    victim = next(drawn)
                    dead[victim] += 1
                    if victim.endswith(" paused"):
                        await pause(run, victim.removesuffix(" paused"), broker)
                    else:
                        await kill(run, victim, broker, database)
            rested = max(rested, await run.settle(REST_SECONDS))
        verdict = run.verdict()
        unrecorded = await run.undisclosed()

    said(
        f"postgresql and rabbitmq: {run.kills} kills ({dict(dead)}), {verdict},"
        f" rest after at most {rested:.1f} s, slowest start {run.slowest_start:.1f} s, seed {seed}"
    )
    assert len(dead) >= min(kills, len(FIRST))
    assert verdict.faults() == {}
    assert unrecorded == []
    assert verdict.acknowledged == 2 * bursts * EPISODES * (3 + UPDATES)
