"""Envelope: the only thing that travels; who opens it is none of our business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MAX_NAME_BYTES = 255
"""AMQP 0-9-1 section 4.2.5.3: a short string, which ids, names and content types are."""

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Far above any claim check, far below RabbitMQ's own limit, at which it closes the channel."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message: an id, a channel, and bytes that nothing in this package looks into.

    *message_id* stays the same however often the message is sent; receivers know doubles by it.
    *priority* lets the message overtake those of its channel that have none.
    *possible_duplicate* is a hint, never a proof: it is set if the sender knows that it may have
    sent the message before, or if the transport has handed it out before.
    Header names are compared as they are written; those that begin with ``x-`` belong to the
    broker and are refused, as is anything that the wire cannot carry.
    *correlation_id* names the message that this one answers.

    >>> Envelope("d-1", "caf.work", b"{}").headers
    mappingproxy({})
    """

    message_id: str
    channel: str
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    priority: bool = False
    possible_duplicate: bool = False
    correlation_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("message_id", "channel", "content_type"):
            _check_short(name, getattr(self, name))
        if self.correlation_id is not None:
            _check_short("correlation_id", self.correlation_id)
        if len(self.body) > MAX_BODY_BYTES:
            raise ValueError(f"body of {len(self.body)} bytes; at most {MAX_BODY_BYTES}")
        for key, value in self.headers.items():
            _check_short("header name", key)
            if key.lower().startswith("x-"):
                raise ValueError(f"header {key!r}: names that begin with x- are the broker's")
            if not isinstance(value, str):
                raise TypeError(f"header {key!r} must be text")
        # A copy behind a proxy: a frozen envelope must not change through its caller's dict.
        object.__setattr__(self, "headers", MappingProxyType(dict(self.headers)))


def _check_short(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text")
    if not 0 < len(value.encode()) <= MAX_NAME_BYTES:
        raise ValueError(f"{what} must have 1 to {MAX_NAME_BYTES} bytes")
