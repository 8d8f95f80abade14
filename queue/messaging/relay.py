"""The relay: what a store wants to say is said, eventually, at least once.

The store keeps what waits and what has been handed over; the relay carries it to a publisher in
pipelined batches. It holds nothing itself, so killing it loses nothing: a crash between the
broker's confirm and the store's mark repeats a batch, and the receivers recognise the doubles.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random
from typing import Protocol

from messaging.channel import Publisher
from messaging.envelope import Envelope
from messaging.errors import TransportUnavailable
from messaging.retry import reconnect_delay

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
"""Seconds; the longest wait between two tries while the store or the broker is down."""


class RelaySource(Protocol):
    """The store's side of the relay."""

    async def claim(self, limit: int) -> Sequence[Envelope]:
        """Take up to *limit* messages that wait, in their order, for this relay alone.

        A claim must run out by itself: a relay that dies never gives it back.
        """

    async def handed_over(self, message_ids: Sequence[str]) -> None:
        """Record that the transport has taken responsibility for these; not that they arrived."""

    async def failed(self, message_ids: Sequence[str]) -> None:
        """Give these back, to be claimed again. The transport may have stored them all the same."""


class Relay:
    """Carries from *source* to *publisher* until stopped.

    It works when woken, at the latest every *poll* seconds, up to *batch* messages at a time, and
    again at once as long as a full batch went through. While the broker or the store is down it
    waits longer and longer, with jitter, up to five seconds.
    """

    def __init__(
        self,
        source: RelaySource,
        publisher: Publisher,
        *,
        batch: int = 200,
        poll: float = 1.0,
        random: Random | None = None,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._batch = batch
        self._poll = poll
        self._random = random or Random()
        self._woken = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self.failures = 0
        """Rounds in a row in which nothing could be handed over; 0 is healthy."""

    def wake(self) -> None:
        """Say that something waits now; call it after the commit. Costs nothing."""
        self._woken.set()

    def start(self) -> None:
        """Begin to carry, in a task of the running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self.run(), name="relay")

    async def stop(self, deadline: float = 10.0) -> None:
        """Finish the batch in hand, then stop; after *deadline* seconds stop anyway."""
        self._stopping = True
        self._woken.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=deadline)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def run(self) -> None:
        """Carry until stopped."""
        while not self._stopping:
            self._woken.clear()
            try:
                again = await self.carry()
            except Exception as error:  # noqa: BLE001 - the store's errors are not ours to know
                # The class only: a store's error text may quote what it was given.
                log.error("relay: the store raised %s", type(error).__name__)  # noqa: TRY400
                self.failures += 1
                again = False
            if again:
                continue
            if self.failures:
                # Not cut short by wake(): every accepted message would knock at a dead broker.
                await self._pause()
            else:
                await self._rest(self._poll)

    async def carry(self) -> bool:
        """Carry one batch; return whether it was full and went through whole."""
        envelopes = await self._source.claim(self._batch)
        if not envelopes:
            self.failures = 0
            return False
        results = await self._publisher.publish_many(envelopes)
        done: list[str] = []
        refused: list[str] = []
        for envelope, error in zip(envelopes, results, strict=True):
            (done if error is None else refused).append(envelope.message_id)
        if done:
            await self._source.handed_over(done)
        if refused:
            await self._source.failed(refused)
            first = next(error for error in results if error is not None)
            say = log.warning if isinstance(first, TransportUnavailable) else log.error
            say("relay: %d of %d not handed over: %s", len(refused), len(results), first)
        self.failures = 0 if done else self.failures + 1
        return not refused and len(envelopes) >= self._batch

    async def _pause(self) -> None:
        until = asyncio.get_running_loop().time() + reconnect_delay(
            self.failures, random=self._random, longest=LONGEST_PAUSE
        )
        while not self._stopping:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return
            self._woken.clear()
            await self._rest(left)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
