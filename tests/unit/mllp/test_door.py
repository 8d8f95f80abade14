"""The MLLP door: taken once and for all before it is acknowledged, by who may send it."""

import asyncio
import contextlib
import socket
import ssl
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hl7
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection

from adapters.doors.mllp import DoorLimits, MllpDoor
from adapters.doors.mllp_senders import Peer
from adapters.mllp.framer import framed
from adapters.mllp.header import read_header
from adapters.partners.keys import Keys, create_certificate, create_keys
from adapters.trust import mutual
from hub.bootstrap import translator
from hub.domain.partner import MllpSender
from hub.errors import Code, Forbidden, Unavailable
from tests.unit.hl7v2.messages import GOLDENS, golden
from tests.unit.mllp.door import (
    CMS,
    PAS,
    QUICK,
    Ack,
    Wire,
    hub_of,
    opened,
    referral,
    stored,
    visit,
)
from tests.unit.services.world import World, suspended


async def test_a_visit_becomes_a_notice_to_the_lead(tmp_path: Path) -> None:
    """By the mapping and the receive path that HTTP uses; acknowledged when it is kept."""
    world = await World().planned()
    async with opened(tmp_path, world) as door:
        ack = await door.say(visit())
        await world.drain()

    told = world.last("EHM-A").facts
    assert (ack.code, ack.about, ack.msh[9]) == ("AA", "RXX0001", "ACK^A04^ACK")
    assert (told["notice"]["kind"], told["from"]) == ("emergency_attendance", "HV-A")


async def test_a_referral_becomes_an_episode(tmp_path: Path) -> None:
    """REF^I12 with consent to store: a first version; without, refused, and no body is kept."""
    async with opened(tmp_path) as door:
        refused = await door.say(referral("A"))
        assert [one.raw for one in stored(door.world)] == [None]
        await door.world.decide("SCH-A", door.world.store_only())
        taken = await door.say(referral("B"))

        assert (refused.code, refused.reason) == ("AE", "E_CONSENT_NONE")
        assert (taken.code, taken.about, taken.msh[9]) == ("AA", "B", "ACK^I12^ACK")
        assert door.world.tree["subjects"][0]["family_name"] == "Example"


async def test_a_referral_can_be_answered_by_rri(tmp_path: Path) -> None:
    """Where the profile says so: RRI^I12 names the episode; a refusal stays an ACK."""
    sender = MllpSender(names=CMS.names, plain=True, referrals="rri")
    async with opened(tmp_path, senders={"SCH-A": sender}) as door:
        refused = await door.say(referral("A"))
        await door.world.decide("SCH-A", door.world.store_only())
        taken = await door.say(referral("B"))

    assert (refused.msh[9], refused.code) == ("ACK^I12^ACK", "AE")
    assert (taken.msh[9], taken.code) == ("RRI^I12^RRI_I12", "AA")
    assert [one[0] for one in taken.segments] == ["MSH", "MSA", "PRD", "PID"]
    assert taken.segments[3][3] == "e1^^^CAFHUB^VN"


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: str(path.parent.name))
def test_a_composed_hub_reads_what_it_writes(path: Path) -> None:
    """The site's canonical address is FHIR's; the assigning authority of HL7 v2 stays CAFHUB."""
    raw = golden(path)
    both = translator("https://county.example/fhir")

    if "RRI^I12" in raw.decode() or "ADT^A40" in raw.decode():
        return  # only written
    episode = both.read("application/hl7-v2", raw, partner="").message["episode"]
    assert f"{episode['episode_id']}^" in raw.decode()


async def test_the_same_again_gets_the_same_bytes(tmp_path: Path) -> None:
    """However often, whenever, over whichever connection, and after a restart of the door."""
    world = World()
    answers = []
    for hours in (0, 1, 700):
        world.clock.move(timedelta(hours=hours))
        async with opened(tmp_path, world) as door:
            wire = await door.line()
            answers += [(await wire.say(visit())).raw for _ in range(3)]
            await wire.close()

    assert len(set(answers)) == 1
    assert len(stored(world)) == 1


async def test_other_content_under_the_same_id_is_refused(tmp_path: Path) -> None:
    """Never taken for a repeat, never written over; the first keeps its answer."""
    async with opened(tmp_path) as door:
        first = await door.say(visit())
        other = await door.say(visit(text="Another fall"))
        again = await door.say(visit())

        assert (other.code, other.reason, other.about) == ("AE", "E_IDEMPOTENCY", "RXX0001")
        assert first.raw == again.raw
        assert len(stored(door.world)) == 1


async def test_ten_racing_repeats_are_one(tmp_path: Path) -> None:
    """Ten connections with one message and ten with another under its id: one of the two wins."""
    async with opened(tmp_path) as door:
        sent = [visit(text="a" if number % 2 else "b") for number in range(20)]
        acks = await asyncio.gather(*(door.say(one) for one in sent))

        codes = [ack.code for ack in acks]
        assert sorted(codes) == ["AA"] * 10 + ["AE"] * 10
        assert len({ack.raw for ack in acks if ack.code == "AA"}) == 1
        assert len(stored(door.world)) == 1


async def test_ids_are_each_applications_own(tmp_path: Path) -> None:
    """Two applications of one partner may both begin to count at one."""
    async with opened(tmp_path) as door:
        await door.world.decide("SCH-A", door.world.store_only())
        first = await door.say(referral("1"))
        second = await door.say(referral("1").replace(b"|CMS|", b"|CMS2|", 1))

    assert (first.code, second.code) == ("AA", "AA")
    assert first.msh[10] != second.msh[10]


async def test_several_messages_in_one_write_are_answered_in_order(tmp_path: Path) -> None:
    """Pipelined, or a byte at a time."""
    async with opened(tmp_path) as door:
        wire = await door.line()
        await wire.send(b"".join(framed(visit(f"N{n}")) for n in range(5)) + b"\r\n")
        acks = [await wire.ack() for _ in range(5)]
        slow = framed(visit("SLOW"))
        await wire.send(*(slow[at : at + 1] for at in range(len(slow))))
        acks.append(await wire.ack())
        await wire.close()

    assert [(ack.code, ack.about) for ack in acks if ack] == [
        *(("AA", f"N{n}") for n in range(5)), ("AA", "SLOW"),
    ]  # fmt: skip


ASKED = [
    ("AL", "", ["CA"], "CR"),
    ("AL", "NE", ["CA"], "CR"),
    ("AL", "AL", ["CA", "AA"], "CR"),
    ("NE", "AL", ["AA"], "AR"),
    ("", "AL", ["AA"], "AR"),
    ("ER", "SU", ["AA"], "CR"),
    ("SU", "ER", ["CA"], "AR"),
    ("ER", "ER", [], "CR"),
    ("NE", "NE", [], "CR"),
    ("", "", ["AA"], "AR"),
]


@pytest.mark.parametrize(("accept", "answer", "good", "bad"), ASKED)
async def test_enhanced_mode(
    accept: str, answer: str, good: list[str], bad: str, tmp_path: Path
) -> None:
    """MSH-15 and MSH-16 say which acknowledgements are wanted; a refusal is always said."""
    more = f"||{accept}|{answer}"
    async with opened(tmp_path) as door:
        wire = await door.line()
        await wire.send(framed(visit("1", more=more)))
        found = [await wire.ack() for _ in good]
        refused = await wire.say(visit("2", more=more, processing="T"))
        await wire.close()

        assert [ack.code for ack in found if ack] == good
        assert len({ack.msh[10] for ack in found if ack}) == len(good)
        assert (refused.code, refused.about) == (bad, "2")
        assert len(stored(door.world)) == 1


@pytest.mark.parametrize("version", ["2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8"])
async def test_errors_are_said_as_the_version_has_them(version: str, tmp_path: Path) -> None:
    """Up to 2.4 ERR-1 repeats; from 2.5 there is an ERR for each, with severity and remedy."""
    raw = visit(text="\\Q\\").replace(b"|2.4|", f"|{version}|".encode())
    async with opened(tmp_path) as door:
        ack = await door.say(raw)

    (error,) = ack.errors
    assert ack.msh[12] == version
    if version in ("2.3.1", "2.4"):
        assert error[1].startswith("PV2^^3^100&Segment sequence error&HL70357&E_SYNTAX&")
    else:
        assert error[1:6] == [
            "", "PV2^^3^^2", "100^Segment sequence error^HL70357", "E", "E_SYNTAX^^ECAF",
        ]  # fmt: skip
        assert "\\E\\" in error[8]


async def test_operations_are_those_of_the_profile(tmp_path: Path) -> None:
    """A patient system that may notify does not send episodes, and the other way round."""
    world = World()
    for name, allowed in (("HV-A", {"notify"}), ("SCH-A", {"submit"})):
        one = world.partners[name]
        world.partners[name] = type(one)(
            **{f: getattr(one, f) for f in one.__slots__} | {"operations": frozenset(allowed)}
        )
    both = MllpSender(names=PAS.names, plain=True)
    async with opened(tmp_path, world, senders={"HV-A": both, "SCH-A": CMS}) as door:
        assert (await door.say(visit())).code == "AA"
        for raw in (
            visit("2").replace(b"PAS|RXX01", b"CMS|SCH-A"),
            referral("3").replace(b"CMS|SCH-A", b"PAS|RXX01"),
        ):
            ack = await door.say(raw)
            assert (ack.code, ack.reason) == ("AE", "E_FORBIDDEN")


async def test_who_is_not_accredited_today_does_not_come_in(tmp_path: Path) -> None:
    """As at the HTTP door, every day anew."""
    async with opened(tmp_path) as door:
        wire = await door.line()
        assert (await wire.say(visit("1"))).code == "AA"
        door.world.clock.move(timedelta(days=1200))
        ack = await wire.say(visit("2"))
        await wire.close()

    assert (ack.code, ack.reason) == ("AR", "E_ORG_NOT_ACCREDITED")


async def test_while_the_hub_cannot_take_it_nothing_is_read(tmp_path: Path) -> None:
    """A store that is away is waited for; then the message is taken once and acknowledged."""
    world = World()
    patient = DoorLimits(busy_seconds=60.0)
    async with opened(tmp_path, world, limits=patient) as door:
        run, failed, again = world.store.run, [], asyncio.Event()

        async def away(*_: Any) -> Any:
            failed.append(1)
            if len(failed) == 3:
                again.set()
            raise Unavailable(Code.STORE, "away")

        world.store.run = away
        wire = await door.line()
        await wire.send(framed(visit("1")) + framed(visit("2")))
        asked = asyncio.create_task(wire.ack(60))
        await again.wait()
        assert not asked.done()
        world.store.run = run
        first, second = await asked, await wire.ack()
        await wire.close()

        assert [ack.about for ack in (first, second) if ack] == ["1", "2"]
        assert len(stored(world)) == 2


async def test_an_unknown_outcome_is_never_answered(tmp_path: Path) -> None:
    """Nobody knows whether it was kept: closed without an ACK, sent again, and it is one."""
    world = World()
    async with opened(tmp_path, world, limits=DoorLimits(busy_seconds=0.1)) as door:
        run = world.store.run

        async def lost(*args: Any) -> Any:
            await run(*args)
            raise Unavailable(Code.OUTCOME_UNKNOWN, "the commit was cut off")

        world.store.run = lost
        wire = await door.line()
        await wire.send(framed(visit()))
        assert await wire.closed()
        world.store.run = run
        assert (await door.say(visit())).code == "AA"
        assert len(stored(world)) == 1


async def test_a_fault_of_ours_is_said_and_kept_from_the_sender(tmp_path: Path) -> None:
    """AR with E_INTERNAL, not a word of what happened; the door goes on."""
    async with opened(tmp_path) as door:
        receive = door.hub.receive

        async def broken(*_: Any) -> Any:
            raise RuntimeError("Canary-Smith")

        door.hub.receive = broken  # type: ignore[method-assign,assignment]
        ack = await door.say(visit())
        door.hub.receive = receive  # type: ignore[method-assign]

        assert (ack.code, ack.reason) == ("AR", "E_INTERNAL")
        assert "Canary" not in ack.text
        assert (await door.say(visit())).code == "AA"


async def test_a_stop_ends_what_is_being_worked_on(tmp_path: Path) -> None:
    """Its ACK still goes out; who is idle or in mid-message is let go, and nobody new comes in."""
    world = World()
    async with opened(tmp_path, world) as door:
        run, inside, go = world.store.run, asyncio.Event(), asyncio.Event()

        async def slow(*args: Any) -> Any:
            inside.set()
            await go.wait()
            return await run(*args)

        world.store.run = slow
        working, idle, half = [await door.line() for _ in range(3)]
        await half.send(framed(visit("3"))[:60])
        await working.send(framed(visit("1")) + framed(visit("2")))
        await inside.wait()
        closing = asyncio.create_task(door.door.close())
        assert await idle.closed()
        assert await half.closed()
        with pytest.raises(OSError, match="Connect call failed"):
            await door.line()
        go.set()
        ack = await working.ack()
        assert ack is not None
        assert (ack.code, ack.about) == ("AA", "1")
        assert await working.closed()
        await closing
        assert len(stored(world)) == 1


async def test_a_client_that_never_reads_is_dropped(tmp_path: Path) -> None:
    """When its answers pile up; others are served meanwhile."""
    limits = DoorLimits(write_seconds=0.3, linger_seconds=0.1)
    async with opened(tmp_path, limits=limits) as door:
        bare = socket.socket()
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        bare.setblocking(False)
        await asyncio.get_running_loop().sock_connect(bare, ("127.0.0.1", door.port))
        async with asyncio.timeout(30):
            while not door.door._lines:  # noqa: ASYNC110 - the door has no event for it
                await asyncio.sleep(0.01)
            (line,) = door.door._lines.values()
            near = line.writer.get_extra_info("socket")
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
            line.writer.transport.set_write_buffer_limits(4_096)
            with contextlib.suppress(ConnectionError):
                for _ in range(2_000):
                    await asyncio.get_running_loop().sock_sendall(bare, framed(visit("\\")))
            assert (await door.say(visit())).code == "AA"
            while line in door.door._lines.values():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        bare.close()


async def test_waiting_behind_another_message_costs_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What begins while the hub is busy with the one before has its thirty seconds afterwards."""
    late = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[0])
    monkeypatch.setattr("adapters.doors.mllp.time", clock)
    world, second = World(), framed(visit("2"))
    async with opened(tmp_path, world) as door:
        run, inside, go = world.store.run, asyncio.Event(), asyncio.Event()

        async def slow(*args: Any) -> Any:
            inside.set()
            await go.wait()
            return await run(*args)

        world.store.run = slow
        wire = await door.line()
        await wire.send(framed(visit("1")) + second[:50])
        await inside.wait()
        late[0] = 100.0
        go.set()
        first = await wire.ack()
        await wire.send(second[50:])
        then = await wire.ack()

        assert [ack.code for ack in (first, then) if ack] == ["AA", "AA"]


async def test_beyond_the_seats_others_wait(tmp_path: Path) -> None:
    """A whole message too many is neither worked on nor refused until one of them ends."""
    world = World()
    async with opened(tmp_path, world, limits=DoorLimits(connections=1)) as door:
        run, inside, go = world.store.run, asyncio.Semaphore(0), asyncio.Event()

        async def slow(*args: Any) -> Any:
            inside.release()
            await go.wait()
            return await run(*args)

        world.store.run = slow
        first, second = await door.line(), await door.line()
        await first.send(framed(visit("1")))
        await inside.acquire()
        await second.send(framed(visit("2")))
        waiting = asyncio.create_task(second.ack(60))
        await asyncio.sleep(0.2)
        assert inside.locked()
        assert not waiting.done()
        go.set()
        mine, ack = await first.ack(60), await waiting
        assert [one.code for one in (mine, ack) if one] == ["AA", "AA"]


async def test_half_a_message_takes_no_seat(tmp_path: Path) -> None:
    """Connections that wait for their own senders keep no honest one waiting, and go on."""
    async with opened(tmp_path, limits=DoorLimits(connections=1)) as door:
        wires = [await door.line() for _ in range(5)]
        halves = [framed(visit(f"H{number}")) for number in range(5)]
        for wire, half in zip(wires, halves, strict=True):
            await wire.send(half[:50])
        async with asyncio.timeout(30):
            lines = door.door._lines
            while sum(one.framer.held > 0 for one in lines.values()) < 5:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
        assert (await door.say(visit("WHOLE"))).code == "AA"
        for wire, half in zip(wires, halves, strict=True):
            await wire.send(half[50:])
        acks = [await wire.ack(60) for wire in wires]
        assert [ack.code for ack in acks if ack] == ["AA"] * 5


async def test_who_says_nothing_takes_no_seat(tmp_path: Path) -> None:
    """Neither before a first message nor between two."""
    async with opened(tmp_path, limits=DoorLimits(connections=1)) as door:
        silent, resting = await door.line(), await door.line()
        assert (await resting.say(visit("1"))).code == "AA"
        assert (await door.say(visit("2"))).code == "AA"
        assert (await resting.say(visit("3"))).code == "AA"
        assert (await silent.say(visit("4"))).code == "AA"


async def test_whoever_was_silent_longest_makes_room(tmp_path: Path) -> None:
    """Full of connections that never said anything, the door still opens to one that does."""
    async with opened(tmp_path, limits=DoorLimits(waiting=3)) as door:
        speaking = await door.line()
        assert (await speaking.say(visit("1"))).code == "AA"
        silent = [await door.line() for _ in range(2)]
        newcomer = await door.line()
        assert (await newcomer.say(visit("2"))).code == "AA"
        assert await silent[0].closed()
        assert (await speaking.say(visit("3"))).code == "AA"


async def test_one_address_has_its_share_of_connections(tmp_path: Path) -> None:
    """One more from the same place is hung up on, until one of the others ends."""
    async with opened(tmp_path, limits=DoorLimits(per_address=2)) as door:
        first, second, third = [await door.line() for _ in range(3)]
        assert (await first.say(visit("1"))).code == "AA"
        assert (await second.say(visit("2"))).code == "AA"
        assert await third.ack(60) is None
        await first.close()
        async with asyncio.timeout(60):
            while True:
                later = await door.line()
                await later.send(framed(visit("3")))
                if (ack := await later.ack(60)) is not None:
                    break
        assert ack.code == "AA"


async def test_few_large_messages_at_once(tmp_path: Path) -> None:
    """The others wait unread, and their time does not run."""
    large, other_large = (visit(n) + b"ZXX|" + b"x" * 300_000 + b"\r" for n in ("BIG", "BIG2"))
    async with opened(tmp_path, limits=DoorLimits(large=1)) as door:
        one, other = await door.line(), await door.line()
        await one.send(framed(large)[:200_000])
        async with asyncio.timeout(30):
            while not door.door._large.taken:  # noqa: ASYNC110 - the door has no event for it
                await asyncio.sleep(0.01)
        await other.send(framed(other_large))
        waiting = asyncio.create_task(other.ack(60))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        assert (await door.say(visit("SMALL"))).code == "AA"
        await one.send(framed(large)[200_000:])
        first, second = await one.ack(), await waiting
        assert [ack.code for ack in (first, second) if ack] == ["AA", "AA"]


async def test_one_sender_keeps_no_other_from_sending_large_messages(tmp_path: Path) -> None:
    """Its half messages fill its share of the places, and not those of all."""
    half = framed(referral("HALF") + b"ZXX|" + b"x" * 300_000 + b"\r")[:200_000]
    whole = visit("WHOLE") + b"ZXX|" + b"x" * 300_000 + b"\r"
    async with opened(tmp_path, limits=DoorLimits(large=2, large_each=1)) as door:
        for _ in range(3):
            await (await door.line()).send(half)
        async with asyncio.timeout(30):
            lines = door.door._lines
            while sum(one.framer.held > 65_536 for one in lines.values()) < 3:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)

        assert door.door._large.taken == 1
        assert (await door.say(whole)).code == "AA"


async def test_an_idle_connection_ends(tmp_path: Path) -> None:
    """Soon if it never said anything."""
    async with opened(tmp_path, limits=DoorLimits(idle_seconds=0.2)) as door:
        assert await (await door.line()).closed()


# Other people's clients


async def test_python_hl7s_client_sends(tmp_path: Path) -> None:
    """The blocking client of python-hl7, from a thread: its message arrives, our answer parses."""
    world = await World().planned()
    async with opened(tmp_path, world) as door:

        def talk() -> list[bytes]:
            with MLLPClient("127.0.0.1", door.port) as client:
                text = visit().decode()
                return [client.send_message(hl7.parse(text)), client.send_message(text)]

        first, second = await asyncio.to_thread(talk)
        await world.drain()

    answer = hl7.parse(first.strip(b"\x0b\x1c\r").decode())
    assert first == second
    assert (str(answer["MSA"][0][1]), str(answer["MSA"][0][2])) == ("AA", "RXX0001")
    assert world.take() == {"EHM-A": ["NOTICE"]}


async def test_python_hl7s_streams_send(tmp_path: Path) -> None:
    """Its asyncio streams, many messages over one connection, refusals among them."""
    async with opened(tmp_path) as door:
        reader, writer = await open_hl7_connection("127.0.0.1", door.port, encoding="utf-8")
        codes = []
        for number in range(10):
            processing = "T" if number % 3 == 2 else "P"
            text = visit(f"N{number}", processing=processing).decode()
            writer.writemessage(hl7.parse(text))
            answer = await reader.readmessage()
            assert str(answer["MSA"][0][2]) == f"N{number}"
            codes.append(str(answer["MSA"][0][1]))
        writer.close()
        await writer.wait_closed()

    assert codes == ["AA", "AA", "AR"] * 3 + ["AA"]


# TLS


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """An authority, the hub's certificate, and those of three systems."""
    return create_keys(tmp_path_factory.mktemp("mllp"))


def client(keys: Keys, name: str | None, *, authority: Keys | None = None) -> ssl.SSLContext:
    """Return how a system connects, with its certificate if it has one."""
    context = ssl.create_default_context(cafile=str(keys.ca_cert))
    if name is not None:
        held = authority or keys
        context.load_cert_chain(*client_certificate(held, name))
    return context


def client_certificate(keys: Keys, name: str, *, days: int = 30) -> tuple[Path, Path]:
    """Return a client certificate for *name*.example, made by the authority of *keys*."""
    cert, key = create_certificate(keys, f"made-{name}", [f"{name}.example"])
    out = cert.with_name(f"{name}-client.pem")
    if out.exists():
        return out, key
    made = x509.load_pem_x509_certificate(cert.read_bytes())
    ca = x509.load_pem_x509_certificate(keys.ca_cert.read_bytes())
    signer: Any = serialization.load_pem_private_key(keys.ca_key.read_bytes(), None)
    now = datetime.now(UTC)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    again = (
        x509.CertificateBuilder()
        .subject_name(made.subject)
        .issuer_name(ca.subject)
        .public_key(made.public_key())
        .serial_number(made.serial_number)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(usage, critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(f"{name}.example")]), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    out.write_bytes(again.public_bytes(serialization.Encoding.PEM))
    return out, key


def fingerprint(cert: Path) -> str:
    """Return the SHA-256 of a certificate."""
    shown = x509.load_pem_x509_certificate(cert.read_bytes())
    return shown.fingerprint(hashes.SHA256()).hex()


def sender(name: str, facility: str, **proof: Any) -> MllpSender:
    return MllpSender(names=frozenset({(name, facility)}), **proof)


async def tls_door(world: World, keys: Keys, folder: Path) -> MllpDoor:
    """Open a door for HV-A (by name) and SCH-A (by fingerprint)."""
    school = fingerprint(client_certificate(keys, "cms")[0])
    senders = {
        "HV-A": sender("PAS", "RXX01", hosts=frozenset({"pas.example"})),
        "SCH-A": sender("CMS", "SCH-A", fingerprints=frozenset({school})),
    }
    context = mutual(keys.ca_cert, keys.server_cert, keys.server_key)
    door = MllpDoor(hub_of(world, folder, senders), "127.0.0.1", 0, tls=context, limits=QUICK)
    await door.open()
    return door


async def said(door: MllpDoor, context: ssl.SSLContext | None, raw: bytes) -> Ack | None:
    """Return what the door says to one message; ``None`` where it lets nobody in."""
    try:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", door.port, ssl=context))
        await wire.send(framed(raw))
        ack = await wire.ack()
        await wire.close()
    except (ssl.SSLError, ConnectionError):
        return None
    return ack


async def test_a_certificate_is_bound_to_its_names(keys: Keys, tmp_path: Path) -> None:
    """Each system sends under its own application and facility, and under no other's."""
    world = World()
    await world.decide("SCH-A", world.store_only())
    strangers = create_keys(tmp_path / "other")
    door = await tls_door(world, keys, tmp_path)
    school, hospital = referral("1"), visit("1")
    found = {
        "hospital": await said(door, client(keys, "pas"), hospital),
        "school": await said(door, client(keys, "cms"), school),
        "hospital as school": await said(door, client(keys, "pas"), school),
        "school as hospital": await said(door, client(keys, "cms"), hospital),
        "a third, as hospital": await said(door, client(keys, "lab"), hospital),
        "no certificate": await said(door, client(keys, None), hospital),
        "another authority": await said(door, client(keys, "pas", authority=strangers), hospital),
        "no tls": await said(door, None, hospital),
    }
    await door.close()

    assert {name: ack and (ack.code, ack.reason) for name, ack in found.items()} == {
        "hospital": ("AA", ""),
        "school": ("AA", ""),
        "hospital as school": ("AR", "E_UNAUTHENTICATED"),
        "school as hospital": ("AR", "E_UNAUTHENTICATED"),
        "a third, as hospital": ("AR", "E_UNAUTHENTICATED"),
        "no certificate": None,
        "another authority": None,
        "no tls": None,
    }


async def test_who_is_not_known_sends_little(keys: Keys, tmp_path: Path) -> None:
    """A certificate that no profile names gets 64 KiB of attention."""
    world = World()
    door = await tls_door(world, keys, tmp_path)
    ack = await said(door, client(keys, "lab"), visit(text="x" * 100_000))
    await door.close()

    assert ack is not None
    assert ack.reason == "E_TOO_LARGE"


def test_a_certificate_that_ends_ends_its_connection(keys: Keys) -> None:
    """The handshake saw it valid; every message looks again."""
    from adapters.doors.mllp_senders import Senders
    from hub.errors import Unauthorised

    world = World()
    hub = hub_of(world, keys.ca_cert, {"HV-A": sender("PAS", "RXX01", hosts=frozenset({"h"}))})
    wall = [1000.0]
    senders = Senders(lambda: hub.registry, lambda: date(2026, 9, 1), lambda: wall[0])
    peer = Peer(plain=False, hosts=frozenset({"h"}), until=2000.0)

    assert senders.who(peer, read_header(visit())).partner.name == "HV-A"
    wall[0] = 2000.0
    with pytest.raises(Unauthorised):
        senders.who(peer, read_header(visit()))


@pytest.mark.parametrize(
    "peer",
    [
        Peer(plain=True),
        Peer(plain=False),
        Peer(plain=False, fingerprint=""),
        Peer(plain=False, hosts=frozenset({"x.h", "*"})),
    ],
)
def test_nobody_is_let_in_by_an_empty_proof(peer: Peer, keys: Keys) -> None:
    """Plain at a door for certificates, a certificate that says nothing, a name that is longer."""
    from adapters.doors.mllp_senders import Senders

    one = sender("PAS", "RXX01", hosts=frozenset({"h"}), fingerprints=frozenset({"a" * 64}))
    hub = hub_of(World(), keys.ca_cert, {"HV-A": one})
    senders = Senders(lambda: hub.registry, lambda: date(2026, 9, 1))

    assert not senders.knows(peer)


def test_a_suspended_partner_is_refused_at_the_door(keys: Keys) -> None:
    """It is known, and told that it is suspended."""
    from adapters.doors.mllp_senders import Senders

    one = sender("PAS", "RXX01", hosts=frozenset({"h"}))
    hub = hub_of(World(), keys.ca_cert, {"HV-A": one})
    registry = suspended(hub.registry, "HV-A")
    senders = Senders(lambda: registry, lambda: date(2026, 9, 1))

    with pytest.raises(Forbidden) as refused:
        senders.who(Peer(plain=False, hosts=frozenset({"h"})), read_header(visit()))
    assert refused.value.code is Code.SUSPENDED
