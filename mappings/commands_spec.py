"""`ecaf loss` and `ecaf spec`: what a format can say, and the interface document for a partner."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import typer

from hub.errors import HubError
from mappings.commands import chosen, translator
from mappings.commands_print import out_json, refused, show, table
from mappings.engine.cases import Case
from mappings.engine.catalogue import Format
from mappings.engine.examples import examples
from mappings.engine.report import Static, loss
from mappings.engine.rules import every_rule
from mappings.engine.tables import HEADER, Table

WAYS: Final = {"both": "written and read", "out": "written only", "in": "read only"}
BAR: Final = "\\|"


def loss_command(
    format_name: str,
    *,
    every: bool = False,
    partner: str = "",
    site: Path | None = None,
    as_json: bool = False,
) -> int:
    """Show what *format_name* loses or changes, whatever the message; *every*: all of it."""
    try:
        one = chosen(format_name, partner, site)
        rows = loss(one)
    except HubError as error:
        return refused(error, as_json=as_json)
    shown = [row for row in rows if every or row.outcome != "kept"]
    if as_json:
        out_json([asdict(row) for row in shown])
        return 0
    made = table("field", "outcome", "why")
    for row in shown:
        made.add_row(row.caf, row.outcome, row.reason or "")
    show(made)
    kept = sum(row.outcome == "kept" for row in rows)
    typer.echo(f"{one.written.identity}: {kept} of {len(rows)} fields are kept", err=True)
    return 0


def spec_command(
    format_name: str,
    *,
    partner: str = "",
    site: Path | None = None,
    as_csv: bool = False,
    as_json: bool = False,
) -> int:
    """Print the interface document of *format_name*, made from its mapping and its cases.

    One row a field: where it stands in the format, which way it goes, through which code table, in
    which section of the form, what is lost and why, and an example from the mapping's cases.
    """
    try:
        one = chosen(format_name, partner, site)
        rows = loss(one)
        shown = examples(one, _cases(one, site))
    except HubError as error:
        return refused(error, as_json=as_json)
    if as_json:
        told = [asdict(row) | {"example": shown.get(row.caf)} for row in rows]
        out_json({"mapping": one.written.identity, "fields": told, "tables": _tables_json(one)})
    elif as_csv:
        typer.echo(_csv(rows, shown), nl=False)
    else:
        typer.echo("\n".join(_markdown(one, rows, shown)))
    return 0


def _cases(one: Format, site: Path | None) -> list[Case]:
    """Return the cases of the mapping, and those of the overlay that it is seen with."""
    base = translator(site).catalogue.sources[one.name].folder
    folders = dict.fromkeys((one.folder, base))
    return [
        Case(one.name, case, one.partner)
        for folder in folders
        for case in sorted((folder / "cases").glob("*/"))
    ]


def _markdown(one: Format, rows: Sequence[Static], shown: dict[str, str]) -> Iterator[str]:
    written = one.written
    yield f"# {one.name}, version {written.version}"
    yield ""
    if written.overlay is not None:
        yield f"As {one.partner} has it: overlay version {written.overlay.version}."
    yield f"Content type `{written.content_type}`, {WAYS[written.direction]}."
    if written.accepts:
        yield f"Reads these kinds of message: {', '.join(written.accepts)}."
    kept = sum(row.outcome == "kept" for row in rows)
    yield f"{kept} of {len(rows)} fields are kept. Made from the mapping; do not edit."
    yield ""
    yield from _head(
        *("Field", "Section", "Sensitivity", "Code list", "Place in the format", "Code table"),
        *("Outcome", "Example"),
    )
    for row in rows:
        cells = [
            f"`{row.caf}`",
            row.section,
            row.sensitivity,
            row.codes or "",
            "<br>".join(f"`{wire}`" for wire in row.wires),
            ", ".join(row.tables),
            _outcome(row),
            f"`{shown[row.caf]}`" if row.caf in shown else "",
        ]
        yield _line(cells)
    for made in _tables(one):
        yield ""
        yield f"## Code table {made.name}"
        yield ""
        yield f"From `{made.file}`. `=` both ways, `>` only written, `<` only read."
        yield ""
        yield from _head("Our code", "Way", "Their code", "Note")
        for line in made.rows:
            said = f"`{line.wire}`" if line.wire else ""
            yield _line([f"`{line.caf}`", f"`{line.way}`", said, line.note])


def _head(*columns: str) -> Iterator[str]:
    yield _line(columns)
    yield _line(["---"] * len(columns))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"


def _outcome(row: Static) -> str:
    way = f" ({WAYS[row.ways[0]]})" if len(row.ways) == 1 and row.ways != ("both",) else ""
    return f"{row.outcome}{way}: {row.reason}" if row.reason else f"{row.outcome}{way}"


def _csv(rows: Sequence[Static], shown: dict[str, str]) -> str:
    made = io.StringIO()
    write = csv.writer(made, lineterminator="\n")
    write.writerow(
        [
            *("field", "section", "sensitivity", "code_list", "place", "way", "tables"),
            *("outcome", "reason", "example"),
        ]
    )
    for row in rows:
        write.writerow(
            [
                *(row.caf, row.section, row.sensitivity, row.codes or "", " ; ".join(row.wires)),
                *(" ".join(row.ways), " ".join(row.tables), row.outcome, row.reason or ""),
                shown.get(row.caf, ""),
            ]
        )
    return made.getvalue()


def _tables(one: Format) -> list[Table]:
    entries = (one.written.envelope, *one.written.entries.values())
    found = {
        rule.codes.name: rule.codes
        for entry in entries
        for rule in every_rule(entry.rules)
        if rule.codes is not None
    }
    return [found[name] for name in sorted(found)]


def _tables_json(one: Format) -> dict[str, Any]:
    return {
        made.name: {
            "file": made.file,
            "rows": [dict(zip(HEADER, row.cells(), strict=True)) for row in made.rows],
        }
        for made in _tables(one)
    }
