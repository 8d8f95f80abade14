"""Durable accept over HTTP, beside an echo of the same body by the same server.

Both are processes of their own, asked by one client over the same number of connections that stay
open.  The hub authenticates by API key, reads, checks, records and commits before it answers 202;
it does not dispatch meanwhile (an operator's pause), and sends what it took between the rounds, so
that each is checked to have been accepted once.  The echo authenticates nobody.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.bench.figure import Figure, check, told
from tests.bench.hubs import CONNECTIONS, Course, OverHttp, full_site, transport_to
from tests.bench.load import Watch
from tests.bench.story import SENDER, update
from tests.chaos.hub_process import HubProcess

GOAL: Final = 0.25
EPISODES: Final = 200


async def accepting(broker: str, *, rounds: int, messages: int) -> list[Figure]:
    """Return the rate of durable accepts over that of echoes."""
    figure = Figure("HTTP durable accept (API key) / echo (none)", GOAL)
    by_cpu = Figure("the same, by processor time of the server", None)
    last = ""
    async with AsyncExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecaf-bench-")))
        (top / "echo").mkdir()
        site, keys = full_site(top)
        other, _ = full_site(top / "echo")
        hub = HubProcess(site, f"sqlite:///{top}/hub.db", broker)
        plain = HubProcess(other, f"sqlite:///{top}/echo.db", program=("-m", "tests.bench.echo"))
        ways = []
        for process, key in ((hub, keys[SENDER]), (plain, "none")):
            await process.start()
            stack.push_async_callback(process.stop)
            ways.append(OverHttp(process, key))
        course = Course(ways[0], await stack.enter_async_context(transport_to(broker)))
        episodes = [f"e{number}" for number in range(EPISODES)]
        async with connected(ways[0]):
            await course.open(episodes)
        await course.emptied()
        for number in range(rounds + 1):
            first = number * messages
            raws = [update(episodes[n % EPISODES], n) for n in range(first, first + messages)]
            before = await course.settled()
            await told_to(hub, "pause")
            with Watch() as unit:
                echo_cpu = await sent(ways[1], raws, first)
            with Watch() as watch:
                hub_cpu = await sent(ways[0], raws, first)
            await told_to(hub, "resume")
            await course.arrived(messages)
            after = await course.settled()
            check("messages in the recipient's queue", await course.emptied(), messages)
            check("handed over", after["handed_over"] - before["handed_over"], messages)
            others = max(unit.others, watch.others)
            ratio = unit.seconds / watch.seconds
            last = (
                f"{messages / watch.seconds:.0f}/s beside {messages / unit.seconds:.0f}/s;"
                f" processor {hub_cpu / messages * 1e6:.0f} µs beside"
                f" {echo_cpu / messages * 1e6:.0f}"
            )
            told("HTTP accept", number, f"{ratio:.2f}: {last}", others)
            if number:
                figure.add(ratio, others)
                by_cpu.add(echo_cpu / hub_cpu, others)
    figure.beside = f"{CONNECTIONS} connections, {len(raws[0])} bytes in; the last round: {last}"
    return [figure, by_cpu]


async def told_to(hub: HubProcess, what: str) -> None:
    """Have the operator of *hub* pause or resume dispatch."""
    transport = httpx.AsyncHTTPTransport(uds=hub.environ["ECAF_OPERATOR_SOCKET"])
    async with httpx.AsyncClient(transport=transport, timeout=30) as client:
        (await client.post(f"http://operator/admin/{what}")).raise_for_status()


@asynccontextmanager
async def connected(way: OverHttp) -> AsyncIterator[None]:
    """Open the connections for as long as they are used: a server closes what is idle."""
    await way.connect()
    try:
        yield
    finally:
        await way.close()


async def sent(way: OverHttp, raws: Sequence[bytes], first: int) -> float:
    """Have each of *raws* answered 202; return the server's processor seconds."""
    turns = asyncio.Semaphore(CONNECTIONS)

    async def one(number: int, raw: bytes) -> None:
        async with turns:
            await way.submit(raw, f"a{number}")

    async with connected(way):
        began = way.cpu()["serve"]
        await asyncio.gather(*(one(number, raw) for number, raw in enumerate(raws, first)))
        return way.cpu()["serve"] - began
