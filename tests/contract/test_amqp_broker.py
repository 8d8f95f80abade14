"""The AMQP door on a RabbitMQ of its own, with a partner's own client and user: whatever becomes of
the broker, every message is recorded once and answered.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pamqp.commands import Basic

from hub.bootstrap import topology
from messaging.arrival import Arrival
from messaging.channel import Disposition
from messaging.definitions import User, definitions, only
from messaging.errors import TransportError
from messaging.rabbit import RabbitTransport
from messaging.rabbit_intake import RabbitIntake
from tests import builders as b
from tests.contract.amqp_post import QUEUE, REPLIES, Post, appointed
from tests.contract.raw_amqp import raw_channel
from tests.servers.rabbitmq import RabbitServer, start_rabbitmq
from tests.unit.services.world import CANONICAL

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PASSWORD = "a password of some length, for a test"
SECONDS = 120.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """A broker of this module's own, to stop and to kill, with EHM-A's user on it."""
    shape = topology().with_sender("EHM-A").with_sender("HOU-A")
    users = [
        User(f"{name.lower()}-user", PASSWORD, write=only(f"caf.from.{name}"),
             read=only(f"caf.reply.{name}"))
        for name in ("EHM-A", "HOU-A")
    ]  # fmt: skip
    file = tmp_path_factory.mktemp("broker") / "definitions.json"
    file.write_text(json.dumps(definitions(shape, users)))
    with start_rabbitmq() as one:
        one.control("import_definitions", str(file))
        yield one


@dataclass
class Site:
    """A hub that reads the broker, and what EHM-A found in its answers."""

    post: Post
    server: RabbitServer
    intake: RabbitIntake
    answers: dict[str, list[Any]] = field(default_factory=dict)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"amqp://ehm-a-user:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.server.port}/"

    async def send(self, body: bytes, **said: Any) -> None:
        """Send as EHM-A's system does, again until the broker has it."""
        async with asyncio.timeout(SECONDS):
            while True:
                with suppress(Exception):
                    connection = await aio_pika.connect(self.url, timeout=10)
                    async with connection:
                        channel = await connection.channel()
                        exchange = await channel.get_exchange("caf.from.EHM-A", ensure=False)
                        usual = {"content_type": CANONICAL, "user_id": "ehm-a-user", **said}
                        await exchange.publish(aio_pika.Message(body, **usual), "", timeout=10)
                    return
                await asyncio.sleep(0.2)

    async def read(self) -> None:
        """Read the answers as EHM-A's system does, for as long as the test lasts."""
        while True:
            with suppress(Exception):
                connection = await aio_pika.connect(self.url, timeout=10)
                async with connection:
                    channel = await connection.channel()
                    await channel.set_qos(10)
                    queue = await channel.get_queue(REPLIES, ensure=False)
                    async with queue.iterator(timeout=5) as found:
                        async for one in found:
                            told = json.loads(one.body)
                            name = str(one.correlation_id or told.get("sha256"))
                            self.answers.setdefault(name, []).append(told)
                            self.more.set()
                            await one.ack()
            await asyncio.sleep(0.1)

    async def answered(self, *names: str) -> list[Any]:
        """Wait for the first answers to these messages."""
        async with asyncio.timeout(SECONDS):
            while not set(names) <= self.answers.keys():
                self.more.clear()
                await self.more.wait()
        return [self.answers[name][0] for name in names]


@asynccontextmanager
async def opened(server: RabbitServer, folder: Path) -> AsyncIterator[Site]:
    """Let a hub read the broker."""
    transport = RabbitTransport(server.url)
    post = Post(folder, publisher=transport.publisher)
    await post.world.shared()
    with suppress(TransportError):
        await transport.open()
    await transport.declare(topology().with_sender("EHM-A").with_sender("HOU-A"))
    intake = RabbitIntake(server.url, post.door.queues, post.door.take, post.door.ready)
    site = Site(post, server, intake)
    reading = asyncio.create_task(site.read())
    intake.start()
    try:
        yield site
    finally:
        reading.cancel()
        await asyncio.wait({reading})
        await intake.stop()
        await transport.close()


@pytest.fixture
async def site(server: RabbitServer, tmp_path: Path) -> AsyncIterator[Site]:
    """A hub that reads the broker."""
    async with opened(server, tmp_path) as one:
        yield one


def noted(number: int) -> bytes:
    """Return a notification of its own."""
    return b.wire({"notification": b.notification(text=f"Absent on {number} mornings.")})


async def test_an_episode_arrives_and_its_sender_is_told(site: Site) -> None:
    """By its own client, under its own user."""
    await site.send(appointed(), message_id="m-1")

    (told,) = await site.answered("m-1")

    assert told["status"] == "accepted"
    assert site.post.world.head.lead == "APPOINTED"


async def test_hostile_messages_are_answered_and_hold_up_nothing(site: Site) -> None:
    """A handful of the table, with a real broker's own ways of spoiling them."""
    await site.send(b"{", message_id="syntax")
    await site.send(appointed(), message_id="nobody", user_id=None)
    await site.send(b" " * (6 << 20), message_id="large")
    await site.send(appointed(), message_id="packed", content_encoding="gzip")
    async with raw_channel(site.url, {b"@@@@": b"\xff\xfe\xfd\xfc"}) as bad:
        properties = Basic.Properties(message_id="@@@@", user_id="ehm-a-user")
        await bad.basic_publish(b"no words", exchange="caf.from.EHM-A", properties=properties)
    await site.send(appointed(), message_id="good")

    names = ("syntax", "nobody", "large", "packed", "good")
    told = await site.answered(*names)

    assert [one.get("code", "taken") for one in told] == [
        "E_SYNTAX", "E_UNAUTHENTICATED", "E_TOO_LARGE", "E_ENCODING", "taken",
    ]  # fmt: skip
    (unnamed,) = [one for name, one in site.answers.items() if name not in names]
    assert unnamed[0]["code"] == "E_ENCODING"


async def test_what_expired_before_it_was_read_is_told(
    server: RabbitServer, tmp_path: Path
) -> None:
    """The hub was away for longer than the sender would wait."""
    async with opened(server, tmp_path) as site:
        await site.intake.stop()
        await site.send(appointed(), message_id="late", expiration=0.001)
        await _until_waiting(server, "caf.unread", 1)
    (tmp_path / "again").mkdir()
    async with opened(server, tmp_path / "again") as site:
        (told,) = await site.answered("late")

    assert told["code"] == "E_TIMEOUT"


async def test_a_message_that_ends_the_hub_is_set_aside_in_the_end(site: Site) -> None:
    """Handed out ten times it is told and kept with the dead letters; the next one is taken."""
    await site.intake.stop()
    await site.send(appointed(), message_id="poison")
    await site.send(appointed(), message_id="behind")
    before = await _waiting(site.server, "caf.dead")
    died, door = asyncio.Event(), site.post.door

    async def take(arrival: Arrival) -> Disposition:
        if (arrival.queue, arrival.message_id) == (QUEUE, "poison") and arrival.times < 10:
            died.set()
            await asyncio.Event().wait()
        return await door.take(arrival)

    for _ in range(15):
        died.clear()
        site.intake = RabbitIntake(site.server.url, door.queues, take, door.ready)
        site.intake.start()
        answered = asyncio.create_task(site.answered("poison", "behind"))
        dying = asyncio.create_task(died.wait())
        await asyncio.wait({answered, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if answered.done():
            break
        answered.cancel()
        await site.intake.stop()
    poison, behind = await answered

    assert (poison["code"], behind["status"]) == ("E_INTERNAL", "accepted")
    await _until_waiting(site.server, "caf.dead", before + 1)


async def test_the_broker_killed_and_back_loses_nothing(site: Site) -> None:
    """Thirty messages while it is killed twice: each is recorded once, and answered."""
    names = [f"n-{number}" for number in range(30)]

    async def send_all() -> None:
        for number, name in enumerate(names):
            await site.send(noted(number), message_id=name)

    sending = asyncio.create_task(send_all())
    for _ in range(2):
        async with asyncio.timeout(SECONDS):
            while len(site.answers) < 3:
                site.more.clear()
                await site.more.wait()
        await asyncio.to_thread(site.server.kill9)
        await asyncio.to_thread(site.server.start)
    await sending
    told = await site.answered(*names)

    assert {one["status"] for one in told} == {"accepted"}
    for name in names:
        assert len({json.dumps(one, sort_keys=True) for one in site.answers[name]}) == 1, name


async def _until_waiting(server: RabbitServer, queue: str, count: int) -> None:
    async with asyncio.timeout(SECONDS):
        while await _waiting(server, queue) < count:  # noqa: ASYNC110 - a broker tells nobody
            await asyncio.sleep(0.1)


async def _waiting(server: RabbitServer, queue: str) -> int:
    connection = await aio_pika.connect(server.url)
    async with connection:
        channel = await connection.channel()
        found = await channel.declare_queue(queue, passive=True)
        return found.declaration_result.message_count or 0
