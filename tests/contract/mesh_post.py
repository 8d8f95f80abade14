"""A hub with a mailbox at the sandbox, and a partner that has one there, too."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters.destinations.breaker import Breaker
from adapters.destinations.mesh import MeshDestination
from adapters.doors.mesh import MeshDoor, MeshLimits
from adapters.mesh.mailbox import Mailbox
from adapters.mesh.site import MeshSite
from hub.domain.exchange import Alert, Delivery
from hub.domain.partner import Credentials, MeshRoute, MeshSender
from hub.hub import Hub
from hub.settings import Settings
from mappings.formats.json_strict import parse
from tests.servers.mesh import HUB, PASSWORD, SHARED_KEY, TRUST, MeshSandbox, Taken
from tests.unit.services.world import CANONICAL, FHIR, PARTNERS, World, partner

EPISODE, NOTICE, JSON, ACK, ANSWER = (
    "CAF_EPISODE",
    "CAF_NOTICE",
    "CAF_JSON",
    "CAF_ACK",
    "CAF_ANSWER",
)
"""Workflow ids: FHIR messages both ways, notices out, canonical messages in, answers in and out."""
BUNDLE = "application/fhir+json"
ROUTE = MeshRoute(TRUST, EPISODE, NOTICE)
SENDER = MeshSender(
    mailboxes=frozenset({TRUST}),
    workflows={EPISODE: BUNDLE, JSON: CANONICAL, ACK: BUNDLE},
    acknowledgements=ACK,
    answers=ANSWER,
)
EAGER = MeshLimits(track_seconds=0.0, left_seconds=0.0, again_seconds=0.0)
ACKNOWLEDGEMENT = "https://ecaf.example/fhir/CodeSystem/caf-message-event"


@dataclass
class Post:
    """The hub's side, and the sandbox in between; EHM-A is at the mailbox ``X26ABC2``."""

    world: World
    hub: Hub
    sandbox: MeshSandbox
    mailbox: Mailbox
    door: MeshDoor
    keep: list[Mailbox] = field(default_factory=list)

    @property
    def out(self) -> list[Delivery]:
        """What was to go to EHM-A, oldest first."""
        return self.world.deliveries(partner="EHM-A")

    def again(self, delivery: Delivery) -> Delivery:
        """Return a delivery as it is now."""
        return self.world.deliveries(delivery_id=delivery.delivery_id)[0]

    @property
    def alerts(self) -> list[Alert]:
        return [one for _, one in self.world.store._tables.alerts.items()]

    def refusals(self) -> list[tuple[str, str]]:
        """Return who was refused, by which code."""
        return [(row.actor, row.code) for row in self.world.audit("message.refused")]

    def send(self, body: bytes, workflow: str = JSON, **said: Any) -> str:
        """Send to the hub as EHM-A's system does, by NHS England's client."""
        given = {"content_type": SENDER.workflows.get(workflow, CANONICAL), **said}
        with self.sandbox.client(given.pop("sender", TRUST)) as client:
            return str(client.send_message(HUB, body, workflow_id=workflow, **given))

    def say(self, about: str, code: str, **response: Any) -> str:
        """Answer a delivery as FHIR does."""
        return self.send(acknowledgement(about, code, **response), ACK)

    def answers(self) -> list[Taken]:
        """Take what the hub answered to EHM-A."""
        return [one for one in self.sandbox.take(TRUST) if one.mex["workflowid"] == ANSWER]


def acknowledgement(about: str, code: str, **response: Any) -> bytes:
    """Return FHIR's acknowledgement of a message."""
    header = {
        "resourceType": "MessageHeader",
        "id": f"ack-{about}",
        "eventCoding": {"system": ACKNOWLEDGEMENT, "code": "caf-acknowledgement"},
        "source": {"endpoint": "urn:example:ehm"},
        "response": {"identifier": about, "code": code, **response},
    }
    entry = {"fullUrl": "urn:uuid:7d2ed0bd-0e42-4b2c-b5cb-3e2f1ca7ae01", "resource": header}
    return json.dumps({"resourceType": "Bundle", "type": "message", "entry": [entry]}).encode()


def posted(**deliver: Any) -> tuple[Any, ...]:
    """Return the partners of S1, of whom EHM-A is reached through MESH."""
    route = {"channel": "mesh", "content": FHIR, "notification": "fhir-r4/notification"}
    mine = partner("EHM-A", "FSW", mesh=replace(ROUTE, **deliver), **route)
    return tuple(mine if one.name == "EHM-A" else one for one in PARTNERS)


def site_of(sandbox: MeshSandbox, folder: Path, **changes: Any) -> MeshSite:
    """Return the hub's mailbox, with its secrets in *folder*."""
    for name, text in (("password", PASSWORD), ("shared", SHARED_KEY)):
        path = folder / name
        path.write_text(text)
        path.chmod(0o600)
    given = {"url": sandbox.url, "mailbox": HUB, **changes}
    return MeshSite(password_file=folder / "password", shared_key_file=folder / "shared", **given)


@asynccontextmanager
async def opened(
    sandbox: MeshSandbox,
    folder: Path,
    *,
    sender: MeshSender = SENDER,
    deliver: dict[str, Any] | None = None,
    limits: MeshLimits = EAGER,
    world: World | None = None,
    **site: Any,
) -> AsyncIterator[Post]:
    """Give a hub whose mailbox and those of its partners are empty."""
    sandbox.reset()
    world = world or World(partners=posted(**(deliver or {})))
    world.registry = replace(world.registry, credentials={"EHM-A": Credentials(mesh=sender)})
    hub = Hub(
        Settings(config_dir=folder, vault_key_file=folder),
        world.registry,
        world.clock,
        world.store,
        world.digester,
        world.translator,
        world.translator,
        parse,
    )
    mailbox = Mailbox(site_of(sandbox, folder, **site), threads=2)
    world.doubles["EHM-A"].inner = MeshDestination(mailbox, ROUTE, breaker=Breaker(threshold=10**6))
    door = MeshDoor(hub, mailbox, owner="w1", canonical="https://ecaf.example/fhir", limits=limits)
    try:
        yield Post(world, hub, sandbox, mailbox, door)
    finally:
        await mailbox.close()
