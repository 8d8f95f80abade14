"""Request headers and query parameters, read strictly.

A header that matters may occur once; what is not understood is refused, never guessed at.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from hub.api.problem import malformed
from hub.errors import Code, Malformed

_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"idempotency-key",
        b"ecaf-user",
        b"host",
    }
)
_KEY: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}", re.ASCII)
_USER: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_LONGEST: Final = 512


def single(raw: Sequence[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """Return the headers by lower-case name; one that decides anything may be there only once."""
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise malformed(Code.SYNTAX, f"header.{name.decode()}", "send this header once")
        else:
            headers[name] += b", " + value
    return headers


def idempotency_key(headers: Mapping[bytes, bytes]) -> str:
    """Return the required ``Idempotency-Key``: 1 to 128 visible ASCII characters."""
    given = headers.get(b"idempotency-key")
    if given is None or not _KEY.fullmatch(given):
        raise malformed(
            Code.REQUIRED,
            "header.idempotency-key",
            "send an Idempotency-Key of 1 to 128 visible ASCII characters, "
            "the same for every attempt at the same message",
        )
    return given.decode("ascii")


def user(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the practitioner for whom the call is made: an opaque reference, never a name."""
    given = headers.get(b"ecaf-user")
    if given is None:
        return None
    if not _USER.fullmatch(given):
        raise malformed(
            Code.FORMAT, "header.ecaf-user", "send the practitioner's reference, like p-0001"
        )
    return given.decode("ascii")


def content_type(headers: Mapping[bytes, bytes], readable: Collection[str]) -> str:
    """Return which of the *readable* types the body claims to be; ``E_CONTENT_TYPE`` otherwise.

    Case, spaces and ``charset=utf-8`` do not matter; every other parameter has to match, except
    that a type without parameters stands for the readable type of that name if there is only one.

    >>> content_type({b"content-type": b"Application/JSON; charset=UTF-8"}, ["application/json"])
    'application/json'
    """
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b""):
        raise _unreadable("header.content-encoding", ["identity"])
    given = headers.get(b"content-type", b"")[:_LONGEST].decode("latin-1").lower()
    bare, *parameters = (part.strip() for part in given.split(";"))
    asked = {p.replace(" ", "").replace('"', "") for p in parameters} - {"charset=utf-8", ""}
    same = [
        (kind, set(kind.lower().replace(" ", "").split(";")[1:]))
        for kind in readable
        if kind.lower().split(";")[0].strip() == bare
    ]
    exact = [kind for kind, needs in same if needs == asked]
    if exact:
        return exact[0]
    if not asked and len(same) == 1:
        return same[0][0]
    raise _unreadable("header.content-type", readable)


def _unreadable(path: str, readable: Collection[str]) -> Malformed:
    return malformed(
        Code.CONTENT_TYPE, path, "send one of: " + ", ".join(sorted(readable)), "cannot be read"
    )


def accepts(header: str, offered: str) -> bool:
    """Return whether an ``Accept`` *header* takes the type *offered*; an empty one takes anything.

    >>> accepts("text/html, application/*;q=0.5", "application/json")
    True
    >>> accepts("application/json;q=0", "application/json")
    False
    """
    if not header:
        return True
    wanted = offered.split(";", maxsplit=1)[0]
    best: tuple[int, float] = (-1, 0.0)
    for part in header.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        rank = (
            ("*/*", wanted.split("/")[0] + "/*", wanted).index(kind)
            if kind in ("*/*", wanted.split("/")[0] + "/*", wanted)
            else -1
        )
        if rank > best[0]:
            best = (rank, quality)
    return best[0] >= 0 and best[1] > 0


def accept(headers: Mapping[bytes, bytes]) -> str:
    """Return the ``Accept`` header, bounded; ``E_NOT_ACCEPTABLE`` where it cannot be one."""
    given = headers.get(b"accept", b"")
    if len(given) > _LONGEST or not given.isascii():
        raise not_acceptable()
    return given.decode("ascii").strip()


def not_acceptable(offered: Sequence[str] = ()) -> Malformed:
    """Return the refusal of an ``Accept`` that nothing here satisfies."""
    remedy = "accept " + (" or ".join(offered) if offered else "a type that this address offers")
    return malformed(Code.NOT_ACCEPTABLE, "header.accept", remedy)


def query(raw: bytes, known: Collection[str]) -> Mapping[str, str]:
    """Return the query parameters: known names only, each once, 1 to 128 characters."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=10,
            errors="strict",
        )
    except ValueError:
        raise malformed(Code.SYNTAX, "query", "give name=value pairs") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise malformed(
                Code.UNKNOWN_FIELD, "query", "known here: " + (", ".join(sorted(known)) or "none")
            )
        if name in found:
            raise malformed(Code.DUPLICATE_KEY, f"query.{name}", "give it once")
        if not 1 <= len(value) <= 128 or not value.isprintable():
            raise malformed(Code.LENGTH, f"query.{name}", "give 1 to 128 printable characters")
        found[name] = value
    return found


def whole_number(
    found: Mapping[str, str], name: str, default: int, *, most: int, least: int = 0
) -> int:
    """Return a parameter that is a whole number from *least* to *most*."""
    given = found.get(name)
    if given is None:
        return default
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= 18 else -1
    if not least <= number <= most:
        remedy = f"give a whole number from {least} to {most}"
        raise malformed(Code.FORMAT, f"query.{name}", remedy)
    return int(given)
