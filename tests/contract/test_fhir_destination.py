"""What a FHIR receiver cannot make the hub believe: "delivered" is its own sound word."""

import asyncio
import gzip
import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.destinations.breaker import Breaker
from adapters.destinations.fhir import FhirDestination, FhirLimits
from adapters.partners.keys import create_keys
from hub.domain.carriage import Parcel
from hub.domain.partner import Delivering
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from hub.secrets import Secret
from tests.contract import receiver as far_end
from tests.contract.receiver import Behaviour, Receiver, receiver, status
from tests.unit.mllp.test_door import client_certificate

ID = "01990000-0000-7000-8000-000000000001"
MESSAGE = {
    "resourceType": "Bundle",
    "id": "b-1",
    "type": "message",
    "entry": [
        {"fullUrl": f"urn:uuid:{ID}", "resource": {"resourceType": "MessageHeader", "id": ID}},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Patient", "id": "Canary"}},
    ],
}  # fmt: skip
PARCEL = Parcel(
    delivery_id=ID,
    message_type="N7",
    partner="EHM-A",
    attempt=1,
    possible_duplicate=False,
    content_type="application/fhir+json",
    body=orjson.dumps(MESSAGE),
    thin=False,
    lane="ep-1",
    lane_sequence=3,
    urgent=False,
)
LIMITS = FhirLimits(answer_bytes=16_384)
TRUST = ssl.create_default_context()
HASTY = replace(LIMITS, total_seconds=1.5)
KIND = "application/fhir+json"
Tree = dict[str, Any]


def ack(code: Any = "ok", about: Any = ID, *more: Tree, **header: Any) -> Tree:
    """Return an acknowledgement Bundle."""
    head = {
        "resourceType": "MessageHeader",
        "id": "ack-1",
        "response": {"identifier": about, "code": code},
        **header,
    }
    resources = [head, *more]
    return {
        "resourceType": "Bundle",
        "id": "answer-1",
        "type": "message",
        "entry": [{"fullUrl": f"urn:uuid:{n}", "resource": one} for n, one in enumerate(resources)],
    }


def outcome(severity: str) -> Tree:
    issue = {"severity": severity, "code": "processing"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def raw(body: bytes, code: int = 200, kind: str = KIND, *headers: str, length: int | None = None
        ) -> Behaviour:  # fmt: skip
    """Answer with these bytes, under a length that may be a lie, and close where it is one."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        lines = [f"HTTP/1.1 {code} X", f"Content-Length: {size}", f"Content-Type: {kind}", *headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        await writer.drain()
        if size != len(body):
            writer.close()

    return answer


def tree(found: Any, code: int = 200, kind: str = KIND, *headers: str) -> Behaviour:
    return raw(json.dumps(found).encode(), code, kind, *headers)


def chunked(body: bytes, *, ends: bool) -> Behaviour:
    """Answer in chunks, with or without the last."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nContent-Type: {KIND}\r\n\r\n"
        half = len(body) // 2
        writer.write(head.encode())
        for part in (body[:half], body[half:]):
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)
        if ends:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        else:
            writer.close()

    return answer


def after(seconds: float, answer: Behaviour) -> Behaviour:
    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await answer(writer)

    return late


async def endless(writer: asyncio.StreamWriter) -> None:
    """Answer without end."""
    writer.write(f"HTTP/1.1 200 X\r\nContent-Type: {KIND}\r\nConnection: close\r\n\r\n".encode())
    while True:
        writer.write(b'{"resourceType":"Bundle",' + b" " * 4_000)
        await writer.drain()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then."""
    writer.write(f"HTTP/1.1 200 X\r\nContent-Length: 500\r\nContent-Type: {KIND}\r\n\r\n".encode())
    for _ in range(100):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


GOOD = json.dumps(ack()).encode()


def without(name: str) -> Tree:
    made = ack()
    made["entry"][0]["resource"]["response"].pop(name)
    return made


@dataclass(frozen=True)
class Case:
    """What a receiver does, and what the hub may make of it."""

    name: str
    answer: Behaviour
    meaning: str
    hurried: bool = False


CASES = [
    # The receiver's word
    Case("ok", tree(ack()), "delivered"),
    Case("ok with remarks", tree(ack("ok", ID, outcome("warning"))), "delivered"),
    Case("ok in plain JSON", tree(ack(), 200, "application/json; charset=UTF-8"), "delivered"),
    Case("ok with a FHIR version", tree(ack(), 200, KIND + "; fhirVersion=4.0"), "delivered"),
    Case("ok in chunks", chunked(GOOD, ends=True), "delivered"),
    Case("taken, answered later", status(202), "handed over"),
    Case("taken, with a word", tree(ack("fatal-error"), 202), "handed over"),
    Case("fatal-error", tree(ack("fatal-error", ID, outcome("fatal"))), "refused"),
    Case("transient-error", tree(ack("transient-error", ID, outcome("error"))), "later"),
    # Somebody else's
    Case("ok for another", tree(ack("ok", "01990000-0000-7000-8000-000000000002")), "unknown"),
    Case("ok for the Bundle", tree(ack("ok", "b-1")), "unknown"),
    Case("ok for nobody", tree(ack("ok", "")), "unknown"),
    Case("ok for null", tree(ack("ok", None)), "unknown"),
    Case("ok for a list", tree(ack("ok", [ID])), "unknown"),
    Case("ok for the id in capitals", tree(ack("ok", ID.replace("1990000", "199000A"))), "unknown"),
    Case("ok for the id and a blank", tree(ack("ok", ID + " ")), "unknown"),
    Case("ok for a reference to it", tree(ack("ok", f"urn:uuid:{ID}")), "unknown"),
    Case("fatal-error for another", tree(ack("fatal-error", "x")), "unknown"),
    Case("no identifier", tree(without("identifier")), "unknown"),
    # Lies and contradictions
    Case("ok and an error", tree(ack("ok", ID, outcome("error"))), "unknown"),
    Case("ok and a fatal issue", tree(ack("ok", ID, outcome("fatal"))), "unknown"),
    Case("ok and issues that are none", tree(ack("ok", ID, {"resourceType": "OperationOutcome",
         "issue": "x"})), "unknown"),
    Case("two headers", tree(ack("ok", ID, ack("fatal-error")["entry"][0]["resource"])), "unknown"),
    Case("the header behind", tree({**ack(), "entry": [{"resource": outcome("warning")},
         *ack()["entry"]]}), "unknown"),
    Case("code twice", raw(GOOD.replace(b'"code": "ok"', b'"code": "fatal-error", "code": "ok"')),
         "unknown"),
    # What is no acknowledgement
    Case("200 with nothing", status(200), "unknown"),
    Case("200 with nothing of FHIR", raw(b"", 200), "unknown"),
    Case("204", status(204), "unknown"),
    Case("201", tree(ack(), 201), "unknown"),
    Case("207", tree(ack(), 207), "unknown"),
    Case("no code", tree(without("code")), "unknown"),
    Case("OK", tree(ack("OK")), "unknown"),
    Case("accepted", tree(ack("accepted")), "unknown"),
    Case("code true", tree(ack(True)), "unknown"),
    Case("no response", tree(ack(response=None)), "unknown"),
    Case("a response that is text", tree(ack(response="ok")), "unknown"),
    Case("our own message back", raw(PARCEL.body), "unknown"),
    Case("an OperationOutcome that is glad", tree(outcome("information")), "unknown"),
    Case("a header without its Bundle", tree(ack()["entry"][0]["resource"]), "unknown"),
    Case("a collection", tree({**ack(), "type": "collection"}), "unknown"),
    Case("no entries", tree({**ack(), "entry": []}), "unknown"),
    Case("an entry that is none", tree({**ack(), "entry": ["ok"]}), "unknown"),
    Case("HTML that says OK", raw(b"<html>200 OK</html>", 200, "text/html"), "unknown"),
    Case("HTML under FHIR's name", raw(b"<html>ok</html>"), "unknown"),
    Case("FHIR under HTML's name", raw(GOOD, 200, "text/html"), "unknown"),
    Case("FHIR in XML", raw(b"<Bundle/>", 200, "application/fhir+xml"), "unknown"),
    Case("no content type", raw(GOOD, 200, ""), "unknown"),
    Case("null", raw(b"null"), "unknown"),
    Case("a list", raw(b"[" + GOOD + b"]"), "unknown"),
    Case("NaN", raw(GOOD.replace(b'"ok"', b"NaN")), "unknown"),
    Case("two answers", raw(GOOD + GOOD), "unknown"),
    Case("Latin-1", raw(GOOD.replace(b"answer-1", b"answer-\xe4")), "unknown"),
    Case("depth", raw(b'{"a":' * 2_000 + b"1" + b"}" * 2_000), "unknown"),
    Case("packed", raw(gzip.compress(GOOD), 200, KIND, "Content-Encoding: gzip"), "unknown"),
    Case("said to be packed", raw(GOOD, 200, KIND, "Content-Encoding: gzip"), "unknown"),
    Case("longer than any", raw(GOOD + b" " * 20_000), "unknown"),
    # Cut, late, never
    Case("half, then closed", raw(GOOD[:80], 200, length=len(GOOD)), "unknown"),
    Case("all but a byte", raw(GOOD[:-1], 200, length=len(GOOD)), "unknown"),
    Case("half in chunks", chunked(GOOD, ends=False), "unknown"),
    Case("half, and a length that fits", raw(GOOD[:80]), "unknown"),
    Case("reset", far_end.reset, "unknown"),
    Case("silence", far_end.silence, "unknown", hurried=True),
    Case("ok too late", after(5.0, tree(ack())), "unknown", hurried=True),
    Case("a byte now and then", trickle, "unknown", hurried=True),
    Case("endless", endless, "unknown"),
    # Other answers, whatever they hold
    Case("500 with ok", tree(ack(), 500), "later"),
    Case("503", status(503, "Retry-After: 120"), "later"),
    Case("429", status(429), "later"),
    Case("408", status(408), "later"),
    Case("400 with ok", tree(ack(), 400), "refused"),
    Case("401", status(401), "refused"),
    Case("410", status(410), "refused"),
    Case("422 with reasons", tree(outcome("error"), 422), "refused"),
    Case("302 to somewhere", status(302, "Location: http://169.254.169.254/"), "refused"),
    Case("301 with ok", tree(ack(), 301), "refused"),
]  # fmt: skip
"""Lying, late, wrong and truncated acknowledgements, and the sound ones."""


@pytest.fixture
async def far() -> AsyncIterator[Receiver]:
    """A partner's server."""
    async with receiver() as one:
        yield one


def to(far: Receiver, limits: FhirLimits = LIMITS, **more: Any) -> FhirDestination:
    """Return a destination to it, with no breaker in the way."""
    breaker = Breaker(threshold=10**6)
    return FhirDestination(far.url, verify=TRUST, limits=limits, breaker=breaker, **more)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
async def test_what_an_answer_means(one: Case, far: Receiver) -> None:
    """Delivered never without the receiver's sound word; and the next message goes through."""
    line = to(far, HASTY if one.hurried else LIMITS)
    far.answers.append(one.answer)
    began, said_of_it = time.monotonic(), ""
    try:
        found = "delivered" if (await line.send(PARCEL)).delivered else "handed over"
    except (Unavailable, Rejected) as error:
        found = "refused" if isinstance(error, Rejected) else "later"
        found = "unknown" if error.code is Code.OUTCOME_UNKNOWN else found
        said_of_it = str(error)
    finally:
        await line.close()

    assert found == one.meaning
    assert "Canary" not in said_of_it
    assert time.monotonic() - began < 15
    patient = to(far)
    far.answers.clear()  # if it never came to that
    far.answers.append(tree(ack()))
    assert (await patient.send(replace(PARCEL, attempt=2, possible_duplicate=True))).delivered
    await patient.close()
    assert {r.body for r in far.received} == {PARCEL.body}, "the same bytes on every attempt"
    assert far.received[-1].headers["ecaf-possible-duplicate"] == "true"


def test_there_are_enough() -> None:
    """At least fifty that must not deliver, each with a name of its own."""
    assert len({one.name for one in CASES}) == len(CASES)
    assert sum(one.meaning != "delivered" for one in CASES) >= 50


async def test_the_request_is_fhir(far: Receiver) -> None:
    """The bytes as they are, under FHIR's name, with the token of the profile."""
    far.answers.append(tree(ack()))
    line = to(far, token=Secret("t0ken"))

    sent = await line.send(PARCEL)
    await line.close()

    (got,) = far.received
    assert got.body == PARCEL.body
    assert got.headers["content-type"] == "application/fhir+json"
    assert got.headers["authorization"] == "Bearer t0ken"
    assert got.headers["accept-encoding"] == "identity"
    assert (sent.delivered, sent.evidence) == (True, {"status": 200, "ack": "ok"})


async def test_a_wait_that_was_asked_for_is_kept(far: Receiver) -> None:
    """Retry-After counts beside a transient-error as beside a 503."""
    for answer in (
        tree(ack("transient-error"), 200, KIND, "Retry-After: 90"),
        status(503, "Retry-After: 90"),
    ):
        far.answers.append(answer)
        line = to(far)
        with pytest.raises(Unavailable) as caught:
            await line.send(PARCEL)
        await line.close()
        assert caught.value.retry_after == 90


async def test_a_redirect_is_not_followed(far: Receiver) -> None:
    """Not even to where an acknowledgement would wait: nothing goes to an address of an answer."""
    line = to(far)
    for code in (301, 302, 303, 307, 308):
        async with receiver() as elsewhere:
            elsewhere.answers.append(tree(ack()))
            far.answers.append(status(code, f"Location: {elsewhere.url}"))
            with pytest.raises(Rejected):
                await line.send(PARCEL)
            assert elsewhere.received == []
    await line.close()


async def test_a_recall_is_only_handed_over(far: Receiver) -> None:
    """N10 asks the receiver to do something; its ok is not yet the deed."""
    far.answers.append(tree(ack()))
    line = to(far)
    assert (await line.send(replace(PARCEL, message_type="N10"))).delivered is False
    await line.close()


async def test_nobody_there_is_surely_not_taken() -> None:
    """A connection that was refused leaves no doubt."""
    async with receiver() as gone:
        url = gone.url
    line = FhirDestination(url)
    with pytest.raises(Unavailable) as caught:
        await line.send(PARCEL)
    await line.close()
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    "change",
    [
        {"thin": True},
        {"content_type": "application/json"},
        {"body": b""},
        {"body": b"{}"},
        {"body": PARCEL.body.replace(ID.encode(), b"")},
        {"body": b'{"entry":[{"resource":{"id":7}}]}'},
    ],
)
async def test_what_does_not_go_in_fhir(change: dict[str, Any], far: Receiver) -> None:
    """Nothing is sent that a receiver could not acknowledge."""
    line = to(far)
    with pytest.raises(Rejected):
        await line.send(replace(PARCEL, **change))
    await line.close()
    assert far.received == []


async def test_certificates_go_both_ways(tmp_path: Path) -> None:
    """The receiver sees the hub's certificate, and the hub trusts the profile's authority."""
    keys = create_keys(tmp_path)
    cert, key = client_certificate(keys, "hub")
    seen: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("ssl_object").getpeercert())
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(PARCEL.body))
        await tree(ack())(writer)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.server_cert, keys.server_key)
    context.load_verify_locations(keys.ca_cert)
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        told = Delivering(
            "fhir",
            "full",
            url=f"https://127.0.0.1:{port}/fhir/$process-message",
            ca_file=keys.ca_cert,
            cert_file=cert,
            key_file=key,
        )
        line = FhirDestination.to(told)
        assert (await line.send(PARCEL)).delivered
        await line.close()
        assert seen[0]["subject"]

        stranger = FhirDestination.to(replace(told, ca_file=None))
        with pytest.raises(Unavailable):
            await stranger.send(PARCEL)
        await stranger.close()


def test_a_token_that_is_none_stops_the_start(tmp_path: Path) -> None:
    """A line end in a header would be another header."""
    held = tmp_path / "token"
    held.write_text("a\nb")
    held.chmod(0o600)
    with pytest.raises(Misconfigured):
        FhirDestination.to(Delivering("fhir", "full", url="https://x.example", secret_file=held))
