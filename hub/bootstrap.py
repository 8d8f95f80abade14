"""The composition root: the only module that knows every other one.

`compose` builds a whole hub from settings; nothing connects at import.  The parts are replaceable
by argument, with production as the default.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from random import Random
from typing import Any, Literal, Protocol

import yaml

from adapters.clock import OffsetFileClock, SystemClock
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.destinations.amqp import AmqpDestination, queue_of
from adapters.destinations.pull import PullDestination
from adapters.destinations.webhook import WebhookDestination
from adapters.notifications.child_index import ChildIndexDestination
from adapters.partners.profiles import load_registry
from adapters.tokens import TokenDesk
from hub.domain.exchange import State, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, Forbidden, InvalidContent, Malformed, Misconfigured, Unavailable
from hub.logging import log
from hub.ports import Clock, Destination, Digester, Reader, Rendered, Renderer, Session, Store
from hub.relaying import WORK, HintSource, Refill
from hub.secrets import Secret, read_secret
from hub.services.accept import Accepted, Acceptor, Incoming, Refused
from hub.services.collect import Collector
from hub.services.consents import Recorder
from hub.services.dispatch import Dispatcher
from hub.services.index import ChildIndex
from hub.services.lookup import Lookup
from hub.services.notify import Notifier
from hub.services.receipt import Receipt
from hub.services.receive import Receiver, sent_tree
from hub.services.see import Viewer
from hub.settings import Settings
from hub.worker import Hints, Workers
from mappings.engine.catalogue import Catalogue
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse
from mappings.formats.shapes import SHAPES
from mappings.translator import Translator
from messaging.channel import Disposition, Transport
from messaging.consumer import Consumer
from messaging.envelope import Envelope
from messaging.errors import TransportError, TransportUnavailable
from messaging.rabbit import RabbitTransport
from messaging.relay import Relay
from messaging.retry import next_delay
from messaging.topology import Topology

Role = Literal["all", "api", "worker"]
CANONICAL = "application/vnd.ecaf.message+json"
CONCURRENCY = 64
BROKER_SECONDS = 2.0
"""How long a start waits for the broker, which it can do without."""


class Closing(Protocol):
    """Something that holds connections."""

    async def close(self) -> None:
        """Let go of them."""
        ...


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """The store as the ledger of used assertions."""

    store: Store

    async def use(self, issuer: str, token_id: str, expires_at: float) -> bool:
        """Return whether this is the first use, in whichever process."""
        until = datetime.fromtimestamp(expires_at, UTC)
        return await self.store.run(lambda session: session.use_token(issuer, token_id, until))


def translator(canonical_url: str) -> Translator:
    """Return the reader and renderer over the shipped catalogue."""
    return Translator(Catalogue(SHAPES, let={"hub": canonical_url}), read_message)


class Hub:
    """The use cases behind the doors, composed (`hub.api.facade.Hub`)."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        clock: Clock,
        store: Store,
        digester: Digester,
        translation: Any,
        role: Role,
    ) -> None:
        """Wire the services; `running` starts what works in the background."""
        self.settings = settings
        self.registry = registry
        self.clock = clock
        self.store = store
        self.reader: Reader = translation
        self.renderer: Renderer = translation
        self.digester = digester
        self._role = role
        self.hints = Hints()
        self._acceptor = Acceptor(store, digester, clock, self.hints)
        self._receiver = Receiver(registry, digester)
        self._recorder = Recorder(registry)
        self._index = ChildIndex(store, digester, clock)
        self._notifier = Notifier(store, registry, digester, clock, self.hints)
        self._viewer = Viewer(store, self.renderer, digester, clock, registry.hub)
        self._lookup = Lookup(store, registry, clock)
        self.collector = Collector(store, registry, self.renderer, digester, clock, self.hints)
        self.workers: Workers | None = None
        self.transport: Transport | None = None
        self.relay: Relay | None = None
        self.source: HintSource | None = None

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Accept one message durably, or say why not."""
        read = self.reader.read(content_type, raw, partner=partner.name)
        message = read.message
        # A message may carry what has doors of its own; it needs the same permission as there.
        for payload, operation in (("consent_decision", "consent"), ("notification", "notify")):
            if payload in message and operation not in partner.operations:
                raise Forbidden(
                    Code.FORBIDDEN,
                    "the partner's profile does not allow this",
                    (Fault(Code.FORBIDDEN, f"/{payload}", f"needs the operation {operation}"),),
                )
        if "consent_decision" in message:
            decision = message["consent_decision"]
            return await self._decide(partner, str(decision["episode_id"]), raw, key, decision)
        if "acknowledgement" in message:
            said = message["acknowledgement"]
            return await self.collector.acknowledge(
                partner, str(said["delivery_id"]), str(said["code"])
            )
        if "notification" in message:
            return await self._notifier.notice(partner, raw, key, message["notification"])

        def meaning(session: Session, incoming: Incoming) -> Accepted | Refused:
            return self._receiver.receive(session, incoming, message, read.warnings)

        episode_id = str(sent_tree(message)["episode_id"])
        return await self._acceptor.accept(partner, content_type, raw, key, meaning, episode_id)

    def _payload(self, raw: bytes, name: str) -> Tree:
        """Read a bare payload as the wire message that carries it, by the same strict rules."""
        body = _object(raw)
        wrapped = json.dumps({name: body}, ensure_ascii=False).encode()
        payload: Tree = self.reader.read(CANONICAL, wrapped, partner="").message[name]
        return payload

    async def record_consent(
        self, partner: Partner, episode_id: str, raw: bytes, key: str
    ) -> Receipt:
        """Record one consent decision for an episode."""
        decision = self._payload(raw, "consent_decision")
        return await self._decide(partner, episode_id, raw, key, decision)

    async def _decide(
        self, partner: Partner, episode_id: str, raw: bytes, key: str, decision: Tree
    ) -> Receipt:
        def meaning(session: Session, incoming: Incoming) -> Accepted | Refused:
            return self._recorder.record(session, incoming, episode_id, decision)

        return await self._acceptor.accept(partner, CANONICAL, raw, key, meaning, episode_id)

    async def consents(self, partner: Partner, episode_id: str) -> Tree:
        """Return the decisions that this partner may know of."""
        return await self._lookup.consents(partner, episode_id)

    async def check_index(self, partner: Partner, raw: bytes) -> Tree:
        """Answer whether a CAF exists, and whom to ring."""
        return await self._index.check(partner, _object(raw))

    async def notice(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Take a notification; the answer never tells whether it matched."""
        del content_type  # one form so far: the notification itself as JSON
        return await self._notifier.notice(partner, raw, key, self._payload(raw, "notification"))

    async def view(
        self, partner: Partner, service: str, episode_id: str, purpose: str, accept: str
    ) -> Rendered:
        """Render what *service* may see of an episode now."""
        return await self._viewer.view(partner, service, episode_id, purpose, accept)

    async def inbox(self, partner: Partner, after: int, limit: int) -> Tree:
        """Return what waits for the partner."""
        return await self.collector.inbox(partner, after, limit)

    async def fetch(self, partner: Partner, delivery_id: str) -> Rendered:
        """Render one waiting delivery; the gate runs now."""
        return await self.collector.fetch(partner, delivery_id)

    async def acknowledge(self, partner: Partner, delivery_id: str, raw: bytes) -> Receipt:
        """Take the receiver's word on one delivery: ``{"code": "APPLIED"}``."""
        body = _object(raw)
        unknown = [name for name in body if name not in {"code", "rejected_reason"}]
        if unknown:
            fault = Fault(Code.UNKNOWN_FIELD, "", "send code, and rejected_reason if you like")
            raise InvalidContent(Code.UNKNOWN_FIELD, "unknown field", (fault,))
        return await self.collector.acknowledge(partner, delivery_id, str(body.get("code", "")))

    async def message(self, partner: Partner, message_id: str) -> Tree:
        """Return what became of a message that this partner sent."""
        return await self._lookup.message(partner, message_id)

    def directory(self) -> Tree:
        """Return accredited services and their channels; no personal data."""
        return self._lookup.directory()

    async def readiness(self) -> Mapping[str, Any]:
        """Return whether the hub can accept, by part; a missing broker delays, and is said."""
        parts = {"store": "up", "broker": "none"}
        try:
            await asyncio.wait_for(self.store.counts(), 2.0)
        except (Unavailable, TimeoutError):
            parts["store"] = "down"
        if self.transport is not None:
            parts["broker"] = str(self.transport.state)
        return {"ready": parts["store"] == "up", "parts": parts}

    async def summary(self) -> Tree:
        """Return deliveries by state, what is due now, and whether dispatch is paused."""
        counts = {state.value: 0 for state in State}
        counts.update(await self.store.counts())
        due = await self.store.due(self.clock.now(), 1_000)
        busy = self.workers.busy if self.workers else 0
        return {
            "deliveries": counts,
            "states": counts,
            "due": len(due),
            "busy": busy + len(self.hints),
            "paused": self.paused,
        }

    @property
    def paused(self) -> bool:
        """Whether nothing new is dispatched."""
        if self.source is not None:
            return self.source.paused
        return self.workers.paused if self.workers else False

    async def pause(self) -> None:
        """Stop dispatching; accepting goes on."""
        if self.source is not None:
            self.source.paused = True
        if self.workers:
            self.workers.pause()

    async def resume(self) -> None:
        """Dispatch again."""
        if self.source is not None:
            self.source.paused = False
        if self.workers:
            self.workers.resume()

    def dispatcher(self, destinations: Mapping[str, Destination]) -> Dispatcher:
        """Return the dispatcher of this process."""
        random = Random()

        def backoff(attempts: int, retry_after: float | None) -> float | None:
            return next_delay(attempts, random=random, retry_after=retry_after)

        return Dispatcher(
            store=self.store,
            registry=self.registry,
            renderer=self.renderer,
            digester=self.digester,
            clock=self.clock,
            destinations=destinations,
            handover=self.hints,
            backoff=backoff,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            lease=timedelta(seconds=self.settings.lease_seconds),
        )


def _object(raw: bytes) -> Tree:
    """Parse strict JSON that must be an object; raises `Malformed`."""
    body = parse(raw)
    if not isinstance(body, dict):
        raise Malformed(Code.TYPE, "an object is expected")
    return body


def topology() -> Topology:
    """Return the broker's topology as shipped."""
    text = resources.files("messaging").joinpath("topology.yaml").read_text("utf-8")
    return Topology.from_mapping(yaml.safe_load(text))


def destinations(hub: Hub) -> tuple[dict[str, Destination], list[Closing]]:
    """Return a destination for every partner, and what must be closed in the end."""
    made: dict[str, Destination] = {}
    closing: list[Closing] = []
    public = hub.settings.public_url
    for partner in hub.registry.partners.values():
        delivering = partner.delivering
        webhook = None
        if delivering.url is not None and delivering.secret_file is not None:
            webhook = WebhookDestination(
                delivering.url,
                read_secret(delivering.secret_file),
                public_url=public,
                ca_file=delivering.ca_file,
            )
            closing.append(webhook)
        match delivering.channel:
            case "webhook":
                if webhook is None:
                    raise _unserved(partner, "a webhook needs url and secret_file")
                made[partner.name] = webhook
            case "index":
                made[partner.name] = ChildIndexDestination(
                    hub.store,
                    hub.digester,
                    hub.clock,
                    webhook,
                )
            case "amqp":
                if hub.transport is None:
                    raise _unserved(partner, "the channel amqp needs ECAF_BROKER_URL")
                made[partner.name] = AmqpDestination(
                    partner.name, hub.transport.publisher, public_url=public
                )
            case "pull":
                made[partner.name] = PullDestination()
    return made, closing


def _unserved(partner: Partner, remedy: str) -> Misconfigured:
    return Misconfigured(
        Code.CONFIGURATION,
        f"partner {partner.name} cannot be served",
        [Fault(Code.CONFIGURATION, f"partners/{partner.name}.yaml: deliver", remedy)],
    )


def clock_of(settings: Settings) -> Clock:
    """Return the business clock: real time, or moved by a scenario's file."""
    if settings.clock_offset_file is not None:
        return OffsetFileClock(settings.clock_offset_file)
    return SystemClock()


def token_desk(hub: Hub) -> TokenDesk | None:
    """Return the token endpoint's desk, if the site has a signing key."""
    path = hub.settings.token_key_file
    if path is None:
        return None
    return TokenDesk(
        lambda: hub.registry,
        read_secret(path),
        hub.settings.public_url,
        TokensUsed(hub.store),
    )


@asynccontextmanager
async def compose(settings: Settings, role: Role = "all") -> AsyncIterator[Hub]:
    """Build a hub and run its background work while the block runs; then stop cleanly.

    Raises `Misconfigured` with every fault before anything is accepted.
    """
    registry = load_registry(settings.config_dir)
    vault = FileVault(settings.vault_key_file)
    url: Secret = settings.database_url
    if role != "all" and (settings.broker_url is None or url.reveal().startswith("sqlite")):
        raise Misconfigured(
            Code.CONFIGURATION,
            "separate roles need PostgreSQL and RabbitMQ",
            [Fault(Code.CONFIGURATION, "--role", "set ECAF_DATABASE_URL and ECAF_BROKER_URL")],
        )
    async with AsyncExitStack() as stack:
        store = SqlStore(url.reveal(), vault)
        stack.push_async_callback(store.close)
        hub = Hub(
            settings,
            registry,
            clock_of(settings),
            store,
            vault,
            translator(settings.canonical_url),
            role,
        )
        if settings.broker_url is not None:
            await _with_broker(hub, stack, settings.broker_url, role)
        else:
            await _embedded(hub, stack)
        purge = asyncio.create_task(_purging(hub))
        stack.callback(purge.cancel)
        yield hub


async def _embedded(hub: Hub, stack: AsyncExitStack) -> None:
    carriers, closing = destinations(hub)
    for each in closing:
        stack.push_async_callback(each.close)
    dispatcher = hub.dispatcher(carriers)
    hub.workers = Workers(
        dispatcher.deliver, hub.store, hub.clock, hub.hints, concurrency=CONCURRENCY
    )
    hub.workers.start()
    stack.push_async_callback(hub.workers.stop)


async def _with_broker(hub: Hub, stack: AsyncExitStack, url: Secret, role: Role) -> None:
    own = [p.name for p in hub.registry.partners.values() if p.delivering.channel == "amqp"]
    queues = {queue_of(name): name for name in own}
    refill = Refill(hub.store, hub.clock, queues)
    transport = RabbitTransport(url.reveal(), on_missing=refill.missing)
    hub.transport = transport
    stack.push_async_callback(transport.close)
    # Said before there is a connection, so that it holds for every connection that there will be.
    shape = topology()
    for name in queues:
        shape = shape.with_queue(name, max_length_bytes=None, message_ttl=None)
    with suppress(TransportUnavailable):
        await transport.declare(shape)
    opening = asyncio.create_task(_open(transport))
    stack.callback(opening.cancel)
    await asyncio.wait({opening}, timeout=BROKER_SECONDS)
    hub.source = HintSource(hub.hints, hub.store, hub.clock)
    hub.relay = Relay(hub.source, transport.publisher)
    hub.hints.on_offer = hub.relay.wake
    hub.relay.start()
    stack.push_async_callback(hub.relay.stop)
    if role == "api":
        return
    carriers, closing = destinations(hub)
    for each in closing:
        stack.push_async_callback(each.close)
    dispatcher = hub.dispatcher(carriers)

    async def handle(envelope: Envelope) -> None:
        await dispatcher.deliver(envelope.body.decode("ascii"))

    consumer = Consumer(
        transport.subscriber,
        WORK,
        handle,
        concurrency=CONCURRENCY,
        dispositions={Unavailable: Disposition.RETRY},
        publisher=transport.publisher,
        parked="caf.parked",
    )
    starting = asyncio.create_task(_start_consuming(consumer))
    stack.push_async_callback(consumer.stop)
    stack.callback(starting.cancel)


async def _open(transport: RabbitTransport) -> None:
    """Connect; accepting does not need the broker, and the transport goes on trying by itself."""
    try:
        await transport.open()
    except TransportError as fault:
        log.warning("broker.unavailable", error_class=type(fault).__name__)


async def _start_consuming(consumer: Consumer) -> None:
    """Subscribe as soon as the broker is there."""
    while True:
        try:
            await consumer.start()
        except TransportError as fault:
            log.warning("work.unavailable", error_class=type(fault).__name__)
            await asyncio.sleep(1.0)
        else:
            return


async def _purging(hub: Hub) -> None:
    """Destroy what is past its time, once a minute."""
    while True:
        await asyncio.sleep(60.0)
        try:
            await hub.store.purge(hub.clock.now())
        except Unavailable as fault:
            log.warning("purge.failed", code=fault.code.value)
