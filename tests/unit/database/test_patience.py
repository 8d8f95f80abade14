"""A database that falls silent (`adapters.database.patience`, `reliability.md` P11)."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from adapters.database.patience import LONG, Patience

SECONDS = 60.0
"""What no machine takes to find that a connection has ended."""


class Line:
    """A connection to a server that never says a word."""

    def __init__(self, stack: ExitStack) -> None:
        near, far = socket.socketpair()
        self.near, self.far = stack.enter_context(near), stack.enter_context(far)
        self.near.settimeout(SECONDS)
        self.connection = SimpleNamespace(pgconn=SimpleNamespace(socket=self.near.fileno()))

    def hung_up(self) -> bool:
        """Wait until it ends, as whoever reads from it does; an error if it does not."""
        return self.near.recv(1) == b""

    def open(self) -> bool:
        """Return whether it still carries what is said."""
        self.far.send(b"x")
        return self.near.recv(1) == b"x"


Lines = Callable[[], Line]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Make connections, which are closed in the end."""
    with ExitStack() as stack:
        yield lambda: Line(stack)


class Watch:
    """A watch whose clock is set."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.patience = Patience(SECONDS, lambda: self.now)

    def after(self, seconds: float) -> None:
        """Look when so many seconds have passed."""
        self.now += seconds
        self.patience.look()


def test_who_waits_for_a_silent_database_is_released(lines: Lines) -> None:
    """Its connection ends, so that the driver says so; the descriptor stays the driver's."""
    patience, line = Patience(0.01), lines()
    patience.start()
    patience.begin(line.connection)

    assert line.hung_up()
    assert line.near.fileno() >= 0
    patience.stop()


def test_nothing_is_ended_before_its_time(lines: Lines) -> None:
    """And the next transaction is given as long as the first."""
    watch, line = Watch(), lines()
    for _ in range(3):
        watch.patience.begin(line.connection)
        watch.after(SECONDS - 1)
        assert line.open()
    watch.after(1)

    assert line.hung_up()


def test_a_transaction_that_has_ended_leaves_its_connection_alone(lines: Lines) -> None:
    """However long ago that was."""
    watch, line = Watch(), lines()
    watch.patience.begin(line.connection)
    watch.patience.end()
    watch.after(1000 * SECONDS)

    assert line.open()


def test_who_reads_everything_is_given_longer(lines: Lines) -> None:
    """But not for ever."""
    watch, line = Watch(), lines()
    watch.patience.begin(line.connection, long=True)
    watch.after(SECONDS * (LONG - 1))
    assert line.open()
    watch.after(SECONDS)

    assert line.hung_up()


def test_a_connection_that_has_gone_by_itself_stops_no_watch(lines: Lines) -> None:
    """The next silence is found all the same."""

    class Gone:
        @property
        def socket(self) -> int:
            raise OSError("the connection is lost")

    watch, line = Watch(), lines()
    watch.patience.begin(SimpleNamespace(pgconn=Gone()))
    watch.after(SECONDS)
    watch.patience.begin(line.connection)
    watch.after(SECONDS)

    assert line.hung_up()
