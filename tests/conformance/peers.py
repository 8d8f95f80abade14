"""HL7 v2 over MLLP with programs that others wrote: they send to the hub, and the hub to them.

``@medplum/hl7``, ``node-hl7-client`` and ``node-hl7-server`` on Node, and HAPI HL7 v2 on Java: each
sends an emergency attendance and a message that is refused, and each receives an episode and
acknowledges it.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from adapters.destinations.mllp import MllpDestination
from hub.domain.carriage import Parcel
from hub.errors import HubError
from tests.conformance import programs
from tests.conformance.oracles import OFFLINE
from tests.unit.mllp.door import opened, referral, visit
from tests.unit.services.world import World

NODE: Final = ("node", str(programs.NODE / "peers.mjs"))
JAVA: Final = (
    "java", *OFFLINE, "-cp", f"{programs.JAVA / 'classes'}:{programs.JAVA / 'lib'}/*",
    "example.ecaf.conformance.Peers",
)  # fmt: skip
PROGRAMS: Final[Sequence[Sequence[str]]] = (NODE, JAVA)
HAPI: Final = "hapi-hl7v2"
CLIENTS: Final = ("@medplum/hl7", "node-hl7-client", HAPI)
SERVERS: Final = ("@medplum/hl7", "node-hl7-server", HAPI)
FORGETFUL: Final = frozenset({"node-hl7-server"})
"""Answers the second message on a connection under the first one's id (2.5.0), which the hub does
not believe; over a connection for each message it is a sound peer."""
SECONDS: Final = 60.0


async def meet() -> Sequence[str]:
    """Return what went wrong between the hub and its peers; nothing if all is well."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wrong = [*await _they_send(folder), *await _we_send()]
    for line in wrong:
        print(f"  PROBLEM: {line}")
    print(f"peers: {', '.join(dict.fromkeys((*CLIENTS, *SERVERS)))}: {len(wrong)} problems")
    return wrong


async def _they_send(folder: Path) -> Sequence[str]:
    """Let every client send, and compare what it was answered with what the hub kept."""
    world = await World().planned()
    said: dict[str, list[Mapping[str, Any]]] = {}
    async with opened(folder, world) as door:
        for number, program in enumerate(PROGRAMS):
            # HAPI writes a message anew, and other bytes under one id are another message.
            for control_id, processing in ((f"P{number}", "P"), (f"T{number}", "T")):
                file = folder / f"{control_id}.hl7"
                file.write_bytes(visit(control_id, processing=processing))
                for line in await _lines(program, "send", str(door.port), str(file)):
                    said.setdefault(line["peer"], []).append(line)
        await world.drain()
    wrong = []
    for peer in CLIENTS:
        number = int(peer == HAPI)
        heard = [(one["code"], one["about"]) for one in said.get(peer, [])]
        if heard != [("AA", f"P{number}"), ("AR", f"T{number}")]:
            wrong.append(f"{peer} understood {heard}")
    got = world.take()
    if got != {"EHM-A": ["NOTICE"] * len(PROGRAMS)}:
        wrong.append(f"each program sent one attendance, and the lead heard {got}")
    return wrong


async def _we_send() -> Sequence[str]:
    """Deliver an episode to every server."""
    wrong: list[str] = []
    for program in PROGRAMS:
        server = await asyncio.create_subprocess_exec(
            *program, "serve", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert server.stdin is not None
        assert server.stdout is not None
        ports = json.loads(await asyncio.wait_for(server.stdout.readline(), SECONDS))
        for peer, port in ports.items():
            wrong += await _deliver(peer, port, server.stdout)
        server.stdin.close()
        await asyncio.wait_for(server.wait(), SECONDS)
    return wrong


async def _deliver(peer: str, port: int, out: asyncio.StreamReader) -> Sequence[str]:
    line = MllpDestination("127.0.0.1", port)
    wrong = []
    for control_id in ("OUT1", "OUT2"):
        parcel = Parcel(
            "d",
            "N7",
            peer,
            1,
            False,
            "application/hl7-v2",
            referral(control_id),
            False,
            "e1",
            1,
            False,
        )
        try:
            outcome = await line.send(parcel)
            heard = json.loads(await asyncio.wait_for(out.readline(), SECONDS))
        except (HubError, TimeoutError) as error:
            wrong.append(f"{peer} was sent {control_id}: {error!r}")
            continue
        if not outcome.delivered or heard != {"peer": peer, "id": control_id}:
            wrong.append(f"{peer} was sent {control_id}, and heard {heard}: {outcome}")
        if peer in FORGETFUL:
            await line.close()
    await line.close()
    return wrong


async def _lines(program: Sequence[str], *arguments: str) -> Sequence[Mapping[str, Any]]:
    ran = await asyncio.create_subprocess_exec(*program, *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(ran.communicate(), SECONDS)
    return [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]


def main() -> int:
    """Fetch what is needed, meet the peers, and return the exit code."""
    programs.java()
    programs.node()
    return 1 if asyncio.run(meet()) else 0


if __name__ == "__main__":
    sys.exit(main())
