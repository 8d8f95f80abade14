"""The relay carries everything at least once, whatever fails meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from messaging.envelope import Envelope
from messaging.errors import TransportError, TransportUnavailable, Unroutable
from messaging.memory import MemoryTransport
from messaging.relay import Relay
from messaging.topology import Topology

TOPOLOGY = Topology.from_mapping(
    {
        "version": 1,
        "publish_to": "x",
        "dead_letter_exchange": "x",
        "exchanges": {"x": {}},
        "queues": {"work": {"max_length_bytes": 1_000_000}},
        "bindings": [{"exchange": "x", "routing_key": "work", "queue": "work"}],
    }
)


class Store:
    """A source of envelopes that remembers what became of each."""

    def __init__(self, count: int, channel: str = "work") -> None:
        self.waiting = [Envelope(f"d-{number:03}", channel, b"{}") for number in range(count)]
        self.claimed: dict[str, Envelope] = {}
        self.done: list[str] = []
        self.claims = 0
        self.broken = False
        self.marked = asyncio.Event()

    async def claim(self, limit: int) -> Sequence[Envelope]:
        self.claims += 1
        if self.broken:
            raise ConnectionError("password=secret")
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.claimed |= {each.message_id: each for each in taken}
        return taken

    async def handed_over(self, message_ids: Sequence[str]) -> None:
        for message_id in message_ids:
            del self.claimed[message_id]
        self.done += message_ids
        self.marked.set()

    async def failed(self, message_ids: Sequence[str]) -> None:
        self.waiting = [self.claimed.pop(each) for each in message_ids] + self.waiting


@pytest.fixture
async def broker() -> AsyncIterator[MemoryTransport]:
    transport = MemoryTransport()
    await transport.open()
    await transport.declare(TOPOLOGY)
    yield transport
    await transport.close()


async def until_done(store: Store, count: int, within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while len(store.done) < count:
            await store.marked.wait()
            store.marked.clear()


async def test_everything_is_carried_in_batches_and_in_order(broker: MemoryTransport) -> None:
    """What waits goes out in the store's order, a full batch following at once on the last."""
    store = Store(450)
    relay = Relay(store, broker, batch=200, poll=60)

    relay.start()
    await until_done(store, 450)
    await relay.stop()

    assert store.done == [f"d-{number:03}" for number in range(450)]
    assert store.claims == 3
    assert await broker.depth("work") == 450


async def test_wake_cuts_the_wait_short(broker: MemoryTransport) -> None:
    """After wake() the relay looks at once, long before its next poll."""
    store = Store(0)
    relay = Relay(store, broker, poll=60)
    relay.start()
    await asyncio.sleep(0.05)

    store.waiting = [Envelope("d-1", "work", b"{}")]
    relay.wake()

    await until_done(store, 1, within=1)
    await relay.stop()
    assert store.done == ["d-1"]


async def test_poll_finds_what_nobody_announced(broker: MemoryTransport) -> None:
    """Without wake() the relay looks again every poll interval."""
    store = Store(0)
    relay = Relay(store, broker, poll=0.05)
    relay.start()
    await asyncio.sleep(0.02)

    store.waiting = [Envelope("d-1", "work", b"{}")]

    await until_done(store, 1, within=1)
    await relay.stop()


async def test_it_catches_up_after_the_broker_was_down(broker: MemoryTransport) -> None:
    """While the broker is down all goes back to the store; afterwards all of it goes out."""
    store = Store(300)
    relay = Relay(store, broker, batch=100, poll=0.05)
    await broker.close()
    relay.start()
    await asyncio.sleep(0.6)
    down = (list(store.done), relay.failures, store.claims)

    await broker.open()
    await until_done(store, 300)
    await relay.stop()

    assert down[0] == []
    assert 2 <= down[1] <= 8
    assert relay.failures == 0
    assert sorted(store.done) == [f"d-{number:03}" for number in range(300)]
    assert await broker.depth("work") == 300


async def test_waking_does_not_shorten_the_back_off(broker: MemoryTransport) -> None:
    """While the broker is down, wake() does not make the relay knock more often."""
    store = Store(1)
    relay = Relay(store, broker, poll=0.01)
    await broker.close()
    relay.start()
    for _ in range(100):
        relay.wake()
        await asyncio.sleep(0.005)
    claims = store.claims
    await relay.stop()

    assert claims <= 9


async def test_a_failing_store_does_not_end_it(
    broker: MemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    """The relay outlives errors of the store, and logs their class without their text."""
    store = Store(5)
    store.broken = True
    relay = Relay(store, broker, poll=0.05)
    relay.start()
    await asyncio.sleep(0.3)
    failures = relay.failures
    store.broken = False
    await until_done(store, 5)
    await relay.stop()

    assert failures >= 1
    assert "ConnectionError" in caplog.text
    assert "secret" not in caplog.text


async def test_one_unroutable_message_holds_up_nobody(broker: MemoryTransport) -> None:
    """A message that no queue takes goes back to the store, the others go out."""
    store = Store(3)
    store.waiting.insert(1, Envelope("lost", "nobody.reads.this", b"{}"))

    again = await Relay(store, broker, batch=4).carry()

    assert again is False
    assert store.done == ["d-000", "d-001", "d-002"]
    assert [each.message_id for each in store.waiting] == ["lost"]


class Slow:
    """A publisher that takes its time, to see what stop() does meanwhile."""

    def __init__(self, seconds: float, error: TransportError | None = None) -> None:
        self.seconds = seconds
        self.error = error

    async def publish(self, envelope: Envelope) -> None:
        raise Unroutable(envelope.channel)

    async def publish_many(self, envelopes: Sequence[Envelope]) -> list[TransportError | None]:
        await asyncio.sleep(self.seconds)
        return [self.error] * len(envelopes)


async def test_stop_finishes_the_batch_in_hand() -> None:
    """Stopping waits for the batch that is on its way, and records what came of it."""
    store = Store(10)
    relay = Relay(store, Slow(0.2), batch=5, poll=60)
    relay.start()
    await asyncio.sleep(0.05)

    await relay.stop()

    assert len(store.done) == 5
    assert len(store.waiting) == 5


async def test_stop_does_not_wait_for_ever() -> None:
    """After its deadline stop() ends the relay; what is claimed is for the store's lease."""
    store = Store(5)
    relay = Relay(store, Slow(60))
    relay.start()
    await asyncio.sleep(0.05)
    loop = asyncio.get_running_loop()
    before = loop.time()

    await relay.stop(deadline=0.2)

    assert loop.time() - before < 1
    assert store.done == []


async def test_stop_cuts_the_back_off_short() -> None:
    """A relay that waits out a dead broker stops at once all the same."""
    store = Store(5)
    relay = Relay(store, Slow(0, TransportUnavailable("down")))
    relay.failures = 10
    relay.start()
    await asyncio.sleep(0.05)
    loop = asyncio.get_running_loop()
    before = loop.time()

    await relay.stop()

    assert loop.time() - before < 0.5
