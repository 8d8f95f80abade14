"""Networks between the hub and its partners, its broker and its database, that fail by a seed.

`reliability.md` P1, P2, P4, P6, P9, P11: whatever a connection does, nothing acknowledged is lost,
nothing arrives as two, nothing is overtaken; and once the faults end everything arrives.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from tests.chaos.disclosures import undisclosed
from tests.chaos.faultproxy import ANY, HTTP, FaultProxy
from tests.chaos.rig import QUEUED, Rig, rig
from tests.servers.rabbitmq import EXTERNAL, RabbitServer, start_rabbitmq

pytestmark = [pytest.mark.acceptance, pytest.mark.database, pytest.mark.broker, pytest.mark.slow]
Said = Callable[[str], None]
CALLED = ("EHM-A", "GP-A", "HOU-A")
EPISODES, UPDATES, ROUNDS = 3, 4, 6
REST_SECONDS = 240.0
WAITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 10, 10, 10, 15, 15, 30, 30]
STRETCHES = {"broker": 60_000, "database": 600_000}
"""Bytes within which a fault comes up on a connection to them."""
PORT = re.compile(r"127\.0\.0\.1:([0-9]+)")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitServer]:
    """A broker of our own: what its connections live through is nobody else's affair."""
    monkeypatch.delenv(EXTERNAL, raising=False)
    with start_rabbitmq() as server:
        yield server


def patient(profile: str) -> str:
    """Return a profile with many attempts, none of them far off."""
    assert "\ndeliver:\n" in profile
    return profile.replace("\ndeliver:\n", f"\ndeliver:\n  retry: {WAITS}\n")


class Network:
    """The proxies of one run."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.proxies: dict[str, FaultProxy] = {}

    async def before(
        self, name: str, url: str, faults: tuple[str, ...], share: float, stretch: int = 20_000
    ) -> str:
        """Put a proxy before the server at *url*, and return the URL of the proxy; a fault comes up
        within *stretch* bytes.
        """
        found = PORT.search(url)
        assert found, url
        random = Random(f"{self._seed} {name}")
        proxy = FaultProxy(int(found[1]), random, faults, share)
        proxy.most_bytes = proxy.most_back = stretch
        proxy.patience = 1.0  # its one client waits that long, and everybody behind it
        await proxy.open()
        self.proxies[name] = proxy
        return url.replace(found[0], f"127.0.0.1:{proxy.port}")

    def begin(self) -> None:
        """Let faults happen everywhere."""
        for proxy in self.proxies.values():
            proxy.begin()

    def calm(self) -> None:
        """End all faults."""
        for proxy in self.proxies.values():
            proxy.calm()

    async def close(self) -> None:
        """End."""
        for proxy in self.proxies.values():
            await proxy.close()

    @property
    def unharmed(self) -> list[str]:
        """The proxies that were to do harm and did none."""
        return [name for name, proxy in self.proxies.items() if proxy.share and not proxy.done]

    @property
    def twice(self) -> Counter[str]:
        """Which deliveries the network sent once more, how often."""
        return sum((proxy.twice for proxy in self.proxies.values()), Counter[str]())

    @property
    def done(self) -> Counter[str]:
        """How often what was done, everywhere."""
        return sum((proxy.done for proxy in self.proxies.values()), Counter[str]())


@asynccontextmanager
async def networked(
    seed: int, database: str, broker: str, where: str
) -> AsyncIterator[tuple[Rig, Network]]:
    """A rig with trouble *where*: ``partners``, ``broker``, ``database`` or ``all``."""
    network = Network(seed)
    try:
        hooks: dict[str, FaultProxy] = {}
        for name in CALLED:
            # The partner's own port is known when its profile has been written.
            random = Random(f"{seed} {name}")
            hooks[name] = FaultProxy(0, random, HTTP, 0.3 if where in {"partners", "all"} else 0.0)
            hooks[name].most_bytes, hooks[name].most_back = 3_000, 150  # answers are short
            await hooks[name].open()
            network.proxies[name] = hooks[name]

        def edit(name: str) -> Callable[[str], str]:
            def edited(profile: str) -> str:
                (found,) = set(PORT.findall(profile))
                hooks[name].upstream = int(found)
                here = profile.replace(f"127.0.0.1:{found}", f"127.0.0.1:{hooks[name].port}")
                return patient(here)

            return edited

        # Their clients keep their connections: every one meets its fault, after a stretch of work.
        share = {name: 1.0 if where in {name, "all"} else 0.0 for name in STRETCHES}
        queue = await network.before("broker", broker, ANY, share["broker"], STRETCHES["broker"])
        store = await network.before(
            "database", database, ANY, share["database"], STRETCHES["database"]
        )
        edits = {name: edit(name) for name in CALLED} | {QUEUED: patient}
        async with rig(seed, database=store, broker=queue, edits=edits) as run:
            network.begin()
            yield run, network
    finally:
        await network.close()


async def test_a_database_that_falls_silent_is_left(durable_url: str, tmp_path: Path) -> None:
    """Connected, and never to say a word again: the transaction is done on another connection."""
    network = Network(1)
    url = await network.before("database", durable_url, ("black hole",), 1.0)
    proxy = network.proxies["database"]
    proxy.patience, proxy.most_bytes, proxy.most_back = 600.0, 1, 1
    # The proxy needs the loop, which a store that is made would keep for itself.
    vault = FileVault.create(tmp_path / "vault.key")
    store = await asyncio.to_thread(SqlStore, url, vault, patience=2.0)
    try:
        proxy.begin()
        heard = asyncio.ensure_future(store.counts())
        while not proxy.done:  # noqa: ASYNC110  the proxy tells nobody
            await asyncio.sleep(0.05)
        proxy.share = 0.0
        assert await asyncio.wait_for(heard, 60) == {}
        assert proxy.done["black hole"] >= 1
    finally:
        await store.close()
        await network.close()


@pytest.mark.parametrize("where", ["partners", "broker", "database", "all"])
async def test_a_network_in_trouble_loses_doubles_and_reorders_nothing(
    where: str, seed: int, broker: RabbitServer, durable_url: str, said: Said
) -> None:
    """Under load, with every kind of fault; and when the network is well, all of it arrives."""
    async with networked(seed, durable_url, broker.url, where) as (run, network):
        for _ in range(ROUNDS):
            async with run.burst(EPISODES, UPDATES):
                pass
        network.calm()
        rested = await run.settle(REST_SECONDS)
        verdict = run.verdict()
        # Beside the proxy, which needs the loop that a store keeps for itself while it is made.
        unrecorded = await undisclosed(
            run.ledger.lines(), durable_url, run.site.vault_key, network.twice
        )

    faults = dict(sorted(network.done.items()))
    struck = {name: sum(proxy.done.values()) for name, proxy in network.proxies.items()}
    said(
        f"network of {where}: {sum(faults.values())} faults {faults} at {struck}, {verdict},"
        f" {len(verdict.disordered)} disordered, rest after {rested:.1f} s, seed {seed}"
    )
    assert verdict.faults() == {}
    assert verdict.acknowledged == ROUNDS * 2 * EPISODES * (3 + UPDATES)
    assert unrecorded == []
    assert network.unharmed == []
