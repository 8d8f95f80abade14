"""What every destination promises, and what a partner's server cannot make a webhook do."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from adapters.destinations import thin
from adapters.destinations.amqp import AmqpDestination, queue_of
from adapters.destinations.breaker import Breaker
from adapters.destinations.mllp import MllpDestination
from adapters.destinations.pull import PullDestination
from adapters.destinations.webhook import WebhookDestination, WebhookLimits
from adapters.partners.keys import create_keys
from hub.domain.carriage import Parcel
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from hub.ports import Destination
from hub.secrets import Secret
from messaging.channel import Disposition
from messaging.envelope import Envelope
from messaging.memory import MemoryTransport
from messaging.rabbit import RabbitTransport
from messaging.topology import Topology
from tests.contract import receiver as server
from tests.contract.mllp_receiver import hospital
from tests.contract.receiver import Receiver, receiver, status
from tests.servers.rabbitmq import RabbitServer

PUBLIC = "https://hub.example"
SECRET = "whsec_" + "c2VjcmV0" * 6
BODY = '{"family_name": "Example–Canary"}'.encode()
LIMITS = WebhookLimits(
    connect_seconds=10.0, total_seconds=20.0, reply_seconds=0.2, reply_bytes=8_192, at_once=3
)
# For answers that never come; whatever should succeed is sent with LIMITS.
HASTY = replace(LIMITS, connect_seconds=1.0, total_seconds=0.6)
PARCEL = Parcel(
    delivery_id="d-1",
    message_type="N7",
    partner="EHM-A",
    attempt=1,
    possible_duplicate=False,
    content_type="application/fhir+json",
    body=BODY,
    thin=False,
    lane="ep-1",
    lane_sequence=3,
    urgent=False,
)

HL7 = replace(
    PARCEL,
    content_type="application/hl7-v2",
    body=b"MSH|^~\\&|urn:ecaf:hub|Hub|||20260901||REF^I12^REF_I12|M1|P|2.4\r",
)


@dataclass
class Carrier:
    """A destination, and a way to ask the other side what it got: (id, content type, body)."""

    destination: Destination
    got: Callable[[], Awaitable[list[tuple[str, str, bytes]]]]
    says_delivered: bool
    parcel: Parcel = PARCEL


async def queued(transport: MemoryTransport | RabbitTransport) -> AsyncIterator[Carrier]:
    """A carrier into a partner's queue."""
    await transport.open()
    try:
        await transport.declare(Topology.from_mapping({"version": 1, **TOPOLOGY}))
        await transport.declare_queue(queue_of("EHM-A"))
        taken: list[tuple[str, str, bytes]] = []
        arrived = asyncio.Event()

        async def take(envelope: Envelope) -> Disposition:
            assert envelope.headers["ecaf-message-type"] == "N7"
            taken.append((envelope.message_id, envelope.content_type, envelope.body))
            arrived.set()
            return Disposition.ACK

        async def got() -> list[tuple[str, str, bytes]]:
            running = await transport.subscriber.subscribe(queue_of("EHM-A"), take)
            await asyncio.wait_for(arrived.wait(), 30)
            await running.stop()
            return taken

        destination = AmqpDestination("EHM-A", transport.publisher, public_url=PUBLIC)
        carrier = Carrier(destination, got, says_delivered=False)
        yield carrier
        await transport.purge(queue_of("EHM-A"))
    finally:
        await transport.close()


TOPOLOGY = {
    "publish_to": "caf",
    "dead_letter_exchange": "caf.dead-letter",
    "exchanges": {"caf": {}, "caf.dead-letter": {}},
    "queues": {"caf.dead": {"max_length_bytes": 1_000_000}},
    "bindings": [{"exchange": "caf.dead-letter", "routing_key": "caf.dead", "queue": "caf.dead"}],
    "partner_queues": {
        "pattern": "caf.out.<partner>",
        "max_length_bytes": 1_000_000,
        "dead_letter": "caf.dead",
    },
}


@pytest.fixture(
    params=["webhook", "mllp", "memory", pytest.param("rabbitmq", marks=pytest.mark.broker)]
)
async def carrier(request: pytest.FixtureRequest) -> AsyncIterator[Carrier]:
    """Each way of carrying, over the real thing."""
    if request.param == "webhook":
        async with receiver() as far:
            hook = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC)

            async def got() -> list[tuple[str, str, bytes]]:
                return [
                    (r.headers["webhook-id"], r.headers["content-type"], r.body)
                    for r in far.received
                ]

            yield Carrier(hook, got, says_delivered=True)
            await hook.close()
    elif request.param == "mllp":
        async with hospital() as tie:
            line = MllpDestination("127.0.0.1", tie.port)

            async def received() -> list[tuple[str, str, bytes]]:
                return [("d-1", "application/hl7-v2", body) for body in tie.received]

            yield Carrier(line, received, says_delivered=True, parcel=HL7)
            await line.close()
    elif request.param == "memory":
        async for one in queued(MemoryTransport()):
            yield one
    else:
        broker: RabbitServer = request.getfixturevalue("rabbitmq")
        async for one in queued(RabbitTransport(broker.url)):
            yield one


async def test_the_body_arrives_as_it_is(carrier: Carrier) -> None:
    """Bytes, content type and delivery id are those of the parcel."""
    sent = carrier.parcel
    await carrier.destination.send(sent)

    assert await carrier.got() == [("d-1", sent.content_type, sent.body)]


async def test_delivered_means_that_the_receiver_said_so(carrier: Carrier) -> None:
    """A receiver's own 2xx delivers; a broker's confirm only hands over."""
    outcome = await carrier.destination.send(carrier.parcel)

    assert outcome.delivered is carrier.says_delivered
    assert outcome.evidence in ({"status": 204}, {"ack": "AA", "messages": 1}, {"confirmed": True})


async def test_a_thin_parcel_carries_no_content(carrier: Carrier) -> None:
    """A CloudEvent with opaque ids and where to fetch; no content, and not delivered."""
    if carrier.parcel is HL7:
        with pytest.raises(Rejected):
            await carrier.destination.send(replace(HL7, thin=True))
        return
    outcome = await carrier.destination.send(replace(PARCEL, thin=True))

    ((delivery_id, kind, body),) = await carrier.got()
    assert (delivery_id, kind) == ("d-1", "application/cloudevents+json")
    assert b"Canary" not in body
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "d-1",
        "type": "example.ecaf.caf.content.shared.v1",
        "source": "urn:ecaf:hub",
        "subject": "ep-1",
        "dataref": "https://hub.example/deliveries/d-1",
        "sequence": "0000000003",
    }
    assert outcome.delivered is False


def test_every_message_type_has_a_notice() -> None:
    """Two notices of one parcel are the same bytes, and none of the sixteen types is missing."""
    for number in range(1, 17):
        parcel = replace(PARCEL, message_type=f"N{number}", thin=True)
        assert thin.notice(parcel, PUBLIC) == thin.notice(parcel, PUBLIC)


@pytest.mark.parametrize(
    "change",
    [{"message_type": "N99"}, {"delivery_id": "Ava Example"}, {"lane": "ep 1"}, {"lane": ""}],
)
def test_a_notice_holds_opaque_ids_only(change: dict[str, str]) -> None:
    """Attributes travel in clear: what does not look like an id does not travel."""
    with pytest.raises(Rejected):
        thin.notice(replace(PARCEL, **change), PUBLIC)  # type: ignore[arg-type]


async def test_pulling_partners_are_sent_nothing() -> None:
    """The parcel waits; only the partner's acknowledgement ends it."""
    outcome = await PullDestination().send(PARCEL)

    assert outcome.delivered is False


@pytest.fixture
async def far() -> AsyncIterator[Receiver]:
    """A partner's server."""
    async with receiver() as one:
        yield one


@pytest.fixture
async def hook(far: Receiver) -> AsyncIterator[WebhookDestination]:
    """A webhook to it, with no breaker in the way."""
    one = WebhookDestination(
        far.url, Secret(SECRET), public_url=PUBLIC, limits=LIMITS, breaker=Breaker(threshold=10**6)
    )
    yield one
    await one.close()


@pytest.fixture
async def hasty(far: Receiver) -> AsyncIterator[WebhookDestination]:
    """A webhook to it that soon gives up."""
    one = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC, limits=HASTY)
    yield one
    await one.close()


async def test_a_webhook_is_signed_over_its_bytes(hook: WebhookDestination, far: Receiver) -> None:
    """The receiver's library accepts it, refuses it changed, and finds our headers."""
    await hook.send(replace(PARCEL, attempt=2, possible_duplicate=True))

    (got,) = far.received
    Webhook(SECRET).verify(got.body, got.headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(got.body + b" ", got.headers)
    assert (got.headers["ecaf-message-type"], got.headers["ecaf-sequence"]) == ("N7", "3")
    assert got.headers["ecaf-possible-duplicate"] == "true"
    assert got.target == "/hook"
    assert "Canary" not in str(got.headers)


async def test_every_attempt_has_the_same_id(hook: WebhookDestination, far: Receiver) -> None:
    """A receiver that honours ids applies it once."""
    far.answers.extend([status(500), server.reset])
    for _ in range(2):
        with pytest.raises(Unavailable):
            await hook.send(PARCEL)
    await hook.send(PARCEL)

    assert {got.headers["webhook-id"] for got in far.received} == {"d-1"}


async def test_a_recall_is_only_handed_over(hook: WebhookDestination) -> None:
    """N10 asks the receiver to do something; its 2xx is not yet the deed."""
    assert (await hook.send(replace(PARCEL, message_type="N10"))).delivered is False


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
async def test_any_2xx_delivers(hook: WebhookDestination, far: Receiver, code: int) -> None:
    """The evidence is the status."""
    far.answers.append(status(code))

    outcome = await hook.send(PARCEL)

    assert (outcome.delivered, outcome.evidence) == (True, {"status": code})


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_try_again_later(hook: WebhookDestination, far: Receiver, code: int) -> None:
    """These say nothing about the message; Retry-After is honoured up to six hours."""
    far.answers.extend([status(code), status(code, "Retry-After: 120"),
                        status(code, "Retry-After: 999999999")])  # fmt: skip
    waits = []
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await hook.send(PARCEL)
        waits.append(caught.value.retry_after)

    assert waits == [None, 120.0, 21_600.0]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308, 304, 400, 401, 403, 404, 409, 410, 422])
async def test_never_as_it_stands(hook: WebhookDestination, far: Receiver, code: int) -> None:
    """A redirect is never followed, and a refusal is not repeated."""
    async with receiver() as elsewhere:
        far.answers.append(status(code, f"Location: {elsewhere.url}"))

        with pytest.raises(Rejected):
            await hook.send(PARCEL)

        assert elsewhere.received == []
    assert len(far.received) == 1


@pytest.mark.parametrize(
    ("behaviour", "waits"),
    [
        (server.silence, True),
        (server.half, True),
        (server.reset, False),
        (server.garbage, False),
    ],
)
async def test_a_lost_reply_is_unknown_and_tried_again(
    hasty: WebhookDestination,
    hook: WebhookDestination,
    far: Receiver,
    behaviour: server.Behaviour,
    waits: bool,
) -> None:
    """Within the time allowed, and the next attempt goes through."""
    far.answers.append(behaviour)
    started = time.monotonic()

    with pytest.raises(Unavailable) as caught:
        await (hasty if waits else hook).send(PARCEL)

    assert time.monotonic() - started < 15
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    far.answers.clear()  # if it never came to that
    assert (await hook.send(PARCEL)).delivered is True


@pytest.mark.parametrize("behaviour", [server.endless, server.trickle])
async def test_a_talkative_receiver_is_cut_short(
    hook: WebhookDestination, far: Receiver, behaviour: server.Behaviour
) -> None:
    """Its status counts; what it says after that is dropped, with the connection."""
    far.answers.append(behaviour)
    started = time.monotonic()

    outcome = await hook.send(PARCEL)

    assert outcome.delivered is True
    assert time.monotonic() - started < 15
    assert (await hook.send(PARCEL)).delivered is True
    assert far.connections == 2


async def test_a_long_reply_is_dropped_by_its_length(far: Receiver) -> None:
    """However patient the clock, 64 KiB are enough."""
    patient = replace(LIMITS, reply_seconds=30.0)
    hook = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC, limits=patient)
    far.answers.append(server.endless)

    assert (await hook.send(PARCEL)).delivered is True

    await hook.close()


async def test_nobody_there_is_unavailable() -> None:
    """A refused connection is tried again later."""
    async with receiver() as gone:
        url = gone.url
    hook = WebhookDestination(url, Secret(SECRET), public_url=PUBLIC, limits=LIMITS)

    with pytest.raises(Unavailable) as caught:
        await hook.send(PARCEL)

    assert caught.value.code is Code.UNAVAILABLE
    await hook.close()


async def test_connections_are_kept_and_counted(hook: WebhookDestination, far: Receiver) -> None:
    """One after the other they share a connection; at the same time there are three at most."""
    for _ in range(5):
        await hook.send(PARCEL)
    assert far.connections == 1

    far.answers.extend([status(204, after=0.05)] * 12)
    await asyncio.gather(*(hook.send(PARCEL) for _ in range(12)))

    assert far.most_at_once == 3


async def test_the_environment_names_no_proxy(
    hook: WebhookDestination, far: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy variable on the host does not see what families told."""
    async with receiver() as spy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{spy.port}")
        fresh = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC)

        await fresh.send(PARCEL)
        await fresh.close()

        assert spy.received == []


@pytest.mark.parametrize(
    "url", ["http://partner.example/hook", "ftp://127.0.0.1/", "http://10.0.0.1/"]
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    """Anywhere else a webhook is https."""
    with pytest.raises(Misconfigured):
        WebhookDestination(url, Secret(SECRET), public_url=PUBLIC)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_x"])
def test_a_webhook_needs_a_secret(secret: str) -> None:
    """An empty or broken secret would sign nothing."""
    with pytest.raises(Misconfigured):
        WebhookDestination("https://partner.example/", Secret(secret), public_url=PUBLIC)


async def test_only_the_pinned_authority_is_trusted(tmp_path: Path) -> None:
    """A certificate by another authority is no connection at all."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, theirs = create_keys(tmp_path / "a"), create_keys(tmp_path / "b")
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(ours.server_cert, ours.server_key)
    async with receiver(trust) as far:
        url = far.url.replace("http:", "https:")
        outcomes: list[bool | None] = []
        for ca_file in (ours.ca_cert, theirs.ca_cert, None):
            hook = WebhookDestination(
                url, Secret(SECRET), public_url=PUBLIC, ca_file=ca_file, limits=LIMITS
            )
            try:
                outcomes.append((await hook.send(PARCEL)).delivered)
            except Unavailable:
                outcomes.append(None)
            await hook.close()

    assert outcomes == [True, None, None]
    assert len(far.received) == 1


async def test_a_body_that_is_not_text_is_refused(hook: WebhookDestination, far: Receiver) -> None:
    """The signature is defined over text; nothing is sent unsigned instead."""
    with pytest.raises(Rejected):
        await hook.send(replace(PARCEL, body=b"\xff\xfe"))

    assert far.received == []


async def test_five_failures_rest_the_destination_and_a_probe_wakes_it(far: Receiver) -> None:
    """While it rests nothing is sent; after the rest one goes first, and its outcome decides."""
    now = [0.0]
    breaker = Breaker(rest=30.0, clock=lambda: now[0])
    hook = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC, breaker=breaker)
    far.answers.extend([status(500)] * 4 + [status(400)] + [status(500)] * 6)
    far.answers.append(status(204, after=0.2))

    async def attempt() -> str:
        try:
            return "delivered" if (await hook.send(PARCEL)).delivered else "handed over"
        except Unavailable as error:
            return f"rest {error.retry_after:g}" if error.retry_after else "failed"
        except Rejected:
            return "refused"

    first = [await attempt() for _ in range(10)]
    assert first == ["failed"] * 4 + ["refused"] + ["failed"] * 5, "a refusal is an answer"
    now[0] = 10.0
    assert await attempt() == "rest 20"
    now[0] = 31.0
    assert await attempt() == "failed", "the probe"
    assert await attempt() == "rest 30"
    now[0] = 62.0
    assert sorted(await asyncio.gather(attempt(), attempt())) == ["delivered", "rest 1"]
    assert breaker.open is False
    assert len(far.received) == 12
    await hook.close()


async def test_a_cancelled_probe_leaves_room_for_the_next(far: Receiver) -> None:
    """A worker that is stopped in mid-probe does not close the door for ever."""
    now = [0.0]
    breaker = Breaker(threshold=1, clock=lambda: now[0])
    hook = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC, breaker=breaker)
    far.answers.extend([status(500), server.silence])
    with pytest.raises(Unavailable):
        await hook.send(PARCEL)
    now[0] = 31.0
    probe = asyncio.create_task(hook.send(PARCEL))
    await asyncio.sleep(0.1)

    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)

    assert (await hook.send(PARCEL)).delivered is True
    await hook.close()


async def test_the_signature_has_the_moment_of_sending(far: Receiver) -> None:
    """Real time, not the business clock: receivers refuse what is five minutes old."""
    hook = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC)

    await hook.send(PARCEL)

    stamp = int(far.received[0].headers["webhook-timestamp"])
    assert abs(stamp - datetime.now(UTC).timestamp()) < 60
    await hook.close()


async def test_a_missing_or_full_queue_is_tried_again() -> None:
    """The message is still good: the queue is the hub's to declare, and the partner's to empty."""
    transport = MemoryTransport()
    await transport.open()
    await transport.declare(Topology.from_mapping({"version": 1, **TOPOLOGY}))
    destination = AmqpDestination("EHM-A", transport.publisher, public_url=PUBLIC)

    with pytest.raises(Unavailable) as missing:
        await destination.send(PARCEL)
    await transport.declare_queue(queue_of("EHM-A"), max_length_bytes=len(BODY))
    await destination.send(PARCEL)
    with pytest.raises(Unavailable) as full:
        await asyncio.gather(*(destination.send(PARCEL) for _ in range(10)))
    await transport.close()
    with pytest.raises(Unavailable) as down:
        await destination.send(PARCEL)

    assert [caught.value.code for caught in (missing, full, down)] == [
        Code.TOPOLOGY, Code.UNAVAILABLE, Code.OUTCOME_UNKNOWN,
    ]  # fmt: skip
