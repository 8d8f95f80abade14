"""Every gate that is broken on purpose is noticed by the test that is named for it.

The named test, which passes in this suite, runs once more
in a forked process with the gate broken: there it must fail.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.sabotage.gates import NONE, SABOTAGES
from tests.unit.services.world import World


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


def outcome(test: str, sabotage: str, said: Path) -> int:
    """Run one test with the gate broken, in a fork; return pytest's exit code."""
    World()  # compiles the catalogue once, for all forks
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            for number in (1, 2):
                os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT, 0o600), number)
            if sabotage != NONE:
                SABOTAGES[sabotage][0]()
            asked = ["-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=line"]
            code = int(pytest.main([*asked, test], plugins=[Unshrunk()]))
        except BaseException:  # noqa: BLE001  a fork must end here, whatever happened
            os.write(2, traceback.format_exc().encode())  # sys.stderr is still the parent's
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_broken_gate_is_noticed(name: str, tmp_path: Path) -> None:
    """The test fails, as a test (1), and not for want of one or of something else (2 to 5, 70)."""
    said = tmp_path / "said.txt"
    test = SABOTAGES[name][1]
    assert outcome(test, name, said) == 1, f"{test}: {said.read_text()[-2_000:]}"


def test_an_honest_gate_is_not_accused(tmp_path: Path) -> None:
    """With nothing broken the same way of running passes: what is noticed above is the sabotage."""
    said = tmp_path / "said.txt"
    quick = sorted({test for _break, test in SABOTAGES.values() if "test_consent.py" in test})
    assert [outcome(test, NONE, said) for test in quick] == [0] * len(quick)
