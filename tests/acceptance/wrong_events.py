"""Wrong events and wrong signatures, each with the status and code that its sender is told.

Each row starts from a good request and spoils it in one way.  `CANARY` stands in many of them and
must never come back.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from tests import builders
from tests.acceptance.wrong_inputs import CANARY
from tests.builders import GONE

STRUCTURED: Final = "application/cloudevents+json"
JSON: Final = "application/json"
KEY: Final = base64.b64encode(b"k" * 32).decode()
SECOND: Final = base64.b64encode(b"n" * 32).decode()


@dataclass(frozen=True, slots=True)
class Sent:
    """One request at ``/notifications`` (or, *signed*, below it)."""

    headers: Mapping[str, str]
    body: bytes
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong request, its code, and a place that is named."""

    name: str
    sent: Sent
    code: str
    path: str


def event(**changes: Any) -> dict[str, Any]:
    """Return a good structured event."""
    made = {
        "specversion": "1.0",
        "id": "ev-1",
        "source": "urn:example:sch-a",
        "type": "example.sch-a.attendance.v1",
        "time": "2026-09-18T09:30:00Z",
        "data": builders.notification(),
        **changes,
    }
    return {name: value for name, value in made.items() if value is not GONE}


def structured(**changes: Any) -> Sent:
    """Return a good event as one body."""
    return Sent({"content-type": STRUCTURED}, json.dumps(event(**changes)).encode())


def binary(body: bytes | None = None, **changes: Any) -> Sent:
    """Return a good event as headers and data; underscores stand for hyphens."""
    headers = {
        "content-type": JSON,
        "ce-specversion": "1.0",
        "ce-id": "ev-1",
        "ce-source": "urn:example:sch-a",
        "ce-type": "example.sch-a.attendance.v1",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    kept = {name: str(value) for name, value in headers.items() if value is not GONE}
    return Sent(kept, json.dumps(builders.notification()).encode() if body is None else body)


def sign(body: bytes, at: int, name: str = "msg-1", key: str = KEY) -> dict[str, str]:
    """Return the headers of Standard Webhooks for *body*, made by hand."""
    text = f"{name}.{at}.".encode() + body
    mark = base64.b64encode(hmac.digest(base64.b64decode(key), text, sha256)).decode()
    return {
        "content-type": JSON,
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{mark}",
    }


def signed(at: int, body: bytes | None = None, **changes: str) -> Sent:
    """Return a good signed webhook; *changes* are of headers, underscores stand for hyphens."""
    body = json.dumps(builders.notification()).encode() if body is None else body
    spoilt = {name.replace("_", "-"): value for name, value in changes.items()}
    headers = {**sign(body, at), **spoilt}
    return Sent({k: v for k, v in headers.items() if v != ""}, body, signed=True)


def _raw(text: bytes) -> Sent:
    return Sent({"content-type": STRUCTURED}, text)


def wrong_events(now: int) -> list[Wrong]:
    """Return every row; *now* is the wall clock in seconds."""
    good = signed(now)
    mark = good.headers["webhook-signature"]
    auth, place = "E_UNAUTHENTICATED", "header.webhook-signature"
    unsigned: Callable[..., Wrong] = lambda name, sent: Wrong(name, sent, auth, place)  # noqa: E731
    whole = structured().body
    return [
        Wrong("no version", structured(specversion=GONE), "E_REQUIRED", "/specversion"),
        Wrong("version 0.3", structured(specversion="0.3"), "E_FORMAT", "/specversion"),
        Wrong("version as a number", structured(specversion=1.0), "E_TYPE", "/specversion"),
        Wrong("no id", structured(id=GONE), "E_REQUIRED", "/id"),
        Wrong("an empty id", structured(id=""), "E_REQUIRED", "/id"),
        Wrong("a null id", structured(id=None), "E_REQUIRED", "/id"),
        Wrong("an id of 257", structured(id="x" * 257), "E_FORMAT", "/id"),
        Wrong("an id with a control", structured(id=f"{CANARY}\n"), "E_FORMAT", "/id"),
        Wrong("an id that is a list", structured(id=[CANARY]), "E_TYPE", "/id"),
        Wrong("no source", structured(source=GONE), "E_REQUIRED", "/source"),
        Wrong("a source with a blank", structured(source=f"a {CANARY}"), "E_FORMAT", "/source"),
        Wrong("no type", structured(type=GONE), "E_REQUIRED", "/type"),
        Wrong("an empty type", structured(type=""), "E_REQUIRED", "/type"),
        Wrong("a time that is none", structured(time="yesterday"), "E_FORMAT", "/time"),
        Wrong("the 13th month", structured(time="2026-13-01T00:00:00Z"), "E_FORMAT", "/time"),
        Wrong("a schema with a blank", structured(dataschema="a b"), "E_FORMAT", "/dataschema"),
        Wrong("an extension in capitals", structured(Zq7Kestrel="x"), "E_UNKNOWN_FIELD", "/"),
        Wrong("an extension with a hyphen", structured(**{"a-b": "x"}), "E_UNKNOWN_FIELD", "/"),
        Wrong("an extension of 21", structured(**{"x" * 21: "x"}), "E_UNKNOWN_FIELD", "/"),
        Wrong("an extension that is a tree", structured(more={"a": CANARY}), "E_FORMAT", "/"),
        Wrong("too many", structured(**{f"x{n}": "y" for n in range(40)}), "E_TOO_LARGE", "/"),
        Wrong("no data", structured(data=GONE), "E_REQUIRED", "/data"),
        Wrong("both data", structured(data_base64="e30="), "E_REQUIRED", "/data"),
        Wrong("data that are a text", structured(data=CANARY), "E_TYPE", "/data"),
        Wrong("data that are a list", structured(data=[]), "E_TYPE", "/data"),
        Wrong("no base64", structured(data=GONE, data_base64="@@"), "E_FORMAT", "/data_base64"),
        Wrong("base64 as a number", structured(data=GONE, data_base64=7), "E_TYPE", "/data_base64"),
        Wrong(
            "a type that nobody reads",
            structured(datacontenttype="text/calendar"),
            "E_CONTENT_TYPE",
            "/datacontenttype",
        ),
        Wrong(
            "a type that is a number", structured(datacontenttype=7), "E_TYPE", "/datacontenttype"
        ),
        Wrong("not JSON", _raw(CANARY.encode()), "E_SYNTAX", ""),
        Wrong("a list of events", _raw(b"[" + whole + b"]"), "E_TYPE", ""),
        Wrong(
            "an id twice",
            _raw(whole.replace(b'"id"', b'"id": "x", "id"', 1)),
            "E_DUPLICATE_KEY",
            "/id",
        ),
        Wrong("65 levels", _raw(b'{"a":' * 65 + b"1" + b"}" * 65), "E_DEPTH", ""),
        Wrong(
            "a batch",
            replace(
                structured(),
                headers={
                    "content-type": "application/cloudevents-batch+json",
                    "idempotency-key": "k",
                },
            ),
            "E_CONTENT_TYPE",
            "header.content-type",
        ),
        Wrong(
            "an unknown kind of notice",
            structured(data=builders.notification(kind=CANARY)),
            "E_CODELIST",
            "/notification/kind",
        ),
        Wrong(
            "an unknown field",
            structured(data={**builders.notification(), CANARY: 1}),
            "E_UNKNOWN_FIELD",
            "/notification/?",
        ),
        Wrong(
            "no child",
            structured(data={"kind": "exclusion"}),
            "E_REQUIRED",
            "/notification/subject",
        ),
        Wrong("binary without id", binary(ce_id=GONE), "E_REQUIRED", "header.ce-id"),
        Wrong(
            "binary without version",
            binary(ce_specversion=GONE),
            "E_REQUIRED",
            "header.ce-specversion",
        ),
        Wrong(
            "binary, version 2.0", binary(ce_specversion="2.0"), "E_FORMAT", "header.ce-specversion"
        ),
        Wrong(
            "binary, type twice said",
            binary(ce_datacontenttype=JSON),
            "E_SYNTAX",
            "header.ce-datacontenttype",
        ),
        Wrong(
            "binary, an encoded control",
            binary(ce_subject="a%0Ab"),
            "E_FORMAT",
            "header.ce-subject",
        ),
        Wrong("binary, no UTF-8", binary(ce_subject="%ff"), "E_ENCODING", "header.ce-"),
        Wrong("binary, capitals inside", binary(ce_a_b="x"), "E_UNKNOWN_FIELD", "header.ce-"),
        Wrong("binary, no JSON", binary(CANARY.encode()), "E_SYNTAX", ""),
        Wrong("binary, a list", binary(b"[]"), "E_TYPE", ""),
        unsigned("no signature", signed(now, webhook_signature="")),
        unsigned("no id", signed(now, webhook_id="")),
        unsigned("no timestamp", signed(now, webhook_timestamp="")),
        unsigned("other body", replace(good, body=good.body + b" ")),
        unsigned("other id", signed(now, webhook_id="msg-2")),
        unsigned("other time", signed(now, webhook_timestamp=str(now - 1))),
        unsigned("six minutes old", signed(now - 360)),
        unsigned("six minutes ahead", signed(now + 360)),
        unsigned("a time that is none", signed(now, webhook_timestamp="1e9")),
        unsigned("a time before all", signed(now, webhook_timestamp=f"-{now}")),
        unsigned("a time of 5,000 digits", signed(now, webhook_timestamp="9" * 5000)),
        unsigned("another key", Sent(sign(good.body, now, key=SECOND), good.body, signed=True)),
        unsigned("version 2", signed(now, webhook_signature=mark.replace("v1,", "v2,"))),
        unsigned("HMAC as v1a", signed(now, webhook_signature=mark.replace("v1,", "v1a,"))),
        unsigned("half a signature", signed(now, webhook_signature=mark[:20])),
        unsigned("no base64", signed(now, webhook_signature="v1,@@@@")),
        unsigned("an empty one", signed(now, webhook_signature="v1,")),
        unsigned("eleven of them", signed(now, webhook_signature=" ".join([mark] * 11))),
        unsigned("an id of 200", signed(now, webhook_id="x" * 200)),
        unsigned("a blank in the id", signed(now, webhook_id="msg 1")),
    ]
