"""A real hub with a collector: what arrives there is one trace a message, and no word of a family.

The hub is a process of its own and speaks OTLP over HTTP to a listener that keeps what it gets;
after a partner's profile was changed and activated, attempts are still told.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import httpx
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from hub.tracing import ALLOWED, ids_of
from tests.bench.story import (
    CONTENT,
    MESSAGE,
    RECIPIENT,
    SENDER,
    decisions,
    family,
    opening,
    update,
)
from tests.chaos.hub_process import HubProcess, make_site

pytestmark = pytest.mark.slow

EPISODE: Final = "e1"
SECONDS: Final = 60.0


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Listen as a collector does; yields its address and what it was sent."""
    taken: list[bytes] = []

    class Listening(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_collector_is_told_the_whole_way_of_each_message(tmp_path: Path) -> None:
    """Receive, and below it each attempt with gate and send; ids and codes alone."""
    site, keys = make_site(tmp_path / "site", {SENDER: None, RECIPIENT: None})
    profile = site.profiles[RECIPIENT]
    written = yaml.safe_load(profile.read_text())
    written["deliver"] = {"channel": "pull", "content": CONTENT, "notification": "caf-json"}
    profile.write_text(yaml.safe_dump(written))
    with collector() as (url, taken):
        hub = HubProcess(
            site,
            f"sqlite:///{tmp_path}/hub.db",
            settings={"ECAF_TRACES_URL": url},
        )
        await hub.start()
        try:
            first = await sent(hub, keys[SENDER], [*opening(EPISODE)])
            activated = await hub.operator("/admin/config/activate", {"by": "ops-1"})
            assert activated.is_success, activated.text
            second = await sent(hub, keys[SENDER], [update(EPISODE, 2)])
        finally:
            await hub.stop()

    spans = [span for body in taken for span in spans_of(body)]
    for message in (first[-1], second[-1]):
        of_message, of_first = ids_of(message)
        trace, top = of_message.to_bytes(16, "big"), of_first.to_bytes(8, "big")
        ours = [span for span in spans if span.trace_id == trace]
        assert [span.span_id for span in ours if span.name == "receive"] == [top]
        attempts = [span for span in ours if span.name == "deliver"]
        assert attempts
        assert {span.parent_span_id for span in attempts} == {top}
        for attempt in attempts:
            below = [span.name for span in ours if span.parent_span_id == attempt.span_id]
            assert below == ["gate", "send"], "who fetches is rendered for when it fetches"
    told = {one.key for span in spans for one in span.attributes}
    assert told <= ALLOWED.keys()
    everything = b"".join(taken)
    assert RECIPIENT.encode() in everything
    assert not [word for word in words(family(EPISODE)) if word.encode() in everything]


async def sent(hub: HubProcess, key: str, raws: list[bytes]) -> list[str]:
    """Have *raws* accepted, wait until nothing is on its way, and return the messages' ids."""
    given = []
    head = {"authorization": f"Bearer {key}", "content-type": MESSAGE}
    async with httpx.AsyncClient(base_url=hub.address, trust_env=False, timeout=SECONDS) as client:
        for record in decisions(EPISODE) if len(raws) > 1 else ():
            name = record["consent_decision_id"]
            answer = await client.post(
                f"/episodes/{EPISODE}/consents",
                content=json.dumps(record),
                headers=head | {"content-type": "application/json", "idempotency-key": name},
            )
            assert answer.is_success, answer.text
        for number, raw in enumerate(raws):
            said = head | {"idempotency-key": f"m{len(raws)}-{number}"}
            answer = await client.post("/messages", content=raw, headers=said)
            assert answer.status_code == 202, answer.text
            given.append(str(answer.json()["message_id"]))
    async with asyncio.timeout(SECONDS):
        while await under_way(hub):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    return given


async def under_way(hub: HubProcess) -> int:
    """Return how many deliveries have neither been handed over nor ended."""
    states = (await hub.summary())["states"]
    return int(states["pending"]) + int(states["sending"])


def spans_of(body: bytes) -> Iterator[Span]:
    """Return the spans of one export."""
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def words(tree: object) -> Iterator[str]:
    """Return every text of a family that is longer than a code."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from words(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from words(value)
    elif isinstance(tree, str) and (" " in tree or tree.startswith("999")):
        yield tree
