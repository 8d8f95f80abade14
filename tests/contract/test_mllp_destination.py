"""What a receiver over MLLP cannot make the hub believe: "delivered" is its own sound word."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import hl7
import pytest
from hl7.mllp import start_hl7_server

from adapters.destinations.breaker import Breaker
from adapters.destinations.mllp import MllpDestination, MllpLimits
from adapters.partners.keys import create_keys
from adapters.trust import mutual
from hub.domain.carriage import Parcel
from hub.domain.partner import Delivering
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from tests.contract import mllp_receiver as far_end
from tests.contract.mllp_receiver import (
    Behaviour,
    Hospital,
    ack,
    frame,
    hospital,
    hung_up,
    pieces,
    raw,
    said,
)
from tests.unit.mllp.test_door import client_certificate

BODY = (
    b"MSH|^~\\&|urn:ecaf:hub|Hub|||20260901||REF^I12^REF_I12|MSG0001|P|2.4\rPID|1||s1||Canary^Ava\r"
)
OTHER = BODY.replace(b"MSG0001", b"MSG0002").replace(b"Ava", b"Ben")
PARCEL = Parcel(
    delivery_id="d-1",
    message_type="N7",
    partner="HV-A",
    attempt=1,
    possible_duplicate=False,
    content_type="application/hl7-v2",
    body=BODY,
    thin=False,
    lane="ep-1",
    lane_sequence=3,
    urgent=False,
)
IMPATIENT = MllpLimits(answer_seconds=0.5, answer_bytes=8_192)


@pytest.fixture
async def far() -> AsyncIterator[Hospital]:
    """A partner's receiver."""
    async with hospital() as one:
        yield one


def to(
    far: Hospital, limits: MllpLimits | None = None, breaker: Breaker | None = None
) -> MllpDestination:
    """Return a destination to it, with no breaker in the way."""
    return MllpDestination(
        "127.0.0.1", far.port, limits=limits, breaker=breaker or Breaker(threshold=10**6)
    )


@pytest.fixture
async def line(far: Hospital) -> AsyncIterator[MllpDestination]:
    """A destination that waits as long as in production."""
    one = to(far)
    yield one
    await one.close()


@dataclass(frozen=True)
class Case:
    """What a receiver does, and what the hub may make of it."""

    name: str
    answer: Behaviour
    meaning: str
    hurried: bool = False


def plain(name: str, made: Callable[[str], bytes], meaning: str = "unknown") -> Case:
    """An answer in a sound frame."""
    return Case(name, raw(lambda about: frame(made(about))), meaning)


def bytes_of(name: str, made: Callable[[str], bytes], meaning: str = "unknown") -> Case:
    """An answer of any bytes."""
    return Case(name, raw(made), meaning)


def good(about: str) -> bytes:
    return ack("AA", about)


def edited(old: bytes, new: bytes) -> Callable[[str], bytes]:
    """Return a good acknowledgement in which something was changed."""

    def made(about: str) -> bytes:
        whole = good(about)
        assert old in whole
        return whole.replace(old, new, 1)

    return made


def piece(number: int) -> Callable[[str], bytes]:
    """Return a part of a good acknowledgement in its frame."""
    return lambda about: frame(good(about))[number * 24 : number * 24 + 24]


NO_ERROR = "ERR|^^^0&Message accepted&HL70357\r"
HASHES = "MSH#!~\\&#T#R###1##ACK!I12#1#P#2.4\rMSA#AA#{}\r"

CASES = [
    # The receiver's word
    Case("AA", said("AA"), "delivered"),
    Case("CA", said("CA"), "delivered"),
    Case("AA as RRI", said("AA", kind="RRI^I12^RRI_I12"), "delivered"),
    Case("AA in five pieces", pieces(*map(piece, range(6))), "delivered"),
    Case("CA, then AA", raw(lambda a: frame(ack("CA", a)) + frame(good(a))), "delivered"),
    Case("AA twice", raw(lambda a: frame(good(a)) * 2), "delivered"),
    Case("AA with a remark", said("AA", more="ERR||PID|0^ok^HL70357|I\r"), "delivered"),
    Case("AA with a code of success", said("AA", more=NO_ERROR), "delivered"),
    Case("AA and a line end", raw(lambda a: frame(good(a)) + b"\r\n"), "delivered"),
    Case("AA and the end", hung_up(lambda a: frame(good(a))), "delivered"),
    plain("AA with other separators", lambda a: HASHES.format(a).encode(), "delivered"),
    plain("AA behind software", edited(b"MSA|", b"SFT|x\rMSA|"), "delivered"),
    Case("AE", said("AE"), "refused"),
    Case("CE", said("CE"), "refused"),
    Case("AE with reasons", said("AE", more="ERR||PID^1^5|101^x^HL70357|E\r"), "refused"),
    Case("AR", said("AR"), "later"),
    Case("CR", said("CR"), "later"),
    # Somebody else's
    plain("AA for another", lambda _: ack("AA", "MSG9999")),
    plain("AA for the one before", lambda _: ack("AA", "MSG0000")),
    plain("AA for nobody", lambda _: ack("AA", "")),
    plain("AA for a part of the id", lambda a: ack("AA", a[:-1])),
    plain("AA for more than the id", lambda a: ack("AA", a + "0")),
    plain("AA for the id in small letters", lambda a: ack("AA", a.lower())),
    plain("AA for the id and a blank", lambda a: ack("AA", a + " ")),
    plain("AE for another", lambda _: ack("AE", "MSG9999")),
    plain("AA without MSA-2", edited(b"|MSG0001", b"")),
    bytes_of("the one before, then AA", lambda a: frame(ack("AA", "MSG0000")) + frame(good(a))),
    # Lies and contradictions
    Case("AA, then AE", raw(lambda a: frame(good(a)) + frame(ack("AE", a))), "unknown"),
    Case("AR, then AA", raw(lambda a: frame(ack("AR", a)) + frame(good(a))), "unknown"),
    Case("CA, then AE", raw(lambda a: frame(ack("CA", a)) + frame(ack("AE", a))), "unknown"),
    Case("AA with an error", said("AA", more="ERR||PID^1^5|101^x^HL70357|E\r"), "unknown"),
    Case("AA with a fatal error", said("AA", more="ERR||PID|0^x^HL70357|F\r"), "unknown"),
    Case("AA with an error of 2.4", said("AA", more="ERR|PID^1^5^101&x&HL70357\r"), "unknown"),
    Case("AA by a training system", said("AA", processing="T"), "unknown"),
    Case("AA by a system under test", said("AA", processing="D"), "unknown"),
    plain("two MSA", lambda a: good(a) + f"MSA|AE|{a}\r".encode()),
    plain("two acknowledgements in a frame", lambda a: good(a) + ack("AE", a)),
    # What is no acknowledgement
    plain("AB", lambda a: ack("AB", a)),
    plain("aa", lambda a: ack("aa", a)),
    plain("OK", lambda a: ack("OK", a)),
    plain("no code", lambda a: ack("", a)),
    plain("no MSA", edited(b"MSA|AA|MSG0001\r", b"")),
    plain("MSA in the wrong case", edited(b"MSA|", b"msa|")),
    plain("an ADT with an MSA", edited(b"ACK^I12", b"ADT^A01")),
    plain("no type", edited(b"ACK^I12", b"")),
    plain("our own message back", lambda _: BODY),
    plain("an empty frame", lambda _: b""),
    plain("MSA alone", lambda a: f"MSA|AA|{a}\r".encode()),
    plain("json", lambda a: f'{{"MSA": ["AA", "{a}"]}}'.encode()),
    plain("html", lambda _: b"<html><body>200 OK</body></html>"),
    plain("zeroes", lambda _: b"\0" * 100),
    plain("utf-16", lambda a: good(a).decode().encode("utf-16-le")),
    plain("too long", lambda a: good(a) + b"NTE|1||" + b"x" * 100_000),
    # What is no frame
    bytes_of("AA without a frame", good),
    bytes_of("AA without VT", lambda a: good(a) + b"\x1c\r"),
    bytes_of("http", lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    bytes_of("blanks before", lambda a: b"  " + frame(good(a))),
    bytes_of("a frame in a frame", lambda a: b"\x0bMSH" + frame(good(a))),
    bytes_of("LF for CR", lambda a: b"\x0b" + good(a) + b"\x1c\n"),
    bytes_of("AA, then garbage", lambda a: frame(good(a)) + b"garbage"),
    bytes_of("ACK of ASCII alone", lambda _: b"\x06"),
    bytes_of("NAK of ASCII alone", lambda _: b"\x15"),
    # Cut, late, never
    Case("closed at once", hung_up(), "unknown"),
    Case("reset", far_end.reset, "unknown"),
    Case("half of AA, then closed", hung_up(lambda a: frame(good(a))[:60]), "unknown"),
    Case("AA without its end, then closed", hung_up(lambda a: frame(good(a))[:-2]), "unknown"),
    Case("AA without its CR, then closed", hung_up(lambda a: frame(good(a))[:-1]), "unknown"),
    Case("AA, half of another, closed", hung_up(lambda a: frame(good(a)) + b"\x0bMSH|"), "unknown"),
    Case("AA without its CR, silence", raw(lambda a: frame(good(a))[:-1]), "unknown", hurried=True),
    Case("silence", far_end.silence, "unknown", hurried=True),
    Case("half, then silence", raw(lambda a: frame(good(a))[:60]), "unknown", hurried=True),
    Case("AA too late", said("AA", after=1.0), "unknown", hurried=True),
    Case("a byte now and then", far_end.trickle, "unknown", hurried=True),
    Case("endless", far_end.endless, "unknown"),
]  # fmt: skip
"""Lying, late, wrong and truncated acknowledgements, and the sound ones."""


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
async def test_what_an_answer_means(one: Case, far: Hospital) -> None:
    """Delivered never without the receiver's sound word; and the next message goes through."""
    line = to(far, IMPATIENT if one.hurried else MllpLimits(answer_bytes=8_192))
    far.answers.append(one.answer)
    started = time.monotonic()
    try:
        found = "delivered" if (await line.send(PARCEL)).delivered else "handed over"
    except (Unavailable, Rejected) as error:
        found = "refused" if isinstance(error, Rejected) else "later"
        found = "unknown" if error.code is Code.OUTCOME_UNKNOWN else found
        said_of_it = str(error)
    else:
        said_of_it = ""

    assert "Canary" not in said_of_it
    assert found == one.meaning
    assert time.monotonic() - started < 15
    await line.close()
    far.answers.clear()  # if it never came to that
    patient = to(far)
    again = await patient.send(replace(PARCEL, attempt=2, possible_duplicate=True))
    await patient.close()
    assert again.delivered
    assert set(far.ids) == {"MSG0001"}, "the same id on every attempt"


def test_there_are_enough() -> None:
    """At least forty that must not deliver, each with a name of its own."""
    assert len({one.name for one in CASES}) == len(CASES)
    assert sum(one.meaning != "delivered" for one in CASES) >= 40


async def test_the_bytes_arrive_as_they_are(line: MllpDestination, far: Hospital) -> None:
    """And the evidence is the code that was said."""
    far.answers.append(said("CA"))

    outcome = await line.send(PARCEL)

    assert far.received == [BODY]
    assert (outcome.delivered, outcome.evidence) == (True, {"ack": "CA", "messages": 1})


async def test_one_connection_one_in_flight(line: MllpDestination, far: Hospital) -> None:
    """Twenty at once go one after the other over one connection."""
    far.answers.extend([said("AA", after=0.01)] * 20)
    parcels = [
        replace(PARCEL, body=BODY.replace(b"MSG0001", f"MSG{n:04}".encode())) for n in range(20)
    ]

    outcomes = await asyncio.gather(*(line.send(one) for one in parcels))

    assert all(one.delivered for one in outcomes)
    assert (far.connections, far.most_at_once) == (1, 1)
    assert sorted(far.ids) == [f"MSG{n:04}" for n in range(20)]


async def test_a_late_answer_is_never_the_next_ones(far: Hospital) -> None:
    """What comes for the first after its time is on a connection that nobody reads any more."""
    line = to(far, IMPATIENT)
    far.answers.extend([said("AA", after=0.8), far_end.silence])
    for _ in range(2):
        with pytest.raises(Unavailable):
            await line.send(PARCEL)

    assert far.connections == 2
    await line.close()


@pytest.mark.parametrize("answer", [raw(lambda _: frame(ack("AA", "X"))), raw(lambda _: b"\x06")])
async def test_an_unsound_answer_ends_its_connection(
    answer: Behaviour, line: MllpDestination, far: Hospital
) -> None:
    """Nobody can say what else is on its way there."""
    far.answers.append(answer)
    with pytest.raises(Unavailable):
        await line.send(PARCEL)

    assert (await line.send(PARCEL)).delivered
    assert far.connections == 2


async def test_unasked_bytes_end_a_connection(line: MllpDestination, far: Hospital) -> None:
    """An answer to nothing between two messages cannot answer the second."""
    heard = asyncio.Event()

    async def twice(writer: asyncio.StreamWriter, about: str) -> None:
        writer.write(frame(good(about)))
        await writer.drain()
        await heard.wait()
        writer.write(frame(ack("AA", "MSG0002")))
        await writer.drain()

    far.answers.extend([twice, said("AE")])
    await line.send(PARCEL)
    heard.set()
    assert line._line is not None
    async with asyncio.timeout(30):
        while not vars(line._line[0])["_buffer"]:  # noqa: ASYNC110  asyncio tells nobody
            await asyncio.sleep(0.005)
    with pytest.raises(Rejected):
        await line.send(replace(PARCEL, body=OTHER))

    assert far.connections == 2


async def test_a_receiver_that_restarts_is_found_again(far: Hospital) -> None:
    """A kept connection that has ended costs no message its attempt."""
    async with hospital() as first:
        port = first.port
        line = to(first)
        await line.send(PARCEL)
    with pytest.raises(Unavailable) as gone:
        await line.send(PARCEL)
    async with hospital(port=port) as second:
        assert (await line.send(PARCEL)).delivered
        assert second.connections == 1
    await line.close()

    assert gone.value.code is Code.UNAVAILABLE


async def test_several_children_are_delivered_together(
    line: MllpDestination, far: Hospital
) -> None:
    """One message for each, each acknowledged; otherwise not delivered, perhaps in part."""
    both = replace(PARCEL, body=BODY + OTHER)

    assert (await line.send(both)).evidence == {"ack": "AA", "messages": 2}
    assert far.ids == ["MSG0001", "MSG0002"]

    doubts = []
    for answers, attempt in (
        ([said("AA"), far_end.reset], 1),
        ([said("AA"), said("AE")], 1),
        ([said("AA"), said("AR")], 1),
        ([said("AA"), said("AR")], 3),
        ([said("AE")], 1),
    ):
        far.answers.extend(answers)
        with pytest.raises((Unavailable, Rejected)) as caught:
            await line.send(replace(both, attempt=attempt))
        doubts.append((type(caught.value).__name__, caught.value.code.value))
    assert doubts == [
        ("Unavailable", "E_OUTCOME_UNKNOWN"),
        ("Rejected", "E_OUTCOME_UNKNOWN"),
        ("Unavailable", "E_OUTCOME_UNKNOWN"),
        ("Rejected", "E_OUTCOME_UNKNOWN"),
        ("Rejected", "E_FORBIDDEN"),
    ]


async def test_gone_after_the_first_child_is_not_surely_nothing(
    line: MllpDestination, far: Hospital
) -> None:
    """The first was taken: whoever is asked to forget it later must be asked."""

    async def last(writer: asyncio.StreamWriter, about: str) -> None:
        far.stop()
        await hung_up(lambda _: frame(good(about)))(writer, about)

    far.answers.append(last)
    with pytest.raises(Unavailable) as caught:
        await line.send(replace(PARCEL, body=BODY + OTHER))

    assert caught.value.code is Code.OUTCOME_UNKNOWN


@pytest.mark.parametrize(("attempt", "kind"), [(1, Unavailable), (2, Unavailable), (3, Rejected)])
async def test_ar_passes_twice(
    line: MllpDestination, far: Hospital, attempt: int, kind: type[Exception]
) -> None:
    """A system that cannot now is asked again twice, and then it is a refusal."""
    far.answers.append(said("AR"))

    with pytest.raises(kind):
        await line.send(replace(PARCEL, attempt=attempt))


async def test_a_recall_is_only_handed_over(line: MllpDestination) -> None:
    """N10 asks the receiver to do something; its AA is not yet the deed."""
    assert (await line.send(replace(PARCEL, message_type="N10"))).delivered is False


@pytest.mark.parametrize(
    "change",
    [
        {"thin": True},
        {"content_type": "application/json"},
        {"body": b""},
        {"body": b"{}"},
        {"body": BODY.replace(b"MSG0001", b"")},
        {"body": BODY + BODY},
        {"body": BODY.replace(b"Canary", b"\x1c\r")},
        {"body": BODY.replace(b"Canary", b"\x0b")},
    ],
)
async def test_what_does_not_go_over_mllp(
    change: dict[str, object], line: MllpDestination, far: Hospital
) -> None:
    """Nothing is sent that a receiver could not cut, name or acknowledge."""
    with pytest.raises(Rejected):
        await line.send(replace(PARCEL, **change))  # type: ignore[arg-type]

    assert far.connections == 0


async def test_five_failures_rest_the_receiver_and_a_probe_wakes_it(far: Hospital) -> None:
    """As every destination; a refusal is an answer."""
    now = [0.0]
    line = to(far, breaker=Breaker(rest=30.0, clock=lambda: now[0]))
    far.answers.extend([far_end.reset] * 4 + [said("AE")] + [far_end.reset] * 6)

    async def attempt() -> str:
        try:
            return "delivered" if (await line.send(PARCEL)).delivered else "handed over"
        except Unavailable as error:
            return f"rest {error.retry_after:g}" if error.retry_after else "failed"
        except Rejected:
            return "refused"

    first = [await attempt() for _ in range(10)]
    assert first == ["failed"] * 4 + ["refused"] + ["failed"] * 5
    now[0] = 10.0
    assert await attempt() == "rest 20"
    now[0] = 31.0
    assert await attempt() == "failed", "the probe"
    now[0] = 62.0
    assert await attempt() == "delivered"
    assert len(far.received) == 12
    await line.close()


async def test_who_waits_for_a_slow_receiver_is_not_sent(far: Hospital) -> None:
    """Its turn does not come in time: it surely did not arrive, and is tried again."""
    line = to(far, MllpLimits(answer_seconds=30.0, total_seconds=30.0))
    taken, enough = asyncio.Event(), asyncio.Event()

    async def slow(writer: asyncio.StreamWriter, _about: str) -> None:
        taken.set()
        await enough.wait()
        writer.transport.abort()

    far.answers.append(slow)
    first = asyncio.create_task(line.send(PARCEL))
    await taken.wait()
    # Only who waits gives up soon: the first, giving up with it, would leave it its turn.
    line._limits = MllpLimits(answer_seconds=30.0, total_seconds=0.5)

    with pytest.raises(Unavailable) as waited:
        await line.send(replace(PARCEL, body=OTHER))
    enough.set()
    with pytest.raises(Unavailable) as cut:
        await first

    assert (cut.value.code, waited.value.code) == (Code.OUTCOME_UNKNOWN, Code.UNAVAILABLE)
    assert far.ids == ["MSG0001"]
    await line.close()


async def test_nobody_there_is_unavailable() -> None:
    """A refused connection is tried again later."""
    async with hospital() as gone:
        line = to(gone)
    with pytest.raises(Unavailable) as caught:
        await line.send(PARCEL)

    assert caught.value.code is Code.UNAVAILABLE


async def test_only_the_pinned_authority_is_trusted_and_we_show_who_we_are(tmp_path: Path) -> None:
    """Both ends prove themselves; a receiver of another authority gets nothing."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours, theirs = create_keys(tmp_path / "ours"), create_keys(tmp_path / "theirs")
    cert, key = client_certificate(ours, "hub")
    stranger = client_certificate(theirs, "stranger")
    trust = mutual(ours.ca_cert, ours.server_cert, ours.server_key)
    found = {}
    async with hospital(trust) as far:
        for name, authority, pair in (
            ("both", ours.ca_cert, (cert, key)),
            ("another authority", theirs.ca_cert, (cert, key)),
            ("another certificate", ours.ca_cert, stranger),
        ):
            line = MllpDestination.to(
                Delivering(
                    "mllp",
                    url=f"mllps://127.0.0.1:{far.port}",
                    ca_file=authority,
                    cert_file=pair[0],
                    key_file=pair[1],
                )
            )
            try:
                found[name] = (await line.send(PARCEL)).delivered
            except Unavailable:
                found[name] = False
            await line.close()
        assert found == {"both": True, "another authority": False, "another certificate": False}
        assert len(far.received) == 1
        with pytest.raises(Misconfigured):
            MllpDestination.to(
                Delivering("mllp", url="mllps://a:1", cert_file=cert, key_file=theirs.server_key)
            )


async def test_python_hl7s_server_receives() -> None:
    """A peer that somebody else wrote: it parses what we send, and we believe its answer."""
    got: list[hl7.Message] = []

    async def serve(reader: object, writer: object) -> None:
        try:
            while True:
                message = await reader.readmessage()  # type: ignore[attr-defined]
                got.append(message)
                code = "AE" if "Refuse" in str(message) else "AA"
                writer.writemessage(message.create_ack(code))  # type: ignore[attr-defined]
                await writer.drain()  # type: ignore[attr-defined]
        except asyncio.IncompleteReadError:
            writer.close()  # type: ignore[attr-defined]

    async with await start_hl7_server(serve, "127.0.0.1", 0, encoding="utf-8") as server:
        port = server.sockets[0].getsockname()[1]
        line = MllpDestination("127.0.0.1", port)
        assert (await line.send(PARCEL)).delivered
        with pytest.raises(Rejected):
            await line.send(replace(PARCEL, body=OTHER.replace(b"Ben", b"Refuse")))
        assert (await line.send(PARCEL)).delivered
        await line.close()
        await asyncio.sleep(0.05)

    assert [str(one["MSH"][0][10]) for one in got] == ["MSG0001", "MSG0002", "MSG0001"]
