"""What a partner may do at a real RabbitMQ under its site's definitions, and what not."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pamqp.commands import Basic

from adapters.partners.profiles import load_registry
from hub.bootstrap import compose, shape_of, topology
from hub.cli import main
from hub.doors import amqp_door
from hub.errors import Misconfigured
from hub.queueing import site_definitions
from hub.settings import Settings
from messaging.envelope import Envelope
from messaging.inspection import inspect
from messaging.rabbit import RabbitTransport
from tests import builders as b
from tests.contract.partner_broker import Broker, Deed, imported, tried, written
from tests.servers.rabbitmq import RabbitServer

ME, OTHER = "VCS-N", "MIDW-A"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A site of two partners with users of their own."""
    return written(tmp_path_factory.mktemp("site"))[1]


def by_name(made: dict[str, Any], part: str, key: str = "name") -> dict[str, dict[str, Any]]:
    return {one[key]: one for one in made[part]}


def test_no_definition_holds_a_password(environ: dict[str, str]) -> None:
    """Hashes with a salt of their own each time, no tag for anybody, limits for every partner."""
    once, again = (site_definitions(environ) for _ in range(2))
    text = json.dumps(once)

    folder = Path(environ["ECAF_CONFIG_DIR"])
    for secret in folder.glob("secrets/*.amqp"):
        assert secret.read_text().strip() not in text
    hashes = {one["password_hash"] for made in (once, again) for one in made["users"]}
    assert len(hashes - {""}) == 6, "three users with passwords, salted anew"
    assert all(one["tags"] == [] for one in once["users"])
    limited = [one["limits"] for one in once["users"] if not one["name"].startswith("hub-")]
    assert limited
    assert all(limit == {"max-connections": 4, "max-channels": 16} for limit in limited)


def test_every_pattern_names_what_is_the_users_own(environ: dict[str, str]) -> None:
    """No partner's pattern matches a name of another's, or of the hub's."""
    made = site_definitions(environ)
    names = {one["name"] for part in ("queues", "exchanges") for one in made[part]}
    names |= {"amq.default", "amq.direct", "caf.out.VCS-N2", "xcaf.out.VCS-N"}
    reached = {
        one["user"].partition("-test-")[0]: {
            right: {name for name in names if re.search(one[right], name)}
            for right in ("configure", "write", "read")
        }
        for one in made["permissions"]
    }

    for partner in (ME, OTHER):
        assert reached[partner] == {
            "configure": set(),
            "write": {f"caf.from.{partner}"},
            "read": {f"caf.out.{partner}", f"caf.reply.{partner}"},
        }
    assert reached["HV-A"]["read"] == {"caf.out.HV-A"}, "a partner without the part reads its own"
    assert reached["HV-A"]["write"] == set()


def test_every_queue_is_a_bounded_quorum_queue_that_drops_nothing(environ: dict[str, str]) -> None:
    """And whatever else anybody names so is bounded by a policy."""
    made = site_definitions(environ)

    for queue in made["queues"]:
        given = queue["arguments"]
        assert given["x-queue-type"] == "quorum"
        assert given["x-overflow"] == "reject-publish"
        assert given["x-max-length-bytes"] > 0
    inbound = by_name(made, "queues")[f"caf.in.{ME}"]["arguments"]
    assert inbound["x-dead-letter-routing-key"] == f"caf.in.{ME}"
    assert inbound["x-single-active-consumer"] is True
    (policy,) = made["policies"]
    assert re.search(policy["pattern"], "caf.anything")
    assert policy["definition"]["overflow"] == "reject-publish"


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("secrets/vcs-n.amqp", None, "hunter2", "partners/VCS-N.yaml: credentials.amqp"),
        ("partners/VCS-N.yaml", r"user: VCS-N-test-\w+", "user: HV-A", "partners/VCS-N.yaml"),
        ("partners/VCS-N.yaml", r"user: VCS-N-test-\w+", "user: HUB", "partners/VCS-N.yaml"),
    ],
)
def test_what_would_be_unsafe_is_refused(
    tmp_path: Path, file: str, old: str | None, new: str, place: str
) -> None:
    """A password that can be guessed, and a user that is another's or the hub's."""
    broker, environ = written(tmp_path)
    path = tmp_path / file
    new = new.replace("HUB", broker.name("hub"))
    path.write_text(new if old is None else re.sub(old, new, path.read_text()))

    with pytest.raises(Misconfigured) as caught:
        site_definitions(environ)

    assert any(place in fault.path for fault in caught.value.faults)
    assert "hunter2" not in str(caught.value)


def test_a_site_without_a_broker_is_told_what_to_set(environ: dict[str, str]) -> None:
    """Nothing is made up."""
    with pytest.raises(Misconfigured, match="no broker"):
        site_definitions({**environ, "ECAF_BROKER_URL": ""})


def test_the_command_writes_a_file_for_its_owner_alone(
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The hashes in it are as good as passwords to who has time."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "definitions.json"

    with pytest.raises(SystemExit) as ended:
        main(["queues", "definitions", "--out", str(out), "--json"])

    assert ended.value.code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    told = json.loads(capsys.readouterr().out)
    assert told["queues"] == len(json.loads(out.read_text())["queues"])


# On a real broker


@pytest.fixture(scope="module")
def broker(rabbitmq: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A RabbitMQ with the site's definitions, in a virtual host of their own."""
    with imported(rabbitmq, tmp_path_factory.mktemp("broker")) as one:
        yield one


def publishing(exchange: str, key: str = "", **properties: Any) -> Deed:
    return lambda wire: wire.basic_publish(
        b"{}", exchange=exchange, routing_key=key, mandatory=True,
        properties=Basic.Properties(**properties),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.broker
async def test_a_partner_does_what_it_needs_and_nothing_else(broker: Broker) -> None:
    """It reads its queues and writes to its exchange; others' queues, names and users are closed to
    it, and so is every change.
    """
    allowed: dict[str, Deed] = {
        "get its deliveries": lambda wire: wire.basic_get(f"caf.out.{ME}"),
        "get its answers": lambda wire: wire.basic_get(f"caf.reply.{ME}"),
        "empty its queue": lambda wire: wire.queue_purge(f"caf.out.{ME}"),
        "send": publishing(f"caf.from.{ME}", user_id=broker.name(ME)),
        # RabbitMQ checks no permission here: who knows a name learns how much waits there.
        "ask for another's queue": lambda wire: wire.queue_declare(
            f"caf.out.{OTHER}", passive=True
        ),
    }
    refused: dict[str, Deed] = {
        "get another's deliveries": lambda wire: wire.basic_get(f"caf.out.{OTHER}"),
        "get another's answers": lambda wire: wire.basic_get(f"caf.reply.{OTHER}"),
        "get what another sent": lambda wire: wire.basic_get(f"caf.in.{OTHER}"),
        "get back what it sent": lambda wire: wire.basic_get(f"caf.in.{ME}"),
        "get the hub's work": lambda wire: wire.basic_get("caf.work"),
        "get what is set aside": lambda wire: wire.basic_get("caf.dead"),
        "consume another's": lambda wire: wire.basic_consume(f"caf.out.{OTHER}", _forget),
        "empty another's": lambda wire: wire.queue_purge(f"caf.out.{OTHER}"),
        "delete another's": lambda wire: wire.queue_delete(f"caf.out.{OTHER}"),
        "delete its own": lambda wire: wire.queue_delete(f"caf.out.{ME}"),
        "declare a queue": lambda wire: wire.queue_declare("mine"),
        "declare a nameless queue": lambda wire: wire.queue_declare("", exclusive=True),
        "declare an exchange": lambda wire: wire.exchange_declare("mine"),
        "delete its exchange": lambda wire: wire.exchange_delete(f"caf.from.{ME}"),
        "bind another's queue": lambda wire: wire.queue_bind(f"caf.out.{OTHER}", "caf", "x"),
        "bind its own to another's": lambda wire: wire.queue_bind(
            f"caf.out.{ME}", f"caf.from.{OTHER}", ""
        ),
        "bind exchanges": lambda wire: wire.exchange_bind(f"caf.from.{ME}", f"caf.from.{OTHER}"),
        "unbind its own": lambda wire: wire.queue_unbind(f"caf.in.{ME}", f"caf.from.{ME}", ""),
        "send as another": publishing(f"caf.from.{ME}", user_id=broker.name(OTHER)),
        "send by another's exchange": publishing(f"caf.from.{OTHER}"),
        "send to another's queue": publishing("", f"caf.in.{OTHER}"),
        "put work before the hub": publishing("caf", "caf.work"),
        "put a delivery before another": publishing("caf", f"caf.out.{OTHER}"),
        "answer another": publishing("caf", f"caf.reply.{OTHER}"),
        "give up another's message": publishing("caf.dead-letter", f"caf.in.{OTHER}"),
    }  # fmt: skip

    came = await tried(broker.url(ME), {**allowed, **refused})

    assert {name: came[name] for name in allowed} == dict.fromkeys(allowed, "done")
    wrong = {"ChannelAccessRefused", "ChannelPreconditionFailed"}
    assert {name: came[name] for name in refused if came[name] not in wrong} == {}
    assert came["send as another"] == "ChannelPreconditionFailed"


async def _forget(_: Any) -> None:
    return None


@pytest.mark.slow
@pytest.mark.broker
async def test_a_partner_has_neither_many_connections_nor_another_password(
    broker: Broker,
) -> None:
    """One that runs away with connections keeps nobody else out, and no user opens without its own
    password.
    """
    held = [await aio_pika.connect(broker.url(ME)) for _ in range(4)]
    with pytest.raises(Exception, match=r"Close|limit|denied|refused"):
        await asyncio.wait_for(aio_pika.connect(broker.url(ME)), 20)
    await (await aio_pika.connect(broker.url(OTHER))).close()
    for one in held:
        await one.close()

    nobody = broker.url(ME).replace(broker.passwords[ME], broker.passwords[OTHER])
    empty = broker.url(ME).replace(broker.passwords[ME], "")
    for url in (nobody, empty):
        with pytest.raises(Exception, match=r"ACCESS_REFUSED|Close|refused"):
            await asyncio.wait_for(aio_pika.connect(url), 20)


@pytest.mark.slow
@pytest.mark.broker
async def test_the_hub_needs_no_more_than_its_own_user(broker: Broker) -> None:
    """What it declares is what was imported, to the last argument; it can publish and read."""
    shape = shape_of(load_registry(broker.folder))
    assert await inspect(broker.url("hub"), shape) == ()

    transport = RabbitTransport(broker.url("hub"))
    await transport.open()
    await transport.declare(shape)
    before = await transport.depth(f"caf.reply.{ME}")
    await transport.publisher.publish(Envelope("m-1", f"caf.reply.{ME}", b"{}"))
    assert await transport.depth(f"caf.reply.{ME}") == before + 1
    await transport.close()

    strange = {"declare": lambda wire: wire.queue_declare("other")}
    assert await tried(broker.url("hub"), strange) == {"declare": "ChannelAccessRefused"}


@pytest.mark.slow
@pytest.mark.broker
async def test_a_composed_hub_takes_in_what_a_partner_sends(broker: Broker) -> None:
    """From the partner's own client to the record and back, with nobody's rights but their own."""
    settings = Settings.from_environ(broker.environ)
    body = b.wire({"notification": b.notification()})
    connection = await aio_pika.connect(broker.url(ME))
    async with (
        compose(settings) as hub,
        AsyncExitStack() as stack,
        connection,
        asyncio.timeout(120),
    ):
        everybody, hub.registry = hub.registry, replace(hub.registry, credentials={})
        doors = await stack.enter_async_context(amqp_door(hub, settings, topology()))
        hub.registry = everybody
        await doors.follow(everybody)  # as an activation does it
        channel = await connection.channel()
        exchange = await channel.get_exchange(f"caf.from.{ME}", ensure=False)
        message = aio_pika.Message(
            body,
            message_id="m-1",
            user_id=broker.name(ME),
            content_type="application/vnd.ecaf.message+json",
        )
        await exchange.publish(message, "")
        answers = await channel.get_queue(f"caf.reply.{ME}", ensure=False)
        async with answers.iterator() as found:
            async for one in found:
                await one.ack()
                if one.correlation_id == "m-1":
                    break
        partner = hub.registry.partners[ME]
        assert await hub.taken_at(partner, "amqp/m-1") is not None

    assert one.headers["ecaf-status"] == "accepted"
