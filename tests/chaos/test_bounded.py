"""Two thousand bad connections while nothing downstream answers: small, and honest callers served.

`reliability.md` P13 and the limits of 5.11: one real hub process on its defaults, a broker and
partners that take connections and never say a word, and a crowd at both doors.
"""

import asyncio
import contextlib
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import quantiles

import httpx
import pytest

from adapters.mllp.framer import framed
from hub.scenarios.processes import free_port
from tests.chaos.crowds import Crowd, crowds, http, mllp
from tests.chaos.hub_process import HubProcess, make_site
from tests.chaos.load import PRODUCERS, Message, conversation
from tests.unit.mllp.door import Wire, visit

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
Said = Callable[[str], None]

CEILING = 512
"""MiB that a process may hold at any moment."""
BAD, OVER_MLLP = 2_000, 600
SECONDS = 75.0
"""Longer than any patience of the hub's, so that each kind of bad connection ends and comes
again."""
UPDATES = 20
PAUSE = 0.1
PATIENCE = 60.0
HONEST, WICKED = PRODUCERS[0], "SCH-B"
SENDER = "  mllp:\n    senders: [{application: PAS, facility: RXX01}]\n    plain: loopback\n"


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word; yields its number."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(4_096)
        yield int(listening.getsockname()[1])


def resident(pid: int, name: str = "VmRSS") -> int:
    """Return the MiB that a process holds (``VmRSS``), or has ever held (``VmHWM``)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) >> 10
    raise AssertionError(f"/proc/{pid}/status does not say {name}")


class Honest:
    """A school's system that sends ten messages a second and comes again when it is told to."""

    def __init__(self, hub: str, key: str) -> None:
        self._hub = hub
        self._key = {"authorization": f"Bearer {key}"}
        self.accepted = 0
        self.owed = 0
        self.took: list[float] = []
        self.later: Counter[str] = Counter()

    async def talk(self, until: Callable[[], bool]) -> None:
        """Send episode after episode until it has been long enough."""
        number = 0
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
            while not until():
                number += 1
                for message in conversation(HONEST, f"e-bounded-{number}", UPDATES):
                    await self._send(client, message)
                    await asyncio.sleep(PAUSE)

    async def _send(self, client: httpx.AsyncClient, message: Message) -> None:
        headers = {"idempotency-key": message.key, "content-type": message.content_type}
        while True:
            began = time.monotonic()
            answer = await client.post(
                self._hub + message.path, content=message.body, headers=self._key | headers
            )
            self.took.append(time.monotonic() - began)
            if answer.status_code in (429, 503):
                self.later[answer.json()["code"]] += 1
                await asyncio.sleep(int(answer.headers["retry-after"]))
                continue
            assert answer.status_code in (200, 201, 202), answer.text
            self.accepted += 1
            # The index hears of an opening, whom the message names of the rest.
            self.owed += len(message.expect) + (message.version == 0 and "opened" in message.key)
            return


class Hospital:
    """A hospital's system at the MLLP door; a line that ends is dialled again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.taken = 0
        self.again = 0

    async def talk(self, until: Callable[[], bool]) -> None:
        """Report one visit after the other, each until it is acknowledged."""
        wire: Wire | None = None
        while not until():
            raw = framed(visit(f"V{self.taken}"))
            ack = None
            with contextlib.suppress(OSError, TimeoutError):
                if wire is None:
                    wire = Wire(*await asyncio.open_connection("127.0.0.1", self._port))
                await wire.send(raw)
                ack = await wire.ack(PATIENCE)
            if ack is not None and ack.code == "AA":
                self.taken += 1
                await asyncio.sleep(PAUSE)
                continue
            assert ack is None, ack.text
            self.again += 1
            if wire is not None:
                wire.writer.transport.abort()
            wire = None
            await asyncio.sleep(PAUSE)
        if wire is not None:
            wire.writer.transport.abort()


@asynccontextmanager
async def dark(folder: Path) -> AsyncIterator[tuple[HubProcess, dict[str, str], int]]:
    """A hub on its defaults, whose broker and partners are there and silent; also partners' keys
    and the port of its MLLP door.
    """
    with silent() as nobody:
        url = f"http://127.0.0.1:{nobody}/hook"
        names = ("EHM-A", "GP-A", "HOU-A", "HV-A")
        site, keys = make_site(folder, dict.fromkeys(names, url) | {"SCH-A": None, WICKED: None})
        for name, (was, becomes) in {
            "GP-A": ("  api_keys:", f"{SENDER}  api_keys:"),
        }.items():
            text = site.profiles[name].read_text()
            assert was in text
            site.profiles[name].write_text(text.replace(was, becomes))
        port = free_port()
        hub = HubProcess(
            site,
            f"sqlite:///{folder}/hub.db",
            f"amqp://hub:x@127.0.0.1:{nobody}/",
            settings={
                "ECAF_MLLP_LISTEN": f"127.0.0.1:{port}",
                "ECAF_MLLP_PLAIN": "loopback",
            },
        )
        await hub.start()
        try:
            yield hub, keys, port
        finally:
            await hub.stop()


@pytest.mark.parametrize(("bad", "seconds"), [(BAD, SECONDS)])
async def test_a_crowd_finds_a_hub_that_stays_small(bad: int, seconds: float, said: Said) -> None:
    """Below the ceiling at every moment; honest callers are answered; what was accepted is there;
    told to stop, it stops in ten seconds.
    """
    over_mllp = bad * OVER_MLLP // BAD
    folder = Path(tempfile.mkdtemp(prefix="ecaf-bounded-"))
    try:
        async with dark(folder / "site") as (hub, keys, port):
            assert hub.pid is not None
            before = resident(hub.pid)
            door = int(hub.address.rpartition(":")[2])
            them = (
                Crowd(door, http(keys[WICKED]), bad - over_mllp),
                Crowd(port, mllp(), over_mllp),
            )
            school, hospital = Honest(hub.address, keys[HONEST]), Hospital(port)
            ends = time.monotonic() + seconds
            seen: list[int] = []
            async with crowds(*them):
                talks = [
                    asyncio.create_task(one.talk(lambda: time.monotonic() > ends))
                    for one in (school, hospital)
                ]
                while not all(talk.done() for talk in talks):
                    seen.append(resident(hub.pid))
                    await asyncio.sleep(1.0)
                await asyncio.gather(*talks)
                open_at_the_end = [one.open for one in them]
                summary = await hub.summary()
                peak = resident(hub.pid, "VmHWM")
                began = time.monotonic()
                await hub.stop()
                stopped = time.monotonic() - began
                status = hub.status
        came = sum((one.times for one in them), Counter[str]())
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    p50, p99 = quantiles(school.took, n=100)[49], quantiles(school.took, n=100)[98]
    said(
        f"bounded: {sum(came.values())} bad connections, {open_at_the_end} open at the end;"
        f" {before} MiB before, {seen[::8]} seen, {peak} at the most;"
        f" school: {school.accepted} accepted, {sum(school.later.values())} told to come again,"
        f" p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms;"
        f" hospital: {hospital.taken} acknowledged, dialled again {hospital.again} times;"
        f" stopped in {stopped:.1f} s"
    )
    assert peak <= CEILING
    assert school.accepted > 0
    # Half messages take no seats: with seats held by them it was 4 in these 75 seconds.
    assert hospital.taken > 20
    assert sum(summary["deliveries"].values()) >= school.owed
    assert summary["deliveries"]["quarantined"] == 0
    assert status == 0, "it had to be killed"
