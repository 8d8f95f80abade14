"""Wrong ways to fetch and to acknowledge: what a system that pulls may get wrong, or try."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.acceptance.wrong_inputs import CANARY

SOMEBODYS: Final = "01990000-0000-7000-8000-000000000001"
"""The id of a delivery that is not the caller's, or of none."""
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong request; *key* empty: without an Idempotency-Key."""

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = "k-1"


def wrong_pulls() -> Iterator[Wrong]:
    """Yield each."""
    for name, value in _numbers():
        yield Wrong(f"after {name}", "GET", f"/inbox?after={value}")
        yield Wrong(f"limit {name}", "GET", f"/inbox?limit={value}")
    yield Wrong("limit 0", "GET", "/inbox?limit=0")
    yield Wrong("limit 10,000", "GET", "/inbox?limit=10000")
    yield Wrong("after twice", "GET", "/inbox?after=1&after=2")
    yield Wrong("an unknown question", "GET", f"/inbox?{CANARY}=1")
    yield Wrong("another method", "DELETE", "/inbox")
    yield Wrong("nothing that is accepted", "GET", "/inbox", headers={"accept": "image/png"})
    for name, value in _ids():
        yield Wrong(f"fetch {name}", "GET", f"/deliveries/{value}")
        yield Wrong(f"acknowledge {name}", "POST", f"/deliveries/{value}/ack", _said("APPLIED"))
    ack = f"/deliveries/{SOMEBODYS}/ack"
    for name, raw in _bodies():
        yield Wrong(f"acknowledge with {name}", "POST", ack, raw)
    yield Wrong(
        "acknowledge as text", "POST", ack, _said("APPLIED"), {"content-type": "text/plain"}
    )
    yield Wrong("acknowledge without a type", "POST", ack, _said("APPLIED"), {"content-type": ""})
    yield Wrong("acknowledge by GET", "GET", ack)


def _numbers() -> Iterator[tuple[str, str]]:
    yield "is no number", CANARY
    yield "is negative", "-1"
    yield "is a fraction", "1.5"
    yield "is empty", ""
    yield "is in other digits", "%D9%A1"
    yield "is too long to be one", "9" * 400
    yield "is an expression", "1%20OR%201=1"
    yield "is hexadecimal", "0x10"
    yield "holds NUL", "1%00"


def _ids() -> Iterator[tuple[str, str]]:
    yield "somebody else's", SOMEBODYS
    yield "a number", "1"
    yield "a long one", "a" * 5_000
    yield "one with a blank", "a%20b"
    yield "one that climbs", "..%2F..%2Fadmin"
    yield "one with NUL", "a%00b"
    yield "one in another script", "%D0%B0"
    yield "a quote", "%27%3B--"


def _said(code: str) -> bytes:
    return json.dumps({"code": code}).encode()


def _bodies() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "no JSON", b"APPLIED"
    yield "half of it", b'{"code": "APP'
    yield "a list", b'["APPLIED"]'
    yield "null", b"null"
    yield "an unknown code", _said(CANARY)
    yield "a code in small letters", _said("applied")
    yield "no code", b"{}"
    yield "a code twice", b'{"code": "APPLIED", "code": "REJECTED"}'
    yield "something unknown", b'{"code": "APPLIED", "more": "' + CANARY.encode() + b'"}'
    yield "a number for a code", b'{"code": 1}'
    yield "NaN", b'{"code": NaN}'
    yield "sixty levels", b'{"code": ' + b"[" * 70 + b"]" * 70 + b"}"
    yield "other bytes", b"\xff\xfe{\x00}\x00"
    yield "a megabyte", b'{"code": "' + b"x" * 1_000_000 + b'"}'
    yield "a lone surrogate", b'{"code": "\\ud800"}'
