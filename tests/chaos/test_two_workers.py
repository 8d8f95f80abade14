"""Two live workers on one PostgreSQL and one RabbitMQ, one of them stopped past its lease.

`reliability.md` P12 and P6: what it had in hand is taken over; woken, it writes nothing of that,
and nothing that is taken over is overtaken.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable

import psycopg
import pytest

from tests.chaos.hub_process import LEASE_SECONDS
from tests.chaos.rig import rig
from tests.servers.postgres import plain_dsn
from tests.servers.rabbitmq import RabbitServer

pytestmark = [pytest.mark.acceptance, pytest.mark.database, pytest.mark.broker, pytest.mark.slow]
Said = Callable[[str], None]
STOPS, EPISODES, UPDATES = 10, 3, 5
STOPPED_SECONDS = 1.5 * LEASE_SECONDS
REST_SECONDS = 120.0
SLOWLY = 0.5
"""Seconds that a partner takes to answer: whoever is stopped has sends under way."""


def told(database: str) -> dict[str, Counter[str]]:
    """Return how often the audit says what of each delivery."""
    found: dict[str, Counter[str]] = {}
    with psycopg.connect(plain_dsn(database)) as connection:
        asked = "SELECT delivery_id, kind FROM audit WHERE delivery_id IS NOT NULL"
        for delivery, kind in connection.execute(asked):
            found.setdefault(delivery, Counter())[kind] += 1
    return found


async def test_a_worker_past_its_lease_changes_nothing(
    seed: int, durable_url: str, empty_rabbitmq: RabbitServer, said: Said
) -> None:
    """Either is stopped in turn while both send; everything arrives once, in order, on record, and
    no delivery ends twice.
    """
    async with rig(seed, database=durable_url, broker=empty_rabbitmq.url) as run:
        for partner in run.partners.values():
            partner.slowly = SLOWLY
        worker = await run.another()
        try:
            for number in range(STOPS):
                async with run.burst(EPISODES, UPDATES):
                    await run.moment("receipt", run.random.randrange(2, 20))
                    pid = worker.pid if number % 2 == 0 else run.hub.pid
                    assert pid is not None
                    os.kill(pid, signal.SIGSTOP)
                    try:
                        await asyncio.sleep(STOPPED_SECONDS)
                    finally:
                        os.kill(pid, signal.SIGCONT)
            rested = await run.settle(REST_SECONDS)
            assert worker.alive
        finally:
            await worker.stop()
        verdict = run.verdict()
        unrecorded = await run.undisclosed()

    rows = told(durable_url)
    taken = sum(counts["disclosure.intended"] > 1 for counts in rows.values())
    ended = [name for name, counts in rows.items() if counts["delivery.delivered"] > 1]
    said(
        f"two workers: {STOPS} stops of {STOPPED_SECONDS:.1f} s, {verdict},"
        f" {len(verdict.disordered)} disordered, {taken} deliveries taken over or tried again,"
        f" {len(ended)} ended twice, rest after {rested:.1f} s, seed {seed}"
    )
    assert verdict.faults() == {}
    assert unrecorded == []
    assert ended == []
    assert taken > 0
    assert verdict.acknowledged == STOPS * 2 * EPISODES * (3 + UPDATES)
