"""Run by FastStream's own environment: publish, handle, republish, consume; nothing in between.

Standard input gives rounds (``count``, one a line); standard output answers each with its seconds
and processor seconds as JSON.  Arguments: the broker's URL, a file with the body, and how many may
be under way at once.  It imports nothing of ours.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from faststream import AckPolicy  # type: ignore[import-not-found, unused-ignore]
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue  # type: ignore[import-not-found, unused-ignore]

BYTES = "application/octet-stream"
"""So that nothing is decoded on the way."""
FIRST, LAST = "bench.faststream.in", "bench.faststream.out"


def queue(name: str) -> Any:
    """Return a durable quorum queue, as the hub's are."""
    return RabbitQueue(name, durable=True, queue_type=QueueType.QUORUM)


async def chain(url: str, body: bytes, under_way: int) -> None:
    """Serve rounds until there is no more input."""
    broker = RabbitBroker(
        url,
        logger=None,
        default_channel=Channel(prefetch_count=under_way, publisher_confirms=True),
    )
    turns = asyncio.Semaphore(under_way)
    arrived, wanted = 0, asyncio.Event()
    target = 0

    @broker.subscriber(queue(FIRST), ack_policy=AckPolicy.NACK_ON_ERROR)  # type: ignore[untyped-decorator, unused-ignore]
    async def handle(message: bytes) -> None:
        await broker.publish(message, queue=LAST, persist=True, content_type=BYTES)

    @broker.subscriber(queue(LAST), ack_policy=AckPolicy.NACK_ON_ERROR)  # type: ignore[untyped-decorator, unused-ignore]
    async def consume(message: bytes) -> None:
        nonlocal arrived
        if len(message) != len(body):
            raise ValueError("another body came out than went in")
        arrived += 1
        turns.release()
        if arrived >= target:
            wanted.set()

    async with broker:
        await broker.start()
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            count = int(line)
            target, arrived = count, 0
            wanted.clear()
            began, spent = time.perf_counter(), time.process_time()

            async def one() -> None:
                await turns.acquire()
                await broker.publish(body, queue=FIRST, persist=True, content_type=BYTES)

            await asyncio.gather(*(one() for _ in range(count)))
            await wanted.wait()
            told = {
                "seconds": time.perf_counter() - began,
                "cpu": time.process_time() - spent,
                "arrived": arrived,
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    uvloop.run(chain(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3])))
