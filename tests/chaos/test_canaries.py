"""What a run leaves behind holds nothing of a family: not in any file, page, header or error.

`reliability.md` P29, P31 and design section 7.  Every personal value that the chaos families submit
is a canary; searched are the database's files, the broker's folder (with messages waiting in it),
the hub's log, the names of files, the operator's pages, metrics, errors, addresses, headers and
routing keys, and the process table.  Partners' own queues hold content only where the partner's
profile says so (`body: full`), and then never what is kept from that partner.
"""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.canaries import ALL, CANARIES, NUMBERS, WITHHELD, left_in, search
from tests.chaos.load import CAF
from tests.chaos.rig import QUEUED, Rig, rig
from tests.servers.rabbitmq import EXTERNAL, RabbitServer, start_rabbitmq

Said = Callable[[str], None]
PAGES = (
    *("/admin/summary", "/admin/ready", "/admin/top", "/admin/lanes", "/admin/messages"),
    *("/admin/quarantine", "/admin/alerts", "/metrics"),
)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitServer]:
    """A broker of our own, whose folder can be read."""
    monkeypatch.delenv(EXTERNAL, raising=False)
    with start_rabbitmq() as server:
        yield server


def wrong(number: int, value: str) -> tuple[str, bytes]:
    """Return the content type and the bytes of one wrong message that holds *value*."""
    text = json.dumps(value)
    child = {"subjects": [{"subject_id": "s1", "is_unborn": False, "given_names": value}]}
    made: tuple[tuple[str, bytes], ...] = (
        (CAF, f'{{"episode": {text}'.encode()),
        (CAF, f"{{{text}: 1}}".encode()),
        (CAF, f'{{"event": {text}, "episode": {{"episode_id": {text}}}}}'.encode()),
        (CAF, json.dumps({"episode": {"episode_id": "e", **child}}).encode()),
        ("application/fhir+json", f'{{"resourceType": {text}}}'.encode()),
        ("application/xml", f"<caf><given>{value}</caf>".encode()),
        (f"text/{value.encode().hex()}", value.encode()),
    )
    return made[number % len(made)]


async def provoked(run: Rig) -> AsyncIterator[bytes]:
    """Yield the answers to wrong messages, wrong addresses and wrong queries, heads and bodies."""
    headers = {"authorization": f"Bearer {run.keys['SCH-A']}"}
    async with httpx.AsyncClient(base_url=run.hub.address, headers=headers, timeout=30) as client:
        answers = []
        for number, value in enumerate(ALL.values()):
            for turn in range(2):
                kind, raw = wrong(number + turn, value)
                given = {"content-type": kind, "idempotency-key": f"wrong-{number}-{turn}"}
                answers.append(await client.post("/messages", content=raw, headers=given))
            answers.append(await client.get(f"/episodes/{value}?purpose={value}"))
            answers.append(await client.get(f"/{value}"))
            answers.append(await client.post("/index/check", json={"subject": {"x": value}}))
        answers += [await client.get(path) for path in ("/metrics", "/inbox", "/directory")]
    for answer in answers:
        yield str(answer.headers).encode() + b"\n" + answer.content
    for path in PAGES:
        page = await run.hub.operator(path)
        assert page.status_code == 200, path
        yield page.content


def about(pid: int | None) -> tuple[bytes, bytes]:
    """Return how a process shows in the process table, and what it may leave."""
    assert pid is not None
    folder = Path(f"/proc/{pid}")
    return (folder / "cmdline").read_bytes(), (folder / "limits").read_bytes()


def thin(profile: str) -> str:
    """Return a profile whose queue gets notices instead of content."""
    assert "body: full" in profile
    return profile.replace("body: full", "body: thin")


@pytest.mark.acceptance
@pytest.mark.broker
@pytest.mark.parametrize("body", ["thin", pytest.param("full", marks=pytest.mark.slow)])
async def test_nothing_that_a_run_leaves_behind_tells_of_a_family(
    body: str, seed: int, broker: RabbitServer, said: Said
) -> None:
    """Killed in the middle of a burst, with a partner's queue unread and wrong messages sent."""
    edits = {QUEUED: thin} if body == "thin" else {}
    async with rig(seed, broker=broker.url, edits=edits) as run:
        run.partners[QUEUED].away.set()
        async with run.burst(2, 1):
            await run.moment("answer", run.random.randrange(4, 12))
            cmdline, limits = about(run.hub.pid)
            await run.kill_and_restart()
        await run.quiet(1.0)
        found = [f"answer: {what}" async for one in provoked(run) for what in search(one)]
        found += [f"command line: {what}" for what in search(cmdline)]

        assert broker.folder is not None
        if body == "full":
            # The partner agreed to content in its queue, but for what the family keeps from it.
            assert left_in([broker.folder], CANARIES)
            found += left_in([broker.folder], {"withheld": WITHHELD})
        else:
            found += left_in([broker.folder])
        run.partners[QUEUED].away.clear()
        await run.settle(60.0)
        for name, partner in run.partners.items():
            found += [
                f"to {name}: {what}" for text in partner.clear for what in search(text.encode())
            ]
        found += left_in([run.folder])
        verdict = run.verdict()

    said(f"canaries ({body} queue): {run.kills} kills, {verdict}, {len(found)} found, seed {seed}")
    assert found == []
    assert verdict.faults() == {}
    assert re.search(rb"Max core file size\s+0\s+0\s", limits), "a crash would leave a dump"


def disguises(value: str) -> list[bytes]:
    """Return *value* as it might leak, made here and not by what is tested."""
    raw = value.encode()
    return [
        b"x" + raw + b"x",
        value.upper().encode(),
        value.encode("utf-16-le"),
        raw.hex().upper().encode(),
        value[::-1].encode(),
        "".join(f"%{byte:02X}" if byte > 127 or byte == 32 else chr(byte) for byte in raw).encode(),
        json.dumps({"said": value}).encode(),
        *(base64.b64encode(b"k" * shift + raw + b"tail") for shift in range(5)),
    ]


def test_whatever_is_planted_is_found(tmp_path: Path) -> None:
    """Every canary in every disguise, in a file or in its name; and nothing where there is none."""
    (tmp_path / "clean").write_bytes(b"an ordinary line\n" * 1000)
    assert left_in([tmp_path]) == []

    for name, value in ALL.items():
        for number, planted in enumerate(disguises(value)):
            file = tmp_path / f"leak-{number}"
            file.write_bytes(b"something before " + planted + b" and after")
            hits = left_in([tmp_path])
            assert any(f"leak-{number}: {name}" in hit for hit in hits), (name, number, planted)
            file.unlink()
    for name, value in NUMBERS.items():
        for digest in ("md5", "sha1", "sha256"):
            file = tmp_path / "leak"
            for planted in (
                hashlib.new(digest, value.encode()).digest(),
                hashlib.new(digest, value.encode()).hexdigest().encode(),
            ):
                file.write_bytes(planted)
                assert any(f"leak: {name}" in hit for hit in left_in([tmp_path])), (name, digest)
    file.unlink()
    (tmp_path / CANARIES["street"]).touch()
    assert left_in([tmp_path])
