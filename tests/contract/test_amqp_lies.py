"""What a broker and receivers cannot make the hub believe: a confirm is no delivery, and only the
receiver's own sound word is one.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pamqp import commands

from adapters.destinations.amqp import AmqpDestination
from hub.domain.carriage import Parcel
from hub.domain.exchange import Delivery, State
from hub.errors import Code, Unavailable
from messaging.rabbit import RabbitTransport
from messaging.topology import Binding, Exchange, Queue, Topology
from tests import builders as b
from tests.contract.amqp_post import Post
from tests.contract.lying_broker import (
    GIBBERISH,
    Lie,
    LyingBroker,
    Talk,
    beating,
    both,
    confirm,
    gone,
    lying_broker,
    numbered,
    returned,
    saying,
    silence,
    writing,
)

PARCEL = Parcel(
    delivery_id="d-1",
    message_type="N7",
    partner="EHM-A",
    attempt=1,
    possible_duplicate=False,
    content_type="application/fhir+json",
    body=b'{"resourceType": "Bundle"}',
    thin=False,
    lane="e1",
    lane_sequence=1,
    urgent=False,
)
SHAPE = Topology(
    "t", "t", (Exchange("t"),), (Queue("caf.out.EHM-A", 10**6),),
    (Binding("t", "caf.out.EHM-A", "caf.out.EHM-A"),),
)  # fmt: skip
HASTY = 0.15
"""Seconds of waiting for a broker that never says anything: what must not succeed."""

Ack, Nack, Close = commands.Basic.Ack, commands.Basic.Nack, commands.Channel.Close
UNKNOWN = Code.OUTCOME_UNKNOWN


async def back_and_taken(talk: Talk, channel: int, number: int) -> None:
    returned(talk, channel)
    talk.raw(confirm(channel, number))


async def back_and_silent(talk: Talk, channel: int, _number: int) -> None:
    returned(talk, channel)


LIES: list[tuple[str, Lie, Code]] = [
    ("no", numbered(Nack), Code.UNAVAILABLE),
    ("no to all", numbered(Nack, multiple=True), Code.UNAVAILABLE),
    ("no, then yes", both(numbered(Nack), numbered(Ack)), Code.UNAVAILABLE),
    ("back, and yes", back_and_taken, Code.TOPOLOGY),
    ("back, and nothing", back_and_silent, Code.TOPOLOGY),
    ("nothing", silence, UNKNOWN),
    ("alive, and nothing else", beating, UNKNOWN),
    ("gone without a word", gone, UNKNOWN),
    ("yes to the next", numbered(Ack, add=1), UNKNOWN),
    ("yes to one long after", numbered(Ack, add=10**9), UNKNOWN),
    ("yes on another channel", saying(Ack(1), on=99), UNKNOWN),
    ("yes on no channel", saying(Ack(1), on=0), UNKNOWN),
    ("half of yes", writing(lambda channel, number: confirm(channel, number)[:-3], close=True),
     UNKNOWN),
    ("yes without its end", writing(lambda channel, number: confirm(channel, number)[:-1]
                                    + b"\x00", close=True), UNKNOWN),
    ("gibberish", writing(lambda _channel, _number: GIBBERISH, close=True), UNKNOWN),
    ("HTTP", writing(lambda _c, _n: b"HTTP/1.1 200 OK\r\n\r\n", close=True), UNKNOWN),
    ("zeros", writing(lambda _c, _n: bytes(64), close=True), UNKNOWN),
    ("the channel ends", saying(Close(406, "PRECONDITION_FAILED", 60, 40)), UNKNOWN),
    ("the connection ends", saying(commands.Connection.Close(320, "CONNECTION_FORCED", 0, 0),
                                   on=0), UNKNOWN),
    ("the answer to another question", saying(commands.Queue.PurgeOk(1)), UNKNOWN),
]  # fmt: skip


@pytest.fixture
async def far() -> AsyncIterator[LyingBroker]:
    """A broker that says what a test wants."""
    async with lying_broker() as one:
        yield one


async def connected(far: LyingBroker) -> RabbitTransport:
    transport = RabbitTransport(far.url, deadline=30.0, heartbeat=0)
    await transport.open()
    await transport.declare(SHAPE)
    return transport


@pytest.mark.parametrize(("name", "lie", "code"), LIES, ids=[one[0] for one in LIES])
async def test_what_is_no_confirm_is_not_handed_over(
    far: LyingBroker, monkeypatch: pytest.MonkeyPatch, name: str, lie: Lie, code: Code
) -> None:
    """It is tried again under the same id, and never taken for delivered; a sound confirm after
    that hands it over, and no more.
    """
    transport = await connected(far)
    far.lie = lie
    destination = AmqpDestination("EHM-A", transport.publisher, public_url="https://hub.example")
    with monkeypatch.context() as patched:
        if code is UNKNOWN:
            patched.setattr(transport.publisher, "_deadline", HASTY)
        with pytest.raises(Unavailable) as caught:
            await destination.send(PARCEL)
    assert caught.value.code is code, name

    far.lie = numbered(Ack)
    async with asyncio.timeout(60):
        while True:
            try:
                outcome = await destination.send(PARCEL)
                break
            except Unavailable:
                await asyncio.sleep(0.05)
    await transport.close()
    assert (outcome.delivered, dict(outcome.evidence)) == (False, {"confirmed": True})
    assert set(far.seen) == {"d-1"}


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        ("yes", numbered(Ack)),
        ("yes to all", numbered(Ack, multiple=True)),
        ("yes, twice", both(numbered(Ack), numbered(Ack))),
        ("yes, then no", both(numbered(Ack), numbered(Nack))),
    ],
)
async def test_a_confirm_hands_over_and_no_more(far: LyingBroker, name: str, lie: Lie) -> None:
    """The broker holds it; that says nothing of its receiver."""
    transport = await connected(far)
    far.lie = lie

    outcome = await AmqpDestination(
        "EHM-A", transport.publisher, public_url="https://hub.example"
    ).send(PARCEL)
    await transport.close()

    assert (outcome.delivered, dict(outcome.evidence)) == (False, {"confirmed": True}), name


# What receivers say through their own queues


@dataclass(frozen=True)
class Said:
    """What partners send to the hub's door about a delivery: each who and body, in order."""

    name: str
    words: tuple[tuple[str, Any], ...]
    state: State
    code: str = ""


def word(delivery: str, code: Any, **more: Any) -> Any:
    """Return an acknowledgement; ``ID`` stands for the delivery's own id."""
    return {"acknowledgement": {"delivery_id": delivery, "code": code, **more}}


YES, NO = word("ID", "APPLIED"), word("ID", "REJECTED", rejected_reason="E_RULE")
BOTH = b'{"acknowledgement": {"delivery_id": "ID", "code": "REJECTED", "code": "APPLIED"}}'
MINE, OTHER = "EHM-A", "HOU-A"
HELD, DONE, ASIDE = State.HANDED_OVER, State.DELIVERED, State.QUARANTINED
WORDS = [
    Said("yes", ((MINE, YES),), DONE),
    Said("yes, twice", ((MINE, YES), (MINE, YES)), DONE),
    Said("no", ((MINE, NO),), ASIDE),
    Said("yes, then no", ((MINE, YES), (MINE, NO)), DONE, "E_STATE"),
    Said("yes from another", ((OTHER, YES),), HELD, "E_NOT_FOUND"),
    Said("no from another", ((OTHER, NO),), HELD, "E_NOT_FOUND"),
    Said("yes to nothing", ((MINE, word("", "APPLIED")),), HELD, "E_FORMAT"),
    Said("yes to an id of nobody's", ((MINE, word("d-none", "APPLIED")),), HELD, "E_NOT_FOUND"),
    Said("yes to its id and more", ((MINE, word("ID ", "APPLIED")),), HELD, "E_FORMAT"),
    Said("yes in small letters", ((MINE, word("ID", "applied")),), HELD, "E_CODELIST"),
    Said("yes in another word", ((MINE, word("ID", "OK")),), HELD, "E_CODELIST"),
    Said("yes as a number", ((MINE, word("ID", 200)),), HELD, "E_TYPE"),
    Said("yes as a truth", ((MINE, word("ID", True)),), HELD, "E_TYPE"),
    Said("yes without a word", ((MINE, {"acknowledgement": {"delivery_id": "ID"}}),), HELD,
         "E_REQUIRED"),
    Said("yes without an id", ((MINE, {"acknowledgement": {"code": "APPLIED"}}),), HELD,
         "E_REQUIRED"),
    Said("yes and more", ((MINE, word("ID", "APPLIED", delivered=True)),), HELD,
         "E_UNKNOWN_FIELD"),
    Said("half of yes", ((MINE, b.wire(YES)[:-9]),), HELD, "E_SYNTAX"),
    Said("yes, and yes behind it", ((MINE, b.wire(YES) * 2),), HELD, "E_SYNTAX"),
    Said("yes and no at once", ((MINE, BOTH),), HELD, "E_DUPLICATE_KEY"),
    Said("yes in a list", ((MINE, b"[" + b.wire(YES) + b"]"),), HELD, "E_TYPE"),
    Said("a word", ((MINE, b"APPLIED"),), HELD, "E_SYNTAX"),
    Said("a receipt of the hub's", ((MINE, {"status": "accepted", "message_id": "ID"}),), HELD,
         "E_UNKNOWN_FIELD"),
]  # fmt: skip


async def test_what_receivers_say_of_a_delivery(tmp_path: Path) -> None:
    """Delivered only by its own receiver's sound word; each word gets an answer by code."""
    post = await Post(tmp_path).open()
    sent = await handed_over(post)
    came: dict[str, tuple[State, str]] = {}

    for said in WORDS:
        post.world.put(sent)
        for number, (who, words) in enumerate(said.words):
            raw = words if isinstance(words, bytes) else b.wire(words)
            raw = raw.replace(b'"ID', b'"' + sent.delivery_id.encode())
            name = f"{said.name} {number}".replace(" ", "-")
            user = f"{who.lower()}-user"
            await post.take(raw, queue=f"caf.in.{who}", user=user, message_id=name)
        (found,) = post.world.deliveries(delivery_id=sent.delivery_id)
        answer = post.answers(f"caf.reply.{said.words[-1][0]}")[-1]
        came[said.name] = (found.state, answer.get("code", ""))

    assert came == {said.name: (said.state, said.code) for said in WORDS}
    assert len(WORDS) >= 20


async def handed_over(post: Post) -> Delivery:
    """Return a delivery to EHM-A that a broker holds."""
    await post.world.shared()
    sent = post.world.deliveries(partner="EHM-A", message_type="N7")[-1]
    return post.world.put(sent, state=State.HANDED_OVER, evidence={"confirmed": True})


async def test_yes_before_it_was_fetched_is_not_believed(tmp_path: Path) -> None:
    """Who got a notice alone has no content that it could have applied."""
    post = await Post(tmp_path).open()
    sent = await handed_over(post)
    one = post.world.partners["EHM-A"]
    thin = type(one.delivering)(channel="amqp", body="thin")
    post.world.partners["EHM-A"] = type(one)(
        **{**{name: getattr(one, name) for name in one.__slots__}, "delivering": thin}
    )

    await post.take(b.wire(YES).replace(b"ID", sent.delivery_id.encode()))

    assert post.world.deliveries(delivery_id=sent.delivery_id)[0].state is State.HANDED_OVER
    assert post.answers()[-1]["code"] == "E_STATE"


async def test_a_word_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    """The queue is its own, but not this user's."""
    post = await Post(tmp_path).open()
    sent = await handed_over(post)

    for number, user in enumerate((None, "hou-a-user", "guest")):
        body = b.wire(YES).replace(b"ID", sent.delivery_id.encode())
        await post.take(body, user=user, message_id=f"w-{number}")

    assert post.world.deliveries(delivery_id=sent.delivery_id)[0].state is State.HANDED_OVER
    assert {one["code"] for one in post.answers()} == {"E_UNAUTHENTICATED"}
