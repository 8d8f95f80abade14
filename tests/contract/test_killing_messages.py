"""A message that kills the process of its worker ends in quarantine, and the others arrive.

Attempts are counted and committed before the work (`reliability.md` 5.5, P8): the processes here
are real, and each is killed with SIGKILL while it sends.
"""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.domain.carriage import Parcel
from hub.domain.exchange import Delivery, State
from hub.domain.search import Search
from tests import builders as b
from tests.unit.services.world import World, part

MOST = 12


@pytest.fixture
def place(tmp_path: Path) -> tuple[str, FileVault]:
    """Where the store of all these processes is."""
    FileVault.create(tmp_path / "vault.key")
    return f"sqlite:///{tmp_path / 'hub.db'}", FileVault(tmp_path / "vault.key")


async def deadly(_parcel: Parcel) -> None:
    """End this process as the kernel would: at once, and with nothing said."""
    os.kill(os.getpid(), signal.SIGKILL)


async def prepare(world: World, store: SqlStore) -> None:
    """Share Ava's assessment, and leave a newer version to be delivered."""
    await world.shared()
    message = {
        "event": "assessment.updated",
        "episode": part(conclusions={"need_level": "L3"}),
    }
    await world.post("SCH-A", b.wire(message))
    await store.close()


async def work(world: World, url: str, vault: FileVault) -> None:
    """Deliver everything, in a process that does not outlive what is sent to housing."""
    store = SqlStore(url, vault)
    heir = World(store=store)
    # The digester's key is the hub's, and outlives its processes.
    heir.dispatcher = replace(heir.dispatcher, digester=world.digester)
    heir.doubles["HOU-A"].during = deadly
    await heir.drain()
    await store.close()


def in_a_process_of_its_own(world: World, url: str, vault: FileVault) -> bool:
    """Work in a fork of this process; return whether it was killed."""
    child = os.fork()
    if child == 0:
        asyncio.run(work(world, url, vault))
        os._exit(0)
    _, ended = os.waitpid(child, 0)
    return os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL


def test_a_message_that_kills_its_worker_ends_in_quarantine(
    place: tuple[str, FileVault],
) -> None:
    """Three processes die of it, as many as the policy has attempts; the fourth sets it aside."""
    url, vault = place
    store = SqlStore(url, vault)
    world = World(store=store)
    asyncio.run(prepare(world, store))

    killed = 0
    while in_a_process_of_its_own(world, url, vault):
        killed += 1
        assert killed < MOST, "the crash loop never ends"

    found = asyncio.run(newest(url, vault))
    assert killed == 3
    assert (found["HOU-A"].state, found["HOU-A"].reason) == (State.QUARANTINED, "ATTEMPTS")
    assert found["HOU-A"].attempts == 3
    assert {found[name].state for name in ("EHM-A", "HV-A")} == {State.DELIVERED}


async def newest(url: str, vault: FileVault) -> dict[str, Delivery]:
    """Return the newest content delivery to each partner."""
    store = SqlStore(url, vault)
    page, _ = await store.search(Search(message_type="N6"), 0, 50)
    await store.close()
    return {one.partner: one for one in reversed(page)}
