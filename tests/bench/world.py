"""One hub in this process with a partner queue on a real RabbitMQ, and messages to put through it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.clock import SystemClock
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.destinations.amqp import AmqpDestination, queue_of
from adapters.destinations.pull import PullDestination
from hub.bootstrap import topology, translator
from hub.domain.exchange import Tree
from hub.domain.partner import Delivering, Partner, Registry, Service
from hub.hub import Hub
from hub.settings import Settings
from mappings.formats.json_strict import parse
from messaging.rabbit import RabbitTransport
from tests import builders

WIRE = "application/vnd.ecaf.message+json;version=1"
RECIPIENT = "EHM-A"


def partner(name: str, kind: str, channel: str, content: str) -> Partner:
    """Return a partner profile of the benchmark."""
    return Partner(
        name=name,
        organisation=name,
        organisation_name=name,
        organisation_type="LA_EH",
        authority="001",
        accredited_from=date(2020, 1, 1),
        accredited_until=date(2099, 1, 1),
        protocol_reference="ISP-1",
        protocol_expires_on=date(2099, 1, 1),
        services=(Service(f"{name}/{kind}", name),),
        operations=frozenset({"submit", "consent", "read"}),
        delivering=Delivering(channel=channel, body="full", content=content),  # type: ignore[arg-type]
        support_contact="support@hub.example",
    )


@dataclass(slots=True)
class World:
    """A composed hub, its transport, and what it takes to drive it."""

    hub: Hub
    transport: RabbitTransport
    sender: Partner
    serial: int = 0

    async def open(self, episode_id: str) -> None:
        """Open one episode, share all of it with the recipient, and complete its assessment."""
        now = datetime.now(UTC)
        record = builders.decision(
            consent_decision_id=f"d-{episode_id}",
            episode_id=episode_id,
            scope_includes=[{"service": f"{RECIPIENT}/FSW", "section": "all", "sensitive": True}],
            scope_excludes=[],
            signed_at=(now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            recorded_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            review_by=(now + timedelta(days=30)).strftime("%Y-%m-%d"),
            expires_at=(now + timedelta(days=300)).strftime("%Y-%m-%d"),
        )
        adult = {
            **record,
            "consent_decision_id": f"a-{episode_id}",
            "subject_id": "c1",
            "given_by_basis": "ADULT_SELF",
        }
        adult.pop("pr_basis")
        for decision in (record, adult):
            raw = json.dumps(decision).encode()
            await self.hub.record_consent(
                self.sender, episode_id, raw, decision["consent_decision_id"]
            )
        whole = builders.episode(episode_id=episode_id)
        for name in ("plan", "reviews", "checklists", "status"):
            whole.pop(name)
        services = whole["services"]
        whole["services"] = {"assessor": services["assessor"], "lp_state": "ACTING"}
        await self.send(episode_id, "episode.opened", whole)
        await self.send(episode_id, "assessment.completed", {"episode_id": episode_id})

    async def send(self, episode_id: str, event: str | None, tree: Tree) -> None:
        """Submit one message as the sender."""
        raw = json.dumps({"event": event, "episode": tree} if event else {"episode": tree}).encode()
        await self.submit(raw)

    async def submit(self, raw: bytes) -> None:
        """Submit raw bytes under a fresh key."""
        self.serial += 1
        await self.hub.receive(self.sender, WIRE, raw, f"k{self.serial}")

    def update(self, episode_id: str, number: int) -> bytes:
        """Return a whole-episode update of about 20 KB whose assessment differs by *number*."""
        whole: dict[str, Any] = builders.episode(episode_id=episode_id)
        for name in ("plan", "reviews", "checklists", "status", "services"):
            whole.pop(name)
        whole["conclusions"]["conclusions"] = f"Version {number} of what was concluded."
        return json.dumps({"event": "assessment.updated", "episode": whole}).encode()

    async def depth(self) -> int:
        """Return how many messages wait in the recipient's queue."""
        return await self.transport.depth(queue_of(RECIPIENT))

    async def purge(self) -> None:
        """Empty the recipient's queue."""
        await self.transport.purge(queue_of(RECIPIENT))

    async def until(self, count: int, deadline: float = 120.0) -> None:
        """Wait until *count* messages are confirmed into the recipient's queue."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + deadline
        while await self.depth() < count:
            if loop.time() > ends:
                msg = f"only {await self.depth()} of {count} arrived"
                raise TimeoutError(msg)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def world(folder: Path, broker: str, database: str, *, content: str) -> AsyncIterator[World]:
    """Compose a hub over *database*, with the recipient's queue on *broker*."""
    transport = RabbitTransport(broker)
    await transport.open()
    await transport.declare(topology())
    await transport.declare_queue(queue_of(RECIPIENT))
    sender = partner("SCH-A", "SCH", "pull", "caf-json")
    recipient = partner(RECIPIENT, "FSW", "amqp", content)
    registry = Registry(
        "Bench", "support@hub.example", {p.name: p for p in (sender, recipient)}, {}
    )
    vault = FileVault.create(folder / "vault.key")
    store = SqlStore(database, vault)
    settings = Settings(config_dir=folder, vault_key_file=folder / "vault.key")
    both = translator(settings.canonical_url)
    hub = Hub(
        settings,
        registry,
        SystemClock(),
        store,
        vault,
        both,
        both,
        parse,
    )
    hub.transport = transport
    try:
        yield World(hub, transport, sender)
    finally:
        await store.close()
        await transport.close()


def destinations(transport: RabbitTransport) -> dict[str, Any]:
    """Return where the two partners' deliveries go."""
    return {
        "SCH-A": PullDestination(),
        RECIPIENT: AmqpDestination(
            RECIPIENT, transport.publisher, public_url="http://127.0.0.1:8700"
        ),
    }


def spread(items: Sequence[str], count: int) -> list[str]:
    """Return *count* of *items*, in turn."""
    return [items[place % len(items)] for place in range(count)]
