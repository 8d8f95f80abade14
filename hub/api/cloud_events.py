"""CloudEvents 1.0 in: a notification inside an event, structured or binary, read strictly.

Source: CloudEvents 1.0.2 and its HTTP binding; `standards.md` section 7.  Only what was noticed is
read on; attributes are checked and forgotten: they travel in clear, and are no place for a child.
Nothing is fetched: *dataref* and *dataschema* name addresses that the hub never visits.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote

from hub.api import headers
from hub.api.problem import malformed
from hub.domain.exchange import Tree
from hub.errors import Code, Fault, InvalidContent, Malformed

STRUCTURED: Final = "application/cloudevents+json"
JSON: Final = "application/json"
PREFIX: Final = b"ce-"
REQUIRED: Final = ("specversion", "id", "source", "type")
_OWN: Final = frozenset({*REQUIRED, "subject", "time", "datacontenttype", "dataschema"})
_EXTENSION: Final = re.compile(r"[a-z0-9]{1,20}", re.ASCII)
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]{1,256}")
_REFERENCE: Final = re.compile(r"[!#$%&'()*+,/:;=?@\[\]A-Za-z0-9._~-]{1,256}", re.ASCII)
_MOMENT: Final = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)"
    r"(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_SHAPES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "specversion": (re.compile(r"1\.0"), "1.0"),
    "source": (_REFERENCE, "a URI reference of at most 256 characters"),
    "dataschema": (_REFERENCE, "a URI of at most 256 characters"),
    "time": (_MOMENT, "a moment as in RFC 3339"),
}
_MOST: Final = 40


@dataclass(frozen=True, slots=True)
class Event:
    """What an event carries: *said*, of *content_type*; *key* is the same for the same event."""

    content_type: str
    said: bytes
    key: str


def is_event(given: Mapping[bytes, bytes]) -> bool:
    """Return whether a request says that it is an event, and so has an id of its own."""
    kind = given.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind == STRUCTURED.encode() or any(name.startswith(PREFIX) for name in given)


def carried(
    given: Sequence[tuple[bytes, bytes]],
    content_type: str,
    raw: bytes,
    parse: Callable[[bytes], Tree],
    readable: Collection[str],
) -> Event | None:
    """Return the event that a request carries, in either mode; None if it is no event.

    *parse* is the strict reader of a JSON object, *readable* are the types that data may have.
    """
    if content_type == STRUCTURED:
        return structured(raw, parse, readable)
    if any(name.startswith(PREFIX) for name, _value in given):
        return binary(given, content_type, raw, parse)
    return None


def structured(raw: bytes, parse: Callable[[bytes], Tree], readable: Collection[str]) -> Event:
    """Return the event in a structured body; raises `Malformed` or `InvalidContent`."""
    members = dict(parse(raw))
    absent = object()
    data, coded = members.pop("data", absent), members.pop("data_base64", absent)
    _check(members, "/")
    kind = _kind(members.get("datacontenttype", JSON), readable, "/datacontenttype")
    if (data is absent) == (coded is absent):
        raise _fault(Code.REQUIRED, "/data", "send data or data_base64, one of them")
    if coded is not absent:
        return Event(kind, _decoded(coded), _key(members))
    if isinstance(data, str) and not kind.partition(";")[0].endswith("json"):
        return Event(kind, data.encode(), _key(members))
    if not isinstance(data, dict):
        raise _fault(Code.TYPE, "/data", "send an object")
    return Event(kind, _printed(data), _key(members))


def binary(
    given: Sequence[tuple[bytes, bytes]],
    content_type: str,
    raw: bytes,
    parse: Callable[[bytes], Tree],
) -> Event:
    """Return the event whose attributes are the headers *given* and whose data are the body."""
    members: dict[str, Any] = {}
    for name, value in given:
        if not name.startswith(PREFIX):
            continue
        attribute = name.removeprefix(PREFIX).decode("latin-1")
        if attribute in members:
            raise malformed(Code.SYNTAX, "header.ce-", "send each attribute once")
        try:
            members[attribute] = unquote(value.decode("ascii"), errors="strict")
        except UnicodeDecodeError:
            remedy = "send ASCII, with percent-encoded UTF-8 for everything else"
            raise malformed(Code.ENCODING, "header.ce-", remedy) from None
    if "datacontenttype" in members:
        raise malformed(Code.SYNTAX, "header.ce-datacontenttype", "say it as Content-Type")
    _check(members, "header.ce-")
    said = _printed(parse(raw)) if content_type.partition(";")[0].endswith("json") else raw
    return Event(content_type, said, _key(members))


def _printed(data: Tree) -> bytes:
    """Return JSON data as one text, so that the same event in the other mode is the same again."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True).encode()


def _check(members: Mapping[str, Any], place: str) -> None:
    """Check the attributes; raises `InvalidContent` with every fault, and never a name or value of
    the sender's own making.
    """
    faults = [
        Fault(Code.REQUIRED, f"{place}{name}", "every event has one")
        for name in REQUIRED
        if members.get(name) in (None, "")
    ]
    for name, value in members.items():
        if value is None or (value == "" and name in REQUIRED):
            continue
        if name in _OWN:
            shape, remedy = _SHAPES.get(name, (_TEXT, "1 to 256 printable characters"))
            if not isinstance(value, str):
                faults.append(Fault(Code.TYPE, f"{place}{name}", "send a string"))
            elif not shape.fullmatch(value):
                faults.append(Fault(Code.FORMAT, f"{place}{name}", remedy))
        elif not _EXTENSION.fullmatch(name):
            remedy = "extensions have names of 1 to 20 small letters and digits"
            faults.append(Fault(Code.UNKNOWN_FIELD, place, remedy))
        elif not isinstance(value, str | int) or not _TEXT.fullmatch(str(value)):
            faults.append(Fault(Code.FORMAT, place, "extensions are short texts or numbers"))
    if len(members) > _MOST:
        faults.append(Fault(Code.TOO_LARGE, place, f"send at most {_MOST} attributes"))
    if faults:
        raise InvalidContent(faults[0].code, "this is no CloudEvent of version 1.0", faults)


def _kind(given: Any, readable: Collection[str], path: str) -> str:
    """Return the readable type that *given* names."""
    if not isinstance(given, str) or not _TEXT.fullmatch(given):
        raise _fault(Code.TYPE, path, "name a content type")
    try:
        return headers.content_type({b"content-type": given.encode()}, readable)
    except Malformed:
        remedy = "send one of: " + ", ".join(sorted(readable))
        raise _fault(Code.CONTENT_TYPE, path, remedy) from None


def _decoded(coded: Any) -> bytes:
    if not isinstance(coded, str):
        raise _fault(Code.TYPE, "/data_base64", "send a string")
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        raise _fault(Code.FORMAT, "/data_base64", "send base64 as in RFC 4648") from None


def _key(members: Mapping[str, Any]) -> str:
    """Return the key of an event: *source* and *id* together are its own (CloudEvents 1.0, id)."""
    named = f"{members['source']}\0{members['id']}".encode()
    return f"ce:{sha256(named).hexdigest()}"


def _fault(code: Code, path: str, remedy: str) -> InvalidContent:
    return InvalidContent(code, remedy, [Fault(code, path, remedy)])
