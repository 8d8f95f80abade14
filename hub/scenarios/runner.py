"""`ecaf scenario run FILE`: one scenario, a real hub, an exit code."""

import asyncio
import json as json_text
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from hub.errors import Code
from hub.positioned import PositionedError
from hub.scenarios.carrying import Carried, show_carried, understood
from hub.scenarios.faults import Faults
from hub.scenarios.judging import Difference
from hub.scenarios.language import load
from hub.scenarios.play import Player
from hub.scenarios.protocols import dress
from hub.scenarios.report import rows, show
from hub.scenarios.scenario import Scenario
from hub.scenarios.world import Trouble, World


def run_scenario(
    path: Path,
    *,
    out: Path | None = None,
    database_url: str | None = None,
    broker_url: str | None = None,
    tls: bool = False,
    protocols: Path | None = None,
    mesh_url: str | None = None,
    faults: Sequence[str] = (),
    keep: bool = False,
    json: bool = False,
    console: Console | None = None,
) -> int:
    """Play *path*, print who received what; 0 as expected, 1 different or failed, 2 no scenario.

    Received bytes go to *out* (kept if it is given, or with *keep*), one folder a participant.
    Without *database_url* the hub keeps SQLite in a temporary folder; a given database must be
    empty, and so must a given broker.  *protocols* is a file that says who speaks what
    (`hub.scenarios.protocols`), *mesh_url* a MESH sandbox for those at MESH.  *faults* are laid
    over every step (`hub.scenarios.faults`).
    Nothing started here is left running, however it ends.
    """
    console = console or Console(width=max(Console().width, 120))
    try:
        scenario = load(path)
        if protocols is not None:
            dress(scenario, protocols)
    except PositionedError as fault:
        found = path.is_file() and (protocols is None or protocols.is_file())
        code = Code.SYNTAX if found else Code.NOT_FOUND
        if json:
            console.out(json_text.dumps({"code": code.value, "detail": str(fault), "errors": []}))
        else:
            # the place and the caret, uncoloured
            print(f"{code.value}: {fault}", file=sys.stderr)  # noqa: T201
        return 2
    show_protocols = protocols is not None
    folder = out or Path(tempfile.mkdtemp(prefix="ecaf-scenario-"))
    _empty(folder, scenario)
    try:
        return asyncio.run(
            _run(
                scenario,
                World(
                    scenario,
                    folder,
                    database_url=database_url,
                    broker_url=broker_url,
                    tls=tls,
                    mesh_url=mesh_url,
                ),
                console,
                Faults(faults),
                json=json,
                show_protocols=show_protocols,
            )
        )
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
        return 1
    finally:
        if out is None and not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path, scenario: Scenario) -> None:
    """Remove what an earlier run left of these participants."""
    for name in scenario.cast.participants:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / f"{name}.log").unlink(missing_ok=True)
    (folder / "hub.log").unlink(missing_ok=True)


async def _run(
    scenario: Scenario,
    world: World,
    console: Console,
    faults: Faults,
    *,
    json: bool,
    show_protocols: bool,
) -> int:
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    player = Player(scenario, world, faults)
    difference: Difference | None = None
    trouble = states = ""
    carried: list[Carried] = []
    try:
        await world.start()
        await player.play()
        if show_protocols:
            carried = await understood(player)
    except Difference as found:
        difference = found
    except PositionedError as fault:
        trouble = str(fault)
    except Trouble as fault:
        trouble = f"{fault}\n{world.hub.tail() if world.hub else ''}"
    finally:
        if difference or trouble:
            states = await _states(world)
        await world.stop()
    table = rows(player.story, player.withheld)
    warnings = [states] if states else player.unproven()
    if json:
        console.out(
            json_text.dumps(_document(scenario, table, difference, trouble, warnings, carried))
        )
    else:
        show_carried(console, carried)
        show(
            console,
            scenario,
            table,
            difference=difference,
            trouble=trouble,
            warnings=warnings,
            told=not carried,
        )
    return 0 if difference is None and not trouble else 1


async def _states(world: World) -> str:
    """Return where the hub's deliveries were when something was found to be different."""
    try:
        summary = await world.operator("GET", "/admin/summary")
    except (httpx.HTTPError, OSError):
        return "the hub does not answer"
    states = {k: v for k, v in (summary.get("states") or {}).items() if v}
    return f"deliveries then: {states}, due {summary.get('due')}, busy {summary.get('busy')}"


def _document(
    scenario: Scenario,
    table: list[dict[str, Any]],
    difference: Difference | None,
    trouble: str,
    warnings: list[str],
    carried: list[Carried],
) -> Mapping[str, Any]:
    return {
        "scenario": str(scenario.file),
        "title": scenario.title,
        "passed": difference is None and not trouble,
        "rows": table,
        "warnings": warnings,
        "carried": [asdict(one) for one in carried],
        "trouble": trouble or None,
        "difference": None
        if difference is None
        else {
            "place": str(difference.place),
            "says": difference.says,
            "expected": difference.expected,
            "got": difference.got,
        },
    }
