"""The door on real sockets: hostile bytes, slow clients, TLS, unix sockets, and a clean stop."""

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from adapters.partners.keys import create_keys
from hub.api.app import create_app, create_operator_app
from hub.api.limits import Limits
from hub.api.serving import listening, operated
from hub.errors import Misconfigured
from hub.settings import Listen
from tests.unit.api.small_hub import CAF, SmallHub, small_hub

pytestmark = pytest.mark.acceptance
LIMITS = Limits(body_bytes=100_000, body_seconds=0.4)


@pytest.fixture
def hub() -> SmallHub:
    """A hub of two partners."""
    return small_hub()


@pytest.fixture
async def port(hub: SmallHub) -> AsyncIterator[int]:
    """The port of a door with short patience."""
    app = create_app(hub, limits=LIMITS)
    async with listening(
        app, hub.settings, support_contact="s@hub.example", head_seconds=0.4
    ) as served:
        yield int(served[0].address.rpartition(":")[2])


def head(hub: SmallHub, *more: str, path: str = "/messages") -> bytes:
    """The head of a submission by EHM-A."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: hub.example",
        f"Authorization: Bearer {hub.keys['EHM-A'].reveal()}",
        f"Content-Type: {CAF}",
        "Idempotency-Key: k-1",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def talk(port: int, *sent: bytes, pause: float = 0.0) -> tuple[int, dict[str, str], Any]:
    """Send raw bytes, piece by piece, and return status, headers and JSON of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in sent:
            writer.write(piece)
            await asyncio.sleep(pause)
        top = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in top[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        return int(top[0].split()[1]), headers, json.loads(body)
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever state it is in."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def refused(answer: tuple[int, dict[str, str], Any], status: int, code: str) -> None:
    """Assert that *answer* is a problem body of ours."""
    assert (answer[0], answer[2]["code"]) == (status, code), answer
    assert answer[1]["content-type"] == "application/problem+json"
    assert answer[1]["cache-control"] == "no-store"
    assert answer[2]["request_id"] == answer[1]["x-request-id"]


def modes_in(folder: Path) -> list[str]:
    """The permissions of everything in *folder*."""
    return [oct(path.stat().st_mode & 0o777) for path in folder.iterdir()]


async def alive(port: int) -> None:
    """Assert that the door still answers."""
    status, _, told = await talk(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, told) == (200, {"alive": True})


@pytest.mark.parametrize(
    ("lines", "pieces", "status", "code"),
    [
        (["Content-Length: 100001"], [], 413, "E_TOO_LARGE"),
        (["Content-Length: 99999999999999999999"], [], 400, "E_SYNTAX"),
        (["Content-Length: -1"], [b"x"], 400, "E_SYNTAX"),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], [b"0\r\n\r\n"], 400, "E_SYNTAX"),
        (["Content-Length: 5", "Content-Length: 6"], [b"12345"], 400, "E_SYNTAX"),
        (["Transfer-Encoding: chunked"], [b"186a1\r\n" + b"x" * 100_001], 413, "E_TOO_LARGE"),
        (["Transfer-Encoding: chunked"], [b"zz\r\n"], 400, "E_SYNTAX"),
        (["Transfer-Encoding: chunked"], [b"0\r\n\r\n"], 400, "E_REQUIRED"),
        (["Content-Length: 0"], [], 400, "E_REQUIRED"),
        ([], [], 400, "E_REQUIRED"),
        (["Content-Length: 10"], [b"123"], 408, "E_TIMEOUT"),
        (["Transfer-Encoding: chunked"], [b"1\r\nx\r\n"] * 3, 408, "E_TIMEOUT"),
        (["Content-Length: 10", "X: " + "x" * 1_000_000], [], 431, "E_TOO_LARGE"),
        (["Content-Length: 2", "X: a\x00b"], [b"{}"], 400, "E_SYNTAX"),
        (["Content-Length: 2", " folded: x"], [b"{}"], 400, "E_SYNTAX"),
    ],
)  # fmt: skip
async def test_hostile_bodies_are_refused_and_harm_nobody(
    port: int, hub: SmallHub, lines: list[str], pieces: list[bytes], status: int, code: str
) -> None:
    """Too long, too slow, lying about its length or not HTTP at all: a problem body, in time."""
    started = time.monotonic()

    answer = await talk(port, head(hub, *lines), *pieces, pause=0.05)

    if "request_id" in answer[2] and status != 400:
        refused(answer, status, code)
    assert (answer[0], answer[2]["code"]) == (status, code), answer
    assert answer[1]["content-type"] == "application/problem+json"
    assert time.monotonic() - started < 3
    assert hub.taken == {}
    await alive(port)


@pytest.mark.parametrize(
    "raw", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\x00" * 40, b"EHLO\r\n"]
)
async def test_what_is_not_http_gets_a_problem(port: int, raw: bytes) -> None:
    """Another protocol on our port is answered in ours."""
    refused(await talk(port, raw + b"\r\n\r\n"), 400, "E_SYNTAX")


async def test_a_head_that_never_ends_is_cut_off(port: int) -> None:
    """Header by header, for ever: the clock runs from the first byte and is not reset."""
    pieces = [b"GET / HTTP/1.1\r\n", *([b"X: x\r\n"] * 12)]

    refused(await talk(port, *pieces, pause=0.05), 408, "E_TIMEOUT")


async def test_the_second_head_has_its_own_deadline(port: int) -> None:
    """A connection that was useful once is not kept for a head that never ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    first = await reader.readuntil(b"}")

    writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
    second = await asyncio.wait_for(reader.read(), 3)

    assert (first.split()[1], second.split()[1]) == (b"200", b"408")
    await hang_up(writer)


async def test_a_silent_connection_is_closed(port: int) -> None:
    """Who says nothing is not kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    assert await asyncio.wait_for(reader.read(), 3) == b""

    await hang_up(writer)


async def test_a_lawful_body_in_pieces_is_taken(port: int, hub: SmallHub) -> None:
    """Chunked or counted, in one packet or several; and the connection goes on."""
    counted = await talk(port, head(hub, "Content-Length: 4"), b"{}", b"\n\n", pause=0.05)
    chunked = await talk(
        port, head(hub, "Transfer-Encoding: chunked"), b"2\r\n{}\r\n", b"2\r\n\n\n\r\n0\r\n\r\n",
        pause=0.05,
    )  # fmt: skip

    assert (counted[0], chunked[0]) == (202, 202)
    assert counted[2] == chunked[2] == {"message_id": "m-0", "bytes": 4}


async def test_two_requests_share_a_connection(port: int, hub: SmallHub) -> None:
    """Keep-alive works, also when the second request has a large head of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for _ in range(3):
        writer.write(head(hub, "Content-Length: 2", "X: " + "x" * 20_000) + b"{}")
        answers.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.readuntil(b"}")
    await hang_up(writer)

    assert [answer.split()[1] for answer in answers] == [b"202"] * 3


async def test_strangers_are_refused_before_their_body(port: int, hub: SmallHub) -> None:
    """A megabyte from nobody is not read."""
    raw = head(hub, "Content-Length: 90000").replace(b"Bearer hubk", b"Bearer hubx")

    refused(await talk(port, raw), 401, "E_UNAUTHENTICATED")


async def test_a_refused_client_gets_its_answer_while_still_sending(
    port: int, hub: SmallHub
) -> None:
    """The answer is not lost to a reset, and an endless body is hung up on soon after."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(hub, "Transfer-Encoding: chunked").replace(b"Bearer hubk", b"Bearer hubx"))
    answering = asyncio.create_task(reader.readuntil(b"\r\n"))
    started = time.monotonic()

    while not writer.is_closing() and time.monotonic() - started < 20:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        await asyncio.sleep(0.001)

    assert 1 < time.monotonic() - started < 10
    assert await answering == b"HTTP/1.1 401 Unauthorized\r\n"
    await hang_up(writer)


async def test_two_hundred_slow_clients_do_not_stop_a_quick_one(port: int, hub: SmallHub) -> None:
    """Half-sent requests cost a timer each, no more; others are answered meanwhile."""
    slow = []
    for _ in range(200):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(hub, "Content-Length: 10") + b"x")
        slow.append((reader, writer))

    await alive(port)
    status, _, _ = await talk(port, head(hub, "Content-Length: 2"), b"{}")

    assert status == 202
    for reader, writer in slow:
        assert b"E_TIMEOUT" in await asyncio.wait_for(reader.read(), 5)
        await hang_up(writer)


async def test_tls_and_keys_from_the_first_start(tmp_path: Path) -> None:
    """The made certificate is good for loopback, and plain HTTP on that port gets nowhere."""
    keys = create_keys(tmp_path)
    hub = small_hub()
    hub.settings = replace(
        hub.settings, tls_cert_file=keys.server_cert, tls_key_file=keys.server_key
    )
    trust = ssl.create_default_context(cafile=str(keys.ca_cert))

    async with listening(create_app(hub), hub.settings, support_contact="s") as served:
        address = served[0].address
        async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
            answer = await client.get(f"{address}/healthz")
            with pytest.raises(httpx.HTTPError):
                await client.get(address.replace("https", "http") + "/healthz")
        async with httpx.AsyncClient(trust_env=False) as stranger:
            with pytest.raises(httpx.ConnectError):
                await stranger.get(f"{address}/healthz")

    assert address.startswith("https://127.0.0.1:")
    assert answer.json() == {"alive": True}


async def test_who_begins_no_handshake_is_hung_up_on(tmp_path: Path) -> None:
    """Over TLS, too, nobody holds a connection by saying nothing, or half a greeting."""
    keys = create_keys(tmp_path)
    hub = small_hub()
    hub.settings = replace(
        hub.settings, tls_cert_file=keys.server_cert, tls_key_file=keys.server_key
    )
    trust = ssl.create_default_context(cafile=str(keys.ca_cert))

    async with listening(
        create_app(hub), hub.settings, support_contact="s", head_seconds=1.0
    ) as served:
        address = served[0].address
        port = int(address.rpartition(":")[2])
        for said in (b"", b"\x16\x03\x01\x02\x00\x01"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            # Less than the minute that asyncio would give it.
            assert await asyncio.wait_for(reader.read(), 30) == b""
            await hang_up(writer)
        async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
            assert (await client.get(f"{address}/healthz")).status_code == 200


async def test_a_mismatched_certificate_does_not_start(tmp_path: Path) -> None:
    """A wrong pair of files is the operator's to mend, before anything listens."""
    keys = create_keys(tmp_path)
    hub = small_hub()
    hub.settings = replace(hub.settings, tls_cert_file=keys.server_cert, tls_key_file=keys.ca_key)

    with pytest.raises(Misconfigured, match="TLS"):
        async with listening(create_app(hub), hub.settings, support_contact="s"):
            pass


async def test_a_worker_has_an_operators_socket_of_its_own(tmp_path: Path) -> None:
    """Beside that of the role api, in one environment, and others beside the first; a tenth goes
    without, and works.
    """
    hub = small_hub()
    hub.settings = replace(hub.settings, operator_socket=tmp_path / "operator.sock")
    app = create_operator_app(hub)

    async with contextlib.AsyncExitStack() as stack:
        served = []
        for _ in range(10):
            worker = operated(app, hub.settings, support_contact="s")
            served.append([one.address for one in await stack.enter_async_context(worker)])
        modes = modes_in(tmp_path)
        found = []
        for address in (served[0][0], served[8][0]):
            transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"))
            async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
                found.append((await client.get("/admin/summary")).status_code)
    async with operated(
        app, replace(hub.settings, operator_socket=None), support_contact="s"
    ) as no:
        assert not no

    assert (found, modes) == ([200, 200], ["0o600"] * 9)
    first = f"unix:{tmp_path}/operator.sock.worker"
    assert served == [[first], *([f"{first}{number}"] for number in range(2, 10)), []]
    assert not modes_in(tmp_path)


async def test_a_place_that_is_lost_at_the_last_moment_is_taken(tmp_path: Path) -> None:
    """Two workers that begin together find none there, and one of them is refused the name."""
    hub = small_hub()
    hub.settings = replace(hub.settings, operator_socket=tmp_path / "operator.sock")
    (tmp_path / "operator.sock.worker").symlink_to("nowhere")  # not there, and in the way

    async with operated(create_operator_app(hub), hub.settings, support_contact="s") as served:
        assert [one.address for one in served] == [f"unix:{tmp_path}/operator.sock.worker2"]


async def test_unix_sockets_are_private_and_leave_nothing(tmp_path: Path) -> None:
    """Door and operator on sockets that only their owner may open; gone after the stop."""
    hub = small_hub(listen=Listen(unix=tmp_path / "hub.sock"))
    hub.settings = replace(hub.settings, operator_socket=tmp_path / "operator.sock")
    left_behind = tmp_path / "hub.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left_behind))

    async with listening(
        create_app(hub), hub.settings, support_contact="s", operator=create_operator_app(hub)
    ) as served:
        modes = modes_in(tmp_path)
        found = []
        for one, path in zip(served, ("/directory", "/admin/summary"), strict=True):
            transport = httpx.AsyncHTTPTransport(uds=one.address.removeprefix("unix:"))
            headers = {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
                found.append((await client.get(path, headers=headers)).status_code)
        with pytest.raises(Misconfigured, match="in use"):
            async with listening(create_app(hub), hub.settings, support_contact="s"):
                pass

    assert modes == ["0o600", "0o600"]
    assert found == [200, 200]
    assert modes_in(tmp_path) == []


def test_the_same_on_uvloop(tmp_path: Path) -> None:
    """The loop that `ecaf serve` uses takes our sockets and certificates as Python's own does."""
    (tmp_path / "unix").mkdir()
    (tmp_path / "tls").mkdir()
    uvloop.run(test_unix_sockets_are_private_and_leave_nothing(tmp_path / "unix"))
    uvloop.run(test_tls_and_keys_from_the_first_start(tmp_path / "tls"))
    uvloop.run(test_stopping_lets_requests_end())


async def test_a_taken_port_is_the_operators_to_mend(port: int, hub: SmallHub) -> None:
    """A second hub on the same address says so instead of a traceback."""
    taken = replace(hub.settings, listen=Listen("127.0.0.1", port))

    with pytest.raises(Misconfigured) as caught:
        async with listening(create_app(hub), taken, support_contact="s"):
            pass

    assert caught.value.faults[0].path == "ECAF_LISTEN"


async def test_stopping_lets_requests_end() -> None:
    """What was being answered is answered; afterwards the port is closed."""
    hub = small_hub()
    app = create_app(hub, limits=Limits(body_seconds=5))
    hub.settings = replace(hub.settings, listen=Listen("127.0.0.1", 0))

    async with listening(app, hub.settings, support_contact="s") as served:
        number = int(served[0].address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(head(hub, "Content-Length: 2"))
        await asyncio.sleep(0.1)

        async def rest() -> bytes:
            await asyncio.sleep(0.2)
            writer.write(b"{}")
            return await reader.read()

        answering = asyncio.create_task(rest())
    answer = await answering
    await hang_up(writer)

    assert answer.startswith(b"HTTP/1.1 202")
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", number)
