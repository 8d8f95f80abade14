"""How each partner is reached: a destination for every profile, and what holds connections."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from adapters.destinations.amqp import AmqpDestination
from adapters.destinations.breaker import Breaker
from adapters.destinations.fhir import FhirDestination, FhirLimits
from adapters.destinations.mesh import MeshDestination
from adapters.destinations.mllp import MllpDestination, MllpLimits
from adapters.destinations.plugged import PluggedDestination, maker
from adapters.destinations.pull import PullDestination
from adapters.destinations.sftp import SftpDestination
from adapters.destinations.webhook import WebhookDestination, WebhookLimits
from adapters.mesh.mailbox import Mailbox
from adapters.mesh.site import FILE as MESH
from adapters.mesh.site import load_mesh
from adapters.notifications.child_index import ChildIndexDestination
from adapters.sftp.line import SftpLine
from hub.domain.partner import Delivering, Partner, Registry
from hub.errors import Code, Fault, Misconfigured
from hub.hub import Hub
from hub.isolation import Isolation
from hub.ports import Destination
from hub.secrets import read_secret
from hub.tracing import Traces, traced


class Closing(Protocol):
    """Something that holds connections."""

    async def close(self) -> None:
        """Let go of them."""
        ...


@dataclass(frozen=True, slots=True)
class Reached:
    """One partner's destination, what it was made from, and what must be closed in the end."""

    destination: Destination
    made_from: bytes
    closing: Closing | None = None
    breaker: Breaker | None = None


@dataclass
class Carriers:
    """The dispatcher of this process, over destinations that follow the profiles; where there are
    *traces*, each attempt is told to them.

    `adopt` replaces both: what is under way ends with those that it began with, and a destination
    that is used no more is closed when it must have ended.
    """

    hub: Hub
    traces: Traces | None = None
    isolation: Isolation = field(init=False)
    _reached: dict[str, Reached] = field(default_factory=dict)
    _mailbox: Mailbox | None = None
    _deliver: Callable[[str], Awaitable[None]] | None = None
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """No partner's deliveries stand in another's way."""
        self.isolation = Isolation(self._attempt, self.hub.rooms, self.hub.hints)

    async def deliver(self, delivery_id: str) -> None:
        """Attempt one delivery; return when it has ended, or sooner if it takes long."""
        await self.isolation.deliver(delivery_id)

    async def _attempt(self, delivery_id: str) -> None:
        """Attempt one delivery, with what is in force now."""
        if self._deliver is None:
            raise RuntimeError("adopt comes first")
        await self._deliver(delivery_id)

    def prepare(self, registry: Registry) -> Mapping[str, Reached]:
        """Return the destinations of *registry*: those that are here, new ones where a profile or
        one of its files has changed.  Raises `Misconfigured`; nothing is replaced yet.
        """
        made: dict[str, Reached] = {}
        for name, partner in registry.partners.items():
            made_from = fingerprint(partner.delivering)
            here = self._reached.get(name)
            made[name] = here if here and here.made_from == made_from else self._made(partner)
        return made

    def adopt(self, made: Mapping[str, Reached]) -> None:
        """Send by these from now on, as the hub's registry says."""
        kept = {id(one) for one in made.values()}
        gone = [one for one in self._reached.values() if id(one) not in kept]
        self._reached = dict(made)
        dispatcher = self.hub.dispatcher({name: one.destination for name, one in made.items()})
        self._deliver = traced(dispatcher, self.traces, self.hub.store)
        for one in gone:
            if one.closing is not None:
                leaving = asyncio.create_task(self._close_later(one.closing))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    def destination(self, name: str) -> Destination:
        """Return what carries to the partner of this name."""
        return self._reached[name].destination

    def breakers(self) -> Mapping[str, bool]:
        """Return of each partner whose destination has a breaker whether it is open."""
        found = ((name, one.breaker) for name, one in self._reached.items())
        return {name: breaker.open for name, breaker in found if breaker is not None}

    async def close(self) -> None:
        """End what is under way by itself, and let go of every connection."""
        await self.isolation.stop()
        for task in list(self._leaving):
            task.cancel()
        if self._leaving:
            await asyncio.wait(set(self._leaving))
        for one in self._reached.values():
            if one.closing is not None:
                await one.closing.close()
        if self._mailbox is not None:
            await self._mailbox.close()

    async def _close_later(self, one: Closing) -> None:
        with suppress(asyncio.CancelledError):
            # What was claimed before may be sent until its lease ends, and a send has its own time.
            settings = self.hub.settings
            await asyncio.sleep(settings.lease_seconds + settings.bounds.outbound_seconds)
        await one.close()

    def _made(self, partner: Partner) -> Reached:
        delivering, public = partner.delivering, self.hub.settings.public_url
        connecting = float(self.hub.settings.bounds.outbound_connect_seconds)
        whole = float(self.hub.settings.bounds.outbound_seconds)
        limits = WebhookLimits(connect_seconds=connecting, total_seconds=whole)
        made_from = fingerprint(delivering)
        match delivering.channel:
            case "webhook":
                webhook = webhook_of(delivering, public, limits)
                if webhook is None:
                    raise unserved(partner, "a webhook needs url and secret_file")
                return Reached(webhook, made_from, webhook, webhook.breaker)
            case "index":
                pushed = webhook_of(delivering, public, limits)
                hub = self.hub
                index = ChildIndexDestination(hub.store, hub.digester, hub.clock, pushed)
                return Reached(index, made_from, pushed, pushed.breaker if pushed else None)
            case "amqp":
                if self.hub.transport is None:
                    raise unserved(partner, "the channel amqp needs ECAF_BROKER_URL")
                publisher = self.hub.transport.publisher
                return Reached(
                    AmqpDestination(partner.name, publisher, public_url=public), made_from
                )
            case "pull":
                return Reached(PullDestination(), made_from)
            case "mllp":
                over_mllp = MllpDestination.to(
                    delivering, MllpLimits(connect_seconds=connecting, total_seconds=whole)
                )
                return Reached(over_mllp, made_from, over_mllp, over_mllp.breaker)
            case "mesh":
                if delivering.mesh is None:
                    raise unserved(partner, "the channel mesh needs mailbox and workflows")
                at_mesh = MeshDestination(self._at_mesh(partner), delivering.mesh)
                return Reached(at_mesh, made_from, None, at_mesh.breaker)
            case "fhir":
                in_fhir = FhirDestination.to(
                    delivering, FhirLimits(connect_seconds=connecting, total_seconds=whole)
                )
                return Reached(in_fhir, made_from, in_fhir, in_fhir.breaker)
            case "adapter":
                made = maker(delivering.adapter or "")
                if made is None:
                    raise unserved(partner, f"the adapter {delivering.adapter} is not installed")
                plugged = PluggedDestination(made(delivering), seconds=whole)
                return Reached(plugged, made_from, plugged, plugged.breaker)
            case "sftp":
                if delivering.sftp is None:
                    raise unserved(partner, "the channel sftp needs url, key_file and hosts_file")
                by_file = SftpDestination(SftpLine(delivering.sftp))
                return Reached(by_file, made_from, by_file, by_file.breaker)

    def _at_mesh(self, partner: Partner) -> Mailbox:
        if self._mailbox is None:
            site = load_mesh(self.hub.settings.config_dir)
            if site is None:
                raise unserved(partner, f"the channel mesh needs {MESH}")
            self._mailbox = Mailbox(site)
        return self._mailbox


def webhook_of(
    delivering: Delivering, public_url: str, limits: WebhookLimits | None = None
) -> WebhookDestination | None:
    """Return what signs and posts to the address of a profile, if it names one."""
    if delivering.url is None or delivering.secret_file is None:
        return None
    following = delivering.next_secret_file
    return WebhookDestination(
        delivering.url,
        read_secret(delivering.secret_file),
        public_url=public_url,
        ca_file=delivering.ca_file,
        next_secret=None if following is None else read_secret(following),
        reach=delivering.reach,
        limits=limits,
    )


def fingerprint(delivering: Delivering) -> bytes:
    """Return what tells one way to a partner from another, the contents of its files included."""
    taken = sha256(repr(delivering).encode())
    for path in _files(delivering):
        taken.update(path.read_bytes())
    return taken.digest()


def _files(one: Any) -> Iterator[Path]:
    for each in fields(one):
        value = getattr(one, each.name)
        if isinstance(value, Path):
            yield value
        elif is_dataclass(value):
            yield from _files(value)


def unserved(partner: Partner, remedy: str) -> Misconfigured:
    """Return that *partner* cannot be reached as its profile says, and what would mend it."""
    return Misconfigured(
        Code.CONFIGURATION,
        f"partner {partner.name} cannot be served",
        [Fault(Code.CONFIGURATION, f"partners/{partner.name}.yaml: deliver", remedy)],
    )
