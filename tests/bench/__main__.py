"""`make bench`: durable end-to-end throughput and the cost of rendering, as ratios in one run.

Both sides in one run, interleaved, one discarded round, the median of the rounds' ratios; the same
bodies, queue type and number in flight; what was done is checked before a rate counts.  A round in
which others used more than half a core is not judged.  `tests/bench/README.md` says how to read it.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

from adapters.destinations.amqp import queue_of
from tests.bench.bare import bare, sample
from tests.bench.hubs import embedded, queued, served
from tests.bench.race import HEAD, Race, race
from tests.bench.rendering import costs
from tests.bench.story import RECIPIENT
from tests.servers.postgres import databases
from tests.servers.rabbitmq import start_rabbitmq

WAYS = {
    "sqlite": ("in process, SQLite FULL", embedded),
    "postgresql": ("in process, PostgreSQL", embedded),
    "queues": ("over work queues, SQLite FULL", queued),
    "http": ("over HTTP and queues, SQLite FULL", served),
}


async def _race(told: argparse.Namespace, way: str, broker: str, database: str) -> Race:
    name, opened = WAYS[way]
    episodes = [f"e{number}" for number in range(told.episodes)]
    with tempfile.TemporaryDirectory(prefix="ecaf-bench-") as folder:
        url = database or f"sqlite:///{folder}/hub.db"
        async with opened(Path(folder), broker, url) as course, bare(broker) as peer:
            await course.open(episodes)
            body = await sample(broker, queue_of(RECIPIENT))
            print(f"{name}: {told.messages} messages of {len(body)} bytes a round", flush=True)
            return await race(
                name, course, peer, episodes, body, messages=told.messages, rounds=told.rounds
            )


def _rendering() -> None:
    print(f"{'rendering':14} {'bytes':>7} {'µs':>7} {'orjson':>7} {'ratio':>6} {'validation':>11}")
    for cost in costs():
        print(
            f"{cost.what:14} {cost.size:7} {cost.render:7.0f} {cost.unit:7.0f}"
            f" {cost.ratio:6.2f} {cost.validation:11.2f}"
        )


def _races(told: argparse.Namespace, ways: Sequence[str]) -> list[Race]:
    found = []
    with ExitStack() as stack:
        broker = stack.enter_context(start_rabbitmq()).url
        made = stack.enter_context(databases()) if "postgresql" in ways else None
        for way in ways:
            database = made.create() if made is not None and way == "postgresql" else ""
            found.append(uvloop.run(_race(told, way, broker, database)))
    return found


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("ways", nargs="*", help=f"{', '.join(WAYS)}, rendering; none: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=400, help="in one round")
    parser.add_argument("--episodes", type=int, default=200)
    told = parser.parse_args()
    ways = told.ways or ["rendering", *WAYS]
    if unknown := [way for way in ways if way not in {"rendering", *WAYS}]:
        parser.error(f"there is no way called {', '.join(unknown)}")
    races = _races(told, [way for way in ways if way in WAYS]) if set(ways) & WAYS.keys() else []
    print()
    if "rendering" in ways:
        _rendering()
        print("goal: ratio <= 3 with validation (stretch 1.5)\n")
    if races:
        print(HEAD)
        for one in races:
            print(one.line())
        print("goal: ratio >= 0.30 in process on SQLite FULL (stretch 0.45)")


if __name__ == "__main__":
    main()
