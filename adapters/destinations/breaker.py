"""One destination's circuit breaker: after five failures in a row it is left alone for a while.

Source: `reliability.md` 5.5.  Monotonic time, because a moved wall clock must not open a door.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from hub.errors import Code, Unavailable

THRESHOLD: Final = 5
REST: Final = 30.0


class Breaker:
    """Closed, open, or half open: then one probe goes through, and its outcome decides.

    Only `Unavailable` counts as failure: who refuses a message is well enough to be sent the next.
    """

    def __init__(
        self,
        *,
        threshold: int = THRESHOLD,
        rest: float = REST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._rest = rest
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether the destination is being left alone."""
        return self._opened_at is not None

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Let one send through, or raise `Unavailable` with the seconds that are left to wait."""
        probe = self._enter()
        try:
            yield
        except Unavailable:
            self._failures += 1
            if probe or self._failures >= self._threshold:
                self._opened_at = self._clock()
            raise
        except BaseException as error:
            # A refusal is an answer.  A cancelled send is neither, and leaves everything as it was.
            if isinstance(error, Exception):
                self._close()
            raise
        else:
            self._close()
        finally:
            if probe:
                self._probing = False

    def _enter(self) -> bool:
        if self._opened_at is None:
            return False
        left = self._opened_at + self._rest - self._clock()
        if left > 0 or self._probing:
            error = Unavailable(Code.UNAVAILABLE, "the destination failed repeatedly; it is rested")
            error.retry_after = max(left, 1.0)
            raise error
        self._probing = True
        return True

    def _close(self) -> None:
        self._failures = 0
        self._opened_at = None
