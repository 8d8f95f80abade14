"""A stop while the hub is still being composed ends it, in a container as anywhere."""

import os
import signal

import pytest

from hub.serving import ending_at_once


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("process", [1, 2])
def test_a_process_is_ended_by_either_signal(number: signal.Signals, process: int) -> None:
    """Number 1 is not ended by what it has no handler for, so it has one; others need none."""
    child = os.fork()
    if child == 0:
        ending_at_once(process)
        os.kill(os.getpid(), number)
        signal.pause()
    _, ended = os.waitpid(child, 0)

    by_itself = os.WIFEXITED(ended) and os.WEXITSTATUS(ended) == 128 + number
    assert by_itself if process == 1 else os.WTERMSIG(ended) == number
