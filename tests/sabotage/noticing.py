"""A test run once more, in a fork in which something is broken: does it notice?"""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.unit.services.world import World

Break = Callable[[], None]


class Unshrunk:
    """Ends a property at its first failure: what breaks it is known, the smallest case is not asked
    for, and looking for it takes minutes.
    """

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Take the shrinking out of every property's settings."""
        for item in items:
            test: Any = getattr(item, "obj", None)
            if getattr(test, "is_hypothesis_test", False):
                test._hypothesis_internal_use_settings = settings(
                    test._hypothesis_internal_use_settings, phases=[Phase.explicit, Phase.generate]
                )


def outcome(tests: Sequence[str], broken: Break | None, said: Path) -> int:
    """Run *tests* in a fork, with what *broken* breaks; return pytest's exit code.

    What it printed is in the file *said*.
    """
    World()  # compiles the catalogue once, for all forks
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        gc.freeze()  # pytest collects garbage at its end: not through all that the parent holds
        try:
            for number in (1, 2):
                os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT, 0o600), number)
            if broken is not None:
                broken()
            asked = ["-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=line"]
            code = int(pytest.main([*asked, *tests], plugins=[Unshrunk()]))
        except BaseException:  # noqa: BLE001  a fork must end here, whatever happened
            os.write(2, traceback.format_exc().encode())  # sys.stderr is still the parent's
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
