"""The catalogue of what is measured: every metric name, its labels, and what its labels may say.

Source: `reliability.md` 5.13.  Labels come from fixed sets (route templates, codes, operations,
states); an id or a value in a label would be personal data and would fill the memory of who
collects them.
"""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Labels: method and route template ("none" for no route), status code.
        self.requests = Counter(
            "ecaf_http_requests",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        # Labels: the stable code of the refusal.
        self.refusals = Counter(
            "ecaf_http_refusals",
            "Requests refused, by stable code.",
            ("code",),
            registry=self.registry,
        )
        # Labels: route template.
        self.seconds = Histogram(
            "ecaf_http_request_seconds",
            "Time from the headers to the answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "ecaf_http_in_flight", "Requests being worked on.", registry=self.registry
        )
        self.body_bytes = Gauge(
            "ecaf_http_body_bytes", "Bytes of bodies held now.", registry=self.registry
        )
        # Labels: delivery state (hub.domain.exchange.State).
        self.deliveries = Gauge(
            "ecaf_deliveries", "Deliveries by state.", ("state",), registry=self.registry
        )
        self.due = Gauge(
            "ecaf_deliveries_due", "Deliveries that may be sent now.", registry=self.registry
        )
        self.paused = Gauge(
            "ecaf_dispatch_paused", "1 while dispatch is paused.", registry=self.registry
        )
        self.ready = Gauge("ecaf_ready", "1 while the hub can accept.", registry=self.registry)

    def page(self, *, deliveries: Mapping[str, int], due: int, paused: bool, ready: bool) -> bytes:
        """Return the exposition page with these readings of the hub."""
        for state, count in deliveries.items():
            self.deliveries.labels(state).set(count)
        self.due.set(due)
        self.paused.set(paused)
        self.ready.set(ready)
        return generate_latest(self.registry)
