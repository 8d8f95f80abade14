"""One message at a time into a hub that has nothing else to do, beside one commit and one publish.

Each message goes in when the one before has ended and the machine has rested a little; what is
measured ends when the broker has confirmed it in the recipient's queue.  In turn with it, one
commit of the same bytes (SQLite, WAL, ``synchronous=FULL``, as the hub has it) and one confirmed
publish of them by aio-pika.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.destinations.amqp import queue_of
from hub.hub import Hub
from messaging.envelope import Envelope
from tests.bench.bare import Bare, bare, sample
from tests.bench.figure import Figure, check, told
from tests.bench.hubs import Course, InProcess
from tests.bench.load import Watch
from tests.bench.story import RECIPIENT, update

REST: Final = 0.02
"""Seconds between one message and the next: what is idle has let go of the processor."""
EPISODES: Final = 50
GOALS: Final = {50: 2.0, 99: 4.0}

Opened = Callable[[Path, str, str], AbstractAsyncContextManager[Course]]


def noticed(hub: Hub) -> "asyncio.Queue[float]":
    """Return where the moments come in at which the broker confirmed messages for the recipient."""
    moments: asyncio.Queue[float] = asyncio.Queue()
    if hub.transport is None:
        raise RuntimeError("this hub has no broker")
    publisher = hub.transport.publisher
    inner = publisher.publish

    async def publish(envelope: Envelope) -> None:
        await inner(envelope)
        if envelope.channel == queue_of(RECIPIENT):
            moments.put_nowait(time.perf_counter())

    publisher.publish = publish  # type: ignore[method-assign]
    return moments


class Least:
    """The least that there is to do: one commit, one confirmed publish, one after the other."""

    def __init__(self, folder: Path, peer: Bare) -> None:
        """Keep messages in a file in *folder*, and publish by *peer*."""
        self._peer = peer
        self._file = sqlite3.connect(folder / "least.db", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute("CREATE TABLE message (body BLOB)")

    async def once(self, body: bytes) -> float:
        """Return the seconds that one message takes."""
        began = time.perf_counter()
        self._file.execute("BEGIN IMMEDIATE")
        self._file.execute("INSERT INTO message VALUES (?)", (body,))
        self._file.execute("COMMIT")
        await self._peer.burst([body])
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Idle:
    """A hub with nothing to do, and the least beside it."""

    course: Course
    moments: "asyncio.Queue[float]"
    least: Least
    body: bytes

    async def times(self, first: int, messages: int) -> tuple[list[float], list[float]]:
        """Return the seconds of each message through the hub, and of each time the least."""
        hub, least = [], []
        for at in range(first, first + messages):
            raw = update(f"e{at % EPISODES}", at)
            began = time.perf_counter()
            await self.course.submit(raw)
            hub.append(await self.moments.get() - began)
            await asyncio.sleep(REST)
            least.append(await self.least.once(bytes(bytearray(self.body))))
            await asyncio.sleep(REST)
        return hub, least


async def idle(
    name: str, opened: Opened, broker: str, *, rounds: int, messages: int
) -> list[Figure]:
    """Return p50 and p99 of one message through an idle hub, beside the least."""
    figures = {
        part: Figure(f"idle latency p{part}, {name} / commit + publish", goal, least=False)
        for part, goal in GOALS.items()
    }
    async with AsyncExitStack() as stack:
        top = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecaf-bench-"))
        course = await stack.enter_async_context(
            opened(Path(top), broker, f"sqlite:///{top}/hub.db")
        )
        peer = await stack.enter_async_context(bare(broker))
        await course.open([f"e{number}" for number in range(EPISODES)])
        body = await sample(broker, queue_of(RECIPIENT))
        await course.emptied()
        if not isinstance(course.way, InProcess):
            raise TypeError("only a hub in this process says when it was confirmed")
        least = stack.enter_context(closing(Least(Path(top), peer)))
        one = Idle(course, noticed(course.way.hub), least, body)
        every: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds + 1):
            with Watch() as watch:
                hub, unit = await one.times(number * messages, messages)
            await course.settled()
            check("messages in the recipient's queue", await course.emptied(), messages)
            check("messages in the bare queue", await peer.emptied(), messages)
            shares = []
            for part, figure in figures.items():
                a, b = at_part(hub, part), at_part(unit, part)
                shares.append(f"p{part} {a * 1e3:.1f} / {b * 1e3:.1f} ms = {a / b:.2f}")
                if number:
                    figure.add(a / b, watch.others)
            told(f"idle latency, {name}", number, ", ".join(shares), watch.others)
            if number:
                every[0].extend(hub)
                every[1].extend(unit)
    for part, figure in figures.items():
        a, b = (at_part(times, part) * 1e3 for times in every)
        figure.beside = f"of all rounds together: {a:.1f} ms beside {b:.1f} ms"
    return list(figures.values())


def at_part(times: list[float], part: int) -> float:
    """Return the *part*-th percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[part - 1]
