"""The composition root: the only module that knows every other one.

`compose` builds a whole hub from settings; nothing connects at import.  The parts are replaceable
by argument, with production as the default.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from shutil import disk_usage
from typing import Literal

import yaml

from adapters.clock import OffsetFileClock, SystemClock
from adapters.consent.fhir_server import FhirConsentServer, Limits
from adapters.consent.site import load_registers
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.destinations.amqp import queue_of
from adapters.destinations.fhir import CONTENT_TYPE as FHIR
from adapters.destinations.mllp import CONTENT_TYPE as HL7V2
from adapters.notifications.govuk_notify import GovUkNotify, load_notify
from adapters.partners.profiles import load_registry
from adapters.partners.suspensions import read_suspensions, suspended
from adapters.tokens import TokenDesk
from hub.activating import Activation, Loaded, digest_of, unlike_the_start
from hub.domain.exchange import UNSETTLED, Tree
from hub.domain.partner import Registry
from hub.errors import Code, Fault, Misconfigured, Unavailable
from hub.hub import Hub
from hub.logging import log
from hub.measuring import MeasuredPublisher
from hub.ports import Clock, Store
from hub.positioned import Problems
from hub.reaching import Carriers, unserved
from hub.relaying import WORK, HintSource, Refill
from hub.secrets import Secret, read_secret
from hub.services.brake import Brake, Pull
from hub.services.clock_watch import ClockWatch
from hub.services.copying import External
from hub.services.polling import Poller, every
from hub.services.purging import purging
from hub.services.ringing import Ringer
from hub.settings import Settings
from hub.telemetry import traces_to
from hub.tracing import Traces
from hub.worker import Workers
from mappings.engine.catalogue import Format
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse
from mappings.forms.forms import load_forms
from mappings.forms.reader import FormReader
from mappings.site import site_catalogue
from mappings.translator import Translator
from messaging.channel import Disposition
from messaging.consumer import Consumer
from messaging.envelope import Envelope
from messaging.errors import TransportError, TransportUnavailable
from messaging.rabbit import RabbitTransport
from messaging.relay import Relay
from messaging.topology import Topology

Role = Literal["all", "api", "worker"]
CONCURRENCY = 64
CONSENT = "fhir-r4/consent"
"""The mapping by which Consents of external registers are read."""
BROKER_SECONDS = 2.0
"""How long a start waits for the broker, which it can do without."""


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """The store as the ledger of used assertions."""

    store: Store

    async def use(self, issuer: str, token_id: str, expires_at: float) -> bool:
        """Return whether this is the first use, in whichever process."""
        until = datetime.fromtimestamp(expires_at, UTC)
        return await self.store.run(lambda session: session.use_token(issuer, token_id, until))


def translator(canonical_url: str, site: Path | None = None) -> Translator:
    """Return the reader and renderer over what is shipped and what the folder *site* adds."""
    return Translator(site_catalogue(site, {"hub": canonical_url}), read_message)


def ready(both: Translator, registry: Registry) -> list[Format]:
    """Compile the sending of what partners take, so that no message waits for it, and return it.

    Raises `Misconfigured` for a format that does not exist: better no start than a quarantine full.
    """
    taken: dict[int, Format] = {}
    for partner in registry.partners.values():
        delivering = partner.delivering
        names = {delivering.content, delivering.notification, delivering.answers}
        for name in filter(None, names):
            one = both.catalogue.format(name, partner.name)
            if one is None:
                known = ", ".join(both.formats())
                fault = Fault(Code.CONFIGURATION, f"partners/{partner.name}", f"one of {known}")
                raise Misconfigured(
                    Code.CONFIGURATION, f"{partner.name} takes {name}, which is no format", [fault]
                )
            if delivering.channel == "mllp" and one.head.content_type != HL7V2:
                raise unserved(partner, f"MLLP carries HL7 v2, and {name} is something else")
            if delivering.channel == "fhir" and one.head.content_type != FHIR:
                raise unserved(partner, f"the channel fhir carries FHIR, and {name} is none")
            one.compiled.ready(to_read=False)
            taken[id(one)] = one
        narrower = both.catalogue.narrower(partner.delivering.notification)
        if narrower is not None:
            where = f"partners/{partner.name}"
            raise Misconfigured(
                Code.CONFIGURATION,
                f"{partner.name} would be told in a format for content",
                [Fault(Code.CONFIGURATION, where, f"notification: {narrower}")],
            )
    return list(taken.values())


async def _reading(taken: Iterable[Format]) -> None:
    """Compile the reading of what partners take: who takes a format may well send it, too.

    Beside the work, so that the start does not wait for it; whoever is quicker compiles it.
    """
    for one in taken:
        await asyncio.to_thread(one.compiled.ready)


def topology() -> Topology:
    """Return the broker's topology as shipped."""
    text = resources.files("messaging").joinpath("topology.yaml").read_text("utf-8")
    return Topology.from_mapping(yaml.safe_load(text))


def shape_of(registry: Registry) -> Topology:
    """Return the topology of a hub with these partners: as shipped, and their own queues."""
    shape = topology()
    for partner in registry.partners.values():
        if partner.delivering.channel == "amqp":
            name = queue_of(partner.name)
            shape = shape.with_queue(name, max_length_bytes=None, message_ttl=None)
        held = registry.credentials.get(partner.name)
        if held is not None and held.amqp is not None and held.amqp.sends:
            shape = shape.with_sender(partner.name)
    return shape


def consent_servers(
    settings: Settings, both: Translator
) -> tuple[list[External], list[FhirConsentServer]]:
    """Return the external registers of consent that the site configures, and their servers."""

    def decision(raw: bytes) -> Tree:
        message = both.read_format(both.mapping(CONSENT), raw).message
        found: Tree = message["consent_decision"]
        return found

    external, servers = [], []
    for one in load_registers(settings.config_dir):
        server = FhirConsentServer(
            one.url,
            decision,
            parse,
            ids=f"{settings.canonical_url}/Id",
            search=one.search,
            history=one.history,
            token=None if one.token_file is None else read_secret(one.token_file),
            ca_file=one.ca_file,
            limits=Limits(total_seconds=float(one.timeout_seconds)),
            reach=one.reach,
        )
        servers.append(server)
        lease = timedelta(seconds=one.lease_seconds)
        external.append(External(one.name, one.authorities, server, lease))
    return external, servers


def load(settings: Settings, clock: Clock) -> Loaded:
    """Return the site's folder as the hub would work with it; `Misconfigured` with every fault."""
    folder = settings.config_dir
    registry, both = load_registry(folder), translator(settings.canonical_url, folder)
    ready(both, registry)
    return Loaded(registry, FormReader(both, load_forms(folder), clock), both, digest_of(folder))


def activation(hub: Hub) -> Activation:
    """Return by what *hub* takes changed profiles, mappings and suspensions."""
    folder = hub.settings.config_dir
    return Activation(
        hub,
        partial(load, hub.settings, hub.clock),
        lambda: read_suspensions(folder, Problems()),
        partial(suspended, folder),
        unlike_the_start(folder),
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
        store = SqlStore(url.reveal(), vault, statement_seconds=settings.bounds.statement_seconds)
        stack.push_async_callback(store.close)
        both = translator(settings.canonical_url, settings.config_dir)
        taken = ready(both, registry)
        clock = clock_of(settings)
        reader = FormReader(both, load_forms(settings.config_dir), clock)
        external, servers = consent_servers(settings, both)
        for server in servers:
            stack.push_async_callback(server.close)
        traces = traces_to(settings.traces_url)
        if traces is not None:
            stack.push_async_callback(traces.close)
        hub = Hub(settings, registry, clock, store, vault, reader, both, parse, external, traces)
        hub.activation = activation(hub)
        if settings.broker_url is not None:
            await _with_broker(hub, stack, settings.broker_url, role, traces)
        else:
            await _embedded(hub, stack, traces)
        if role != "api":
            hub.noticing.matcher.start()
            stack.push_async_callback(hub.noticing.matcher.stop)
            for due in (hub.scheduler, hub.overdue):
                stack.callback(asyncio.create_task(due.forever()).cancel)
            _ring(hub, stack)
            if external:
                leases = [one.lease.total_seconds() for one in external]
                polling = asyncio.create_task(Poller(store, hub.registers, every(leases)).forever())
                stack.callback(polling.cancel)
        hub.brake = brake_of(hub)
        watch = ClockWatch(clock, store, believing=settings.clock_offset_file is not None)
        beside = (purging(store, watch), _reading(taken), watch.forever())
        for work in (*beside, hub.brake.forever(), hub.activation.watch()):
            stack.callback(asyncio.create_task(work).cancel)
        yield hub


def brake_of(hub: Hub) -> Brake:
    """Return what refuses content before there is more of it than the hub can carry."""
    url, bounds = hub.settings.database_url.reveal(), hub.settings.bounds
    folder = hub.settings.config_dir
    if url.startswith("sqlite"):
        folder = Path(url.partition("///")[2]).absolute().parent
    at = Pull(bounds.backlog, bounds.disk_bytes, bounds.database_milliseconds / 1000)
    return Brake(partial(hub.store.counts, UNSETTLED), lambda: disk_usage(folder).free, at)


def _ring(hub: Hub, stack: AsyncExitStack) -> None:
    """Tell people that there are alerts, if the site has a ``notify.yaml``."""
    told = load_notify(hub.settings.config_dir)
    if told is None:
        return
    bell = GovUkNotify(told)
    stack.push_async_callback(bell.close)
    owner = f"{socket.gethostname()}:{os.getpid()}"
    ringer = Ringer(hub.store, hub.clock, told.people, bell, owner)
    stack.callback(asyncio.create_task(ringer.forever()).cancel)


async def _embedded(hub: Hub, stack: AsyncExitStack, traces: Traces | None) -> None:
    carriers = _carriers(hub, stack, traces)
    hub.workers = Workers(
        *(carriers.deliver, hub.store, hub.clock, hub.hints),
        concurrency=CONCURRENCY,
        full=hub.rooms.full,
    )
    hub.workers.start()
    stack.push_async_callback(hub.workers.stop)


def _carriers(hub: Hub, stack: AsyncExitStack, traces: Traces | None) -> Carriers:
    """Return what carries this process's deliveries, closed with the *stack*."""
    carriers = Carriers(hub, traces)
    stack.push_async_callback(carriers.close)
    carriers.adopt(carriers.prepare(hub.registry))
    if hub.activation is not None:
        hub.activation.carriers = carriers
    hub.isolation = carriers.isolation
    return carriers


async def _with_broker(
    hub: Hub, stack: AsyncExitStack, url: Secret, role: Role, traces: Traces | None
) -> None:
    own = [p.name for p in hub.registry.partners.values() if p.delivering.channel == "amqp"]
    queues = {queue_of(name): name for name in own}

    async def follow(registry: Registry) -> None:
        """Have the queues of new partners: the transport makes them now, or when it connects."""
        added = [p.name for p in registry.partners.values() if p.delivering.channel == "amqp"]
        queues.update({queue_of(name): name for name in added})
        with suppress(TransportUnavailable):
            await transport.declare(shape_of(registry))

    if hub.activation is not None:
        hub.activation.followers.append(follow)
    refill = Refill(hub.store, hub.clock, queues)
    transport = RabbitTransport(url.reveal(), on_missing=refill.missing)
    hub.transport = transport
    stack.push_async_callback(transport.close)
    # Said before there is a connection, so that it holds for every connection that there will be.
    with suppress(TransportUnavailable):
        await transport.declare(shape_of(hub.registry))
    opening = asyncio.create_task(_open(transport))
    stack.callback(opening.cancel)
    await asyncio.wait({opening}, timeout=BROKER_SECONDS)
    if hub.settings.database_url.reveal().startswith("sqlite"):
        # Nobody shares its work, so none of it goes round by the broker, or stands while that does.
        await _embedded(hub, stack, traces)
        return
    hub.source = HintSource(hub.hints, hub.store, hub.clock, hub.rooms.full)
    hub.relay = Relay(hub.source, MeasuredPublisher(transport.publisher, hub.metrics))
    hub.hints.on_offer = hub.relay.wake
    hub.relay.start()
    stack.push_async_callback(hub.relay.stop)
    if role == "api":
        return
    carriers = _carriers(hub, stack, traces)

    async def handle(envelope: Envelope) -> None:
        await carriers.deliver(envelope.body.decode("ascii"))

    consumer = Consumer(
        transport.subscriber,
        WORK,
        handle,
        concurrency=CONCURRENCY,
        dispositions={Unavailable: Disposition.RETRY},
        publisher=transport.publisher,
        parked="caf.parked",
    )
    hub.consumer = consumer
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
