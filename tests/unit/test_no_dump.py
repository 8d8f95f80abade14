"""A hub that crashes leaves no copy of its memory."""

import ctypes
import os
import resource

from hub.serving import leave_no_dump

PR_GET_DUMPABLE = 3


def test_a_hub_leaves_no_dump() -> None:
    """No file is written, and no handler is fed: in a process of its own, for it is for good."""
    child = os.fork()
    if child == 0:
        leave_no_dump()
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        dumpable = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE)
        os._exit(0 if (limits, dumpable) == ((0, 0), 0) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
