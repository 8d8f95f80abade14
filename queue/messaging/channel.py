"""Channels: what every transport promises to those who publish and to those who subscribe.

Delivery is at least once. Nothing is lost that was confirmed, as long as the transport keeps its
store; anything may arrive twice. Receivers recognise doubles by the message id.
`tests/contract/test_channels.py` holds every transport to the sentences in this module.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

from messaging.envelope import Envelope
from messaging.errors import TransportError
from messaging.topology import Topology


class Disposition(enum.Enum):
    """What becomes of a message that a handler has looked at."""

    ACK = "ack"
    """Done with; the transport forgets it."""
    RETRY = "retry"
    """Not now; it comes again, to this or another subscriber, marked as possible duplicate.

    After the channel's delivery limit it goes to the dead-letter channel. This is for trouble of
    seconds: a schedule of hours belongs in a store, not in a queue.
    """
    REJECT = "reject"
    """Never; it goes to the dead-letter channel at once."""


State = Literal["up", "down"]
Handler = Callable[[Envelope], Awaitable[Disposition]]

DEAD_LETTER_FROM = "dead-letter-from"
"""Header of a message in a dead-letter channel: the queue that gave it up."""
DEAD_LETTER_REASON = "dead-letter-reason"
"""Header beside it: `rejected`, `delivery_limit` or `expired`."""

REDELIVERY_PAUSE = 0.1
"""Seconds between a RETRY and the next try, so that a handler that fails at once does not spin."""


class Publisher(Protocol):
    """Hands messages over."""

    async def publish(self, envelope: Envelope) -> None:
        """Return when the transport has taken responsibility for the message, not before.

        Raises `Unroutable` if no queue takes the channel, `ChannelFull` if the channel refused
        it, and `TransportUnavailable` if the outcome is unknown or the transport is down. Ends
        within the transport's deadline whatever the broker does.
        """

    async def publish_many(self, envelopes: Sequence[Envelope]) -> list[TransportError | None]:
        """Publish all of them, many in flight, and tell for each, in order, what came of it.

        None means confirmed. A failure of one does not stop the others. Messages of one channel
        and priority are stored in the order given, unless one of them fails.
        """


class Subscription(Protocol):
    """A running subscription; it survives the loss of the broker by itself."""

    async def stop(self, deadline: float = 10.0) -> None:
        """Take nothing more, let running handlers finish, settle what they did.

        A handler that has not finished within *deadline* seconds is cancelled, and its message
        goes back to the channel. Stopping twice is allowed.
        """


class Subscriber(Protocol):
    """Takes messages in."""

    async def subscribe(self, channel: str, handler: Handler, prefetch: int = 10) -> Subscription:
        """Call *handler* for the channel's messages, up to *prefetch* at a time.

        Messages start in the order in which they were stored, those with priority first; with a
        *prefetch* of one, that is also the order in which they are handled. Two subscribers to a
        channel share its messages. A message is kept until its handler has returned; a handler
        that raises counts as RETRY, and if the process dies the message comes again.

        A handler may run twice at the same time for one message if the broker was lost in
        between: it must recognise doubles.

        Raises `Unroutable` if there is no such channel, `TransportUnavailable` if the transport
        is down.
        """


class Transport(Protocol):
    """A way to carry messages: a broker, or this process's own memory."""

    @property
    def state(self) -> State:
        """Whether publishing has a chance now; for readiness, not for deciding to publish."""

    @property
    def publisher(self) -> Publisher:
        """The publisher; the same object for the life of the transport."""

    @property
    def subscriber(self) -> Subscriber:
        """The subscriber; the same object for the life of the transport."""

    async def open(self) -> None:
        """Connect. Raises `TransportUnavailable` if that failed; the transport goes on trying."""

    async def close(self) -> None:
        """Stop all subscriptions and disconnect. Closing twice is allowed."""

    async def declare(self, topology: Topology) -> None:
        """Make every exchange, queue and binding exist; doing it again changes nothing.

        The topology is remembered, and made again after every reconnect: a broker that comes
        back empty is filled in. Raises `TopologyMismatch` or `TransportUnavailable`; it is
        remembered in the second case, too.
        """

    async def declare_queue(
        self, name: str, *, max_length_bytes: int | None = None, message_ttl: float | None = None
    ) -> None:
        """Make one partner's queue exist, with the topology's limits where none are given."""

    async def purge(self, channel: str) -> int:
        """Remove what waits in the channel, and return how many messages that were.

        What a subscriber holds at the moment is not touched.
        """

    async def depth(self, channel: str) -> int:
        """How many messages wait, without those that a subscriber holds at the moment."""
