"""A database that says nothing any more: its connection is given up, so that another can be made.

A server that is stopped, or a proxy whose other side has gone, keeps the connection open and
answers nothing; `statement_timeout` is the server's own, and TCP sees nothing wrong.  Whoever waits
would wait for ever: a start at the first question that a connection asks, the writer with everybody
who has something to write (`reliability.md` P11), a stop with both of them (P16).
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg

T = TypeVar("T")

STATEMENTS: Final = 2.0
"""How long one answer may take, in what the server gives a statement (`engine`): it may be the
answer to several that were sent together."""
CLOSING_SECONDS: Final = 0.5
"""The same once the store is closed, so that a stop ends in its time."""


class Patience:
    """How long the connections of one store wait for an answer, by a *monotonic* clock."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Prepare to wait *seconds* for each answer."""
        self._seconds, self._monotonic = seconds, monotonic
        self._since = monotonic()
        self._closing = self._lost = False
        self._connecting: dict[int, float] = {}

    def close(self, seconds: float = CLOSING_SECONDS) -> None:
        """Wait *seconds* at most from now on, and after the first that was in vain not at all."""
        self._seconds, self._since = min(seconds, self._seconds), self._monotonic()
        self._closing = True

    def begin(self) -> float:
        """Return the moment at which somebody begins to wait."""
        return self._monotonic()

    def over(self, begun: float) -> bool:
        """Return whether who began to wait then has waited enough."""
        if self._lost or self._monotonic() >= max(begun, self._since) + self._seconds:
            self._lost = self._closing
            return True
        return False

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Be about to connect, which has a limit of its own; raises where nobody waits any more."""
        if self._lost:
            raise Silent
        self._connecting[threading.get_ident()] = self._monotonic()
        try:
            yield
        finally:
            del self._connecting[threading.get_ident()]

    def lost(self) -> bool:
        """Return whether the store is closed and the database does not answer, or not in time."""
        return self._closing and (self._lost or any(map(self.over, [*self._connecting.values()])))


class Silent(psycopg.OperationalError):
    """Nothing was answered in time."""

    def __init__(self) -> None:
        super().__init__("the database does not answer")


class Connection(psycopg.Connection[Any]):
    """A connection that waits for each answer as long as its `patience` says, and no longer."""

    patience: Patience

    def wait(
        self,
        gen: Generator[Any, Any, T],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> T:
        """Wait for what *gen* does, looking every *interval* seconds whether it is too late."""
        try:
            return super().wait(while_heard(gen, self.patience), interval, timeout)
        except Silent:
            self.pgconn.finish()  # nobody knows what it would still say
            raise


def while_heard(gen: Generator[Any, Any, T], patience: Patience) -> Generator[Any, Any, T]:
    """Do what *gen* does, and raise `Silent` when it has waited longer than *patience* allows."""
    begun = patience.begin()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            # Who was paused may find an answer that has long been there, and takes it.
            if not ready and patience.over(begun):
                raise Silent
            wanted = gen.send(ready)
    except StopIteration as ended:
        found: T = ended.value
        return found


def connected(patience: Patience, *args: Any, **kwargs: Any) -> Connection:
    """Return a new connection that waits as *patience* says; the rest is for `psycopg.connect`."""
    with patience.connecting():
        made = Connection.connect(*args, **kwargs)
    made.patience = patience
    return made
