"""A hub with an AMQP door, and EHM-A's queues in this process's memory."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.doors.amqp import UNREAD, AmqpDoor, AmqpLimits
from hub.bootstrap import topology
from hub.domain.partner import AmqpUser, Credentials
from hub.hub import Hub
from hub.settings import Settings
from mappings.formats.json_strict import parse
from messaging.arrival import Arrival
from messaging.channel import Disposition, Publisher
from messaging.envelope import Envelope
from messaging.memory import MemoryTransport
from tests import builders as b
from tests.unit.services.world import CANONICAL, World, appointment

QUEUE, REPLIES = "caf.in.EHM-A", "caf.reply.EHM-A"
SENDERS = {QUEUE: ("EHM-A", REPLIES), "caf.in.HOU-A": ("HOU-A", "caf.reply.HOU-A")}
QUICK = AmqpLimits(hold_seconds=0.05, least_seconds=0.005, most_seconds=0.02, unread_seconds=0.05)


def appointed() -> bytes:
    """Return the appointment of EHM-A's lead professional."""
    return b.wire({"event": "lead_professional.appointed", "episode": appointment()})


class Post:
    """The hub and what partners find in their queues of answers."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: AmqpLimits = QUICK,
        publisher: Publisher | None = None,
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.world = World()
        named = users or {name: f"{name.lower()}-user" for name in ("EHM-A", "HOU-A")}
        held = {name: Credentials(amqp=AmqpUser(user, sends=True)) for name, user in named.items()}
        self.world.registry = replace(self.world.registry, credentials=held)
        self.hub = Hub(
            Settings(config_dir=folder, vault_key_file=folder),
            self.world.registry,
            self.world.clock,
            self.world.store,
            self.world.digester,
            self.world.translator,
            self.world.translator,
            parse,
        )
        self.transport = MemoryTransport()
        self.door = AmqpDoor(
            self.hub,
            publisher or self.transport,
            SENDERS,
            canonical="https://ecaf.example/fhir",
            limits=limits,
        )

    async def open(self) -> "Post":
        """Make the queues."""
        await self.transport.open()
        shape = topology()
        for name in ("EHM-A", "HOU-A"):
            shape = shape.with_sender(name)
        await self.transport.declare(shape)
        return self

    def arrival(self, body: bytes | None = None, **changes: Any) -> Arrival:
        """Return a message as EHM-A's system would send it."""
        usual: dict[str, Any] = {
            "queue": QUEUE,
            "key": "",
            "body": appointed() if body is None else body,
            "message_id": "m-1",
            "user": "ehm-a-user",
            "content_type": CANONICAL,
        }
        return Arrival(**{**usual, **changes})

    async def take(self, body: bytes | None = None, **changes: Any) -> Disposition:
        """Let the door take such a message."""
        return await self.door.take(self.arrival(body, **changes))

    async def unread(self, body: bytes | None = None, **changes: Any) -> Disposition:
        """Let the door look at such a message that its queue gave up."""
        return await self.take(body, **{"queue": UNREAD, "key": QUEUE, **changes})

    def envelopes(self, queue: str = REPLIES) -> list[Envelope]:
        """Return what lies in a queue of answers."""
        (box,) = self.transport.boxes(queue)
        return [item.envelope for item in box.items]

    def answers(self, queue: str = REPLIES) -> list[Any]:
        """Return the answers there."""
        return [json.loads(one.body) for one in self.envelopes(queue)]
