"""Kills inside the transaction in which a gate decides and claims, on PostgreSQL and RabbitMQ.

The attempt is counted there and the disclosure recorded (D-64, `reliability.md` P1, P4, P27): dead
at any of its statements, a hub has decided nothing, and dead behind its commit, it has counted.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.sweep import sweep
from tests.chaos.test_crash_points import spread
from tests.chaos.zygote import GATE
from tests.servers.postgres import Databases, sqlalchemy_url
from tests.servers.rabbitmq import RabbitServer

pytestmark = [pytest.mark.acceptance, pytest.mark.database, pytest.mark.broker, pytest.mark.slow]
Said = Callable[[str], None]
COUNT = int(os.environ.get("ECAF_TEST_GATE_KILLS") or 40)


@contextmanager
def made(durable: Databases) -> Iterator[Callable[[], str]]:
    """A maker of empty databases, which are gone in the end."""
    there: list[str] = []

    def make() -> str:
        there.append(durable.create())
        return sqlalchemy_url(there[-1])

    try:
        yield make
    finally:
        for dsn in there:
            durable.drop(dsn)


async def test_killed_while_its_gate_decides_a_hub_has_decided_nothing(
    seed: int, durable: Databases, empty_rabbitmq: RabbitServer, said: Said
) -> None:
    """At a spread of all statements of all those transactions, and just before and after each
    commit; every story ends the same.
    """
    with made(durable) as database:
        async with sweep(empty_rabbitmq.url, database) as run:
            points = [point for point in await run.points() if point[0].startswith(GATE)]
            swept = await run.through(spread(points, min(COUNT, len(points)), seed))

    said(f"in a gate's transaction on postgresql: {len(points)} points, {swept}, seed {seed}")
    assert {f"{GATE}begins", f"{GATE}COMMIT", f"{GATE}after COMMIT"} <= {name for name, _ in points}
    assert swept.faults == {}
    assert swept.missed == []
