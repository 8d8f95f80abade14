"""What `ecaf import` shows: a row for each episode, one for each fault, and how far it has come."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from mappings.commands_print import show as shown
from mappings.commands_print import table
from mappings.history.history import Found

EVERY: Final = 100
"""Without a terminal, progress is said once in so many episodes."""
SAID: Final = {
    "import": "would begin as ASSESSING, seen by nobody but its owner",
    "close": "would be kept as CLOSED, told to nobody",
    "hold": "stays where it is",
    "fault": "is faulty",
    "imported": "imported",
    "closed": "kept as closed",
    "present": "was there already",
    "refused": "refused by the hub",
    "later": "not done: the hub did not answer; run again",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One episode, and what becomes of it."""

    file: str
    row: int | None
    name: str
    episode_id: str
    outcome: str
    opened: str
    closed: str
    decisions: int
    faults: tuple[Found, ...]
    notes: tuple[str, ...]

    def ended(self, outcome: str, faults: tuple[Found, ...]) -> "Row":
        """Return the row with how it ended."""
        return replace(self, outcome=outcome, faults=faults)


def show(rows: Sequence[Row], faults: Sequence[Found], *, checked: bool, as_json: bool) -> None:
    """Print what happened, or would; *faults* are those of files that hold no episode."""
    every = [*faults, *(fault for row in rows for fault in row.faults)]
    if as_json:
        told = {
            "checked": checked,
            "counts": dict(sorted(Counter(row.outcome for row in rows).items())),
            "episodes": [_told(row) for row in rows],
            "faults": [_fault(fault) for fault in every],
        }
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    if rows:
        made = table("file", "row", "reference", "opened", "closed", "decisions", "what")
        for row in rows:
            place = "" if row.row is None else str(row.row)
            made.add_row(
                *(row.file, place, row.name, row.opened, row.closed),
                *(str(row.decisions), SAID[row.outcome]),
            )
        shown(made)
    if every:
        made = table("file", "row", "column", "code", "what to do")
        for fault in every:
            place = "" if fault.row is None else str(fault.row)
            listed = f" ({fault.codes})" if fault.codes else ""
            made.add_row(fault.file, place, fault.column, fault.code.value, fault.remedy + listed)
        typer.echo()
        shown(made)
    for row in rows:
        for note in row.notes:
            typer.echo(f"note: {row.file} {row.name}: {note}")
    counts = Counter(SAID[row.outcome] for row in rows)
    said = "; ".join(f"{count} {what}" for what, count in counts.items()) or "no episodes"
    typer.echo(f"{said}{'; nothing was sent or stored' if checked else ''}", err=True)


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Yield what is called once an episode is done; shows a bar on a terminal, else a line."""
    if sys.stderr.isatty():
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("importing", total=total)
            yield lambda: bar.advance(task)
        return
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if done % EVERY == 0:
            typer.echo(f"{done} of {total}", err=True)

    yield step


def _told(row: Row) -> dict[str, Any]:
    return {
        "file": row.file,
        "row": row.row,
        "reference": row.name,
        "episode_id": row.episode_id,
        "outcome": row.outcome,
        "opened": row.opened,
        "closed": row.closed,
        "decisions": row.decisions,
        "notes": list(row.notes),
    }


def _fault(fault: Found) -> dict[str, Any]:
    return {
        "file": fault.file,
        "row": fault.row,
        "column": fault.column,
        "code": fault.code,
        "remedy": fault.remedy,
        "code_list": fault.codes,
    }
