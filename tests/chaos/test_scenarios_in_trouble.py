"""Scenarios with faults laid over every step: what everybody receives must be the same."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hub.cli import app
from hub.scenarios.faults import FAULTS, Faults
from hub.scenarios.runner import run_scenario

FOLDER = Path(__file__).parents[1] / "acceptance" / "scenarios"
SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ILL = ("twice", "skew", "late", "crash", "odd")
QUICK = tuple(fault for fault in ILL if fault != "crash")
"""A hub that starts anew at each step takes half a minute; in the suite others kill theirs."""
AWAY = ("away", "odd", "twice")
OUT = ("unread", "index", "form")
DATED = {"s8"}
"""Stories whose own days leave no room for three days more."""

pytestmark = pytest.mark.acceptance


def play(name: str, faults: tuple[str, ...], out: Path) -> tuple[int, str]:
    """Play a scenario with faults in its way; return the exit code and what it printed."""
    shown = io.StringIO()
    file = FOLDER / f"{name}.yaml"
    code = run_scenario(file, out=out, faults=faults, console=Console(file=shown, width=160))
    return code, shown.getvalue()


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("s3", QUICK),
        *(
            pytest.param(name, faults, marks=pytest.mark.slow)
            for name in SCENARIOS
            for faults in (ILL, AWAY, OUT)
            if not (name in DATED and faults is AWAY)
        ),
    ],
    ids=str,
)
def test_trouble_changes_nothing(name: str, faults: tuple[str, ...], tmp_path: Path) -> None:
    """Sent twice and with a field wrong, refused at first, by clocks that are off, through a hub
    that is killed; to receivers that are away for three days; with index and consent out of reach,
    and on an old form.
    """
    code, shown = play(name, faults, tmp_path / "out")

    assert code == 0, shown


def test_every_fault_is_laid_over_the_scenarios() -> None:
    """None is only named."""
    assert {*ILL, *AWAY, *OUT} == set(FAULTS)


def test_a_fault_that_nobody_knows_is_wrong_usage() -> None:
    """Exit 2 with the names of those that there are; the same from Python."""
    file = str(FOLDER / "s3.yaml")

    result = CliRunner().invoke(app, ["scenario", "run", file, "--fault", "flood"])

    assert result.exit_code == 2
    assert "twice" in result.output
    with pytest.raises(ValueError, match="late"):
        Faults(["flood"])
