"""Workers: a fixed number of handlers at a time, over whatever a transport has in hand.

Both transports use this, so that what a handler lives through — in which order it is started,
what its failure means, how it is stopped — is the same on a broker and in memory.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Generic, Protocol, TypeVar

from messaging.channel import REDELIVERY_PAUSE, Disposition, Handler
from messaging.envelope import Envelope
from messaging.errors import TransportError

log = logging.getLogger(__name__)

D = TypeVar("D")


class Source(Protocol[D]):
    """Where deliveries come from and where their fate is reported."""

    async def next(self) -> D:
        """Wait for the next delivery. Cancelling it loses none."""

    def envelope(self, delivery: D) -> Envelope:
        """Return what was delivered."""

    async def settle(self, delivery: D, disposition: Disposition) -> None:
        """Report the delivery's fate; `TransportError` means that it will come again."""


class Workers(Generic[D]):
    """Runs *handler* for up to *count* deliveries at a time until it is stopped."""

    def __init__(self, source: Source[D], handler: Handler, count: int) -> None:
        if count < 1:
            raise ValueError("at least one worker")
        self._source = source
        self._handler = handler
        self._stopping = False
        self._busy: set[asyncio.Task[None]] = set()
        self._tasks = [asyncio.create_task(self._work()) for _ in range(count)]

    async def stop(self, deadline: float) -> None:
        """Start nothing more; wait for running handlers; after *deadline* seconds cancel them."""
        self._stopping = True
        for task in self._tasks:
            if task not in self._busy:
                task.cancel()
        if self._busy:
            await asyncio.wait(self._busy, timeout=deadline)
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me is not None  # noqa: S101 - for the type checker; a coroutine of a task has one
        while not self._stopping:
            delivery = await self._source.next()
            self._busy.add(me)
            try:
                await self._handle(delivery)
            finally:
                self._busy.discard(me)
            # A handler that never waits would keep the event loop, and all messages, to itself.
            await asyncio.sleep(0)

    async def _handle(self, delivery: D) -> None:
        try:
            envelope = self._source.envelope(delivery)
        except (TypeError, ValueError) as error:
            # Not from our publisher: it has no id, or one that no envelope can hold.
            log.error("a message is no envelope (%s) and is rejected", type(error).__name__)  # noqa: TRY400
            await self._settle(delivery, Disposition.REJECT, "without an envelope")
            return
        disposition = Disposition.RETRY
        try:
            disposition = await self._handler(envelope)
            if disposition is Disposition.RETRY:
                await asyncio.sleep(REDELIVERY_PAUSE)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything
            # The class only: the text of a foreign error may quote what was in the message.
            log.error(  # noqa: TRY400 - as above, and a traceback quotes the text
                "handler of %s raised %s; message %s comes again",
                envelope.channel,
                type(error).__name__,
                envelope.message_id,
            )
            await asyncio.sleep(REDELIVERY_PAUSE)
        finally:
            # Also when cancelled: then the disposition is still RETRY, unless the handler was done.
            await self._settle(
                delivery, disposition, f"{envelope.message_id} of {envelope.channel}"
            )

    async def _settle(self, delivery: D, disposition: Disposition, which: str) -> None:
        try:
            await self._source.settle(delivery, disposition)
        except TransportError as error:
            log.warning(
                "message %s was not settled (%s) and comes again", which, type(error).__name__
            )
