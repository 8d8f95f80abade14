"""The consumer: a handler's errors become dispositions, and what nobody planned is parked.

Which error means what is a table that the composition root hands in: this package knows no errors
but its own. What is not in the table is a bug of ours. It is neither retried, for it would fail
again, nor blamed on the sender: the message goes whole to the parked channel, to be replayed when
the bug is mended.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping

from messaging.channel import Disposition, Publisher, Subscriber, Subscription
from messaging.envelope import Envelope
from messaging.errors import TransportError

log = logging.getLogger(__name__)

PARKED_FROM = "parked-from"
"""Header of a parked message: the channel that it was taken from."""
PARKED_REASON = "parked-reason"
"""Header beside it: the name of the error's class, and nothing of its text."""


class Consumer:
    """Handles one channel's messages, up to *concurrency* at a time.

    *handle* returns when it is done with a message, and raises if not. Its error is looked up in
    *dispositions* by the most specific class; an error that is not there parks the message in
    *parked*. If parking fails, the message is retried: it is never lost and never skipped.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        channel: str,
        handle: Callable[[Envelope], Awaitable[None]],
        *,
        concurrency: int,
        dispositions: Mapping[type[Exception], Disposition],
        publisher: Publisher,
        parked: str,
    ) -> None:
        self._subscriber = subscriber
        self._channel = channel
        self._handle = handle
        self._concurrency = concurrency
        self._dispositions = dict(dispositions)
        self._publisher = publisher
        self._parked = parked
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to take messages. Raises as `Subscriber.subscribe` does."""
        if self._subscription is None:
            self._subscription = await self._subscriber.subscribe(
                self._channel, self.receive, self._concurrency
            )

    async def stop(self, deadline: float = 10.0) -> None:
        """Take nothing more and let running handlers finish, as `Subscription.stop` promises."""
        if self._subscription is not None:
            await self._subscription.stop(deadline)
            self._subscription = None

    async def receive(self, envelope: Envelope) -> Disposition:
        """Handle one message and say what becomes of it."""
        try:
            await self._handle(envelope)
        except Exception as error:  # noqa: BLE001 - sorting all errors is what this is for
            disposition = self._disposition(type(error))
            if disposition is not None:
                return disposition
            return await self._park(envelope, type(error).__name__)
        return Disposition.ACK

    def _disposition(self, raised: type[Exception]) -> Disposition | None:
        # The method resolution order runs from the most specific class to the most general.
        for ancestor in raised.__mro__:
            if ancestor in self._dispositions:
                return self._dispositions[ancestor]
        return None

    async def _park(self, envelope: Envelope, reason: str) -> Disposition:
        headers = {
            **envelope.headers,
            PARKED_FROM: envelope.channel,
            PARKED_REASON: reason,
        }
        try:
            await self._publisher.publish(
                dataclasses.replace(
                    envelope, channel=self._parked, headers=headers, possible_duplicate=True
                )
            )
        except TransportError as error:
            log.error(  # noqa: TRY400 - a traceback would quote the handler's error
                "message %s of %s raised %s and could not be parked: %s",
                envelope.message_id,
                envelope.channel,
                reason,
                error,
            )
            return Disposition.RETRY
        log.error(
            "message %s of %s raised %s and is parked",
            envelope.message_id,
            envelope.channel,
            reason,
        )
        return Disposition.ACK
