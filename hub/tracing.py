"""Traces, for a site that has a collector: receive, gate, render and send as spans of one message.

OpenTelemetry itself is in `hub.spans`; what is here only notes what happened.  The trace's id is
made of the message's id, which the store keeps with each delivery; so the spans of all processes
find together, whatever broker, restart or day lies between them, and nothing travels on the queue.
Attributes are an allow-list of ids and codes, each with its shape (`reliability.md` 5.13): no
route, no episode, no content, no baggage.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, Protocol

from hub.domain.carriage import Outcome, Parcel
from hub.domain.exchange import Delivery, State
from hub.domain.partner import Partner
from hub.errors import Code, HubError, Unavailable
from hub.ports import Destination, Needs, Rendered, Renderer, Store
from hub.services.accept import Acceptor, Meaning
from hub.services.dispatch import Dispatcher
from hub.services.receipt import Receipt

_WORD: Final = re.compile(r"[A-Za-z0-9_.:/+;=-]{1,128}", re.ASCII)

ALLOWED: Final[Mapping[str, re.Pattern[str] | type]] = {
    "ecaf.message_id": _WORD,
    "ecaf.delivery_id": _WORD,
    "ecaf.partner": _WORD,
    "ecaf.service": _WORD,
    "ecaf.message_type": _WORD,
    "ecaf.state": _WORD,
    "ecaf.code": _WORD,
    "ecaf.mapping": _WORD,
    "ecaf.attempt": int,
    "ecaf.status": int,
    "ecaf.bytes": int,
}
"""Every attribute that a span may have, with the shape of its value."""


def allowed(**given: str | int | None) -> dict[str, str | int]:
    """Return *given* as attributes; what is not on the list, or has another shape, is left out.

    >>> allowed(partner="HOU-A", attempt=1, family_name="Example", service="Ava Example")
    {'ecaf.partner': 'HOU-A', 'ecaf.attempt': 1}
    """
    named = {f"ecaf.{name}": value for name, value in given.items() if value is not None}
    return {name: value for name, value in named.items() if _fits(ALLOWED.get(name), value)}


def _fits(shape: re.Pattern[str] | type | None, value: str | int) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and shape.fullmatch(value) is not None
    return shape is not None and type(value) is shape


def ids_of(message_id: str) -> tuple[int, int]:
    """Return the ids of a message's trace and of its first span; the same in every process."""
    digest = sha256(f"ecaf trace {message_id}".encode()).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of work on a delivery: nanoseconds of the clock, and what it says of itself."""

    name: str
    began: int
    ended: int
    told: Mapping[str, str | int]


_PARTS: ContextVar[list[Part] | None] = ContextVar("parts", default=None)


class Traces(Protocol):
    """Where spans go (`hub.spans`)."""

    def received(self, message_id: str, part: Part) -> None:
        """Record the first span of a message's trace."""
        ...

    def delivered(self, message_id: str, whole: Part, parts: Sequence[Part]) -> None:
        """Record one attempt at a delivery of that message, and the parts of the work."""
        ...

    async def close(self) -> None:
        """Hand over what is left."""
        ...


@dataclass(frozen=True, slots=True)
class TracedAcceptor(Acceptor):
    """Accepts as ever, and begins the trace of what was accepted."""

    traces: Traces | None = None

    async def accept(
        self,
        partner: Partner,
        content_type: str,
        raw: bytes,
        key: str,
        meaning: Meaning,
        *episodes: str | None,
    ) -> Receipt:
        """Return the receipt, and record how long it took."""
        began = time.time_ns()
        receipt = await Acceptor.accept(self, partner, content_type, raw, key, meaning, *episodes)
        message_id = receipt.body.get("message_id")
        if self.traces is not None and isinstance(message_id, str):
            told = allowed(
                message_id=message_id, partner=partner.name, status=receipt.status, bytes=len(raw)
            )
            self.traces.received(message_id, Part("receive", began, time.time_ns(), told))
        return receipt


@dataclass(frozen=True, slots=True)
class TracedRenderer:
    """A renderer that notes when it rendered, if a traced delivery asked for it."""

    renderer: Renderer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.renderer, name)

    def render(self, format_name: str, released: Any, *, partner: str) -> Rendered:
        """Render, and note it."""
        began, told = time.time_ns(), allowed(mapping=format_name)
        try:
            return self.renderer.render(format_name, released, partner=partner)
        finally:
            _note(Part("render", began, time.time_ns(), told))


@dataclass(frozen=True, slots=True)
class TracedDestination:
    """A destination that notes when it sent."""

    destination: Destination

    async def send(self, parcel: Parcel) -> Outcome:
        """Send, and note how it went."""
        began, code = time.time_ns(), Code.INTERNAL.value
        try:
            outcome = await self.destination.send(parcel)
            code = "delivered" if outcome.delivered else "handed_over"
        except HubError as fault:
            code = fault.code.value
            raise
        else:
            return outcome
        finally:
            told = allowed(code=code, attempt=parcel.attempt, bytes=len(parcel.body))
            _note(Part("send", began, time.time_ns(), told))


def _note(part: Part) -> None:
    parts = _PARTS.get()
    if parts is not None:
        parts.append(part)


def traced(
    dispatcher: Dispatcher, traces: Traces | None, store: Store
) -> Callable[[str], Awaitable[None]]:
    """Return what delivers by *dispatcher*, and records it where there is a collector."""
    if traces is None:
        return dispatcher.deliver
    noted = replace(
        dispatcher,
        renderer=TracedRenderer(dispatcher.renderer),
        destinations={
            name: TracedDestination(one) for name, one in dispatcher.destinations.items()
        },
    )

    async def deliver(delivery_id: str) -> None:
        parts: list[Part] = []
        token, began = _PARTS.set(parts), time.time_ns()
        try:
            await noted.deliver(delivery_id)
        finally:
            _PARTS.reset(token)
            ended = time.time_ns()
            with suppress(Unavailable):  # then there was nothing that a trace could tell
                one = await store.run(
                    lambda session: session.delivery(delivery_id),
                    Needs(deliveries=(delivery_id,)),
                )
                if one is not None and (parts or one.state is not State.PENDING):
                    _record(traces, one, began, ended, parts)

    return deliver


def _record(traces: Traces, one: Delivery, began: int, ended: int, parts: list[Part]) -> None:
    told = allowed(
        delivery_id=one.delivery_id,
        partner=one.partner,
        service=one.service,
        message_type=one.message_type,
        state=one.state.value,
        code=one.reason,
        attempt=one.attempts,
    )
    # The gate's transaction ends where the first other work begins.
    gate = Part("gate", began, parts[0].began if parts else ended, allowed(code=one.reason))
    traces.delivered(one.causation_id, Part("deliver", began, ended, told), [gate, *parts])
