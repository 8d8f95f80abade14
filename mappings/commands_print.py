"""How the commands about mappings answer: bytes, tables, JSON, and refusals with code and place.

What was asked for goes to standard output alone; everything said about it goes to standard error.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from hub.errors import Code, HubError, Malformed, Misconfigured, Missing
from mappings.engine.report import Row

STDOUT: Final = Path("-")
MOST_FAULTS: Final = 50


def input_of(file: Path | None) -> bytes:
    """Return what *file* (or standard input) holds; raises `HubError` if there is nothing to read.

    Raises `Missing` if it cannot be read, `Malformed` if it is empty.
    """
    if file is None or file == STDOUT:
        raw = sys.stdin.buffer.read()
    else:
        try:
            raw = file.read_bytes()
        except OSError as wrong:
            raise Missing(Code.NOT_FOUND, f"{file} cannot be read: {wrong.strerror}") from None
    if not raw.strip():
        raise Malformed(Code.SYNTAX, "the input is empty")
    return raw


def text_of(file: Path) -> str:
    """Return the text of *file*, a byte-order mark aside; raises `HubError`."""
    try:
        return input_of(file).decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise Malformed(Code.ENCODING, f"{file} is not UTF-8, from byte {wrong.start}") from None


def save(file: Path, raw: bytes) -> None:
    """Write *raw* to *file*; raises `Misconfigured` if it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
    except OSError as wrong:
        raise Misconfigured(
            Code.CONFIGURATION, f"{file} cannot be written: {wrong.strerror}"
        ) from None


def refused(error: HubError, *, as_json: bool) -> int:
    """Say what is wrong, where, and what would put it right; return exit code 1."""
    if as_json:
        faults = [
            {
                "code": fault.code,
                "path": fault.path,
                "remedy": fault.remedy,
                "code_list": fault.code_list,
                "allowed": list(fault.allowed),
            }
            for fault in error.faults
        ]
        told = {"code": error.code, "detail": error.detail, "errors": faults}
        typer.echo(json.dumps(told), err=True)
        return 1
    typer.echo(str(error), err=True)
    if error.code == Code.MAPPING_INVALID:
        return 1  # the detail shows every line with its caret
    for fault in error.faults[:MOST_FAULTS]:
        allowed = f" (allowed: {', '.join(fault.allowed)})" if fault.allowed else ""
        typer.echo(f"  {fault.code} {fault.path or '/'}: {fault.remedy}{allowed}", err=True)
    if len(error.faults) > MOST_FAULTS:
        typer.echo(f"  and {len(error.faults) - MOST_FAULTS} more; --json lists all", err=True)
    return 1


def out(raw: bytes) -> None:
    """Write *raw* to standard output, ended with a line feed on a terminal."""
    sys.stdout.flush()
    sys.stdout.buffer.write(raw)
    if sys.stdout.isatty() or not raw.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def out_json(value: Any) -> None:
    """Write *value* to standard output as JSON."""
    out(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def table(*columns: str) -> Table:
    """Return an empty table with these columns."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def show(made: Table) -> None:
    """Print a table, whole if standard output is no terminal."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=220)
    console.print(made)


def nowhere(path: str) -> str:
    """Return what to say of a *path* at which nothing stands."""
    return f"nothing stands at {path}, on either side; without a path every place is shown"


def counted(rows: Iterable[Row]) -> str:
    """Return how many rows have which outcome, in words."""
    counts = Counter(row.outcome for row in rows)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def report_json(name: str, rows: Sequence[Row]) -> bytes:
    """Return a mapping report as JSON; *name* is the mapping with its version."""
    told = {
        "mapping": name,
        "format": name.partition("+")[0].rpartition("/")[0],
        "counts": dict(sorted(Counter(row.outcome for row in rows).items())),
        "rows": [asdict(row) for row in rows],
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"


def show_rows(rows: Sequence[Row], first: str = "input", second: str = "output") -> None:
    """Print rows of a report as a table, with their counts below."""
    consented = any(row.consent for row in rows)
    made = table(first, "outcome", second, "rule", "why", *(["consent"] if consented else []))
    numbers = {
        decision: str(number)
        for number, decision in enumerate(
            dict.fromkeys(one for row in rows for one in row.consent), start=1
        )
    }
    for row in rows:
        why = " ".join(part for part in (row.code, row.reason) if part)
        cells = [row.caf or "", row.outcome, row.wire or "", row.rule or "", why]
        if consented:
            cells.append(" ".join(numbers[one] for one in row.consent))
        made.add_row(*cells)
    show(made)
    for decision, number in numbers.items():
        typer.echo(f"consent {number}: decision {decision}")
    typer.echo(f"{len(rows)} row{'' if len(rows) == 1 else 's'}: {counted(rows)}")
