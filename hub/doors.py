"""The doors other than HTTP, opened for a composed hub."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapters.doors import mesh, sftp
from adapters.doors.amqp import AmqpDoor, AmqpLimits
from adapters.doors.mesh import MeshDoor
from adapters.doors.mllp import DoorLimits, Intake, MllpDoor
from adapters.doors.sftp import SftpDoor
from adapters.mesh.mailbox import Mailbox
from adapters.mesh.site import FILE, MeshSite, load_mesh
from adapters.mllp.framer import FrameLimits
from adapters.sftp.line import SftpLine
from adapters.trust import mutual
from hub.bounds import CLOSING_SECONDS, Bounds
from hub.domain.partner import Registry
from hub.errors import Code, Fault, Misconfigured
from hub.hub import Hub
from hub.logging import log
from hub.settings import MllpListen, Settings
from messaging.rabbit_intake import RabbitIntake
from messaging.topology import Topology


def refuse_unfit_senders(settings: Settings, registry: Registry) -> None:
    """Raise `Misconfigured` where profiles and ``ECAF_MLLP_…`` contradict each other: who comes
    without a certificate comes to a plain door, and everybody else to one with TLS.
    """
    if settings.mllp is None:
        return
    plain = settings.mllp.ca_file is None
    faults = [
        Fault(
            Code.CONFIGURATION,
            f"partners/{name}.yaml: credentials.mllp",
            "needs certificates: the MLLP door is TLS"
            if held.mllp.plain
            else "needs plain: loopback (ECAF_MLLP_PLAIN), or give the door its certificate",
        )
        for name, held in sorted(registry.credentials.items())
        if held.mllp is not None and held.mllp.plain != plain
    ]
    if faults:
        raise Misconfigured(Code.CONFIGURATION, "profiles do not fit ECAF_MLLP_LISTEN", faults)


@asynccontextmanager
async def mllp_door(hub: Intake, settings: Settings) -> AsyncIterator[MllpDoor | None]:
    """Keep the MLLP door open while the block runs, if the site has one; then drain it.

    Raises `Misconfigured` where it cannot be opened.
    """
    if settings.mllp is None:
        yield None
        return
    refuse_unfit_senders(settings, hub.registry)
    door = _door(hub, settings.mllp, settings.bounds)
    try:
        await door.open()
    except (OSError, socket.gaierror) as error:
        fault = Fault(Code.CONFIGURATION, "ECAF_MLLP_LISTEN", "choose a free address")
        raise Misconfigured(
            Code.CONFIGURATION, "ECAF_MLLP_LISTEN: the address cannot be used", (fault,)
        ) from error
    log.info("mllp.open", port=door.port)
    try:
        yield door
    finally:
        await door.close()
        log.info("mllp.closed", port=door.port)


def limits_of(bounds: Bounds) -> DoorLimits:
    """Return what a site's limits are to the MLLP door."""
    return DoorLimits(
        frame=FrameLimits(bounds.body_bytes, float(bounds.mllp_frame_seconds)),
        connections=min(bounds.mllp_connections_read, bounds.mllp_connections),
        waiting=bounds.mllp_connections,
        per_address=bounds.mllp_connections_per_address,
        idle_seconds=float(bounds.idle_seconds),
        drain_seconds=float(bounds.stop_seconds - CLOSING_SECONDS),
    )


def _door(hub: Intake, listen: MllpListen, bounds: Bounds) -> MllpDoor:
    tls = None
    if listen.ca_file is not None and listen.cert_file is not None and listen.key_file is not None:
        tls = mutual(listen.ca_file, listen.cert_file, listen.key_file)
    limits = limits_of(bounds)
    return MllpDoor(hub, listen.at.host, listen.at.port, tls=tls, limits=limits)


def refuse_without_mesh(site: MeshSite | None, registry: Registry) -> None:
    """Raise `Misconfigured` where profiles speak of MESH and the site has no mailbox."""
    if site is not None:
        return
    faults = [
        Fault(Code.CONFIGURATION, f"partners/{name}.yaml: {part}", f"needs {FILE}: a mailbox")
        for name, partner in sorted(registry.partners.items())
        for part, there in (
            ("deliver", partner.delivering.channel == "mesh"),
            ("credentials.mesh", name in registry.credentials and _sends(registry, name)),
        )
        if there
    ]
    if faults:
        raise Misconfigured(Code.CONFIGURATION, f"profiles need {FILE}", faults)


def _sends(registry: Registry, name: str) -> bool:
    return registry.credentials[name].mesh is not None


@asynccontextmanager
async def mesh_door(hub: mesh.Intake, settings: Settings) -> AsyncIterator[MeshDoor | None]:
    """Look into the hub's mailbox at MESH while the block runs, if the site has one.

    Raises `Misconfigured` where its file or secrets are wrong; that MESH is away is no reason not
    to start.
    """
    site = load_mesh(settings.config_dir)
    refuse_without_mesh(site, hub.registry)
    if site is None:
        yield None
        return
    mailbox = Mailbox(site, threads=1)
    owner = f"{socket.gethostname()}:{os.getpid()}"
    door = MeshDoor(hub, mailbox, owner=owner, canonical=settings.canonical_url)
    looking = asyncio.create_task(door.forever())
    log.info("mesh.open", seconds=float(site.poll_seconds))
    try:
        yield door
    finally:
        looking.cancel()
        await asyncio.wait({looking})
        await mailbox.close()
        log.info("mesh.closed")


@dataclass
class SftpDoors:
    """A door for every partner that sends files; `follow` goes with the profiles."""

    hub: sftp.Intake
    largest: int = sftp.LARGEST
    doors: list[SftpDoor] = field(default_factory=list)
    _looking: set[asyncio.Task[None]] = field(default_factory=set)

    async def follow(self, registry: Registry) -> None:
        """Look into the folders that *registry* names, and no others."""
        wanted = {name: one.sftp for name, one in registry.credentials.items() if one.sftp}
        if wanted == {door.name: door.sender for door in self.doors}:
            return
        await self.close()
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self.doors = [
            SftpDoor(self.hub, name, sender, SftpLine(sender.place), owner, largest=self.largest)
            for name, sender in sorted(wanted.items())
        ]
        self._looking = {asyncio.create_task(door.forever()) for door in self.doors}

    async def close(self) -> None:
        """Look no more; a file that was not dealt with to its end lies there still."""
        for task in self._looking:
            task.cancel()
        if self._looking:
            await asyncio.wait(self._looking)
        for door in self.doors:
            await door.line.close()
        self.doors, self._looking = [], set()


@asynccontextmanager
async def sftp_doors(hub: sftp.Intake, largest: int = sftp.LARGEST) -> AsyncIterator[SftpDoors]:
    """Look into the folders of all partners that send files, while the block runs."""
    doors = SftpDoors(hub, largest)
    try:
        await doors.follow(hub.registry)
        yield doors
    finally:
        await doors.close()


def refuse_without_broker(settings: Settings, registry: Registry) -> None:
    """Raise `Misconfigured` where partners send by a broker and the site has none."""
    faults = [
        Fault(Code.CONFIGURATION, f"partners/{name}.yaml: credentials.amqp", "needs a broker")
        for name in _by_queue(registry)
    ]
    if faults and settings.broker_url is None:
        raise Misconfigured(Code.CONFIGURATION, "profiles need ECAF_BROKER_URL", faults)


def _by_queue(registry: Registry) -> Sequence[str]:
    """Return the partners that send by the broker."""
    return [
        name
        for name, held in sorted(registry.credentials.items())
        if held.amqp is not None and held.amqp.sends
    ]


@dataclass
class AmqpDoors:
    """The queues of all partners that send by the broker; `follow` goes with the profiles."""

    hub: Hub
    settings: Settings
    topology: Topology
    intake: RabbitIntake | None = None
    read: Sequence[str] = ()

    async def follow(self, registry: Registry) -> None:
        """Read the queues of the partners that *registry* lets send, and no others.

        What is in hand of the others' is let go and comes again; raises `Misconfigured` where
        there is no broker.
        """
        sending = _by_queue(registry)
        if sending == list(self.read):
            return
        refuse_without_broker(self.settings, registry)
        await self.close()
        if not sending or self.settings.broker_url is None or self.hub.transport is None:
            return
        named = {name: self.topology.inbound(name) for name in sending}
        door = AmqpDoor(
            self.hub,
            self.hub.transport.publisher,
            {own.queue: (name, own.replies) for name, own in named.items()},
            canonical=self.settings.canonical_url,
            limits=AmqpLimits(largest=self.settings.bounds.body_bytes),
        )
        url = self.settings.broker_url.reveal()
        self.intake = RabbitIntake(url, door.queues, door.take, door.ready)
        self.intake.start()
        self.read = sending
        log.info("amqp.open", count=len(sending))

    async def close(self) -> None:
        """Read nothing more."""
        if self.intake is not None:
            await self.intake.stop()
            log.info("amqp.closed")
        self.intake, self.read = None, ()


@asynccontextmanager
async def amqp_door(hub: Hub, settings: Settings, topology: Topology) -> AsyncIterator[AmqpDoors]:
    """Read the queues of all partners that send by the broker, while the block runs.

    Raises `Misconfigured` where there is no broker; that it is away is no reason not to start.
    """
    doors = AmqpDoors(hub, settings, topology)
    try:
        await doors.follow(hub.registry)
        yield doors
    finally:
        await doors.close()
