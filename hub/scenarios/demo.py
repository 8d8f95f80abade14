"""The screen of `ecaf demo`: one family, several systems, each seeing what the family agreed to.

Everything shown as received is read from the bytes that the partners' own processes saved.  If any
of them holds what it must not, the demo ends with 1.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hub.positioned import PositionedError
from hub.scenarios.consents import Agreement
from hub.scenarios.judging import Arrival, Difference
from hub.scenarios.language import load
from hub.scenarios.play import Player
from hub.scenarios.scenario import Scenario
from hub.scenarios.searching import trace
from hub.scenarios.world import Trouble, World

FILE = Path(__file__).with_name("demo.yaml")
WORDS = {
    "sec.identity": ("Ava", "who the child is"),
    "sec.characteristics": ("MWBC", "ethnicity"),
    "sec.assess_meta": ("misses two days", "why a CAF"),
    "sec.child.health": ("headaches", "health"),
    "sec.child.learning": ("sixty per cent", "learning"),
    "sec.parenting": ("mornings hard", "parenting"),
    "sec.env.family": ("grieves", "family history"),
    "sec.env.housing": ("damp", "housing"),
    "sec.conclusions": ("Housing and mornings", "conclusions"),
    "sec.checklist": ("mould", "the school's own checklist"),
}
"""A telling word of each section, as the school wrote it: what is looked for in received bytes."""


def run_demo(out: Path, console: Console | None = None) -> int:
    """Play S1 on one screen, keep received bytes under *out*; 1 if anybody saw too much."""
    console = console or Console(width=max(Console().width, 110))
    scenario = load(FILE)
    for name in scenario.cast.participants:
        shutil.rmtree(out / name, ignore_errors=True)
        (out / f"{name}.log").unlink(missing_ok=True)
    (out / "hub.log").unlink(missing_ok=True)
    try:
        return asyncio.run(_run(scenario, out, console))
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
        return 1


async def _run(scenario: Scenario, out: Path, console: Console) -> int:
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    started = time.monotonic()
    world = World(scenario, out)
    player = Player(scenario, world)
    failure = ""
    try:
        with console.status("starting a hub, and a process for each partner"):
            await world.start()
        for step in scenario.steps:
            with console.status(f"{step.label}. {step.title}"):
                await player.step(step)
            console.print(f"[dim]{step.label:>3}[/dim] {step.title}", highlight=False)
        await player.finish()
    except Difference as found:
        failure = (
            f"{found.says}\n  at        {found.place}\n"
            f"  expected  {found.expected}\n  got       {found.got}"
        )
    except (PositionedError, Trouble) as fault:
        failure = str(fault)
    finally:
        await world.stop(keep=out / "hub")
    if _first(player, "EHM-A", "N7") or not failure:
        await asyncio.to_thread(_screen, console, player, time.monotonic() - started)
    if failure:
        console.print(f"\n[red]Not as it must be:[/red] {escape(failure)}", highlight=False)
        return 1
    _next(console, player, out)
    return 0


def _screen(console: Console, player: Player, seconds: float) -> None:
    console.print()
    console.print(_matrix(player))
    console.print(_views(player))
    for line in (*_notice(player), *_narrowing(player), *_kill(player), *_index(player)):
        console.print(line, highlight=False)
    console.print(f"[dim]{seconds:.0f} seconds, real processes, real sockets.[/dim]")


def _matrix(player: Player) -> Table:
    """The family's decisions: sections by services."""
    table = Table(title="What Mia decided for Ava", title_justify="left", box=None)
    services = [
        (p.name, p.service) for p in player.scenario.cast.participants.values() if not p.is_index
    ]
    table.add_column("section")
    for name, _service in services:
        table.add_column(name, justify="center")
    agreement = next(
        (a for (_e, person, _g), a in player.register.agreements.items() if person == "ava"),
        Agreement(),
    )
    for section, (_word, title) in WORDS.items():
        marks = [_mark(agreement, service, section) for _name, service in services]
        table.add_row(f"{section} [dim]{title}[/dim]", *marks)
    return table


def _mark(agreement: Agreement, service: str, section: str) -> str:
    if section == "sec.checklist":
        return "[dim]local[/dim]"
    excluded = [e for e in agreement.excludes if e["service"] == service]
    if any(e["section"] in (section, "all") for e in excluded):
        return "[red]excluded[/red]"
    given = [
        i
        for i in agreement.includes
        if i["service"] == service and i["section"] in (section, "all")
    ]
    if not given:
        return "[dim]-[/dim]"
    return (
        "[green]yes +[/green]" if any(i.get("sensitive") for i in given) else "[green]yes[/green]"
    )


def _views(player: Player) -> Table:
    """The same episode as two systems received it, looked up word by word in the saved bytes."""
    table = Table(
        title="The same episode, as received (read from the bytes on disk)",
        title_justify="left",
        box=None,
    )
    table.add_column("section")
    received: list[bytes] = []
    for name in ("EHM-A", "HOU-A"):
        first = _first(player, name, "N7")
        body = first.body if first else b""
        received.append(body)
        table.add_column(f"{name}, {_format(body)}, {len(body)} bytes")
    for section, (word, _title) in WORDS.items():
        table.add_row(section, *(_found(body, word) for body in received))
    return table


def _found(body: bytes, word: str) -> str:
    if not body:
        return "[dim]nothing received[/dim]"
    if trace([word], body) is None:
        return "[yellow]missing[/yellow]"
    texts = [text for text in _texts(json.loads(body)) if word in text]
    return f"[green]✓[/green] {escape(texts[0][:44] if texts else word)}"


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _format(body: bytes) -> str:
    return "FHIR R4 bundle" if b'"resourceType"' in body else "canonical JSON"


def _first(player: Player, name: str, kind: str) -> Arrival | None:
    return next((a for a in player.story.at(name) if a.kind == kind), None)


def _notice(player: Player) -> Iterator[str]:
    notice = _first(player, "EHM-A", "NOTICE")
    others = [a.participant for a in player.story.arrivals if a.kind == "NOTICE"]
    if notice is not None:
        yield (
            "\nThe school's notice: “Absent on Monday and Tuesday.” "
            f"received by {', '.join(others)} ({notice.file.name}), by nobody else."
        )


def _narrowing(player: Player) -> Iterator[str]:
    before, after = _first(player, "HOU-A", "N7"), _first(player, "HOU-A", "N6")
    stop = _first(player, "HOU-A", "N10")
    if before is not None and after is not None and stop is not None:
        gone = sorted(before.sections.keys() - after.sections.keys())
        yield (
            "Narrowing: HOU-A was told to stop and to lock its copies (N10), and said so. Its next "
            f"version ({after.kind}) came without {', '.join(gone) or 'nothing'}; "
            f"“damp”: {_found(after.body, 'damp')}."
        )


def _kill(player: Player) -> Iterator[str]:
    got = {
        name: [a for a in player.story.at(name) if a.kind == "N9"]
        for name in ("SCH-A", "HV-A", "HOU-A")
    }
    if any(got.values()):
        times = ", ".join(f"{name} {len(found)}" for name, found in got.items())
        yield f"kill -9 in mid-send, then a start: the plan (N9) arrived, times: {times}."


def _index(player: Player) -> Iterator[str]:
    answers = [a for a in player.story.answers if "result" in a.tree]
    if answers:
        told = answers[-1].tree
        contact = told.get("contact", {})
        yield (
            f"The index knows: {told['result']}, call {contact.get('name', '?')}, "
            f"{contact.get('contact_tel', '?')}. Whole answer: {len(answers[-1].body)} bytes."
        )


def _next(console: Console, player: Player, out: Path) -> None:
    first = _first(player, "HOU-A", "N7")
    message = first.tree["message"] if first else {}
    file = first.file if first else out / "HOU-A"
    console.print("\nTry next:", highlight=False)
    ecaf = "ecaf" if shutil.which("ecaf") else os.path.relpath(sys.argv[0])
    for command in (
        f"{ecaf} render fhir-r4/episode {file}",
        f"{ecaf} explain {message.get('message_id', 'MESSAGE')} --site {out / 'hub'}",
        f"{ecaf} serve --site {out / 'hub'} & sleep 3; curl -s http://127.0.0.1:8700/readyz",
    ):
        console.print(f"  [bold]{command}[/bold]", highlight=False)
    console.print(f"[dim]Received bytes: {out}/<partner>/[/dim]", highlight=False)
