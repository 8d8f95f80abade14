"""Workers that share one PostgreSQL: one is killed by what it sends, one is stopped past its lease.

Each worker is a process of its own.  A message that kills whoever sends it is counted by the
attempts that were committed before (`reliability.md` P8, 5.5); a worker that was stopped wakes up
to find its work taken over, and writes nothing (P12).
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.domain.carriage import Parcel
from hub.domain.exchange import Delivery, State
from hub.domain.search import Search
from hub.services.doctor import examination, joined
from tests import builders as b
from tests.unit.services.world import START, World, part

pytestmark = [pytest.mark.database, pytest.mark.slow]

LEASE = timedelta(seconds=2)
MOST = 12
PATIENCE = 60.0


async def deadly(_parcel: Parcel) -> None:
    """End this process as the kernel would: at once, and with nothing said."""
    os.kill(os.getpid(), signal.SIGKILL)


async def stopping(_parcel: Parcel) -> None:
    """Stop this process where it has claimed and not yet sent; it goes on when it is told to."""
    os.kill(os.getpid(), signal.SIGSTOP)


class Site:
    """One database, and workers that come and go."""

    def __init__(self, url: str, vault: FileVault) -> None:
        """Share Ava's assessment, and leave a newer version to be delivered."""
        self.url, self.vault = url, vault
        asyncio.run(self._prepare())

    async def _prepare(self) -> None:
        store = SqlStore(self.url, self.vault)
        world = World(store=store)
        # The digester's key is the hub's, and outlives its processes.
        self.digester = world.digester
        await world.shared()
        message = {"event": "assessment.updated", "episode": part(conclusions={"need_level": "L3"})}
        await world.post("SCH-A", b.wire(message))
        await store.close()

    async def work(self, during: Callable[[Parcel], Awaitable[None]] | None = None) -> None:
        """Deliver everything that may go now; *during* is what sending to housing does."""
        store = SqlStore(self.url, self.vault)
        world = World(store=store)
        world.dispatcher = replace(world.dispatcher, digester=self.digester, lease=LEASE)
        world.doubles["HOU-A"].during = during
        await world.drain()
        await store.close()

    def worker(self, during: Callable[[Parcel], Awaitable[None]]) -> int:
        """Work in a process of its own; return its id."""
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(self.work(during))
            except BaseException:  # noqa: BLE001 - a fork of the tests must not go on with them
                os._exit(1)
            os._exit(0)
        return child

    async def _asked(self, ask: Callable[[SqlStore], Awaitable[Any]]) -> Any:
        store = SqlStore(self.url, self.vault)
        try:
            return await ask(store)
        finally:
            await store.close()

    def newest(self) -> dict[str, Delivery]:
        """Return the newest content delivery to each partner."""

        async def look(store: SqlStore) -> Any:
            page, _ = await store.search(Search(message_type="N6"), 0, 50)
            return page

        return {one.partner: one for one in reversed(asyncio.run(self._asked(look)))}

    def lapse(self) -> None:
        """Return when what is sent to housing may be taken over, by the database's clock."""
        claimed = self.newest()["HOU-A"].delivery_id

        async def wait(store: SqlStore) -> None:
            async with asyncio.timeout(PATIENCE):
                while claimed not in await store.due(START, 100):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

        asyncio.run(self._asked(wait))

    def examined(self) -> dict[str, Any]:
        """Return what `ecaf doctor` says of the record."""

        async def look(store: SqlStore) -> Any:
            return joined([await examination(store)])

        return dict(asyncio.run(self._asked(look)))

    def told(self, one: Delivery) -> list[str]:
        """Return what the audit says of a delivery, in order."""

        async def look(store: SqlStore) -> Any:
            return await store.run(lambda s: s.audit(one.episode_id))

        rows = asyncio.run(self._asked(look))
        return [row.kind for row in rows if row.delivery_id == one.delivery_id]


@pytest.fixture
def shared(durable_url: str, tmp_path: Path) -> Site:
    """A database with a version that waits for three recipients."""
    return Site(durable_url, FileVault.create(tmp_path / "vault.key"))


def test_a_message_that_kills_its_workers_ends_in_quarantine(shared: Site) -> None:
    """As many processes die of it as the policy has attempts; the others' messages arrive."""
    killed = 0
    while True:
        _, ended = os.waitpid(shared.worker(deadly), 0)
        if not os.WIFSIGNALED(ended):
            break
        assert os.WTERMSIG(ended) == signal.SIGKILL
        killed += 1
        assert killed < MOST, "the crash loop never ends"
        shared.lapse()

    found = shared.newest()
    assert (killed, os.WEXITSTATUS(ended)) == (3, 0)
    assert (found["HOU-A"].state, found["HOU-A"].reason) == (State.QUARANTINED, "ATTEMPTS")
    assert found["HOU-A"].attempts == 3
    assert {found[name].state for name in ("EHM-A", "HV-A")} == {State.DELIVERED}
    assert shared.examined()["findings"] == []


def test_a_worker_that_was_stopped_past_its_lease_writes_nothing(shared: Site) -> None:
    """Another takes its work over and ends it; woken, the first finds its lease lost."""
    stopped = shared.worker(stopping)
    try:
        _, how = os.waitpid(stopped, os.WUNTRACED)
        assert os.WIFSTOPPED(how)
        claimed = shared.newest()["HOU-A"]
        shared.lapse()
        asyncio.run(shared.work())
        taken = shared.newest()["HOU-A"]
        before = shared.told(taken)
    finally:
        os.kill(stopped, signal.SIGCONT)
    _, ended = os.waitpid(stopped, 0)

    assert (claimed.state, taken.state) == (State.SENDING, State.DELIVERED)
    assert taken.lease_epoch > claimed.lease_epoch
    assert (os.WIFEXITED(ended), os.WEXITSTATUS(ended)) == (True, 0)
    assert shared.newest()["HOU-A"] == taken
    assert shared.told(taken) == before
    assert before.count("disclosure.intended") == 2
    assert before.count("delivery.delivered") == 1
    found = shared.examined()
    assert (found["findings"], found["balance"]) == ([], 0)
