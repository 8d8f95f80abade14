"""The broker is disposable: its data deleted under load, and nothing lost (`reliability.md` P10).

The hub accepts while there is no broker, and catches up when there is one again.  A partner that
reads its own queue was away meanwhile: what the queue held for it comes again.
"""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.chaos.rig import QUEUED, rig
from tests.servers.rabbitmq import EXTERNAL, RabbitServer, start_rabbitmq

pytestmark = [pytest.mark.acceptance, pytest.mark.database, pytest.mark.broker]
REST_SECONDS = 60.0
Said = Callable[[str], None]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitServer]:
    """A broker of our own to wipe, whatever the others use."""
    monkeypatch.delenv(EXTERNAL, raising=False)
    with start_rabbitmq() as server:
        yield server


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
async def test_an_emptied_broker_loses_nothing(
    rounds: int, seed: int, broker: RabbitServer, durable_url: str, said: Said
) -> None:
    """Everything accepted before, while and after the broker is emptied arrives once."""
    accepted_without = 0
    rests = []

    async with rig(seed, database=durable_url, broker=broker.url) as run:
        for _ in range(rounds):
            run.partners[QUEUED].away.set()
            async with run.burst(4, 4):
                await run.moment("answer", run.random.randrange(8, 40))
                await asyncio.to_thread(broker.wipe)
                before = run.ledger.counted["answer"]
                async with run.burst(1, 1):  # whatever the others have left to say
                    pass
                accepted_without += run.ledger.counted["answer"] - before
                await asyncio.to_thread(broker.start)
            run.partners[QUEUED].away.clear()
            rests.append(await run.settle(REST_SECONDS))
        verdict = run.verdict()

    said(
        f"{rounds} wipes, {verdict}, {accepted_without} accepted without a broker,"
        f" rest after at most {max(rests):.1f} s, seed {seed}"
    )
    assert verdict.faults() == {}
    assert verdict.acknowledged == rounds * 2 * (4 * (3 + 4) + (3 + 1))
    assert accepted_without > 0


async def test_a_hub_starts_and_accepts_without_its_broker(
    seed: int, broker: RabbitServer, durable_url: str, said: Said
) -> None:
    """Started while there is no broker, the hub accepts; once there is one, it catches up."""
    async with rig(seed, database=durable_url, broker=broker.url) as run:
        run.partners[QUEUED].away.set()
        await asyncio.to_thread(broker.wipe)
        await run.kill_and_restart()
        async with run.burst(1, 1):
            await run.moment("answer", 6)
            await asyncio.to_thread(broker.start)
        run.partners[QUEUED].away.clear()
        rested = await run.settle(REST_SECONDS)
        verdict = run.verdict()

    said(f"started without a broker: {verdict}, rest after {rested:.1f} s, seed {seed}")
    assert verdict.faults() == {}
    assert verdict.acknowledged == 2 * (3 + 1)
