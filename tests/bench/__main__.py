"""`make bench`: durable end-to-end throughput and render cost, as ratios in one run.

The rules of the house: both sides in one process, interleaved, one discarded warm-up round, at least five
rounds, the median of the per-round ratios; the same bodies, queue type and in-flight count on both sides;
what was done is checked (messages in the queue, deliveries handed over) before any rate counts.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aio_pika
import orjson
import uvloop

from hub.bootstrap import translator
from hub.services.released import rehearse
from hub.worker import Workers
from tests import builders
from tests.bench.world import RECIPIENT, World, destinations, spread, world
from tests.servers.rabbitmq import start_rabbitmq

IN_FLIGHT = 200


def others(seconds: float, own: float) -> float:
    """Return how many cores somebody else used during *seconds*, from the load of the machine."""
    return max(0.0, os.getloadavg()[0] - own / max(seconds, 1e-9))


async def bare_burst(channel: Any, queue: str, bodies: list[bytes]) -> float:
    """Publish *bodies* with confirms, two tasks of bursts of 200, and return messages per second."""

    async def publish(body: bytes) -> None:
        message = aio_pika.Message(
            body,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/fhir+json",
        )
        await channel.default_exchange.publish(message, routing_key=queue)

    started = time.perf_counter()
    for place in range(0, len(bodies), 2 * IN_FLIGHT):
        part = bodies[place : place + 2 * IN_FLIGHT]
        await asyncio.gather(*(publish(body) for body in part))
    return len(bodies) / (time.perf_counter() - started)


async def hub_rate(one: World, raws: list[bytes]) -> float:
    """Put *raws* through the hub and return messages per second, from accept to confirmed in the queue."""
    before = await one.depth()
    turns = asyncio.Semaphore(2 * IN_FLIGHT)

    async def submit(raw: bytes) -> None:
        async with turns:
            await one.submit(raw)

    started = time.perf_counter()
    await asyncio.gather(*(submit(raw) for raw in raws))
    await one.until(before + len(raws))
    return len(raws) / (time.perf_counter() - started)


def render_cost(content: str) -> tuple[float, float, int]:
    """Return CPU µs of bytes in to bytes out, of orjson loads+dumps of the output, and its size."""
    whole = builders.episode()
    header = builders.header(message_id="m1", message_type="N7")
    view = {"message": header}
    raw = orjson.dumps({**view, "notification": {"code": "N7"}, "episode": whole})
    one = translator("https://ecaf.example/fhir")
    body = one.render(content, rehearse(orjson.loads(raw)), partner="").body

    def cpu(work: Any, times: int = 300) -> float:
        rounds = []
        for _ in range(5):
            started = time.process_time()
            for _ in range(times):
                work()
            rounds.append((time.process_time() - started) / times * 1e6)
        return statistics.median(rounds)

    released = rehearse(orjson.loads(raw))
    render = cpu(lambda: (orjson.loads(raw), one.render(content, released, partner="")))
    unit = cpu(lambda: orjson.dumps(orjson.loads(body)))
    return render, unit, len(body)


async def end_to_end(told: argparse.Namespace, broker: str, folder: Path) -> None:
    """Print the ratio of the hub to a bare publisher, round by round."""
    database = told.database or f"sqlite:///{folder}/bench.db"
    async with world(folder, broker, database, content=told.content) as one:
        dispatcher = one.hub.dispatcher(destinations(one.transport))
        hub = one.hub
        workers = Workers(
            dispatcher.deliver, hub.store, hub.clock, hub.hints, concurrency=2 * IN_FLIGHT
        )
        workers.start()
        episodes = [f"e{number}" for number in range(told.episodes)]
        for episode_id in episodes:
            await one.open(episode_id)
        await one.until(len(episodes))
        connection = await aio_pika.connect(broker)
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(
            "bench.bare", durable=True, arguments={"x-queue-type": "quorum"}
        )
        sample = await _sample(one, broker)
        print(
            f"body {len(sample)} bytes, {told.messages} messages a round, {told.episodes} episodes"
        )
        ratios, rates = [], []
        for number in range(told.rounds + 1):
            raws = [
                one.update(episode_id, number * told.messages + place)
                for place, episode_id in enumerate(spread(episodes, told.messages))
            ]
            await one.purge()
            bare = await bare_burst(channel, "bench.bare", [sample] * told.messages)
            ours = await hub_rate(one, raws)
            load = os.getloadavg()[0]
            print(
                f"  round {number}{' (discarded)' if number == 0 else ''}: hub {ours:7.0f}/s, "
                f"bare aio-pika {bare:7.0f}/s, ratio {ours / bare:.2f}, load {load:.1f}"
            )
            if number:
                ratios.append(ours / bare)
                rates.append(ours)
        counts = await hub.store.counts()
        print(
            f"accept -> commit -> gate -> render {told.content} -> confirmed: "
            f"median ratio {statistics.median(ratios):.2f} "
            f"[{min(ratios):.2f}-{max(ratios):.2f}], {statistics.median(rates):.0f}/s "
            f"(pass >= 0.30); states {dict(counts)}"
        )
        await connection.close()
        await workers.stop()


async def _sample(one: World, broker: str) -> bytes:
    """Return one rendered body from the recipient's queue."""
    connection = await aio_pika.connect(broker)
    channel = await connection.channel()
    queue = await channel.declare_queue(f"caf.out.{RECIPIENT}", passive=True)
    message = await queue.get(no_ack=True)
    await connection.close()
    return bytes(message.body)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=800)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--content", default="fhir-r4/episode")
    parser.add_argument("--database", help="postgresql://… instead of a fresh SQLite file")
    parser.add_argument("--render-only", action="store_true")
    told = parser.parse_args()
    render, unit, size = render_cost(told.content)
    print(
        f"render {told.content}: {render:.0f} µs, orjson loads+dumps of its {size} bytes "
        f"{unit:.0f} µs: {render / unit:.2f} x (pass <= 3)"
    )
    if told.render_only:
        return
    with tempfile.TemporaryDirectory() as folder, start_rabbitmq() as server:
        uvloop.run(end_to_end(told, server.url, Path(folder)))


if __name__ == "__main__":
    main()
