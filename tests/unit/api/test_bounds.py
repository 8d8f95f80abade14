"""The limits of a site: each is a setting, documented as it is, and what goes beyond is told so."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from adapters.doors.mllp import DoorLimits
from hub.api.app import create_app
from hub.api.crowd import SWEPT, Crowd
from hub.api.limits import Limits
from hub.api.serving import listening
from hub.api.turns import BURST_SECONDS, Turns
from hub.bounds import BOUNDS, Bounds, Described, table
from hub.domain.exchange import State
from hub.domain.partner import OPERATIONS
from hub.doors import limits_of
from hub.errors import Code, Misconfigured, Unavailable
from hub.running import Running
from hub.services.brake import Brake, Pull
from hub.settings import Settings
from tests.architecture.tree import ROOT
from tests.unit.api.small_hub import partner, small_hub


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The least that a hub needs to know."""
    key = tmp_path / "vault.key"
    key.write_text("x")
    key.chmod(0o600)
    return {"ECAF_CONFIG_DIR": str(tmp_path), "ECAF_VAULT_KEY_FILE": str(key)}


def test_the_table_of_limits_is_the_code() -> None:
    """An operator reads the very defaults and ranges that the hub has."""
    shown = (ROOT / "hub" / "README.md").read_text("utf-8")

    assert "\n".join(table()) + "\n\n" in shown
    assert shown.count("`ECAF_LIMIT_") == len(BOUNDS)


def test_the_doors_defaults_are_the_settings() -> None:
    """Who builds a door without settings gets what a site gets that sets nothing."""
    assert Limits.of(Bounds()) == Limits()
    assert limits_of(Bounds()) == DoorLimits()


@pytest.mark.parametrize("one", BOUNDS, ids=lambda one: one.attribute)
def test_each_limit_is_a_setting(one: Described, environ: dict[str, str]) -> None:
    """Lowest and highest value arrive; beyond them, and words, are refused by name."""
    for value in (one.low, one.high):
        settings = Settings.from_environ({**environ, one.name: str(value)})
        assert settings.bounds == replace(Bounds(), **{one.attribute: value})

    assert one.low <= one.default <= one.high
    for wrong in (str(one.low - 1), str(one.high + 1), "many", "1.5"):
        with pytest.raises(Misconfigured) as refused:
            Settings.from_environ({**environ, one.name: wrong})
        (fault,) = refused.value.faults
        assert (fault.path, fault.remedy) == (
            one.name,
            f"give a whole number from {one.low} to {one.high}",
        )


def turns(now: list[float], **limits: int) -> Turns:
    """Return turns by a clock of the test's own."""
    return Turns(replace(Limits(), **limits), lambda: now[0])


def test_a_caller_has_its_share_and_no_more() -> None:
    """A full bucket may be used at once, then so many a second; another's is another's."""
    now = [0.0]
    them = turns(now, client_per_second=2)

    def come(caller: str, operation: str = "/messages") -> None:
        with them.visit() as visit:
            visit.by(caller, operation)

    for _ in range(int(2 * BURST_SECONDS)):
        come("SCH-A")
    with pytest.raises(Unavailable, match="E_RATE") as refused:
        come("SCH-A")
    come("HOU-A")
    come("SCH-A", "/inbox")
    now[0] = 0.5
    come("SCH-A")
    with pytest.raises(Unavailable):
        come("SCH-A")

    assert refused.value.retry_after == pytest.approx(0.5)


def test_who_looks_for_people_has_less() -> None:
    """Searching has a bucket of its own size."""
    them = turns([0.0], client_per_second=100, client_searches_per_second=1)
    for _ in range(int(BURST_SECONDS)):
        with them.visit() as visit:
            visit.by("SCH-A", "/index/check", searching=True)

    with pytest.raises(Unavailable), them.visit() as visit:
        visit.by("SCH-A", "/index/check", searching=True)


def test_one_caller_leaves_room_for_the_others() -> None:
    """So many requests under way are one caller's at the most; one that ends makes room."""
    them = turns([0.0], client_in_flight=2)
    with contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(them.visit()).by("SCH-A", "/messages")
        with pytest.raises(Unavailable, match="E_RATE"), them.visit() as third:
            third.by("SCH-A", "/messages")
        with them.visit() as other:
            other.by("HOU-A", "/messages")
    with them.visit() as later:
        later.by("SCH-A", "/messages")


def test_callers_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses come by, only so many are remembered."""
    monkeypatch.setattr("hub.api.turns.MOST_BUCKETS", 3)
    now = [0.0]
    them = turns(now)
    for number in range(9):
        now[0] += BURST_SECONDS
        with them.visit() as visit:
            visit.by(f"at {number}", "/token")

    assert len(them._buckets) <= 3


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the door nothing is given back while a test runs, however long the machine takes."""
    monkeypatch.setattr("hub.api.door.Turns", partial(Turns, monotonic=lambda: 0.0))


@pytest.mark.usefixtures("no_time_passes")
async def test_too_many_requests_are_429() -> None:
    """At the door: a code, when to come again, and the next caller is served."""
    hub = small_hub()
    limits = replace(Limits(), client_per_second=1)
    transport = httpx.ASGITransport(create_app(hub, limits=limits), client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as door:

        async def ask(name: str) -> httpx.Response:
            key = {"authorization": f"Bearer {hub.keys[name].reveal()}"}
            return await door.get("/directory", headers=key)

        answers = [await ask("EHM-A") for _ in range(11)]
        other = await ask(next(name for name in hub.keys if name != "EHM-A"))

    assert [one.status_code for one in answers] == [200] * 10 + [429]
    assert answers[-1].json()["code"] == "E_RATE"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert other.status_code != 429


@pytest.mark.usefixtures("no_time_passes")
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/index/check", "application/json"),
        ("/fhir/Patient/$match", "application/fhir+json"),
        ("/episodes/e1/override", "application/json"),
    ],
)
async def test_questions_about_people_are_counted_as_searches(path: str, kind: str) -> None:
    """Whatever they ask: the index, a match in FHIR, a look past a shield; the answer is a code."""
    hub = small_hub(partner("EHM-A", operations=OPERATIONS))
    limits = replace(Limits(), client_per_second=100, client_searches_per_second=1)
    transport = httpx.ASGITransport(create_app(hub, limits=limits), client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as door:
        headers = {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}", "content-type": kind}
        answers = [await door.post(path, headers=headers, content=b"{}") for _ in range(11)]

    assert 429 not in {one.status_code for one in answers[:10]}
    assert answers[10].status_code == 429
    assert "E_RATE" in answers[10].text
    assert int(answers[10].headers["retry-after"]) >= 1


@pytest.mark.usefixtures("no_time_passes")
async def test_strangers_share_by_address() -> None:
    """Whose proof must be looked at first is counted by where it comes from."""
    hub = small_hub()
    limits = replace(Limits(), client_per_second=1)
    app = create_app(hub, limits=limits)

    async def ask(address: str) -> int:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as door:
            answer = await door.post("/notifications/NOBODY", content=b"{}")
            return answer.status_code

    first = [await ask("192.0.2.1") for _ in range(11)]

    assert 429 not in first[:10]
    assert first[10] == 429
    assert await ask("192.0.2.2") != 429


def test_a_crowd_has_seats_and_a_little_standing_room() -> None:
    """In all and from one address; a socket file has no addresses; places are given back."""
    hall = Crowd(8, 4)
    first = [hall.enter("192.0.2.1") for _ in range(6)]
    others = [hall.enter("192.0.2.2") for _ in range(4)]
    hall.leave("192.0.2.1")

    assert first == ["seated"] * 4 + ["standing", "none"]
    assert others == ["seated"] * 3 + ["standing"]
    assert hall.open == 8
    assert [hall.enter("192.0.2.3"), hall.enter("192.0.2.3")] == ["standing", "standing"]
    assert hall.enter("192.0.2.3") == "none"
    assert [Crowd(8, 1).enter("") for _ in range(2)] == ["seated", "seated"]


@asynccontextmanager
async def served(bounds: Bounds) -> AsyncIterator[tuple[int, Mapping[str, str]]]:
    """Serve a small hub; yield its port, and headers of a partner."""
    hub = small_hub()
    settings = replace(hub.settings, bounds=bounds)
    async with listening(create_app(hub), settings, support_contact="s@hub.example") as doors:
        headers = {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}
        yield int(doors[0].address.rpartition(":")[2]), headers


def hang_up(writer: asyncio.StreamWriter) -> None:
    """End a connection; until then *writer* is kept, which would end it itself when forgotten."""
    writer.transport.abort()


async def answer(port: int, headers: Mapping[str, str], kept: contextlib.AsyncExitStack) -> str:
    """Ask on a connection that stays open; return all that is said, nothing where hung up on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    kept.callback(hang_up, writer)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    said = b""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        writer.write(f"GET /directory HTTP/1.1\r\nhost: hub\r\n{head}\r\n".encode())
        top = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        length = int(top.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        said = top + await reader.readexactly(length)
    return said.decode()


async def test_beyond_the_seats_there_is_an_answer() -> None:
    """Who comes too late is told when to come again, beyond that hung up on; later is served."""
    bounds = replace(Bounds(), connections=16, connections_per_address=4)
    async with served(bounds) as (port, headers):
        async with contextlib.AsyncExitStack() as kept:
            seated = [await answer(port, headers, kept) for _ in range(4)]
            standing = await answer(port, headers, kept)
            none = await _until_hung_up(port, headers, kept)
        later = ""
        while not later.startswith("HTTP/1.1 200"):
            async with contextlib.AsyncExitStack() as kept:
                later = await answer(port, headers, kept)

    assert {one.partition("\r\n")[0] for one in seated} == {"HTTP/1.1 200 OK"}
    top, _, body = standing.partition("\r\n\r\n")
    assert top.startswith("HTTP/1.1 503 ")
    assert "retry-after: 1" in top
    assert json.loads(body)["code"] == "E_BUSY"
    assert none == ""


async def _until_hung_up(
    port: int, headers: Mapping[str, str], kept: contextlib.AsyncExitStack
) -> str:
    """Hold the standing room by silent connections, and ask once more."""
    for _ in range(2):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        kept.callback(hang_up, writer)
    return await answer(port, headers, kept)


async def brake(counts: Mapping[str, int], free: int, *took: float) -> Brake:
    """Return a brake that has looked as often as answers took so long."""
    now = iter([moment for seconds in took for moment in (0.0, seconds)])

    async def counted() -> Mapping[str, int]:
        return counts

    one = Brake(counted, lambda: free, Pull(10, 1_000, 1.0), lambda: next(now))
    for _ in took:
        await one.look()
    return one


@pytest.mark.parametrize(
    ("counts", "free", "took", "why"),
    [
        ({"pending": 9, "delivered": 50}, 1_000, [0.1], ""),
        ({"pending": 5, "sending": 2, "handed_over": 3}, 1_000, [0.1], "backlog"),
        ({}, 999, [0.1], "disk"),
        ({}, 1_000, [1.1], ""),
        ({}, 1_000, [1.1, 1.1], "slow"),
        ({}, 1_000, [1.1, 1.1, 0.1], ""),
    ],
)
async def test_the_brake_is_pulled(
    counts: Mapping[str, int], free: int, took: list[float], why: str
) -> None:
    """By what has not ended, by the disk, by a database that is slow twice running."""
    one = await brake(counts, free, *took)

    assert one.why == why
    if why:
        with pytest.raises(Unavailable, match="E_BUSY") as refused:
            one.check()
        assert refused.value.retry_after == 10.0
    else:
        one.check()


async def test_a_store_that_does_not_answer_changes_nothing() -> None:
    """The store itself refuses then; what was known of the disk stays."""

    async def away() -> Mapping[str, int]:
        raise Unavailable(Code.STORE, "away")

    one = Brake(away, lambda: 0, Pull(1, 1, 1.0), why="disk")
    await one.look()

    assert one.why == "disk"


async def test_a_hub_that_takes_no_content_is_not_ready() -> None:
    """`/readyz` says so, and which; it is ready again when the brake is let go."""

    async def counts(among: Collection[State]) -> Mapping[str, int]:
        assert among, "counting all that there ever was takes too long for this"
        return {}

    running = Running()
    running.store = SimpleNamespace(counts=counts)
    running.brake = await brake({"pending": 10}, 1_000, 0.1)
    held = await running.readiness()
    running.brake.why = ""

    assert (held["ready"], held["parts"]["intake"]) == (False, "backlog")
    assert (await running.readiness())["ready"] is True


def test_what_a_crowd_leaves_is_cleared_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for so many that have gone; who stays costs nothing."""
    swept: list[None] = []
    monkeypatch.setattr("hub.api.crowd.gc.collect", lambda: swept.append(None))
    hall = Crowd(10, 10)
    for _ in range(2 * SWEPT + 5):
        hall.enter("192.0.2.1")
        hall.leave("192.0.2.1")

    assert len(swept) == 2
