"""A database that falls silent (`adapters.database.patience`, `reliability.md` P11, P16)."""

from collections.abc import Generator
from threading import Timer

import pytest
from sqlalchemy.exc import OperationalError

from adapters.database.patience import Patience, Silent, while_heard
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.errors import Code, Unavailable
from tests.servers.silence import silence

SECONDS = 60.0
CLOSING = 2.0


class Watch:
    """A clock that is set, and the patience that goes by it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.patience = Patience(SECONDS, lambda: self.now)

    def after(self, seconds: float, begun: float) -> bool:
        """Return whether who began to wait *begun* has waited enough when so much has passed."""
        self.now += seconds
        return self.patience.over(begun)


def test_nobody_is_given_up_before_the_time() -> None:
    """And the next answer may take as long as the first."""
    watch = Watch()
    for _ in range(3):
        begun = watch.patience.begin()
        assert not watch.after(SECONDS - 1, begun)
        assert watch.after(1, begun)


def test_a_stop_waits_less_and_once() -> None:
    """What is waited for has a moment more; when that was in vain, nothing is waited for."""
    watch = Watch()
    begun = watch.patience.begin()
    assert not watch.after(SECONDS - 1, begun)
    watch.patience.close(CLOSING)

    assert not watch.after(CLOSING - 1, begun)
    assert not watch.patience.lost()
    assert watch.after(1, begun)
    assert watch.patience.lost()
    assert watch.patience.over(watch.patience.begin())
    with pytest.raises(Silent), watch.patience.connecting():
        raise AssertionError


def test_a_stop_does_not_wait_for_a_connection_either() -> None:
    """Connecting has a limit of its own, which is longer than a stop may take."""
    watch = Watch()
    with watch.patience.connecting():
        watch.now += SECONDS
        assert not watch.patience.lost()
        watch.patience.close(CLOSING)
        assert not watch.patience.lost()
        watch.now += CLOSING
        assert watch.patience.lost()


def answer() -> Generator[str, int, str]:
    """Wait until something is ready."""
    while not (yield "R"):
        pass
    return "said"


def test_an_answer_that_is_there_is_taken_however_late() -> None:
    """A process that was stopped for hours has not been left by its database."""
    watch = Watch()
    waiting = while_heard(answer(), watch.patience)
    assert next(waiting) == "R"
    watch.now += 100 * SECONDS

    with pytest.raises(StopIteration) as ended:
        waiting.send(1)
    assert ended.value.value == "said"


def test_who_waits_in_vain_is_told() -> None:
    """As the driver tells of a lost connection."""
    watch = Watch()
    waiting = while_heard(answer(), watch.patience)
    assert next(waiting) == waiting.send(0) == "R"
    watch.now += SECONDS

    with pytest.raises(Silent):
        waiting.send(0)


def test_a_start_is_not_kept_by_a_server_that_only_shakes_hands(vault: FileVault) -> None:
    """The first questions of a connection are SQLAlchemy's, and waited for no longer than ours."""
    with silence() as server:
        # Whoever waits for ever fails here, and does not hang.
        last = Timer(30, server.close)
        last.start()
        with pytest.raises(Unavailable) as refused:
            SqlStore(f"postgresql://hub@127.0.0.1:{server.port}/hub", vault, patience=0.2)
        last.cancel()

        assert refused.value.code is Code.STORE
        assert server.asked.is_set()
        cause = refused.value.__cause__
        assert isinstance(cause, OperationalError)
        assert isinstance(cause.orig, Silent)
