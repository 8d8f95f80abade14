"""Every scenario of this folder, played against a real hub: embedded, and on real servers."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hub.scenarios.runner import run_scenario

FOLDER = Path(__file__).with_name("scenarios")
SCENARIOS = sorted(FOLDER.glob("*.yaml"))
FURTHER = sorted(FOLDER.with_name("further").glob("*.yaml"))
"""Stories of this hub's own, beside those of `domain.md` section 7."""
LONG = {"away", "duplicate"}
"""Played in `make chaos`: what they show is tested in-process as well."""

pytestmark = pytest.mark.acceptance


def play(path: Any, out: Any, **told: Any) -> Any:
    """Play a scenario and return its exit code and what it printed."""
    shown = io.StringIO()
    code = run_scenario(path, out=out, console=Console(file=shown, width=160), **told)
    return code, shown.getvalue()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LONG else [])
        for path in (*SCENARIOS, *FURTHER)
    ],
)
def test_a_scenario_passes_embedded(path: Any, tmp_path: Path) -> None:
    """One process, SQLite, no broker: everybody receives what the file says, and nothing else."""
    code, shown = play(path, tmp_path / "out")

    assert code == 0, shown


def example() -> str:
    """Return the scenario that the manual shows: three participants, two steps."""
    readme = FOLDER.with_name("README.md").read_text()
    return readme.partition("## A whole one")[2].split("```")[1].removeprefix("yaml")


def test_the_example_of_the_readme_passes(tmp_path: Path) -> None:
    """What the manual shows as a whole scenario can be copied and played; the report is also JSON,
    for those who read it by program.
    """
    shown = io.StringIO()
    file = tmp_path / "example.yaml"
    file.write_text(example())

    code = run_scenario(
        file, out=tmp_path / "out", json=True, console=Console(file=shown, width=200)
    )

    report = json.loads(shown.getvalue())
    assert (code, report["passed"]) == (0, True), shown.getvalue()
    assert {row["received"] for row in report["rows"]} >= {"N1", "N7"}


@pytest.mark.broker
def test_partners_read_their_own_queues_and_survive_trouble(
    tmp_path: Path, empty_rabbitmq: Any
) -> None:
    """Thin and full by AMQP; the broker stops, a partner is down, the hub restarts: once each."""
    file = FOLDER.with_name("with_broker") / "queues.yaml"

    code, shown = play(file, tmp_path / "out", broker_url=empty_rabbitmq.url)

    assert code == 0, shown


def test_a_scenario_passes_over_tls_with_signed_assertions(tmp_path: Path) -> None:
    """No API keys: certificates, and private_key_jwt for every partner."""
    code, shown = play(FOLDER / "s3.yaml", tmp_path / "out", tls=True)

    assert code == 0, shown


WRONG = {
    "a message too few": ("expect: {IDX: N1}", "expect: {IDX: [N1, N3]}", "did not receive N3"),
    "a message too many": ("      HOU-A: [N7:", "      SCH-A: [N7:", "N7"),
    "another answer": (
        "    expect: {IDX: N1}",
        "    expect: {IDX: N1}\n  - SCH-A checks the index for Ava: NONE",
        "answers otherwise",
    ),
    "a text that is there": ("lacks: [Grief]", "lacks: [A dry home.]", "is in it"),
    "what must not flow": ("“Grief” to HOU-A", "“Damp” to HOU-A", "must not flow"),
    "a check": ("ending OPEN", "ending PREVIOUS", "check"),
}
SOME = {"a message too few", "what must not flow"}
"""The others are in `make chaos`: each of them plays the whole scenario once more."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in SOME else pytest.mark.slow) for name in WRONG],
)
def test_a_scenario_that_expects_something_else_fails(name: Any, tmp_path: Path) -> None:
    """The runner can fail: the first difference is told with its place, and the exit code is 1."""
    before, after, says = WRONG[name]
    text = example()
    assert before in text
    file = tmp_path / "changed.yaml"
    file.write_text(text.replace(before, after, 1))

    code, shown = play(file, tmp_path / "out")

    assert code == 1, shown
    assert "Different" in shown
    assert says in " ".join(shown.split())
    assert "changed.yaml:" in shown


def test_a_file_that_is_no_scenario_is_refused_with_its_line(tmp_path: Path, capsys: Any) -> None:
    """Exit code 2, and the place of the word that is not known."""
    file = tmp_path / "odd.yaml"
    file.write_text((FOLDER / "s3.yaml").read_text().replace("must_not_flow", "must_not_fly"))

    code = run_scenario(file)

    assert code == 2
    assert "unknown word “must_not_fly”; did you mean “must_not_flow”?" in capsys.readouterr().err


@pytest.mark.parametrize("end", ["interrupt", "terminate", "kill"])
def test_no_process_remains_however_it_ends(tmp_path: Path, end: Any) -> None:
    """Ctrl-C, SIGTERM, even kill -9: hub and doubles end with the runner."""
    out = tmp_path / "out"
    file = tmp_path / "example.yaml"
    file.write_text(example())
    runner = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hub.cli",
            "scenario",
            "run",
            str(file),
            "--out",
            str(out),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ECAF_TEST_MARK": str(tmp_path)},
    )
    try:
        for _ in range(600):
            if len(children(runner.pid)) >= 4 and (out / "SCH-A").exists():
                break
            time.sleep(0.05)
        started = children(runner.pid)
        assert len(started) >= 4

        if end == "kill":
            runner.kill()
        else:
            runner.send_signal(2 if end == "interrupt" else 15)
        runner.wait(30)

        for _ in range(400):
            left = [pid for pid in started if Path(f"/proc/{pid}").exists() and not zombie(pid)]
            if not left:
                break
            time.sleep(0.05)
        assert left == []
    finally:
        runner.kill()
        runner.wait(10)


def children(pid: Any) -> Any:
    """Return the ids of the processes that *pid* started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in path.read_text().split()] if path.exists() else []


def zombie(pid: Any) -> Any:
    """Tell whether a process has ended and only waits to be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
