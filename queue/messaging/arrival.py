"""Arrival: one message that somebody else sent, as the broker handed it over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from messaging.channel import Disposition


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came out of *queue*, and what its sender said about it: ``None`` where it said nothing.

    *key* is the routing key: for a dead letter the one that its queue gave it, which no sender can
    choose.  *user* is the broker's user that sent it, if the sender named it: the broker refuses a
    name that is not that of the connection.  *readable* is false where the properties could not be
    read and are all missing.  *times* is how often it was handed out before, *reason* why another
    queue gave it up.  *alive* says whether it is still ours to settle: a connection that was lost
    takes it back, and it comes again.
    """

    queue: str
    key: str
    body: bytes
    message_id: str | None = None
    correlation_id: str | None = None
    user: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    readable: bool = True
    times: int = 0
    reason: str = ""
    alive: Callable[[], bool] = field(default=_always, compare=False, repr=False)


Taking = Callable[[Arrival], Awaitable[Disposition]]
"""Deals with one message and says what becomes of it; one that raises has it come again."""
