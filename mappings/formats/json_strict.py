"""JSON as strangers may send it: one meaning or none.

What other parsers resolve in silence is refused by name: repeated keys (which can flip a consent,
`reliability.md` finding 6), numbers that lose digits, control characters, lone surrogates, and
depth or size without end (`reliability.md` 5.11, 5.12).

Two passes.  The fast one parses, and prints what it has parsed: what comes out as it came in, byte
for byte, has lost no key and no digit on the way.  Where a sender writes with white space or other
escapes it compares counts that can only agree when all is well.  Whatever it doubts goes to the
slow one (`json_locate`), which names every fault with its path, or clears the message.
"""

import json
import re
import threading
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hub.errors import Code, Fault, Malformed
from mappings.formats.json_locate import locate


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything one message may hold (`reliability.md` 5.11)."""

    size: int = 5 * 1024 * 1024
    depth: int = 64
    keys: int = 50_000
    values: int = 250_000
    string: int = 1024 * 1024
    digits: int = 30


DEFAULT: Final = Limits()

# An escaped colon would upset the count of keys, and these escapes can spell a character that is
# refused.
_ESCAPES: Final = re.compile(rb"\\(?:u|b|f)")
_C1: Final = re.compile(rb"\xc2[\x80-\x9f]")
_SHORTEST_MEMBER: Final = 4
"""Bytes of ``"":0``."""
_FAST_DIGITS: Final = 17  # a double holds any integer of fewer digits exactly
_TO_SHAPE: Final = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\x00" in raw[:2]:
        raise _encoding("send UTF-8 without a byte order mark")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise _encoding(f"send UTF-8; byte {fault.start} is not") from None


def _encoding(remedy: str) -> Malformed:
    return Malformed(Code.ENCODING, "not UTF-8", (Fault(Code.ENCODING, "", remedy),))


def _nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def _deepest() -> int:
    """Return how many levels orjson prints at the most: it has a limit and does not say it."""
    levels = 1
    while True:
        try:
            orjson.dumps(_nested(0, levels + 1))
        except orjson.JSONEncodeError:
            return levels
        levels += 1


_DEEPEST: Final = _deepest()


class _Around(threading.local):
    """The lists around what is printed, kept by each thread: the outermost, and the innermost."""

    def __init__(self) -> None:
        self.levels = 0
        self.outer: list[Any] = []
        self.inner: list[Any] = self.outer

    def printed(self, tree: Any, levels: int) -> bytes:
        """Return *tree* as it is printed inside so many lists; raises ``JSONEncodeError``."""
        if levels != self.levels:
            self.inner = [None]
            self.outer, self.levels = _nested(self.inner, levels - 1), levels
        self.inner[0] = tree
        try:
            return orjson.dumps(self.outer)
        finally:
            self.inner[0] = None


_AROUND: Final = _Around()
_PRINTED_DIGITS: Final = 25
"""No number that orjson prints has more."""


def _same_again(raw: bytes, tree: Any, limits: Limits) -> bool:
    """Tell whether *raw* is just what *tree* prints as, and no deeper than allowed.

    A key that stood twice would stand once, and a number that lost digits would have others.  The
    tree is printed inside so many lists that orjson's own limit of depth becomes ours.
    """
    around = _DEEPEST - limits.depth
    if around < 1 or limits.digits < _PRINTED_DIGITS:
        return False
    try:
        printed = _AROUND.printed(tree, around)
    except orjson.JSONEncodeError:
        return False
    told = raw.strip()
    return len(printed) == len(told) + 2 * around and printed.startswith(told, around)


def _doubtful(raw: bytes, tree: Any, limits: Limits) -> bool:
    """Tell whether the fast parse may have hidden something; never wrong with "no"."""
    if b"\\" in raw and _ESCAPES.search(raw):
        return True
    if b"\x7f" in raw or (b"\xc2" in raw and _C1.search(raw)):
        return True
    if len(raw) > _SHORTEST_MEMBER * limits.keys and raw.count(b":") > limits.keys:
        return True
    # A value takes two bytes at the least, so only a long message needs counting.  Members have a
    # colon each, list items a comma each but for the first.
    if len(raw) > limits.values and (
        raw.count(b":") + raw.count(b",") + raw.count(b"[") > limits.values
    ):
        return True
    if len(raw) > limits.string or not _same_again(raw, tree, limits):
        return _miscounted(raw, tree, limits)
    return False


def _miscounted(raw: bytes, tree: Any, limits: Limits) -> bool:
    """Tell whether *raw* may say more than *tree*, however it is laid out.

    Indented output puts every value on a line of its own, behind two spaces for each level, and
    holds one colon for each key that survived beside the colons inside strings.  Fewer colons than
    came in means that a repeated key was dropped.
    """
    if b"0" * _FAST_DIGITS in raw.translate(_TO_SHAPE):
        return True
    laid_out = orjson.dumps(tree, option=orjson.OPT_INDENT_2)
    if laid_out.count(b":") != raw.count(b":"):
        return True
    if b"\n" + b" " * (2 * limits.depth) in laid_out:
        return True
    return len(raw) > limits.string and max(map(len, laid_out.split(b"\n"))) > limits.string


def parse(raw: bytes, limits: Limits = DEFAULT) -> Any:
    """Return the value of *raw* as plain dicts, lists and scalars.

    Raises `Malformed` with every fault found, each with its path; never anything else, and never
    with a value or an unlikely key name of the input in it.
    """
    if len(raw) > limits.size:
        raise Malformed(
            Code.TOO_LARGE,
            "the message is too large",
            (Fault(Code.TOO_LARGE, "", f"send at most {limits.size} bytes"),),
        )
    try:
        tree = orjson.loads(raw)
        if not _doubtful(raw, tree, limits):
            return tree
    except orjson.JSONDecodeError:
        pass  # either a fault that the slow pass will name, or depth that only it can measure
    text = _decoded(raw)
    faults = locate(text, limits)
    if faults:
        raise Malformed(faults[0].code, "the message is not lawful JSON", faults)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # The slow pass cleared what the library refuses: our mistake, but still not lawful JSON.
        fault = Fault(Code.SYNTAX, "", "not JSON")
        raise Malformed(Code.SYNTAX, "the message is not lawful JSON", (fault,)) from None
