"""Every gate and every carriage that is broken on purpose is noticed by the test named for it.

The named test, which passes in this suite, runs once more
in a forked process with the hub broken: there it must fail.
"""

from pathlib import Path

import pytest

from tests.sabotage.carriage import SABOTAGES as CARRIAGE
from tests.sabotage.gates import SABOTAGES as GATES
from tests.sabotage.noticing import outcome

SABOTAGES = {**GATES, **CARRIAGE}


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_broken_hub_is_noticed(name: str, tmp_path: Path) -> None:
    """The test fails, as a test (1), and not for want of one or of something else (2 to 5, 70)."""
    said = tmp_path / "said.txt"
    broken, test = SABOTAGES[name]
    assert outcome([test], broken, said) == 1, f"{test}: {said.read_text()[-2_000:]}"


def test_an_honest_hub_is_not_accused(tmp_path: Path) -> None:
    """With nothing broken the same way of running passes: what is noticed above is the sabotage."""
    said = tmp_path / "said.txt"
    tests = {test for _break, test in SABOTAGES.values() if "test_consent.py" in test}
    tests |= {test for _break, test in CARRIAGE.values()}
    assert outcome(sorted(tests), None, said) == 0, said.read_text()[-2_000:]
