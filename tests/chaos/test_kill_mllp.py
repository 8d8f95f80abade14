"""kill -9 of `ecaf serve` around a message over MLLP: the sender repeats, and it is taken once.

`reliability.md` P1, P4 and P5: what was acknowledged is kept, the acknowledgement of a repeat is
the stored one to the byte, and a message is in effect once however often it came.
"""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random

import httpx
import pytest

from hub.scenarios.processes import Process, free_port
from tests.chaos.hub_process import SERVE, HubProcess, make_site
from tests.chaos.load import conversation
from tests.unit.hl7v2.messages import rendered

ROUNDS = 9
ANSWER_SECONDS = 60.0
START, END = b"\x0b", b"\x1c\r"
SENDER = """  mllp:
    senders: [{application: CMS, facility: SCH-A}]
    plain: loopback
    acting: p-teach
"""
STAGES = ("half of it is sent", "all of it is sent", "it was answered")

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


async def test_a_kill_in_mid_message_loses_and_doubles_nothing(
    seed: int, said: Callable[[str], None], tmp_path: Path
) -> None:
    """Killed while it is read, while it is worked on, and when it was answered: AA, the same AA."""
    random, port = Random(seed), free_port()
    site, keys = make_site(tmp_path / "site", {"SCH-A": None})
    profile = site.profiles["SCH-A"]
    profile.write_text(profile.read_text().replace("credentials:\n", f"credentials:\n{SENDER}"))
    store = tmp_path / "hub.db"

    def begun(environ: Mapping[str, str], log: Path) -> Process:
        more = {"ECAF_MLLP_LISTEN": f"127.0.0.1:{port}", "ECAF_MLLP_PLAIN": "loopback"}
        return Process([sys.executable, *SERVE], {**environ, **more}, log)

    hub = HubProcess(site, f"sqlite:///{store}", begun=begun)
    await hub.start()
    repeats = 0
    try:
        for number in range(ROUNDS):
            stage = STAGES[number % len(STAGES)]
            episode = f"e{seed}-{number}"
            raw = await _agreed(hub, keys["SCH-A"], episode)
            answered = asyncio.create_task(_send(port, raw, half=stage == STAGES[0]))
            if stage == STAGES[2]:
                await answered
            else:
                await asyncio.sleep(random.uniform(0.0, 0.05))
            await hub.kill()
            first = await answered
            await hub.start()
            second, third = [await _until_answered(port, raw) for _ in range(2)]
            repeats += first is not None
            assert second == third, stage
            assert first in (None, second), stage
            assert b"\rMSA|AA|" in second, second
        assert (await hub.summary())["states"].get("quarantined", 0) == 0
    finally:
        await hub.stop()
    with closing(sqlite3.connect(store)) as database:
        versions = dict(database.execute("SELECT episode_id, count(*) FROM version GROUP BY 1"))
        inbox = database.execute("SELECT count(*) FROM inbox WHERE key LIKE 'mllp/%'").fetchone()

    said(f"{ROUNDS} kills around a message, {repeats} answered before, seed {seed}")
    assert list(versions.values()) == [1] * ROUNDS
    assert inbox == (ROUNDS,)


async def _agreed(hub: HubProcess, key: str, episode: str) -> bytes:
    """Record that the family agrees, and return the episode as the case system sends it."""
    consent, opening = conversation("SCH-A", episode, 0)[:2]
    async with httpx.AsyncClient(base_url=hub.address, timeout=60, trust_env=False) as door:
        answer = await door.post(
            consent.path,
            content=consent.body,
            headers={
                "authorization": f"Bearer {key}",
                "content-type": consent.content_type,
                "idempotency-key": consent.key,
                "ecaf-user": "p-teach",
            },
        )
    assert answer.status_code < 300, answer.text
    return rendered(
        "hl7v2/ref-i12",
        json.loads(opening.body)["episode"],
        sender_system="CMS",
        sender_org="SCH-A",
        message_id=f"m-{episode}",
        correlation_id=episode,
        episode_id=episode,
    )


async def _send(port: int, raw: bytes, *, half: bool = False) -> bytes | None:
    """Send a message, or half of it; return its answer, ``None`` where none came."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            framed = START + raw + END
            writer.write(framed[: len(framed) // 2] if half else framed)
            await writer.drain()
            await reader.readuntil(START)
            return (await reader.readuntil(END))[: -len(END)]
        finally:
            writer.transport.abort()
    except (OSError, asyncio.IncompleteReadError):
        return None


async def _until_answered(port: int, raw: bytes) -> bytes:
    """Send the same bytes again and again until they are answered, as a sender must."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            answer = await _send(port, raw)
            if answer is not None:
                return answer
            await asyncio.sleep(0.05)
