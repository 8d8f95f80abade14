"""What may lie in the hub's mailbox at MESH: each gets a code, and nothing is lost or hangs."""

import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.mesh.content import LARGEST
from tests import builders as b
from tests.contract.mesh_post import (
    ACK,
    ANSWER,
    EPISODE,
    JSON,
    Post,
    acknowledgement,
    opened,
)
from tests.frugal import frugal
from tests.servers.mesh import HUB, OTHER, MeshSandbox

GOOD = b.wire({"event": "episode.opened", "episode": b.episode()})
LEFT = "left"
"""Where the sender cannot be told: the message stays with MESH, under an alert."""
BODY = bytes(range(33, 123)) * 60


@pytest.fixture
async def post(mesh_sandbox: MeshSandbox, tmp_path: Path) -> AsyncIterator[Post]:
    """A hub with a mailbox, and a partner that has one."""
    async with opened(mesh_sandbox, tmp_path) as one:
        yield one


@dataclass(frozen=True)
class Case:
    """How something comes into the mailbox, and the code that it gets there."""

    name: str
    code: str
    put: Callable[[Post], object]
    alert: str | None = None

    def __str__(self) -> str:
        return self.name


def raw(name: str, code: str, body: bytes, *, alert: str | None = None, **headers: str) -> Case:
    """One message of these bytes under these headers (``_`` for ``-``)."""

    def put(post: Post) -> None:
        sender = headers.pop("sender", "X26ABC2")
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = post.sandbox.post(body, {**usual(), **told}, sender=sender)
        assert answer.status_code == 202, answer.text

    return Case(name, code, put, alert)


def usual(workflow: str = JSON) -> dict[str, str]:
    """Return the headers of an ordinary message."""
    return {
        "mex-to": HUB,
        "mex-workflowid": workflow,
        "mex-localid": "EHM-1",
        "content-type": "application/octet-stream",
    }


def chunked(
    name: str,
    code: str,
    chunks: list[bytes],
    spoil: Callable[[Post, str], object] = lambda _post, _id: None,
    encoding: str = "",
) -> Case:
    """One message in chunks, spoilt in the store."""

    def put(post: Post) -> None:
        told = {"content-encoding": encoding} if encoding else {}
        total = len(chunks)
        answer = post.sandbox.post(chunks[0], {**usual(), "mex-chunk-range": f"1:{total}", **told})
        message_id = answer.json()["message_id"]
        for number, chunk in enumerate(chunks[1:], start=2):
            answer = post.sandbox.post(
                chunk,
                {"mex-chunk-range": f"{number}:{total}", **told},
                path=f"/{message_id}/{number}",
            )
            assert answer.status_code == 202, answer.text
        spoil(post, message_id)

    return Case(name, code, put)


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[a:z] for a, z in pairwise([*range(0, len(body), size), len(body)])]


def packed(body: bytes, size: int) -> list[bytes]:
    return [gzip.compress(one) for one in cut(body, size)]


def missing(number: int) -> Callable[[Post, str], object]:
    return lambda post, name: post.sandbox.chunk(name, number).unlink()


def written(number: int, body: bytes) -> Callable[[Post, str], object]:
    return lambda post, name: post.sandbox.chunk(name, number).write_bytes(body)


def swapped(post: Post, name: str) -> None:
    one, two = post.sandbox.chunk(name, 1), post.sandbox.chunk(name, 2)
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)


def reported(**said: Any) -> Callable[[Post], object]:
    return lambda post: post.sandbox.report(HUB, **{"workflow_id": EPISODE, **said})


def broken_crc() -> bytes:
    body = bytearray(gzip.compress(GOOD))
    body[-6] ^= 1
    return bytes(body)


GZIP = {"content_encoding": "gzip"}
ZEROS = gzip.compress(bytes(10_000_000))
INSIDE = {"mex_content_compressed": "Y"}
FHIR = {"mex_workflowid": EPISODE}
DOCTYPE = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;&b;">]><a>&d;</a>'
CASES = [
    # Who, and under which workflow
    raw("a mailbox of nobody's", "E_UNAUTHENTICATED", GOOD, alert="mesh.stranger", sender=OTHER),
    raw("an unknown workflow", "E_FORBIDDEN", GOOD, alert="mesh.refused", mex_workflowid="X"),
    raw("our answers' workflow", "E_FORBIDDEN", GOOD, alert="mesh.refused", mex_workflowid=ANSWER),
    raw("another case", "E_FORBIDDEN", GOOD, alert="mesh.refused", mex_workflowid=JSON.lower()),
    # What the envelope says
    raw("a PDF", "E_CONTENT_TYPE", GOOD, content_type="application/pdf"),
    raw("HTML inside", "E_CONTENT_TYPE", GOOD, mex_content_type="text/html"),
    raw("another of ours", "E_CONTENT_TYPE", GOOD, content_type="application/hl7-v2"),
    raw("encrypted", "E_ENCODING", GOOD, mex_content_encrypted="Y"),
    raw("a wrong MD5", "E_FORMAT", GOOD, mex_content_checksum="0" * 32),
    raw("a wrong SHA-256", "E_FORMAT", GOOD, mex_content_checksum="sha256:" + "0" * 64),
    raw("a checksum of what", "E_FORMAT", GOOD, mex_content_checksum="crc32:12345678"),
    raw("an MD5 of 64 digits", "E_FORMAT", GOOD, mex_content_checksum="md5:" + "0" * 64),
    # gzip
    raw("no gzip at all", "E_ENCODING", GOOD, **GZIP),
    raw("deflate", "E_ENCODING", zlib.compress(GOOD), **GZIP),
    raw("gzip that was cut off", "E_ENCODING", gzip.compress(GOOD)[:-9], **GZIP),
    raw("gzip without its length", "E_ENCODING", gzip.compress(GOOD)[:-4], **GZIP),
    raw("gzip with a tail", "E_ENCODING", gzip.compress(GOOD) + b"tail", **GZIP),
    raw("two gzips", "E_ENCODING", gzip.compress(GOOD) * 2, **GZIP),
    raw("a wrong CRC", "E_ENCODING", broken_crc(), **GZIP),
    raw("a bomb", "E_TOO_LARGE", ZEROS, **GZIP),
    raw("a bomb in a bomb", "E_TOO_LARGE", gzip.compress(ZEROS), **INSIDE, **GZIP),
    raw("a bomb inside", "E_TOO_LARGE", ZEROS, **INSIDE),
    raw("gzip of nothing", "E_SYNTAX", gzip.compress(b""), **GZIP),
    raw("packed inside, cut off", "E_ENCODING", gzip.compress(GOOD)[:-9], **INSIDE),
    # Chunks
    chunked("a chunk missing", "E_SYNTAX", cut(GOOD, 4_000), missing(2)),
    chunked("the last chunk missing", "E_SYNTAX", cut(GOOD, len(GOOD) // 2 + 1), missing(2)),
    chunked("a chunk empty", "E_SYNTAX", cut(GOOD, 4_000), written(2, b"")),
    chunked("a chunk twice", "E_SYNTAX", cut(GOOD, 4_000), written(2, GOOD[:4_000])),
    chunked("chunks swapped", "E_SYNTAX", cut(GOOD, 4_000), swapped),
    chunked(
        "a packed chunk spoilt",
        "E_ENCODING",
        packed(GOOD, 4_000),
        written(2, BODY),
        encoding="gzip",
    ),
    chunked("packed as a whole", "E_ENCODING", cut(gzip.compress(GOOD), 700), encoding="gzip"),
    # Size
    raw("too large", "E_TOO_LARGE", b" " * (LARGEST + 1)),
    raw("too large when unpacked", "E_TOO_LARGE", gzip.compress(BODY * 1_000), **GZIP),
    chunked("too large in chunks", "E_TOO_LARGE", [b" " * 3_000_000] * 2),
    # What it holds
    raw("blanks", "E_SYNTAX", b" \n "),
    raw("no UTF-8", "E_ENCODING", b'{"event": "\xff"}'),
    raw("UTF-16", "E_ENCODING", GOOD.decode().encode("utf-16")),
    raw("half a message", "E_SYNTAX", GOOD[:-20]),
    raw("a list", "E_TYPE", b"[]"),
    raw("too deep", "E_DEPTH", b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    raw("a key twice", "E_DUPLICATE_KEY", b'{"event": "a", "event": "b"}'),
    raw("a large number", "E_NUMBER", b'{"episode": {"n": 1e400}}'),
    raw("an unknown field", "E_UNKNOWN_FIELD", b.wire({"x": 1, "episode": b.episode()})),
    raw("XML for JSON", "E_SYNTAX", DOCTYPE),
    raw("no Bundle", "E_TYPE", b'{"resourceType": "Patient"}', **FHIR),
    raw("XML for FHIR", "E_SYNTAX", DOCTYPE, **FHIR),
    # Answers and reports
    raw(
        "an answer about nothing",
        "E_NOT_FOUND",
        acknowledgement("d-1", "ok"),
        alert="mesh.refused",
        mex_workflowid=ACK,
    ),
    raw("an episode as answer", "E_TYPE", GOOD, alert="mesh.refused", mex_workflowid=ACK),
    raw("no answer", "E_SYNTAX", b"ok", alert="mesh.refused", mex_workflowid=ACK),
    Case("a report on nothing", "E_NOT_FOUND", reported(local_id="d-1"), "mesh.report"),
    Case("a report that names nothing", "E_NOT_FOUND", reported(), "mesh.report"),
    Case("a report on an answer", "E_NOT_FOUND", reported(local_id="a.1"), "mesh.report"),
    Case(
        "a report in odd words",
        "E_NOT_FOUND",
        reported(code="<b>Ava</b>", status="error", local_id="Ava Example"),
        "mesh.report",
    ),
]


QUICK = 3
"""One in so many is tried in the suite, and all of them in the long tier (`make chaos`)."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[pytest.mark.slow] if number % QUICK else [])
        for number, case in enumerate(CASES)
    ],
    ids=str,
)
async def test_what_is_wrong_gets_a_code(post: Post, case: Case) -> None:
    """It is recorded and answered, or left under an alert; what waits behind it is dealt with."""
    case.put(post)
    behind = post.send(b"{}", local_id="EHM-2")

    with frugal():
        await post.door.round()

    assert next(code for _, code in post.refusals()) == case.code
    told = {one.json["message"]: one.json for one in post.answers() if "message" in one.json}
    waiting = post.sandbox.inbox(HUB)
    assert post.sandbox.status(behind) == "acknowledged"
    assert "EHM-2" in told
    if case.alert is None:
        assert waiting == []
        assert [one.kind for one in post.alerts] == []
        if "EHM-1" in told:
            assert told["EHM-1"]["code"] == case.code
            assert all(set(one) == {"code", "path", "remedy"} for one in told["EHM-1"]["errors"])
        return
    assert [one.kind for one in post.alerts] == [case.alert]
    assert len(waiting) == (0 if case.alert == "mesh.report" else 1)
    assert "Ava" not in repr(post.alerts)


def test_there_are_enough_of_them() -> None:
    """Forty at least, each of its own kind."""
    assert len({case.name for case in CASES}) == len(CASES) >= 50
