"""Spoilt input for the no-crash laws: golden bytes cut, doubled, swapped and salted."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from tests.property import laws

SALT: Final = (
    b"\x00",
    b"\x0b",
    b"\x1c\r",
    b"\r",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b'""',
    b"<",
    b">",
    b"]]>",
    b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
    b"&e;",
    b"<!--",
    b"<![CDATA[",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"-1e999",
    b"9" * 400,
    b'"\\ud800"',
    b"MSH|^~\\&|",
    b"(" * 300,
    b"[" * 300,
    b"<a>" * 300,
    b"A" * 70_000,
)
"""What somebody's parser has choked on."""

SECONDS: Final = 2.0
"""How much processor time one input may take."""


@cache
def goldens(name: str) -> tuple[bytes, ...]:
    """Return lawful documents of the format: what cases read or expect, and the plain family."""
    one = laws.FORMATS[name]
    suffix = one.wire.suffix
    found = [
        file.read_bytes()
        for case in sorted((one.folder / "cases").glob("*/"))
        for file in sorted(case.glob(f"*.{suffix}"))
        if _of_the_format(file, case)
    ]
    if name in laws.WRITTEN:
        found += [laws.rendered(name, tree) for tree in laws.examples(name)[:2]]
    return tuple(dict.fromkeys(found))


def _of_the_format(file: Path, case: Path) -> bool:
    """Tell the format's own bytes from the canonical JSON that stands beside them in a case."""
    outward = (case / "input.json").exists()
    return file.stem == ("expected" if outward else "wire")


def _cut(raw: bytes, at: int, _salt: bytes, _length: int) -> bytes:
    return raw[:at]


def _drop(raw: bytes, at: int, _salt: bytes, length: int) -> bytes:
    return raw[:at] + raw[at + length :]


def _double(raw: bytes, at: int, _salt: bytes, length: int) -> bytes:
    return raw[: at + length] + raw[at:]


def _put(raw: bytes, at: int, salt: bytes, _length: int) -> bytes:
    return raw[:at] + salt + raw[at:]


def _over(raw: bytes, at: int, salt: bytes, _length: int) -> bytes:
    return raw[:at] + salt + raw[at + len(salt) :]


def _flip(raw: bytes, at: int, _salt: bytes, length: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ (1 << length % 8)]) + raw[at + 1 :] if raw[at:] else raw


def _move(raw: bytes, at: int, _salt: bytes, length: int) -> bytes:
    return raw[at : at + length] + raw[:at] + raw[at + length :]


_WAYS: Final[tuple[Callable[[bytes, int, bytes, int], bytes], ...]] = (
    _cut,
    _drop,
    _double,
    _put,
    _over,
    _flip,
    _move,
)


@st.composite
def spoilt(draw: st.DrawFn, name: str) -> bytes:
    """Return a golden document of the format with one to four things done to it."""
    raw = draw(st.sampled_from(goldens(name)))
    for _ in range(draw(st.integers(1, 4))):
        way = draw(st.sampled_from(_WAYS))
        at = draw(st.integers(0, len(raw)))
        raw = way(raw, at, draw(st.sampled_from(SALT)), draw(st.integers(1, 200)))
    return raw


def scalars(value: Any) -> Iterator[str]:
    """Yield every text of a message that could only be the family's."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner)
    elif isinstance(value, str) and len(value) > 11:
        yield value
