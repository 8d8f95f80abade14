"""What every transport promises, held against each of them; then what only a broker can suffer.

The docstrings are the promises. `messaging.channel` says the same in prose.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from messaging.channel import DEAD_LETTER_FROM, DEAD_LETTER_REASON, Disposition, State
from messaging.consumer import PARKED_FROM, PARKED_REASON, Consumer
from messaging.envelope import Envelope
from messaging.errors import (
    ChannelFull,
    NotConnected,
    TopologyMismatch,
    TransportUnavailable,
    Unroutable,
)
from messaging.memory import MemoryTransport
from messaging.rabbit import RabbitTransport
from messaging.topology import Topology
from tests.servers.rabbitmq import EXTERNAL, RabbitServer, start_rabbitmq

Transport = MemoryTransport | RabbitTransport

DEADLINE = 2.0
"""Of the broker calls in these tests: short, so that a dead broker is soon noticed."""

BACK_WITHIN = 45.0
"""Seconds within which a publisher works again after the broker has come back."""


def names(**queue: Any) -> dict[str, Any]:
    """Give a topology under names of its own, with *queue* as further limits of its work queue."""
    site = f"t{uuid.uuid4().hex[:8]}"
    limits = {"max_length_bytes": 1_000_000}
    work = limits | {"dead_letter": f"{site}.dead", "delivery_limit": 20}
    return {
        "version": 1,
        "publish_to": site,
        "dead_letter_exchange": f"{site}.dlx",
        "exchanges": {site: {}, f"{site}.dlx": {}},
        "queues": {
            f"{site}.work": work | {"express": f"{site}.express"} | queue,
            f"{site}.express": work,
            f"{site}.parked": limits,
            f"{site}.dead": limits,
        },
        "bindings": [
            *(
                {"exchange": site, "routing_key": f"{site}.{name}", "queue": f"{site}.{name}"}
                for name in ("work", "express", "parked")
            ),
            {"exchange": f"{site}.dlx", "routing_key": f"{site}.dead", "queue": f"{site}.dead"},
        ],
        "partner_queues": work | {"pattern": f"{site}.out.<partner>"},
    }


@pytest.fixture
def topology() -> Topology:
    return Topology.from_mapping(names())


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.broker)])
async def transport(request: pytest.FixtureRequest, topology: Topology) -> AsyncIterator[Transport]:
    made: Transport
    if request.param == "memory":
        made = MemoryTransport()
    else:
        # Asked for by name, so that the runs in memory need no broker.
        made = RabbitTransport(request.getfixturevalue("rabbitmq").url, deadline=DEADLINE)
    await made.open()
    await made.declare(topology)
    yield made
    await made.close()


@pytest.fixture
def work(topology: Topology) -> str:
    return f"{topology.publish_to}.work"


@pytest.fixture
def dead(topology: Topology) -> str:
    return f"{topology.publish_to}.dead"


@pytest.fixture
def parked(topology: Topology) -> str:
    return f"{topology.publish_to}.parked"


class Inbox:
    """A handler that keeps what it sees, and answers as it is told."""

    def __init__(self, *answers: Disposition | Exception) -> None:
        self.seen: list[Envelope] = []
        self._answers = list(answers)
        self._changed = asyncio.Event()

    async def __call__(self, envelope: Envelope) -> Disposition:
        self.seen.append(envelope)
        self._changed.set()
        answer = self._answers.pop(0) if self._answers else Disposition.ACK
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def ids(self) -> list[str]:
        return [envelope.message_id for envelope in self.seen]

    async def holds(self, count: int, within: float = 30.0) -> list[str]:
        """Wait until *count* messages have been seen, and return their ids."""
        async with asyncio.timeout(within):
            while len(self.seen) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.ids


async def eventually(
    question: Callable[[], Awaitable[bool]], within: float = 30.0, every: float = 0.05
) -> bool:
    until = asyncio.get_running_loop().time() + within
    while asyncio.get_running_loop().time() < until:
        if await question():
            return True
        await asyncio.sleep(every)
    return False


def has_depth(transport: Transport, channel: str, depth: int) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return await transport.depth(channel) == depth

    return asked


def envelopes(channel: str, count: int, size: int = 20) -> list[Envelope]:
    return [Envelope(f"d-{number:03}", channel, b"x" * size) for number in range(count)]


# ---- publishing


async def test_confirmed_means_stored(transport: Transport, work: str) -> None:
    """When publish has returned, the message waits in the channel."""
    await transport.publisher.publish(Envelope("d-1", work, b"{}"))

    assert await eventually(has_depth(transport, work, 1))


async def test_an_envelope_arrives_as_it_was_sent(transport: Transport, work: str) -> None:
    """Id, channel, body, content type, headers and priority arrive unchanged."""
    sent = Envelope(
        "d-1", work, b"\x00\xff", "application/octet-stream", {"class": "N13", "näme": "ß"}, True
    )
    inbox = Inbox()
    await transport.publisher.publish(sent)

    await transport.subscriber.subscribe(work, inbox)
    await inbox.holds(1)

    assert inbox.seen == [sent]


async def test_the_publisher_may_say_that_it_is_a_double(transport: Transport, work: str) -> None:
    """What is published as a possible duplicate arrives as one."""
    inbox = Inbox()
    await transport.publisher.publish(Envelope("d-1", work, b"{}", possible_duplicate=True))

    await transport.subscriber.subscribe(work, inbox)
    await inbox.holds(1)

    assert inbox.seen[0].possible_duplicate
    assert inbox.seen[0].headers == {}


async def test_an_unknown_channel_is_unroutable(transport: Transport) -> None:
    """Publishing to a channel that no queue takes raises Unroutable; it never just returns."""
    with pytest.raises(Unroutable):
        await transport.publisher.publish(Envelope("d-1", "nobody.reads.this", b"{}"))


async def test_publish_many_tells_for_each(transport: Transport, work: str) -> None:
    """Each envelope has its own result, in order, and a failure does not stop the others."""
    batch = envelopes(work, 5)
    batch[1] = Envelope("lost-1", "nobody.reads.this", b"{}")
    batch[3] = Envelope("lost-2", "nobody.reads.this", b"{}")

    results = await transport.publisher.publish_many(batch)

    assert [type(result) for result in results] == [
        type(None),
        Unroutable,
        type(None),
        Unroutable,
        type(None),
    ]
    assert await eventually(has_depth(transport, work, 3))


async def test_one_id_twice_in_flight_is_told_apart(transport: Transport, work: str) -> None:
    """Two envelopes of one id in one batch each get their own result."""
    batch = [
        Envelope("same", "nobody.reads.this", b"{}"),
        Envelope("same", work, b"{}"),
        Envelope("same", "nobody.reads.this", b"{}"),
    ]

    results = await transport.publisher.publish_many(batch)

    assert [type(result) for result in results] == [Unroutable, type(None), Unroutable]


async def test_a_full_channel_refuses(transport: Transport) -> None:
    """At its limit a channel refuses with ChannelFull and drops nothing that it has."""
    data = names(max_length_bytes=2000)
    work = f"{data['publish_to']}.work"
    await transport.declare(Topology.from_mapping(data))
    batch = envelopes(work, 40, size=500)

    results = [(await transport.publisher.publish_many([each]))[0] for each in batch]

    stored = results.count(None)
    assert {type(result) for result in results} == {type(None), ChannelFull}
    assert await eventually(has_depth(transport, work, stored))


async def test_order_is_kept(transport: Transport, work: str) -> None:
    """One subscriber that takes one at a time sees the order of publishing."""
    batch = envelopes(work, 50)
    inbox = Inbox()
    await transport.publisher.publish_many(batch)

    await transport.subscriber.subscribe(work, inbox, prefetch=1)

    assert await inbox.holds(50) == [each.message_id for each in batch]


async def test_priority_overtakes(transport: Transport, work: str) -> None:
    """What has priority is handled before what was published earlier without it."""
    release = asyncio.Event()
    seen: list[str] = []

    async def handle(envelope: Envelope) -> Disposition:
        seen.append(envelope.message_id)
        await release.wait()
        return Disposition.ACK

    await transport.subscriber.subscribe(work, handle, prefetch=1)
    await transport.publisher.publish_many(envelopes(work, 3))
    await transport.publisher.publish(Envelope("withdrawal", work, b"{}", priority=True))
    await asyncio.sleep(0.2)
    release.set()

    async def all_seen() -> bool:
        return len(seen) == 4

    assert await eventually(all_seen)
    # The first two were in hand, at most, when the withdrawal came.
    assert seen.index("withdrawal") <= 2


# ---- dispositions


async def test_acknowledged_means_gone(transport: Transport, work: str) -> None:
    """What a handler has acknowledged does not come again."""
    first, second = Inbox(), Inbox()
    await transport.publisher.publish_many(envelopes(work, 3))
    subscription = await transport.subscriber.subscribe(work, first)
    await first.holds(3)
    await subscription.stop()

    await transport.subscriber.subscribe(work, second)
    await asyncio.sleep(0.3)

    assert second.seen == []
    assert await transport.depth(work) == 0


@pytest.mark.parametrize("answer", [Disposition.RETRY, ZeroDivisionError("child's name")])
async def test_retry_and_a_crash_redeliver(
    transport: Transport, work: str, answer: Disposition | Exception
) -> None:
    """A message whose handler says RETRY or raises comes again, marked as possible duplicate."""
    inbox = Inbox(answer)
    await transport.publisher.publish(Envelope("d-1", work, b"{}"))

    await transport.subscriber.subscribe(work, inbox)

    assert await inbox.holds(2) == ["d-1", "d-1"]
    assert [envelope.possible_duplicate for envelope in inbox.seen] == [False, True]


async def test_a_crash_is_logged_without_its_text(
    transport: Transport, work: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the class of a handler's error, and never quotes what it said."""
    inbox = Inbox(ValueError("Example, Alex"))
    await transport.publisher.publish(Envelope("d-1", work, b"{}"))

    await transport.subscriber.subscribe(work, inbox)
    await inbox.holds(2)

    assert "ValueError" in caplog.text
    assert "Alex" not in caplog.text


async def test_retry_keeps_the_order(transport: Transport, work: str) -> None:
    """A retried message comes again before those behind it, for one that takes one at a time."""
    inbox = Inbox(Disposition.ACK, Disposition.RETRY)
    await transport.publisher.publish_many(envelopes(work, 3))

    await transport.subscriber.subscribe(work, inbox, prefetch=1)

    assert await inbox.holds(4) == ["d-000", "d-001", "d-001", "d-002"]


async def test_rejected_goes_to_dead_letter(transport: Transport, work: str, dead: str) -> None:
    """A rejected message waits whole in the dead-letter channel, with the reason."""
    inbox, graveyard = Inbox(Disposition.REJECT), Inbox()
    await transport.publisher.publish(Envelope("d-1", work, b"body", headers={"class": "N6"}))

    await transport.subscriber.subscribe(work, inbox)
    await transport.subscriber.subscribe(dead, graveyard)
    await graveyard.holds(1)

    assert (graveyard.seen[0].message_id, graveyard.seen[0].body) == ("d-1", b"body")
    assert graveyard.seen[0].channel == dead
    assert graveyard.seen[0].headers == {
        "class": "N6",
        DEAD_LETTER_FROM: work,
        DEAD_LETTER_REASON: "rejected",
    }
    assert inbox.ids == ["d-1"]


async def test_the_delivery_limit_ends_a_loop(transport: Transport) -> None:
    """After the delivery limit a message that always fails goes to the dead-letter channel."""
    data = names(delivery_limit=2)
    site = data["publish_to"]
    await transport.declare(Topology.from_mapping(data))
    inbox, graveyard = Inbox(*[Disposition.RETRY] * 9), Inbox()
    await transport.publisher.publish(Envelope("d-1", f"{site}.work", b"{}"))

    await transport.subscriber.subscribe(f"{site}.work", inbox)
    await transport.subscriber.subscribe(f"{site}.dead", graveyard)
    await graveyard.holds(1)

    assert inbox.ids == ["d-1"] * 3
    assert graveyard.seen[0].headers[DEAD_LETTER_REASON] == "delivery_limit"


async def test_what_nobody_fetches_expires_into_dead_letter(transport: Transport) -> None:
    """A message that outlives its queue's time to live goes to the dead-letter channel."""
    data = names(message_ttl=0.3)
    site = data["publish_to"]
    await transport.declare(Topology.from_mapping(data))
    await transport.publisher.publish(Envelope("d-1", f"{site}.work", b"{}"))

    assert await eventually(has_depth(transport, f"{site}.work", 0))
    assert await eventually(has_depth(transport, f"{site}.dead", 1))


# ---- subscriptions


async def test_subscribers_share(transport: Transport, work: str) -> None:
    """Two subscribers to one channel share its messages: each goes to one of them."""
    left: list[str] = []
    right: list[str] = []

    def into(seen: list[str]) -> Callable[[Envelope], Awaitable[Disposition]]:
        async def handle(envelope: Envelope) -> Disposition:
            seen.append(envelope.message_id)
            await asyncio.sleep(0.01)
            return Disposition.ACK

        return handle

    await transport.subscriber.subscribe(work, into(left), prefetch=2)
    await transport.subscriber.subscribe(work, into(right), prefetch=2)
    await transport.publisher.publish_many(envelopes(work, 60))

    async def all_seen() -> bool:
        return len(left) + len(right) >= 60

    assert await eventually(all_seen)
    await asyncio.sleep(0.2)
    assert sorted(left + right) == [each.message_id for each in envelopes(work, 60)]
    assert left
    assert right


async def test_a_handler_that_never_waits_starves_nobody(transport: Transport, work: str) -> None:
    """While messages wait for a handler that returns at once, the rest of the process runs on."""
    inbox = Inbox()
    between: list[int] = []
    await transport.publisher.publish_many(envelopes(work, 100))
    await transport.subscriber.subscribe(work, inbox, prefetch=1)

    while len(inbox.seen) < 100:
        between.append(len(inbox.seen))
        await asyncio.sleep(0)

    assert len(set(between)) > 10


async def test_no_more_than_prefetch_at_a_time(transport: Transport, work: str) -> None:
    """Never more than *prefetch* handlers of one subscription run at the same time."""
    running, most, full = 0, 0, asyncio.Event()

    async def handle(_: Envelope) -> Disposition:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await full.wait()  # the first ends when there are as many as there may be
        await asyncio.sleep(0.01)
        running -= 1
        return Disposition.ACK

    await transport.publisher.publish_many(envelopes(work, 30))
    await transport.subscriber.subscribe(work, handle, prefetch=3)

    assert await eventually(has_depth(transport, work, 0))
    await asyncio.sleep(0.1)
    assert most == 3


async def test_stop_drains(transport: Transport, work: str) -> None:
    """Stopping waits for the running handlers, settles what they did, and starts nothing more."""
    started, release = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def handle(envelope: Envelope) -> Disposition:
        started.set()
        await release.wait()
        finished.append(envelope.message_id)
        return Disposition.ACK

    await transport.publisher.publish_many(envelopes(work, 3))
    subscription = await transport.subscriber.subscribe(work, handle, prefetch=1)
    await started.wait()
    stopping = asyncio.create_task(subscription.stop())
    await asyncio.sleep(0.1)
    release.set()
    await stopping

    assert finished == ["d-000"]
    assert await eventually(has_depth(transport, work, 2))


async def test_stop_gives_back_what_does_not_finish(transport: Transport, work: str) -> None:
    """A handler that outlasts the deadline is cancelled, and its message goes back."""
    inbox = Inbox()
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handle(_: Envelope) -> Disposition:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Disposition.ACK

    await transport.publisher.publish(Envelope("d-1", work, b"{}"))
    subscription = await transport.subscriber.subscribe(work, handle)
    await started.wait()
    await subscription.stop(deadline=0.1)
    await transport.subscriber.subscribe(work, inbox)

    assert await inbox.holds(1) == ["d-1"]
    assert inbox.seen[0].possible_duplicate
    assert cancelled.is_set()


async def test_subscribing_to_nothing_is_unroutable(transport: Transport) -> None:
    """There is nothing to read in a channel that does not exist."""
    with pytest.raises(Unroutable):
        await transport.subscriber.subscribe("nobody.writes.this", Inbox())


# ---- topology


async def test_declaring_twice_changes_nothing(
    transport: Transport, topology: Topology, work: str
) -> None:
    """Declaring what is there already keeps its messages."""
    await transport.publisher.publish(Envelope("d-1", work, b"{}"))

    await transport.declare(topology)

    assert await eventually(has_depth(transport, work, 1))


async def test_a_partner_gets_a_queue_of_its_own(transport: Transport, topology: Topology) -> None:
    """A declared partner queue can be published to, read and purged, and holds its own alone."""
    north, south = topology.for_partner("north"), topology.for_partner("south")
    await transport.declare_queue(north)
    await transport.declare_queue(south, max_length_bytes=5000, message_ttl=600)
    await transport.publisher.publish_many(envelopes(north, 3) + envelopes(south, 2))
    assert await eventually(has_depth(transport, north, 3))

    removed = await transport.purge(north)

    assert removed == 3
    assert await eventually(has_depth(transport, north, 0))
    assert await eventually(has_depth(transport, south, 2))
    await transport.purge(south)


async def test_depth_of_nothing_is_unroutable(transport: Transport) -> None:
    """Asking for the depth of a channel that does not exist is an error, not zero."""
    with pytest.raises(Unroutable):
        await transport.depth("nobody.reads.this")


# ---- life


async def test_a_closed_transport_says_so(transport: Transport, work: str) -> None:
    """After close, publishing and subscribing raise TransportUnavailable and the state is down."""
    before = transport.state
    await transport.close()

    assert (before, transport.state) == ("up", "down")
    with pytest.raises(TransportUnavailable):
        await transport.publisher.publish(Envelope("d-1", work, b"{}"))
    with pytest.raises(TransportUnavailable):
        await transport.subscriber.subscribe(work, Inbox())


async def test_closing_twice_is_allowed(transport: Transport) -> None:
    """The second close does nothing."""
    await transport.close()
    await transport.close()

    assert transport.state == "down"


# ---- the consumer, over every transport


async def test_an_unplanned_error_parks_the_message(
    transport: Transport, work: str, parked: str
) -> None:
    """What no disposition covers is parked whole, with the error's class and none of its text."""

    class PlannedError(Exception):
        """Is in the table."""

    async def handle(_: Envelope) -> None:
        raise ZeroDivisionError("Example, Alex")

    inbox = Inbox()
    consumer = Consumer(
        transport.subscriber,
        work,
        handle,
        concurrency=2,
        dispositions={PlannedError: Disposition.RETRY},
        publisher=transport.publisher,
        parked=parked,
    )
    await consumer.start()
    await transport.publisher.publish(Envelope("d-1", work, b"whole", headers={"class": "N6"}))
    await transport.subscriber.subscribe(parked, inbox)
    await inbox.holds(1)
    await consumer.stop()

    assert (inbox.seen[0].message_id, inbox.seen[0].body) == ("d-1", b"whole")
    assert inbox.seen[0].headers == {
        "class": "N6",
        PARKED_FROM: work,
        PARKED_REASON: "ZeroDivisionError",
    }
    assert await transport.depth(work) == 0


# ---- what only a broker can suffer


@pytest.fixture(scope="module")
def own_rabbitmq() -> Iterator[RabbitServer]:
    """A broker of this module's own, to be frozen, killed and wiped, also if one was given."""
    given = os.environ.pop(EXTERNAL, None)
    try:
        with start_rabbitmq() as server:
            yield server
    finally:
        if given is not None:
            os.environ[EXTERNAL] = given


@pytest.fixture
async def rabbit(own_rabbitmq: RabbitServer, topology: Topology) -> AsyncIterator[RabbitTransport]:
    transport = RabbitTransport(own_rabbitmq.url, deadline=DEADLINE)
    await transport.open()
    await transport.declare(topology)
    yield transport
    await transport.close()


async def publishes(transport: RabbitTransport, envelope: Envelope) -> bool:
    try:
        await transport.publisher.publish(envelope)
    except TransportUnavailable:
        return False
    return True


def has_state(transport: RabbitTransport, state: State) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return transport.state == state

    return asked


@pytest.mark.broker
async def test_a_frozen_broker_is_noticed_in_time(
    rabbit: RabbitTransport, own_rabbitmq: RabbitServer, work: str
) -> None:
    """With the broker stopped by SIGSTOP a publish raises within the deadline, and works after."""
    loop = asyncio.get_running_loop()
    await rabbit.publisher.publish(Envelope("d-0", work, b"{}"))
    own_rabbitmq.sigstop()
    try:
        before = loop.time()
        with pytest.raises(TransportUnavailable):
            await rabbit.publisher.publish(Envelope("d-1", work, b"{}"))
        took = loop.time() - before
        many = await rabbit.publisher.publish_many(envelopes(work, 300, size=20_000))
        took_many = loop.time() - before - took

        assert took < DEADLINE + 1
        assert took_many < DEADLINE + 1
        assert {type(each) for each in many} <= {TransportUnavailable, NotConnected}
        assert rabbit.state == "down"
    finally:
        own_rabbitmq.sigcont()

    async def again() -> bool:
        return await publishes(rabbit, Envelope("d-1", work, b"{}"))

    assert await eventually(again, within=BACK_WITHIN)


@pytest.mark.broker
async def test_other_calls_on_a_frozen_broker_end_in_time(
    rabbit: RabbitTransport, own_rabbitmq: RabbitServer, topology: Topology, work: str
) -> None:
    """Declaring, measuring, subscribing and closing end within a few deadlines, too."""
    loop = asyncio.get_running_loop()
    subscription = await rabbit.subscriber.subscribe(work, Inbox())
    own_rabbitmq.sigstop()
    try:
        before = loop.time()
        with pytest.raises(TransportUnavailable):
            await rabbit.depth(work)
        with pytest.raises(TransportUnavailable):
            await rabbit.declare(topology)
        with pytest.raises(TransportUnavailable):
            await rabbit.subscriber.subscribe(work, Inbox())
        await subscription.stop(deadline=0.5)
        await rabbit.close()

        assert loop.time() - before < 8 * DEADLINE
    finally:
        own_rabbitmq.sigcont()


@pytest.mark.broker
async def test_kill_and_restart_lose_nothing_confirmed(
    rabbit: RabbitTransport, own_rabbitmq: RabbitServer, work: str
) -> None:
    """After kill -9 and a restart, publisher and subscriber go on by themselves, losing nothing."""
    confirmed: set[str] = set()
    stop = asyncio.Event()

    async def keep_publishing() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            if await publishes(rabbit, Envelope(f"d-{number}", work, b"{}")):
                confirmed.add(f"d-{number}")
            else:
                await asyncio.sleep(0.05)

    inbox = Inbox()
    await rabbit.subscriber.subscribe(work, inbox)
    publisher = asyncio.create_task(keep_publishing())
    await inbox.holds(20)
    own_rabbitmq.kill9()
    assert await eventually(has_state(rabbit, "down"))
    told = len(confirmed)
    await asyncio.to_thread(own_rabbitmq.start)

    async def enough() -> bool:
        return len(confirmed) > told + 50

    assert await eventually(enough, within=BACK_WITHIN)
    stop.set()
    await publisher

    async def all_seen() -> bool:
        return confirmed <= set(inbox.ids)

    assert await eventually(all_seen, within=BACK_WITHIN)
    assert await eventually(has_state(rabbit, "up"))


@pytest.mark.broker
async def test_a_wiped_broker_is_filled_in(
    rabbit: RabbitTransport, own_rabbitmq: RabbitServer, work: str, topology: Topology
) -> None:
    """With its data directory deleted the broker gets the topology again, and messages flow."""
    partner = topology.for_partner("north")
    await rabbit.declare_queue(partner)
    inbox = Inbox()
    await rabbit.subscriber.subscribe(work, inbox)
    await rabbit.publisher.publish(Envelope("before", work, b"{}"))
    await inbox.holds(1)
    own_rabbitmq.wipe()
    await asyncio.to_thread(own_rabbitmq.start)

    async def again() -> bool:
        return await publishes(rabbit, Envelope("after", work, b"{}"))

    assert await eventually(again, within=BACK_WITHIN)
    await inbox.holds(2, within=BACK_WITHIN)
    await rabbit.publisher.publish(Envelope("partner", partner, b"{}"))
    assert "after" in inbox.ids
    assert await eventually(has_depth(rabbit, partner, 1))


@pytest.mark.broker
async def test_a_transport_may_be_older_than_its_broker(
    own_rabbitmq: RabbitServer, topology: Topology, work: str
) -> None:
    """Opened while the broker is down, the transport says so, and is up once the broker is."""
    states: list[str] = []
    own_rabbitmq.stop()
    transport = RabbitTransport(own_rabbitmq.url, deadline=0.5, on_state=states.append)
    try:
        with pytest.raises(TransportUnavailable):
            await transport.open()
        with pytest.raises(TransportUnavailable):
            await transport.declare(topology)
        await asyncio.to_thread(own_rabbitmq.start)

        async def up() -> bool:
            return await publishes(transport, Envelope("d-1", work, b"{}"))

        assert await eventually(up, within=BACK_WITHIN)
        assert await eventually(has_state(transport, "up"), within=BACK_WITHIN)
        assert states == ["up"]
    finally:
        await transport.close()
    assert states == ["up", "down"]


@pytest.mark.broker
async def test_other_arguments_are_a_mismatch(rabbit: RabbitTransport, topology: Topology) -> None:
    """A queue that the broker holds with other limits is an operator's question, and no outage."""
    data = names()
    changed = Topology.from_mapping(data)
    await rabbit.declare(changed)
    data["queues"][f"{data['publish_to']}.work"]["max_length_bytes"] = 4711

    with pytest.raises(TopologyMismatch, match=f"{data['publish_to']}.work"):
        await rabbit.declare(Topology.from_mapping(data))

    await rabbit.declare(topology)


@pytest.mark.broker
async def test_an_alarm_is_not_taken_for_a_dead_broker(
    rabbit: RabbitTransport, own_rabbitmq: RabbitServer, work: str
) -> None:
    """While the broker has an alarm, publishing raises in time and consuming goes on."""
    inbox = Inbox()
    await rabbit.publisher.publish_many(envelopes(work, 2))
    await asyncio.to_thread(own_rabbitmq.control, "set_vm_memory_high_watermark", "0.0000001")
    try:

        async def blocked() -> bool:
            return not await publishes(rabbit, Envelope("during", work, b"{}"))

        assert await eventually(blocked)
        with pytest.raises(TransportUnavailable):
            await rabbit.publisher.publish(Envelope("during", work, b"{}"))
        assert rabbit.state == "down"
        await rabbit.subscriber.subscribe(work, inbox)
        await inbox.holds(2)
    finally:
        await asyncio.to_thread(
            own_rabbitmq.control, "set_vm_memory_high_watermark", "absolute", "1GB"
        )

    async def again() -> bool:
        return await publishes(rabbit, Envelope("after", work, b"{}"))

    assert await eventually(again, within=BACK_WITHIN)
    assert await eventually(has_state(rabbit, "up"))
