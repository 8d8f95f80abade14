"""What a MESH message holds, put together within bounds: chunks, gzip, checksum; no socket.

Source: `reliability.md` 5.11 (gzip: bounded, one member) and `standards.md` section 8 (chunks are
compressed each by itself).  mesh-client's own reader ends quietly where a gzip stream was cut off,
so that half a message would be taken for a whole one; here nothing is taken that does not say its
end.
"""

import re
import zlib
from collections.abc import Iterable
from hashlib import md5, sha1, sha256
from typing import Final

from hub.errors import Code, Fault, Malformed

LARGEST: Final = 5 * 1024 * 1024
"""Bytes of a message, unpacked (`reliability.md` 5.11)."""
RATIO: Final = 100
"""How many times larger than its packed bytes a message may be, beyond the first 64 KiB."""
_GZIP: Final = b"\x1f\x8b"
_FREE: Final = 64 * 1024
CHUNKS: Final = 64
"""How many chunks one message may have: one of the largest size fits into one."""
_RANGE: Final = re.compile(r"([0-9]{1,6}):([0-9]{1,6})", re.ASCII)
_SUM: Final = re.compile(
    r"(?:(?P<name>md5|sha-?1|sha-?256)[:= ]\s*)?(?P<hex>[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})",
    re.ASCII | re.IGNORECASE,
)
_BY_LENGTH: Final = {32: "md5", 40: "sha1", 64: "sha256"}


def chunks_of(given: str | None, number: int = 1) -> int:
    """Return of how many chunks a message is, by the ``Mex-Chunk-Range`` of its chunk *number*.

    Raises `Malformed` for what is no range, names another chunk, or is more than the hub takes.

    >>> chunks_of(None), chunks_of("2:3", 2)
    (1, 3)
    """
    if not given:
        return 1
    found = _RANGE.fullmatch(given.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]) or int(found[1]) != number:
        raise _malformed(Code.SYNTAX, "Mex-Chunk-Range", "number the chunks 1:n to n:n")
    if int(found[2]) > CHUNKS:
        raise _malformed(Code.TOO_LARGE, "Mex-Chunk-Range", f"send at most {CHUNKS} chunks")
    return int(found[2])


def same_total(given: str | None, number: int, total: int) -> None:
    """Refuse a chunk that says that it is another, or one of another number of chunks."""
    if given and chunks_of(given, number) != total:
        raise _malformed(Code.SYNTAX, "Mex-Chunk-Range", "number the chunks 1:n to n:n")


class Content:
    """A message that is being read: bounded from its first byte on, whole only after `whole`."""

    def __init__(self, most: int = LARGEST) -> None:
        """Take at most *most* bytes, unpacked."""
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0
        self._packed = 0

    def add(self, pieces: Iterable[bytes], encoding: str | None) -> None:
        """Take the bytes of one chunk as they come; *encoding* is its ``Content-Encoding``.

        Raises `Malformed` where they are no whole gzip stream or become too much.
        """
        before, named = self._size, (encoding or "").strip().lower()
        if named in ("", "identity"):
            for piece in pieces:
                self._take(piece)
        elif named == "gzip":
            self._unpack(pieces)
        else:
            raise _malformed(Code.ENCODING, "Content-Encoding", "send gzip, or nothing")
        if self._size == before:
            # Of several, it would be a gap that may read as something else.
            raise _malformed(Code.SYNTAX, "", "send no message and no chunk that is empty")

    def whole(self, *, compressed: bool, checksum: str | None) -> bytes:
        """Return the message; *compressed*: it may have been packed by its sender as well
        (``Mex-Content-Compressed``, which MESH also sets for what it packed for the transport
        itself); *checksum* is what the sender said of the bytes before that.

        Raises `Malformed`.
        """
        raw = b"".join(self._parts)
        if compressed and raw.startswith(_GZIP):
            inner = Content(self._most)
            inner.add([raw], "gzip")
            raw = inner.whole(compressed=False, checksum=None)
        if checksum:
            _check(raw, checksum)
        return raw

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._most:
            raise _malformed(Code.TOO_LARGE, "", f"send at most {self._most} bytes")
        self._parts.append(piece)

    def _unpack(self, pieces: Iterable[bytes]) -> None:
        stream = zlib.decompressobj(31)
        try:
            for piece in pieces:
                self._packed += len(piece)
                rest = piece
                while rest and not stream.eof:
                    self._take(stream.decompress(rest, 64 * 1024))
                    if self._size > max(_FREE, self._packed * RATIO):
                        raise _malformed(Code.TOO_LARGE, "", "it grows too much when unpacked")
                    rest = stream.unconsumed_tail
                if stream.unused_data or (rest and stream.eof):
                    raise _malformed(Code.ENCODING, "", "end a chunk where its gzip stream ends")
        except zlib.error:
            raise _malformed(Code.ENCODING, "", "pack each chunk with gzip by itself") from None
        if not stream.eof:
            raise _malformed(Code.ENCODING, "", "send gzip streams whole: one was cut off")


def _check(raw: bytes, checksum: str) -> None:
    """Hold *raw* against what its sender said of it; MESH passes that on and looks at nothing."""
    found = _SUM.fullmatch(checksum.strip())
    kind = _BY_LENGTH[len(found["hex"])] if found else ""
    if found is None or (found["name"] and found["name"].lower().replace("-", "") != kind):
        remedy = "md5, sha1 or sha256 in hex, or leave it out"
        raise _malformed(Code.FORMAT, "Mex-Content-Checksum", remedy)
    # Against accidents only: who could change the bytes could change this, too.
    made = {
        "md5": lambda: md5(raw, usedforsecurity=False),
        "sha1": lambda: sha1(raw, usedforsecurity=False),
        "sha256": lambda: sha256(raw),
    }[kind]()
    if made.hexdigest() != found["hex"].lower():
        raise _malformed(Code.FORMAT, "Mex-Content-Checksum", "send it again: it arrived changed")


def _malformed(code: Code, path: str, remedy: str) -> Malformed:
    return Malformed(code, "the MESH message cannot be read", (Fault(code, path, remedy),))
