"""The published AsyncAPI document: current, whole, and true of what really travels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from adapters.destinations import thin
from adapters.destinations.amqp import AmqpDestination
from hub.bootstrap import topology
from hub.domain.carriage import Parcel
from hub.queue_document import USES, document_text, queue_document
from messaging.asyncapi import Document, document
from messaging.memory import MemoryTransport
from tests.contract.amqp_post import QUEUE, Post, appointed

PUBLISHED = Path(__file__).parents[3] / "queue/asyncapi.json"


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return queue_document()


def test_the_published_document_is_current() -> None:
    """`ecaf queues asyncapi --out queue/asyncapi.json` was run after the last change."""
    assert PUBLISHED.read_text("utf-8") == document_text()


def test_every_queue_of_the_topology_is_in_it(told: dict[str, Any]) -> None:
    """And nothing else; a queue of which nobody said what it is for fails."""
    shape = topology()
    patterns = (shape.partner_queue, shape.partner_inbound, shape.partner_replies)
    names = {queue.name for queue in (*shape.queues, *filter(None, patterns))}

    assert USES.keys() == names
    assert len(told["channels"]) == len(names)
    assert told["channels"]["caf-in-partner"]["address"] == "caf.from.{partner}"
    with pytest.raises(KeyError):
        document(shape, Document({}, {}, {}, {}, {}))


def references(there: Any) -> Iterator[str]:
    if isinstance(there, dict):
        if isinstance(there.get("$ref"), str):
            yield there["$ref"]
        for one in there.values():
            yield from references(one)
    elif isinstance(there, list):
        for one in there:
            yield from references(one)


def test_every_reference_leads_somewhere(told: dict[str, Any]) -> None:
    """Messages of an operation are messages of its channel, and these are among the components."""
    for reference in references(told):
        there: Any = told
        for part in reference.removeprefix("#/").split("/"):
            assert part in there, reference
            there = there[part]
    for operation in told["operations"].values():
        channel = operation["channel"]["$ref"]
        assert operation["messages"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")


def test_partners_see_what_is_theirs_alone(told: dict[str, Any]) -> None:
    """A channel with a partner's name in it is a partner's, and every other is the hub's own."""
    for channel in told["channels"].values():
        tags = [one["name"] for one in channel["tags"]]
        assert tags == ["partner" if "{partner}" in channel["address"] else "internal"]
        assert ("parameters" in channel) is ("{partner}" in channel["address"])


def valid(told: dict[str, Any], name: str, instance: Any) -> bool:
    """Return whether *instance* is what the document says of a schema."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": told["components"]}
    return jsonschema_rs.validator_for(schema).is_valid(instance)


@pytest.mark.parametrize("message_type", sorted(thin._EVENTS))
async def test_what_partners_are_sent_is_as_described(
    told: dict[str, Any], message_type: str
) -> None:
    """A notice of every kind, with its headers."""
    transport = MemoryTransport()
    await transport.open()
    await transport.declare(topology())
    await transport.declare_queue("caf.out.EHM-A")
    parcel = Parcel("d-1", message_type, "EHM-A", 1, False, "", b"", True, "EHM-A/e1", 1, False)

    await AmqpDestination("EHM-A", transport, public_url="https://hub.example").send(parcel)

    (box,) = transport.boxes("caf.out.EHM-A")
    (sent,) = (one.envelope for one in box.items)
    notice = orjson.loads(sent.body)
    assert valid(told, "notice", notice)
    assert valid(told, "sent", dict(sent.headers))
    assert not valid(told, "notice", {**notice, "time": "2026-01-01T00:00:00Z"})


async def test_what_partners_are_answered_is_as_described(
    told: dict[str, Any], tmp_path: Path
) -> None:
    """Taken, refused, and refused without an id."""
    post = await Post(tmp_path).open()
    await post.world.shared()
    await post.take(appointed())
    await post.take(b"{}", message_id="m-2")
    await post.take(b"{", message_id=None)
    await post.unread(reason="expired", key=QUEUE)

    for envelope, answer in zip(post.envelopes(), post.answers(), strict=True):
        assert valid(told, "answered", dict(envelope.headers))
        assert valid(told, answer["status"], answer)
        other = {"accepted": "refused", "refused": "accepted"}[answer["status"]]
        assert not valid(told, other, answer)
