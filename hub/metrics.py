"""The catalogue of what is measured: every metric name, its labels, and what its labels may say.

Source: `reliability.md` 5.13.  Labels come from fixed sets: route templates, codes, operations,
states, classes, and the names of partners as the site configures them.  An id or a value in a label
would be personal data and would fill the memory of who collects them.

Counters and histograms tell of one process; what is read from the store (`ecaf_deliveries`,
`ecaf_open`, `ecaf_oldest_seconds`, `ecaf_withdrawn_in_flight_seconds`, `ecaf_alerts`) is the same
whichever process is asked.
"""

import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hub.domain.backlog import Backlog
from hub.domain.exchange import Alert, Priority

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
CLASSES: Final[Mapping[int, str]] = {one.value: one.name.lower() for one in Priority}
"""What a class of deliveries is called in labels."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the store and the hub say of themselves at one moment."""

    now: datetime
    deliveries: Mapping[str, int]
    backlog: Backlog
    alerts: Iterable[Alert]
    due: int
    paused: bool
    ready: bool


class Metrics:
    """The metrics of one process, in a registry of its own (`hub.services.metering.Meter`)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # --- The door ---
        # Labels: method and route template ("none" for no route), status code.
        self.requests = self._counter(
            "ecaf_http_requests",
            "Requests answered, by route and status.",
            "method",
            "route",
            "status",
        )
        # Labels: the stable code of the refusal.
        self.refusals = self._counter(
            "ecaf_http_refusals", "Requests refused, by stable code.", "code"
        )
        # Labels: route template.
        self.seconds = self._histogram(
            "ecaf_http_request_seconds", "Time from the headers to the answer.", "route"
        )
        self.in_flight = self._gauge("ecaf_http_in_flight", "Requests being worked on.")
        self.body_bytes = self._gauge("ecaf_http_body_bytes", "Bytes of bodies held now.")
        # --- What came ---
        # Labels: partner; outcome accepted or repeated (the same key and content came before).
        self.messages = self._counter(
            "ecaf_messages", "Messages taken, by sender.", "partner", "outcome"
        )
        # Labels: partner. Silence of a partner is told by how long ago this is.
        self.last = self._gauge(
            "ecaf_last_message_timestamp_seconds",
            "When the last message of a partner was taken (Unix time).",
            "partner",
        )
        # --- What went ---
        # Labels: partner, channel (CL-23); outcome delivered, handed_over or a stable code.
        self.sends = self._counter(
            "ecaf_sends", "Attempts to send, by outcome.", "partner", "channel", "outcome"
        )
        # Labels: channel.
        self.send_seconds = self._histogram(
            "ecaf_send_seconds", "Time that one attempt to send took.", "channel"
        )
        # Labels: the code by which the gate, or what it found, ended a delivery unsent.
        self.denials = self._counter(
            "ecaf_withheld", "Deliveries that ended unsent, by code.", "code"
        )
        self.confirm_seconds = self._histogram(
            "ecaf_confirm_seconds", "Time until the broker confirmed a batch of offers."
        )
        # --- What stands (read from the store) ---
        # Labels: delivery state (hub.domain.exchange.State).
        self.deliveries = self._gauge("ecaf_deliveries", "Deliveries by state.", "state")
        # Labels: partner, class (`CLASSES`), state: pending, sending, handed_over, quarantined.
        self.open = self._gauge(
            "ecaf_open", "Deliveries that have not ended.", "partner", "class", "state"
        )
        # Labels: as ecaf_open.
        self.oldest = self._gauge(
            "ecaf_oldest_seconds", "Age of the oldest of ecaf_open.", "partner", "class", "state"
        )
        self.withdrawn = self._gauge(
            "ecaf_withdrawn_in_flight_seconds",
            "Time since a withdrawal whose recipient may still be sent content from before it.",
        )
        # Labels: kind of alert (hub.services.alerts). Quarantine that nobody has looked at is
        # kind delivery.quarantined.
        self.alerts = self._gauge("ecaf_alerts", "Alerts that nobody has acknowledged.", "kind")
        self.due = self._gauge("ecaf_deliveries_due", "Deliveries that may be sent now.")
        self.paused = self._gauge("ecaf_dispatch_paused", "1 while dispatch is paused.")
        self.ready = self._gauge("ecaf_ready", "1 while the hub can accept.")

    def accepted(self, partner: str) -> None:
        """Count a message that was taken, and note when."""
        self.messages.labels(partner, "accepted").inc()
        self.last.labels(partner).set(time.time())

    def repeated(self, partner: str) -> None:
        """Count a message that came again."""
        self.messages.labels(partner, "repeated").inc()
        self.last.labels(partner).set(time.time())

    def heard(self) -> dict[str, datetime]:
        """Return when the last message of each partner was taken, since this process began."""
        return {
            sample.labels["partner"]: datetime.fromtimestamp(sample.value, UTC)
            for metric in self.last.collect()
            for sample in metric.samples
        }

    def withheld(self, code: str) -> None:
        """Count a delivery that ended unsent."""
        self.denials.labels(code).inc()

    def sent(self, partner: str, channel: str, outcome: str, seconds: float) -> None:
        """Count one attempt to send."""
        self.sends.labels(partner, channel, outcome).inc()
        self.send_seconds.labels(channel).observe(seconds)

    def page(self, reading: Reading) -> bytes:
        """Return the exposition page with this reading."""
        for state, count in reading.deliveries.items():
            self.deliveries.labels(state).set(count)
        self.open.clear()
        self.oldest.clear()
        for one in reading.backlog.open:
            labels = (one.partner, CLASSES[one.priority], one.state.value)
            self.open.labels(*labels).set(one.count)
            self.oldest.labels(*labels).set(_age(one.oldest, reading.now))
        self.withdrawn.set(_age(reading.backlog.withdrawn_since, reading.now))
        self.alerts.clear()
        for kind, count in Tally(alert.kind for alert in reading.alerts).items():
            self.alerts.labels(kind).set(count)
        self.due.set(reading.due)
        self.paused.set(reading.paused)
        self.ready.set(reading.ready)
        return generate_latest(self.registry)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(name, told, labels, registry=self.registry)

    def _gauge(self, name: str, told: str, *labels: str) -> Gauge:
        return Gauge(name, told, labels, registry=self.registry)

    def _histogram(self, name: str, told: str, *labels: str) -> Histogram:
        return Histogram(name, told, labels, buckets=_SECONDS, registry=self.registry)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
