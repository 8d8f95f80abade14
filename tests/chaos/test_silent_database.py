"""A hub beside a PostgreSQL that keeps its connections and says nothing any more.

`reliability.md` P16: it can be stopped in ten seconds all the same, at its start and at work.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.chaos.hub_process import HubProcess, make_site
from tests.chaos.load import conversation
from tests.servers.postgres import plain_dsn
from tests.servers.silence import Silence, silence

pytestmark = [pytest.mark.acceptance, pytest.mark.database, pytest.mark.slow]
Said = Callable[[str], None]
SENDS = "SCH-A"
NOTICED = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, for the socket in it."""
    made = Path(tempfile.mkdtemp(prefix="ecaf-silent-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def beside(line: Silence, folder: Path, url: str) -> tuple[HubProcess, str]:
    """Return a hub whose database is behind *line*, and the key of who sends."""
    site, keys = make_site(folder / "site", {SENDS: None, "EHM-A": None})
    port = httpx.URL(plain_dsn(url)).port
    return HubProcess(site, url.replace(f":{port}/", f":{line.port}/")), keys[SENDS]


async def stopped(hub: HubProcess) -> float:
    """Stop *hub* and return how long that took; who takes more than ten seconds is killed."""
    began = time.monotonic()
    await hub.stop()
    return time.monotonic() - began


async def send(hub: HubProcess, key: str) -> None:
    """Send one message, whose answer may never come."""
    message = conversation(SENDS, "e1", 1)[0]
    async with httpx.AsyncClient(timeout=NOTICED, trust_env=False) as client:
        with suppress(httpx.HTTPError):
            await client.post(
                hub.address + message.path,
                content=message.body,
                headers={
                    "authorization": f"Bearer {key}",
                    "idempotency-key": message.key,
                    "content-type": message.content_type,
                },
            )


@pytest.mark.parametrize("again", [False, True], ids=["at once", "while it connects again"])
async def test_a_hub_at_work_stops_in_time(
    durable_url: str, folder: Path, said: Said, *, again: bool
) -> None:
    """With a transaction under way that nobody answers, or a new connection that nobody does."""
    port = httpx.URL(plain_dsn(durable_url)).port
    assert port is not None
    with silence(port) as line:
        hub, key = beside(line, folder, durable_url)
        if again:
            hub.set("ECAF_LIMIT_STATEMENT_SECONDS", "1")  # its patience is two
        await hub.start()
        line.fall()
        made = line.made
        sending = asyncio.create_task(send(hub, key))
        try:
            assert await asyncio.to_thread(line.asked.wait, NOTICED)
            while again and line.made == made:  # noqa: ASYNC110  the thread tells nobody
                await asyncio.sleep(0.05)
            took = await stopped(hub)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    said(f"silent database: a hub at work stopped in {took:.1f} s")
    assert hub.status == 0, hub.tail()


async def test_a_hub_that_starts_can_be_stopped(folder: Path, said: Said) -> None:
    """Its first question is never answered; nothing was accepted, so nothing is waited for."""
    with silence() as line:
        hub, _ = beside(line, folder, "postgresql+psycopg://hub@127.0.0.1:1/hub")
        starting = asyncio.create_task(hub.start())
        try:
            assert await asyncio.to_thread(line.asked.wait, NOTICED)
            took = await stopped(hub)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
    said(f"silent database: a hub at its start stopped in {took:.1f} s")
    assert hub.status == -15, hub.tail()
