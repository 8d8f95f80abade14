"""A hub with an open MLLP door in this process, and what two systems say to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters.doors.mllp import DoorLimits, MllpDoor
from adapters.mllp.framer import Frame, Framer, framed
from hub.domain.partner import Credentials, MllpSender
from hub.hub import Hub
from hub.settings import Settings
from mappings.formats.json_strict import parse
from tests import builders as b
from tests.unit.hl7v2.messages import rendered
from tests.unit.services.world import World, opening

PAS = MllpSender(names=frozenset({("PAS", "RXX01")}), plain=True)
CMS = MllpSender(names=frozenset({("CMS", "SCH-A"), ("CMS2", "SCH-A")}), plain=True)
VISIT = (
    "MSH|^~\\&|PAS|RXX01|||20260901100000||ADT^A04^ADT_A01|{id}|{processing}|2.4|{more}\r"
    "EVN||20260901100000\r"
    "PID|1||9990000018^^^NHS^NH||{name}^Ava^^^^^L||20160514|F|||1 Example Terrace^^^^ZZ99 3AA\r"
    "PV1|1|E|A&E^^^RXX01|||||||||||||||||||||||||||||||||||||||||20260901095500\r"
    "PV2|||^{text}\r"
)
QUICK = DoorLimits(busy_seconds=1.0, linger_seconds=1.0)


def visit(control_id: str = "RXX0001", **said: str) -> bytes:
    """Return an emergency attendance of Ava's, as a hospital's patient system sends it."""
    given = {"processing": "P", "more": "", "name": "Example", "text": "Fall from a swing", **said}
    return VISIT.format(id=control_id, **given).encode()


def referral(control_id: str = "CMS0001", *, more: str = "", **changes: Any) -> bytes:
    """Return Ava's episode as REF^I12 from a case system of the school."""
    raw = rendered(
        "hl7v2/ref-i12",
        opening(**changes),
        sender_system="CMS",
        sender_org="SCH-A",
        message_id=f"m-{control_id}",
        message_type="N6",
    )
    first, _, rest = raw.partition(b"\r")
    fields = first.split(b"|")
    fields[9] = control_id.encode()
    fields[11] += more.encode()
    return b"|".join(fields) + b"\r" + rest


@dataclass
class Open:
    """An open door, the world behind it and how to talk to it."""

    world: World
    hub: Hub
    door: MllpDoor
    wires: list["Wire"] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.door.port

    async def line(self) -> "Wire":
        """Connect as a system on this machine."""
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        self.wires.append(wire)
        return wire

    async def say(self, raw: bytes) -> "Ack":
        """Send one message over a connection of its own and return its one answer."""
        wire = await self.line()
        return await wire.say(raw)


class Ack:
    """An acknowledgement, cut at its separators by the test itself."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.text = raw.decode("ascii")
        self.segments = [line.split("|") for line in self.text.split("\r") if line]
        self.msh = ["MSH", *self.segments[0]]
        self.msa = self.segments[1]

    @property
    def code(self) -> str:
        return self.msa[1]

    @property
    def about(self) -> str:
        return self.msa[2]

    @property
    def reason(self) -> str:
        """Our stable code, as MSA-3 says it."""
        return self.msa[3].partition(":")[0] if len(self.msa) > 3 else ""

    @property
    def errors(self) -> Sequence[Sequence[str]]:
        return [one for one in self.segments if one[0] == "ERR"]


class Wire:
    """One connection to the door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._framer = Framer()
        self._acks: list[Ack] = []

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Write bytes as they are."""
        for piece in pieces:
            self.writer.write(piece)
            with contextlib.suppress(ConnectionError):
                await self.writer.drain()
            if pause:
                await asyncio.sleep(pause)

    async def ack(self, seconds: float = 20.0) -> Ack | None:
        """Return the next answer; ``None`` where the door has closed."""
        async with asyncio.timeout(seconds):
            while not self._acks:
                try:
                    data = await self.reader.read(65_536)
                except ConnectionError:
                    return None
                if not data:
                    return None
                events = self._framer.feed(data, now=0.0)
                assert all(isinstance(event, Frame) for event in events)
                self._acks += [Ack(event.body) for event in events if isinstance(event, Frame)]
        return self._acks.pop(0)

    async def say(self, raw: bytes) -> Ack:
        """Send one message and return its answer."""
        await self.send(framed(raw))
        found = await self.ack()
        assert found is not None, "closed without an answer"
        return found

    async def closed(self, seconds: float = 20.0) -> bool:
        """Tell whether the door closes without another word."""
        return await self.ack(seconds) is None

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def hub_of(world: World, folder: Path, senders: dict[str, MllpSender]) -> Hub:
    """Return a whole hub on the world's store, with these senders in its profiles."""
    held = {name: Credentials(mllp=sender) for name, sender in senders.items()}
    world.registry = replace(world.registry, credentials=held)
    return Hub(
        Settings(config_dir=folder, vault_key_file=folder),
        world.registry,
        world.clock,
        world.store,
        world.digester,
        world.translator,
        world.translator,
        parse,
    )


@asynccontextmanager
async def opened(
    folder: Path,
    world: World | None = None,
    *,
    limits: DoorLimits = QUICK,
    senders: dict[str, MllpSender] | None = None,
) -> AsyncIterator[Open]:
    """Keep a plain door open on loopback; HV-A sends as PAS|RXX01, SCH-A as CMS|SCH-A."""
    world = world or World()
    hub = hub_of(world, folder, senders or {"HV-A": PAS, "SCH-A": CMS})
    door = MllpDoor(hub, "127.0.0.1", 0, tls=None, limits=limits)
    await door.open()
    one = Open(world, hub, door)
    try:
        yield one
    finally:
        for wire in one.wires:
            await wire.close()
        await door.close()


def stored(world: World) -> list[Any]:
    """Return what the hub kept of messages: inbox and notices."""
    tables = world.store._tables
    return [*tables.inbox.values(), *tables.notices.values()]


__all__ = ["Ack", "Open", "Wire", "b", "opened", "referral", "stored", "visit"]
