"""Traces: one for each message, through all that is done with it, and no word of the family."""

import ast
import re
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hub import spans
from hub.errors import Misconfigured
from hub.spans import Spans
from hub.telemetry import traces_to
from hub.tracing import ALLOWED, TracedAcceptor, allowed, ids_of, traced
from tests import builders
from tests.architecture.tree import modules, named
from tests.unit.services.world import World, part

VALUES = ("Ava", "Mia", "Example", "9990000018", "ZZ99", "Terrace")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What a collector is told."""
    kept = InMemorySpanExporter()
    monkeypatch.setattr(spans, "exporter_to", lambda _url: kept)
    return kept


async def test_a_message_is_one_trace_through_everything(told: InMemorySpanExporter) -> None:
    """Receive above; below it each delivery with gate, render and send; ids and codes alone."""
    traces = Spans("http://collector.example/v1/traces")
    world = watched(traces)
    await world.shared()
    deliver = traced(world.dispatcher, traces, world.store)
    message = {"event": "assessment.updated", "episode": part(conclusions={"need_level": "L3"})}
    await world.post("SCH-A", builders.wire(message))
    for one in world.deliveries(message_type="N6"):
        await deliver(one.delivery_id)
    sent = world.deliveries(message_type="N6")
    await traces.close()

    (whole, first) = ids_of(sent[0].causation_id)
    found = [one for one in told.get_finished_spans() if context(one)[0] == whole]
    (top,) = [one for one in found if one.name == "receive"]
    assert context(top) == (whole, first)
    assert top.parent is None
    attempts = [one for one in found if one.name == "deliver"]
    assert len(attempts) == len(sent) > 1
    for attempt in attempts:
        assert attempt.parent is not None
        assert attempt.parent.span_id == first
        below = [one for one in found if one.parent and one.parent.span_id == context(attempt)[1]]
        assert [one.name for one in below] == ["gate", "render", "send"]
        assert all(began_in(one, attempt) for one in below)
    delivered = {(one.attributes or {})["ecaf.partner"] for one in attempts}
    assert delivered == {one.partner for one in sent}
    everything = "".join(one.to_json() for one in told.get_finished_spans())
    assert not any(value in everything for value in VALUES)
    named = {name for one in told.get_finished_spans() for name in one.attributes or {}}
    assert named <= ALLOWED.keys()
    # A provider for the whole process would have FastAPI tell it of requests, URLs and all.
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def watched(traces: Spans) -> World:
    """Return a world whose hub has a collector."""
    world = World()
    parts = (world.store, world.digester, world.clock, world.hints)
    world.acceptor = TracedAcceptor(*parts, traces=traces)
    return world


def context(span: ReadableSpan) -> tuple[int, int]:
    """Return a span's trace and own id."""
    found = span.get_span_context()
    assert found is not None
    return found.trace_id, found.span_id


def began_in(one: ReadableSpan, whole: ReadableSpan) -> bool:
    """Whether a span lies within another."""
    moments = [whole.start_time, one.start_time, one.end_time, whole.end_time]
    known = [moment for moment in moments if moment is not None]
    return len(known) == len(moments) and known == sorted(known)


def test_nothing_but_what_is_listed_becomes_an_attribute() -> None:
    """Neither another name nor another shape: a name of a person has blanks, or is not listed."""
    given = allowed(
        partner="HOU-A", given_name="Ava", service="Ava Example", attempt="1", mapping="a/b"
    )

    assert given == {"ecaf.partner": "HOU-A", "ecaf.mapping": "a/b"}
    assert not any(re.search("name|episode|person|route|url|address", one) for one in ALLOWED)


def test_without_a_collector_nothing_is_imported_or_wrapped() -> None:
    """OpenTelemetry has one home, which nobody imports but who makes it; the rest is as it was."""
    homes, users = set(), set()
    for path in modules():
        if not re.search(rb"opentelemetry|hub\.spans", path.read_bytes()):
            continue
        for node in ast.parse(path.read_bytes()).body:
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.startswith("opentelemetry") for name in names):
                homes.add(named(path))
            if "hub.spans" in names:
                users.add(named(path))
    dispatcher = World().dispatcher

    assert (len(homes), users) == (1, set())
    assert traces_to(None) is None
    assert traced(dispatcher, None, dispatcher.store) == dispatcher.deliver


def test_a_collector_without_the_extra_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets an address and has not installed the extra is told what to install."""
    monkeypatch.setitem(sys.modules, "hub.spans", None)

    with pytest.raises(Misconfigured) as refused:
        traces_to("http://collector.example/v1/traces")

    assert "ecaf-hub[otel]" in refused.value.faults[0].remedy


async def test_a_collector_that_is_away_holds_nobody_up() -> None:
    """Nothing is raised, neither while spans are made nor in the end."""
    traces = Spans("http://127.0.0.1:1/v1/traces")
    world = watched(traces)
    await world.shared()
    deliver = traced(world.dispatcher, traces, world.store)
    for one in world.deliveries():
        await deliver(one.delivery_id)
    await traces.close()
