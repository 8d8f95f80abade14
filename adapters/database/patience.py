"""A database that says nothing any more: its connection is ended, so that another can be made.

A server that is stopped, or a proxy whose other side has gone, keeps the connection open and
answers nothing; `statement_timeout` is the server's own, and TCP sees nothing wrong.  The writer
would wait for ever, and with it everybody who has something to write (`reliability.md` P11).
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg

STATEMENTS: Final = 2.0
"""How long one transaction may take, in what the server gives a statement (`engine`)."""
LONG: Final = 30.0
"""How much longer one may take that reads everything there is, statement by statement."""


class Patience:
    """Watches the transactions of one writer from a thread of its own."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Prepare to wait *seconds* for each transaction, by a *monotonic* clock."""
        self._seconds, self._monotonic = seconds, monotonic
        self._lock = threading.Lock()
        self._begun: tuple[float, Any] | None = None
        """Until when by the monotonic clock it may take, and on which connection."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="patience", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End, if it was begun."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def begin(self, connection: Any, *, long: bool = False) -> None:
        """Note that a transaction begins on psycopg's *connection*; a *long* one reads everything
        that there is.
        """
        seconds = self._seconds * LONG if long else self._seconds
        with self._lock:
            self._begun = (self._monotonic() + seconds, connection)

    def end(self) -> None:
        """Note that it has ended."""
        with self._lock:
            self._begun = None

    def look(self) -> None:
        """End the connection of a transaction that has taken too long."""
        with self._lock:
            if self._begun is None or self._monotonic() < self._begun[0]:
                return
            _, connection = self._begun
            self._begun = None
            with suppress(psycopg.Error, OSError):  # it may have ended by itself just now
                _hang_up(connection.pgconn.socket)

    def _watch(self) -> None:
        while not self._over.wait(self._seconds / 10):
            self.look()


def _hang_up(handle: int) -> None:
    """Let whoever reads from a socket find its end; the descriptor stays its owner's."""
    with socket.socket(fileno=os.dup(handle)) as twin:
        twin.shutdown(socket.SHUT_RDWR)
