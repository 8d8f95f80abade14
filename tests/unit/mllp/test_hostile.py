"""Hostile and malformed bytes at the MLLP door: a coded answer each, no hang, no silent close."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.mllp.framer import FrameLimits, framed
from tests.frugal import frugal
from tests.unit.mllp.door import QUICK, Ack, opened, referral, stored, visit

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
CANARY = b"Canary-Smith"
GOOD = visit()
HEAD = GOOD.split(CR)[0]
PATIENT = replace(QUICK, frame=FrameLimits(size=2_000_000))
HURRIED = replace(QUICK, frame=FrameLimits(size=2_000_000, seconds=0.3, tail_seconds=0.2))


@dataclass(frozen=True)
class Case:
    """Bytes as they are written, and the answer: acknowledgement code and our stable code."""

    name: str
    sent: Sequence[bytes]
    code: str
    reason: str
    closes: bool = True
    end: bool = False
    about: str = ""


def case(name: str, sent: bytes, code: str, reason: str, **more: object) -> Case:
    return Case(name, (sent,), code, reason, **more)  # type: ignore[arg-type]


def mended(old: bytes, new: bytes, raw: bytes = GOOD) -> bytes:
    """Return a message in which something was changed, in its frame."""
    assert old in raw
    return framed(raw.replace(old, new, 1))


def within(name: str, sent: bytes, code: str, reason: str, about: str = "RXX0001") -> Case:
    """A fault inside a whole frame: the connection goes on."""
    return case(name, sent, code, reason, closes=False, about=about)


FRAMES = [
    case("http", b"POST /messages HTTP/1.1\r\nHost: hub\r\n\r\n", "AR", "E_SYNTAX"),
    case("tls on a plain door", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "AR", "E_SYNTAX"),
    case("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", "AR", "E_SYNTAX"),
    case("no frame at all", GOOD, "AR", "E_SYNTAX"),
    case("nul before the frame", b"\0" + framed(GOOD), "AR", "E_SYNTAX"),
    case("blank before the frame", b" " + framed(GOOD), "AR", "E_SYNTAX"),
    case("only FS CR", FS + CR, "AR", "E_SYNTAX"),
    case("a frame in a frame", VT + GOOD[:40] + framed(GOOD), "AR", "E_SYNTAX"),
    case("two VT", VT + framed(GOOD), "AR", "E_SYNTAX"),
    case(
        "FS in the text",
        VT + HEAD + CR + b"PID|\x1c|x" + FS + CR,
        "AR",
        "E_SYNTAX",
        about="RXX0001",
    ),
    case("LF for CR at the end", VT + GOOD + FS + b"\n", "AR", "E_SYNTAX", about="RXX0001"),
    case("no CR at the end", VT + GOOD + FS, "AE", "E_TIMEOUT", about="RXX0001"),
    case("half a frame, then silence", VT + GOOD[:120], "AE", "E_TIMEOUT", about="RXX0001"),
    case("a VT, then silence", VT, "AE", "E_TIMEOUT"),
    case("half a frame, then the end", VT + GOOD[:120], "AR", "E_SYNTAX", end=True),
    case("garbage, then the end", b"MSH", "AR", "E_SYNTAX", end=True),
    case(
        "two megabytes too long",
        VT + HEAD + b"\rNTE|1||" + b"x" * 4_000_000,
        "AE",
        "E_TOO_LARGE",
        about="RXX0001",
    ),
    case("endless zeroes", VT + b"\0" * 3_000_000, "AE", "E_TOO_LARGE"),
    case("an empty frame", framed(b""), "AE", "E_SYNTAX"),
    case("blanks in a frame", framed(b"   \r  \r"), "AE", "E_SYNTAX"),
    case("json in a frame", framed(b'{"message": {}}'), "AE", "E_SYNTAX"),
    case("xml in a frame", framed(b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>"), "AE", "E_SYNTAX"),
    case("a batch", framed(b"FHS|^~\\&\rBHS|^~\\&\r" + GOOD), "AE", "E_SYNTAX"),
    case("MSH alone", framed(b"MSH"), "AE", "E_SYNTAX"),
    case("a byte order mark", framed(b"\xef\xbb\xbf" + GOOD), "AE", "E_SYNTAX"),
    case("utf-16", framed(GOOD.decode().encode("utf-16-le")), "AE", "E_SYNTAX"),
    case(
        "another sender",
        mended(b"PAS", b"OTHER"),
        "AR",
        "E_UNAUTHENTICATED",
        about="RXX0001",
    ),
    case(
        "another facility",
        mended(b"|RXX01|", b"|RYY01|"),
        "AR",
        "E_UNAUTHENTICATED",
        about="RXX0001",
    ),
    case(
        "no sender",
        mended(b"|PAS|RXX01|", b"|||"),
        "AR",
        "E_UNAUTHENTICATED",
        about="RXX0001",
    ),
    case(
        "a sender with a tail",
        mended(b"PAS|", b"PAS2|"),
        "AR",
        "E_UNAUTHENTICATED",
        about="RXX0001",
    ),
    case("separators all alike", framed(b"MSH||||||||||||||||"), "AR", "E_UNAUTHENTICATED"),
]
"""What breaks the connection, or comes from who is not known; answered, then closed."""

WITHIN = [
    within("training", framed(visit(processing="T")), "AR", "E_CONTENT_TYPE"),
    within("debugging", framed(visit(processing="D")), "AR", "E_CONTENT_TYPE"),
    within("no processing id", framed(visit(processing="")), "AR", "E_CONTENT_TYPE"),
    within("unknown processing id", framed(visit(processing="X")), "AR", "E_CONTENT_TYPE"),
    within("version 9.9", mended(b"|2.4|", b"|9.9|"), "AR", "E_CONTENT_TYPE"),
    within("version 2.1", mended(b"|2.4|", b"|2.1|"), "AR", "E_CONTENT_TYPE"),
    within("no version", mended(b"|2.4|", b"||"), "AR", "E_CONTENT_TYPE"),
    within("unknown type", mended(b"ADT^A04^ADT_A01", b"XYZ^A04^XYZ_A01"), "AR", "E_CONTENT_TYPE"),
    within("unknown event", mended(b"ADT^A04^ADT_A01", b"ADT^A99^ADT_A99"), "AR", "E_CONTENT_TYPE"),
    within(
        "an acknowledgement", mended(b"ADT^A04^ADT_A01", b"ACK^A04^ACK"), "AR", "E_CONTENT_TYPE"
    ),
    within("unknown character set", framed(visit(more="|||||BIG-5")), "AR", "E_ENCODING"),
    within(
        "not utf-8",
        framed(visit(more="|||||UNICODE UTF-8") + b"NTE|1||\xff\xfe\r"),
        "AR",
        "E_ENCODING",
    ),
    within("no id", mended(b"RXX0001", b""), "AE", "E_REQUIRED", about=""),
    within(
        "an id of blanks and signs", mended(b"RXX0001", b"\\F\\&^~"), "AE", "E_REQUIRED", about=""
    ),
    within("an endless id", mended(b"RXX0001", b"9" * 500), "AE", "E_REQUIRED", about=""),
    within(
        "an id of another alphabet", mended(b"RXX0001", "Ⅷ".encode()), "AE", "E_REQUIRED", about=""
    ),
    within("two messages in a frame", framed(GOOD + visit("RXX0002")), "AE", "E_SYNTAX"),
    within("a segment name of nothing", framed(GOOD + b"!!|1\r"), "AE", "E_SYNTAX"),
    within("an open escape", framed(visit(text="a \\X")), "AE", "E_SYNTAX"),
    within("an unknown escape", framed(visit(text="a \\Q9\\")), "AE", "E_SYNTAX"),
    within("a hidden frame mark", framed(visit(text="\\X1C0D\\")), "AE", "E_CONTROL_CHAR"),
    within("nul in the text", framed(visit(text="a\0b")), "AE", "E_CONTROL_CHAR"),
    within("a bell in a name", framed(visit(name="\x07")), "AE", "E_CONTROL_CHAR"),
    within("a date that is none", mended(b"20160514", b"20161399"), "AE", "E_FORMAT"),
    within(
        "an NHS number that fails its check",
        mended(b"9990000018", b"9990000019"),
        "AE",
        "E_IDENTIFIER_CHECK",
    ),
    within("an unknown visit class", mended(b"PV1|1|E", b"PV1|1|Q"), "AE", "E_REQUIRED"),
    within("six thousand segments", framed(GOOD + b"NTE|1\r" * 6_000), "AE", "E_TOO_LARGE"),
    within("a thousand fields", framed(GOOD + b"NTE" + b"|x" * 1_000 + CR), "AE", "E_TOO_LARGE"),
    within(
        "repetitions without end",
        framed(GOOD + b"PID|1||" + b"~" * 200_000 + CR),
        "AE",
        "E_TOO_LARGE",
    ),
    within(
        "components without end",
        framed(GOOD + b"PID|1||" + b"^" * 200_000 + CR),
        "AE",
        "E_TOO_LARGE",
    ),
    within("a megabyte in a field", framed(visit(text="x" * 1_200_000)), "AE", "E_TOO_LARGE"),
    within("escapes without end", framed(visit(text="\\.br\\" * 90_000)), "AE", "E_TOO_LARGE"),
]
"""What is wrong inside a whole frame; answered, and the connection goes on."""


@pytest.mark.parametrize("one", [*FRAMES, *WITHIN], ids=lambda one: one.name)
async def test_a_coded_answer(one: Case, tmp_path: Path) -> None:
    """Answered with a code, at once, in bounded time and memory; nothing is kept."""
    started = time.monotonic()
    async with opened(tmp_path, limits=HURRIED if one.reason == "E_TIMEOUT" else PATIENT) as door:
        wire = await door.line()
        with frugal():
            await wire.send(*one.sent)
            if one.end:
                wire.writer.write_eof()
            ack = await wire.ack()
        assert ack is not None, "closed in silence"
        assert (ack.code, ack.reason) == (one.code, one.reason)
        assert ack.errors
        assert one.end or ack.about == one.about
        if one.closes:
            assert await wire.closed()
        else:
            assert (await wire.say(visit("RXX9999"))).code == "AA"
        await wire.close()
        if one.reason != "E_TIMEOUT":
            assert (await door.say(visit("RXX7777"))).code == "AA", "the door still serves"
            assert len(stored(door.world)) == (1 if one.closes else 2)

    assert time.monotonic() - started < 30


def test_there_are_enough() -> None:
    """At least forty, each with a name of its own."""
    names = [one.name for one in (*FRAMES, *WITHIN)]
    assert len(set(names)) == len(names) >= 40


@pytest.mark.parametrize(
    "raw",
    [
        visit(name=CANARY.decode(), text="\\Q\\"),
        visit(text=f"{CANARY.decode()} \\Q9\\"),
        visit(name=CANARY.decode(), processing=CANARY.decode()),
        GOOD.replace(b"20160514", CANARY),
        GOOD.replace(b"PV1|1|E", b"PV1|1|" + CANARY),
        GOOD.replace(b"ADT^A04", b"ADT^" + CANARY),
        GOOD.replace(b"|PAS|", b"|" + CANARY + b"|"),
        GOOD.replace(b"|RXX01|", b"|" + CANARY + b"|"),
        GOOD.replace(b"|2.4|", b"|" + CANARY + b"|"),
        GOOD + CANARY + b"|x\r",
        GOOD + b"PID|" + CANARY + b"\\Q\\\r",
        referral().replace(b"|Y^^HL70136", b"|" + CANARY, 1).replace(b"e1^CAFHUB", CANARY, 1),
    ],
)
async def test_no_value_is_said_again(raw: bytes, tmp_path: Path) -> None:
    """An answer names codes and places; what a family told is in none of them."""
    async with opened(tmp_path) as door:
        ack: Ack = await door.say(raw)

    assert ack.code in ("AE", "AR")
    assert CANARY not in ack.raw
