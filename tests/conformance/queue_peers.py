"""AMQP with a client that others wrote (``amqplib`` on Node), over a real RabbitMQ with the
definitions of a site: it sends as a partner, reads its answers, and reads what it is sent.
"""

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from adapters.destinations.amqp import AmqpDestination
from hub.bootstrap import compose, topology
from hub.domain.carriage import Parcel
from hub.doors import amqp_door
from hub.settings import Settings
from tests import builders as b
from tests.conformance import programs
from tests.contract.partner_broker import Broker, imported
from tests.servers.rabbitmq import start_rabbitmq

ME: Final = "VCS-N"
CANONICAL: Final = "application/vnd.ecaf.message+json"
SECONDS: Final = 120.0


def sent() -> Sequence[Mapping[str, str]]:
    """Return what the partner sends: one that is taken, twice, and one that is refused."""
    good = b.wire({"notification": b.notification()}).decode()
    return [
        {"id": "good", "type": CANONICAL, "body": good},
        {"id": "good", "type": CANONICAL, "body": good},
        {"id": "bad", "type": CANONICAL, "body": "{"},
    ]


async def _met(broker: Broker) -> Sequence[str]:
    settings = Settings.from_environ(broker.environ)
    async with compose(settings) as hub, amqp_door(hub, settings, topology()):
        if hub.transport is None:
            return ["the hub has no broker"]
        queue = AmqpDestination(ME, hub.transport.publisher, public_url="https://hub.example")
        await queue.send(Parcel("d-1", "N7", ME, 1, False, "", b"", True, f"{ME}/e1", 1, False))
        await queue.send(
            Parcel("d-2", "N7", ME, 1, False, "text/html", b"<p>", False, "e", 2, False)
        )
        queues = (f"caf.from.{ME}", f"caf.reply.{ME}", f"caf.out.{ME}")
        peer = await asyncio.create_subprocess_exec(
            "node", str(programs.NODE / "amqp.mjs"), broker.url(ME), broker.name(ME), *queues, "2",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        lines = "".join(json.dumps(one) + "\n" for one in sent()).encode()
        out, _ = await asyncio.wait_for(peer.communicate(lines), SECONDS)
    return compared([json.loads(line) for line in out.splitlines() if line.startswith(b"{")])


def compared(heard: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Return what the peer should have understood and did not."""
    answers = [
        (one["answers"], one["headers"]["ecaf-status"], one["headers"]["ecaf-code"])
        for one in heard
        if one["kind"] == "answer"
    ]
    deliveries = [(one["id"], one["type"]) for one in heard if one["kind"] == "delivery"]
    wrong = []
    good = ("good", "accepted", "OK")
    if answers != [good, good, ("bad", "refused", "E_SYNTAX")]:
        wrong.append(f"amqplib was answered {answers}")
    if len({one["id"] for one in heard if one["answers"] == "good"}) != 1:
        wrong.append("the second answer to one message had another id")
    if deliveries != [("d-1", "application/cloudevents+json"), ("d-2", "text/html")]:
        wrong.append(f"amqplib was sent {deliveries}")
    return wrong


def meet() -> Sequence[str]:
    """Return what went wrong between the hub and its peer; nothing if all is well."""
    with start_rabbitmq() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "site"
        folder.mkdir()
        with imported(server, folder) as broker:
            return asyncio.run(_met(broker))
