"""The doors of a rehearsal: samples through the real HTTP application and the real MLLP door.

For `ecaf partners certify`: what a sample goes through is what its system would meet, but for the
proof of who it is, which is not the sample's business.  HTTP is called inside this process; the
MLLP door listens on loopback, without TLS, as long as it takes.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from adapters.doors.mllp import MllpDoor
from adapters.mllp.framer import Frame, Framer, framed
from hub.api.app import create_app
from hub.domain.exchange import Tree
from hub.domain.partner import Credentials, Partner, Registry
from hub.errors import Code, Fault, Misconfigured
from hub.hub import Hub

PATHS: Final = {"fhir": "/fhir/$process-message", "events": "/notifications"}
OVER_MLLP: Final = "mllp"
_SECONDS: Final = 60.0
_SHOWN: Final = ("MSH-9", "MSA-1", "MSA-2", "MSA-3")


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """Recognises one partner, whatever token is shown."""

    partner: str
    operations: frozenset[str]

    def recognise(self, _token: str) -> "Rehearsed":
        """Return it."""
        return self


def without_proofs(registry: Registry, partner: Partner) -> Registry:
    """Return *registry* where *partner* needs no certificate, neither for HTTP nor for MLLP."""
    held = registry.credentials.get(partner.name, Credentials())
    plain = None if held.mllp is None else replace(held.mllp, plain=True)
    proofs = {**registry.credentials, partner.name: Credentials(mllp=plain)}
    return replace(registry, credentials=proofs)


async def by_http(hub: Hub, partner: Partner, door: str, kind: str, raw: bytes, key: str) -> Tree:
    """Return status and body of the answer at one of `PATHS`."""
    app = create_app(hub, recogniser=Rehearsed(partner.name, partner.operations))
    headers = {"authorization": "Bearer rehearsal", "content-type": kind}
    if door != "events":  # an event brings its own id
        headers["idempotency-key"] = key
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        answer = await client.post(PATHS[door], content=raw, headers=headers)
    return {"status": answer.status_code, "body": json.loads(answer.content or b"null")}


@asynccontextmanager
async def mllp_open(hub: Hub) -> AsyncIterator[int]:
    """Keep the hub's MLLP door open on loopback; yields its port."""
    door = MllpDoor(hub, "127.0.0.1", 0, tls=None)
    await door.open()
    try:
        yield door.port
    finally:
        await door.close()


async def by_mllp(hub: Hub, raw: bytes) -> Tree:
    """Return the acknowledgements that one message gets, each with its type, its MSA and the codes
    of its ERR segments.
    """
    framer, acks = Framer(), list[Tree]()
    # A file of lines, as an editor saves it: segments end in CR.
    raw = raw if b"\r" in raw else raw.replace(b"\n", b"\r")
    async with mllp_open(hub) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(framed(raw))
        writer.write_eof()
        try:
            async with asyncio.timeout(_SECONDS):
                while data := await reader.read(65_536):
                    events = framer.feed(data, now=0.0)
                    acks += [_said(one.body) for one in events if isinstance(one, Frame)]
        except TimeoutError:
            fault = Fault(Code.TIMEOUT, OVER_MLLP, "send one whole message")
            raise Misconfigured(Code.TIMEOUT, "the sample was not answered", (fault,)) from None
        finally:
            writer.close()
    return {"acks": acks}


def _said(raw: bytes) -> dict[str, Any]:
    """Return what an acknowledgement says, by field; of its errors the hub's own codes."""
    segments = [line.split("|") for line in raw.decode("ascii").split("\r") if line]
    found = {one[0]: one for one in segments}
    msh, msa = ["MSH", *found["MSH"]], found["MSA"]
    told: dict[str, Any] = dict(zip(_SHOWN, (msh[9], *msa[1:4]), strict=False))
    errors = [one for one in segments if one[0] == "ERR"]
    if errors:
        told["ERR"] = [part for one in errors for part in _codes(one)]
    return told


def _codes(segment: list[str]) -> list[str]:
    """Return the hub's codes in an ERR: of 2.5 and later its field 5, before that in each ELD."""
    if len(segment) > 5:
        return [segment[5].partition("^")[0]]
    return [repeat.split("^")[3].split("&")[3] for repeat in segment[1].split("~")]
