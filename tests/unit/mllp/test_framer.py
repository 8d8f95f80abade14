"""The framer: whole messages whatever the pieces, and a coded end for everything else."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.mllp.framer import Broken, Event, Frame, FrameLimits, Framer, framed
from hub.errors import Code

SMALL = FrameLimits(size=32, seconds=30.0, tail_seconds=2.0)
VT, FS, CR = b"\x0b", b"\x1c", b"\r"


def fed(pieces: list[bytes], limits: FrameLimits | None = None) -> tuple[list[Event], Framer]:
    """Feed *pieces* one second apart and return what came out."""
    framer = Framer(limits)
    events: list[Event] = []
    for second, piece in enumerate(pieces):
        events += framer.feed(piece, now=float(second))
    return events, framer


def only(events: list[Event]) -> Broken:
    """Return the one event, which says what is broken."""
    (event,) = events
    assert isinstance(event, Broken)
    return event


def test_a_message_whole() -> None:
    """What stands between VT and FS CR is the message, and then the stream may end."""
    events, framer = fed([VT + b"MSH|a" + FS + CR])

    assert events == [Frame(b"MSH|a")]
    assert (framer.idle, framer.deadline, list(framer.end())) == (True, None, [])


def test_several_messages_in_one_write() -> None:
    """Each is its own frame, in order."""
    events, _ = fed([framed(b"one") + framed(b"two") + framed(b"") + framed(b"three")])

    assert events == [Frame(b"one"), Frame(b"two"), Frame(b""), Frame(b"three")]


@pytest.mark.parametrize("between", [b"\r", b"\n", b"\r\n", b"\r\n\r\n"])
def test_line_ends_between_messages_say_nothing(between: bytes) -> None:
    """Some senders end a frame with a line end more."""
    events, framer = fed([framed(b"one") + between + framed(b"two") + between])

    assert events == [Frame(b"one"), Frame(b"two")]
    assert framer.idle


@given(
    bodies=st.lists(st.binary(max_size=40).filter(lambda b: not {0x0B, 0x1C} & {*b}), max_size=5),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_pieces_make_no_difference(bodies: list[bytes], seed: int) -> None:
    """However a stream is cut into writes, the frames are the same."""
    stream = b"".join(map(framed, bodies))
    dice = random.Random(seed)
    cuts = sorted(dice.randrange(len(stream) + 1) for _ in range(dice.randrange(8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    events, framer = fed(pieces)

    assert events == [Frame(body) for body in bodies]
    assert framer.idle


@given(st.binary(max_size=300), st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_any_bytes_come_to_frames_or_one_end(stream: bytes, step: int) -> None:
    """No bytes make it fail, and nothing follows what is broken."""
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    events, framer = fed(pieces, SMALL)
    events += framer.end()

    broken = [event for event in events if isinstance(event, Broken)]
    assert broken in ([], [events[-1]] if events else [])
    assert all(len(event.body) <= SMALL.size for event in events if isinstance(event, Frame))
    assert framer.held <= SMALL.size


def test_a_byte_at_a_time() -> None:
    """Nothing is said before the last byte."""
    stream = framed(b"MSH|one") + framed(b"MSH|two")
    framer = Framer()

    said = [bool(framer.feed(stream[at : at + 1], now=0.0)) for at in range(len(stream))]

    assert said.index(True) == len(framed(b"MSH|one")) - 1
    assert said.count(True) == 2


@pytest.mark.parametrize(
    ("stream", "remedy"),
    [
        (b"GET / HTTP/1.1", "begin every message"),
        (b"MSH|^~\\&|no frame", "begin every message"),
        (b"\x00", "begin every message"),
        (b" " + framed(b"a"), "begin every message"),
        (b"\x16\x03\x01\x02\x00", "begin every message"),
        (framed(b"a") + b"rest" + FS + CR, "begin every message"),
        (FS + CR, "before FS"),
        (framed(b"a") + FS + CR, "before FS"),
        (VT + b"a" + VT + b"b" + FS + CR, "before the next VT"),
        (VT + VT, "before the next VT"),
        (VT + b"a" + FS + b"\n", "something else"),
        (VT + b"a" + FS + VT, "something else"),
        (VT + b"a" + FS + FS + CR, "something else"),
        (VT + b"a" + FS + b"b" + FS + CR, "something else"),
    ],
)
def test_what_breaks_the_stream(stream: bytes, remedy: str) -> None:
    """Frames before it count; it has a code and a remedy, and nothing after it is read."""
    events, framer = fed([stream])

    assert isinstance(events[-1], Broken)
    assert (events[-1].code, remedy in events[-1].remedy) == (Code.SYNTAX, True)
    assert all(event == Frame(b"a") for event in events[:-1])
    assert framer.feed(framed(b"good"), now=1.0) == []
    assert list(framer.end()) == []
    assert list(framer.expire(10**6)) == []


def test_the_size_is_refused_as_soon_as_it_is_known() -> None:
    """The longest message is taken; a byte more is refused without waiting for its end."""
    events, _ = fed([framed(b"x" * 32)], SMALL)
    assert events == [Frame(b"x" * 32)]

    events, framer = fed([VT + b"x" * 32], SMALL)
    assert events == []
    broken = only(framer.feed(b"y", now=1.0))

    assert (broken.code, broken.begun) == (Code.TOO_LARGE, b"x" * 32 + b"y")
    assert framer.held == 0


def test_a_large_piece_is_not_kept() -> None:
    """What is too long in one write is refused with its beginning, not with all of it."""
    events, framer = fed([VT + b"x" * 10_000_000], SMALL)

    assert only(events).code is Code.TOO_LARGE
    assert len(only(events).begun) <= 4_096
    assert framer.held == 0


def test_a_slow_message_runs_out_of_time() -> None:
    """Thirty seconds from its first byte, however busily it trickles."""
    framer = Framer(FrameLimits(size=64))
    framer.feed(VT + b"MSH|", now=100.0)
    for second in range(29):
        assert framer.feed(b".", now=101.0 + second) == []
        assert list(framer.expire(101.0 + second)) == []
    assert framer.deadline == 130.0

    (broken,) = framer.expire(130.0)

    assert isinstance(broken, Broken)
    assert (broken.code, broken.begun[:4]) == (Code.TIMEOUT, b"MSH|")


def test_a_missing_cr_is_told_soon() -> None:
    """FS without CR is not the end of a message, and its sender waits for an answer."""
    framer = Framer(SMALL)
    framer.feed(VT + b"MSH|" + FS, now=5.0)
    assert framer.deadline == 7.0

    (broken,) = framer.expire(7.0)

    assert isinstance(broken, Broken)
    assert broken.code is Code.TIMEOUT


def test_between_messages_there_is_no_hurry() -> None:
    """A connection may rest; that is the door's to end."""
    framer = Framer(SMALL)
    framer.feed(framed(b"a"), now=0.0)

    assert framer.deadline is None
    assert list(framer.expire(10**9)) == []


@pytest.mark.parametrize("half", [VT, VT + b"MSH|", VT + b"MSH|" + FS])
def test_half_a_message_at_the_end(half: bytes) -> None:
    """The end of the stream does not end a message."""
    _, framer = fed([half])

    (broken,) = framer.end()

    assert isinstance(broken, Broken)
    assert broken.code is Code.SYNTAX


def test_waiting_by_the_reader_costs_the_sender_no_time() -> None:
    """Whoever stops reading gives the time back."""
    framer = Framer(SMALL)
    framer.feed(VT, now=0.0)
    framer.extend(10.0)

    assert list(framer.expire(39.0)) == []
    assert len(list(framer.expire(40.0))) == 1


@pytest.mark.parametrize("body", [b"a\x0bb", b"a\x1cb", b"\x1c\r"])
def test_a_mark_cannot_be_framed(body: bytes) -> None:
    """It would end the message in its middle."""
    with pytest.raises(ValueError, match="cannot be framed"):
        framed(body)
