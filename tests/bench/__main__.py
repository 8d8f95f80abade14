"""`make bench`: durable throughput, latency and the cost of rendering, as ratios in one run.

Both sides in one run, interleaved, one discarded round, the median of the rounds' ratios; the same
bodies, queue type and number in flight; what was done is checked before a rate counts.  A round in
which others used more than half a core is not judged.  `tests/bench/README.md` says how to read it.
"""

import argparse
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import uvloop

from adapters.destinations.amqp import queue_of
from tests.bench import figure
from tests.bench.accepting import accepting
from tests.bench.bare import bare, sample
from tests.bench.chains import exchanges
from tests.bench.day import DAY, spent
from tests.bench.drain import as_served, drained, in_memory
from tests.bench.figure import Figure
from tests.bench.hubs import embedded, queued, served
from tests.bench.latency import idle
from tests.bench.race import HEAD, Race, race
from tests.bench.rendering import costs
from tests.bench.story import RECIPIENT
from tests.servers.postgres import databases
from tests.servers.rabbitmq import start_rabbitmq

WAYS = {
    "sqlite": ("in process, SQLite FULL", embedded),
    "postgresql": ("in process, PostgreSQL", embedded),
    "queues": ("over work queues, PostgreSQL", queued),
    "http": ("over HTTP, SQLite FULL", served),
}
ON_POSTGRESQL: Final = frozenset({"postgresql", "queues"})
Measured = Callable[[argparse.Namespace, str], Awaitable[list[Figure]]]


def _sizes(told: argparse.Namespace, messages: int) -> dict[str, int]:
    """Return how many rounds of how many messages: as was asked for, or what fits this way."""
    return {"rounds": told.rounds, "messages": told.messages or messages}


async def _drain(told: argparse.Namespace, broker: str) -> list[Figure]:
    sizes = _sizes(told, 1_000)
    figures = await drained("in process", in_memory, broker, **sizes)
    return figures + await drained("as served, SQLite", as_served, broker, **sizes)


async def _idle(told: argparse.Namespace, broker: str) -> list[Figure]:
    sizes = _sizes(told, 100)
    figures = await idle("in process", embedded, broker, **sizes)
    return figures + await idle("as served, SQLite", queued, broker, **sizes)


async def _accept(told: argparse.Namespace, broker: str) -> list[Figure]:
    return await accepting(broker, **_sizes(told, 400))


async def _faststream(told: argparse.Namespace, broker: str) -> list[Figure]:
    return await exchanges(broker, **_sizes(told, 400))


FIGURES: Final[dict[str, Measured]] = {
    "drain": _drain,
    "latency": _idle,
    "accept": _accept,
    "faststream": _faststream,
}
EVERY: Final = ("rendering", *WAYS, *FIGURES, "day")


async def _race(told: argparse.Namespace, way: str, broker: str, database: str) -> Race:
    name, opened = WAYS[way]
    messages = told.messages or 400
    episodes = [f"e{number}" for number in range(told.episodes)]
    with tempfile.TemporaryDirectory(prefix="ecaf-bench-") as folder:
        url = database or f"sqlite:///{folder}/hub.db"
        async with opened(Path(folder), broker, url) as course, bare(broker) as peer:
            await course.open(episodes)
            body = await sample(broker, queue_of(RECIPIENT))
            print(f"{name}: {messages} messages of {len(body)} bytes a round", flush=True)
            return await race(
                name, course, peer, episodes, body, messages=messages, rounds=told.rounds
            )


def _rendering() -> None:
    print(f"{'rendering':14} {'bytes':>7} {'µs':>7} {'orjson':>7} {'ratio':>6} {'validation':>11}")
    for cost in costs():
        print(
            f"{cost.what:14} {cost.size:7} {cost.render:7.0f} {cost.unit:7.0f}"
            f" {cost.ratio:6.2f} {cost.validation:11.2f}"
        )


def _with_servers(
    told: argparse.Namespace, ways: Sequence[str]
) -> tuple[list[Race], list[Figure], list[str]]:
    races, figures, said = [], [], []
    with ExitStack() as stack:
        broker = stack.enter_context(start_rabbitmq()).url
        made = stack.enter_context(databases()) if ON_POSTGRESQL & set(ways) else None
        for way in ways:
            if way in WAYS:
                database = made.create() if made is not None and way in ON_POSTGRESQL else ""
                races.append(uvloop.run(_race(told, way, broker, database)))
            elif way in FIGURES:
                figures += uvloop.run(_figures(told, way, broker))
            elif way == "day":
                said.append(uvloop.run(spent(broker, told.deliveries)).lines())
    return races, figures, said


async def _figures(told: argparse.Namespace, way: str, broker: str) -> list[Figure]:
    return await FIGURES[way](told, broker)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("ways", nargs="*", help=f"{', '.join(EVERY)}; none: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, help="in one round; by default what fits the way")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument(
        "--deliveries", type=int, default=3_000, help=f"of the synthetic day; all of it: {DAY}"
    )
    told = parser.parse_args()
    ways = told.ways or list(EVERY)
    if unknown := [way for way in ways if way not in EVERY]:
        parser.error(f"there is no way called {', '.join(unknown)}")
    races, figures, said = _with_servers(told, ways) if set(ways) != {"rendering"} else ([], [], [])
    print()
    if "rendering" in ways:
        _rendering()
        print("goal: ratio <= 3 with validation (stretch 1.5)\n")
    if races:
        print(HEAD)
        for one in races:
            print(one.line())
        print("goal: ratio >= 0.30 in process on SQLite FULL (stretch 0.45)\n")
    if figures:
        print(figure.HEAD)
        for row in figures:
            print(row.line())
        print()
    for text in said:
        print(text)


if __name__ == "__main__":
    main()
