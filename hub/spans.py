"""OpenTelemetry's home: what `hub.tracing` noted, as spans for a collector (OTLP over HTTP).

An extra (``pip install 'ecaf-hub[otel]'``); imported only where ``ECAF_TRACES_URL`` is set.
"""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from hub.tracing import Part, ids_of

EXPORT_SECONDS: Final = 2
"""How long a collector may take; what it does not take is lost, and the hub goes on."""
_CHOSEN: ContextVar[tuple[int, int] | None] = ContextVar("chosen", default=None)


class _Ids(RandomIdGenerator):
    """Ids by chance, except where a message has its own."""

    def generate_trace_id(self) -> int:
        chosen = _CHOSEN.get()
        return chosen[0] if chosen else super().generate_trace_id()

    def generate_span_id(self) -> int:
        chosen = _CHOSEN.get()
        return chosen[1] if chosen else super().generate_span_id()


def exporter_to(url: str) -> SpanExporter:
    """Return what speaks to the collector at *url*."""
    return OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS)


class Spans:
    """Hands spans to a collector, beside the work and in batches (`hub.tracing.Traces`)."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is sent yet."""
        # Nothing of the environment or the machine: only what is said here.
        resource = Resource({"service.name": "ecaf-hub"})
        self._provider = TracerProvider(resource=resource, id_generator=_Ids())
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter_to(url), export_timeout_millis=EXPORT_SECONDS * 1000)
        )
        self._tracer = self._provider.get_tracer("ecaf")

    def received(self, message_id: str, part: Part) -> None:
        """Record the first span of a message's trace."""
        token = _CHOSEN.set(ids_of(message_id))
        try:
            span = self._tracer.start_span(
                part.name, Context(), start_time=part.began, attributes=dict(part.told)
            )
        finally:
            _CHOSEN.reset(token)
        span.end(part.ended)

    def delivered(self, message_id: str, whole: Part, parts: Sequence[Part]) -> None:
        """Record one attempt at a delivery of that message, and the parts of the work."""
        trace, first = ids_of(message_id)
        far = SpanContext(trace, first, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        above = set_span_in_context(NonRecordingSpan(far))
        span = self._tracer.start_span(
            whole.name, above, start_time=whole.began, attributes=dict(whole.told)
        )
        for part in parts:
            self._tracer.start_span(
                part.name,
                set_span_in_context(span),
                start_time=part.began,
                attributes=dict(part.told),
            ).end(part.ended)
        span.end(whole.ended)

    async def close(self) -> None:
        """Hand over what is left."""
        await asyncio.to_thread(self._provider.shutdown)
