"""What the command line does with mappings: render, read, loss, spec, test.

Each command is a plain function that prints and returns its exit code: 0 done, 1 refused or failed.
Wire bytes and canonical JSON go to standard output alone; everything said about them goes to
standard error.
"""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from hub.domain.messages import CONTENT_TYPE
from hub.errors import Code, HubError
from hub.ports import Read
from hub.services.released import rehearse
from mappings.engine.cases import find, run
from mappings.engine.catalogue import Catalogue, Format
from mappings.engine.report import Row, Static, loss, report
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse
from mappings.formats.wires import WIRES
from mappings.translator import IDENTITY, Translator

OFFLINE: Final = {"message_id": "rehearsal", "message_type": "N7"}
"""What the hub would write into the metadata of a delivery, if the input has none."""


@cache
def translator() -> Translator:
    """Return the shipped catalogue with the canonical reader, compiled once."""
    return Translator(Catalogue(WIRES), read_message)


def render_command(
    format_name: str,
    file: Path | None = None,
    *,
    report_file: Path | None = None,
    explain: str | None = None,
    partner: str = "",
    as_json: bool = False,
) -> int:
    """Turn a canonical message into the bytes of *format_name*, as if all of it were released.

    With *explain* it prints instead what made that place of the output, or what became of that
    place of the input (``""``: everything).  *report_file* gets the whole mapping report.
    """
    try:
        one = _format(format_name)
        tree = _rehearsed(_message(_input(file)))
        rendered = translator().render(format_name, rehearse(tree), partner=partner)
        if report_file is not None or explain is not None:
            made = report(one, tree)
            if report_file is not None:
                report_file.write_bytes(_report(made.format, made.rows))
                typer.echo(f"report: {report_file} ({_counted(made.rows)})", err=True)
            if explain is not None:
                rows = made.explain(explain) if explain else made.rows
                return _explained(rows, explain, as_json=as_json)
    except HubError as error:
        return _refused(error, as_json=as_json)
    _out(rendered.body)
    return 0


def read_command(
    format_name: str,
    file: Path | None = None,
    *,
    report_file: Path | None = None,
    partner: str = "",
    as_json: bool = False,
) -> int:
    """Turn the bytes of *format_name* into a canonical message; names what no rule knows."""
    try:
        found = _read(format_name, _input(file), partner)
    except HubError as error:
        return _refused(error, as_json=as_json)
    for path in found.unmapped:
        typer.echo(f"unmapped: {path}", err=True)
    if report_file is not None:
        rows = [Row("unmapped", None, path) for path in found.unmapped]
        report_file.write_bytes(_report(format_name, rows))
    _out(orjson.dumps(found.message, option=0 if as_json else orjson.OPT_INDENT_2))
    return 0


def loss_command(format_name: str, *, every: bool = False, as_json: bool = False) -> int:
    """Show what *format_name* loses or changes, whatever the message; *every*: all of it."""
    try:
        rows = loss(_format(format_name))
    except HubError as error:
        return _refused(error, as_json=as_json)
    shown = [row for row in rows if every or row.outcome != "kept"]
    if as_json:
        _out(orjson.dumps([asdict(row) for row in shown], option=orjson.OPT_INDENT_2))
        return 0
    table = _table("field", "outcome", "why")
    for row in shown:
        table.add_row(row.caf, row.outcome, row.reason or "")
    _console().print(table)
    kept = sum(row.outcome == "kept" for row in rows)
    typer.echo(f"{kept} of {len(rows)} fields are kept", err=True)
    return 0


def spec_command(format_name: str, *, as_csv: bool = False, as_json: bool = False) -> int:
    """Print the specification of *format_name*, made from its mapping, as Markdown or CSV."""
    try:
        one = _format(format_name)
    except HubError as error:
        return _refused(error, as_json=as_json)
    rows = loss(one)
    if as_json:
        _out(orjson.dumps([asdict(row) for row in rows], option=orjson.OPT_INDENT_2))
    else:
        typer.echo(_spec_csv(rows) if as_csv else _spec_markdown(one, rows), nl=False)
    return 0


def test_command(  # the command is called test
    path: Path | None = None,  # noqa: PT028
    *,
    as_json: bool = False,  # noqa: PT028
) -> int:
    """Run the cases beside the mappings (those below *path*), and show what differs."""
    home = Path(__file__).parent / "catalogue"
    verdicts = [run(case, render_case, read_case, parse_case) for case in find(home, path)]
    failed = [verdict for verdict in verdicts if verdict.difference]
    if as_json:
        told = [{"case": v.case.name, "difference": v.difference} for v in verdicts]
        _out(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        for verdict in verdicts:
            typer.echo(f"{'FAILED' if verdict.difference else 'ok    '} {verdict.case.name}")
            if verdict.difference:
                typer.echo(verdict.difference)
        typer.echo(f"{len(verdicts) - len(failed)} of {len(verdicts)} cases pass")
    return 1 if failed or not verdicts else 0


def render_case(format_name: str, raw: bytes) -> Any:
    """Render the canonical tree *raw* of a case and return the document as its bytes say it."""
    rendered = translator().render(format_name, rehearse(parse(raw)), partner="")
    return parse_case(format_name, rendered.body)


def parse_case(format_name: str, raw: bytes) -> Any:
    """Return the document that the bytes *raw* of the format say, by which cases are compared."""
    return _format(format_name).wire.parse(raw)


def read_case(format_name: str, raw: bytes) -> Any:
    """Read the wire document *raw* of a case; the result names what was not mapped."""
    found = _read(format_name, raw, "")
    return {"message": dict(found.message), "unmapped": list(found.unmapped)}


def _read(format_name: str, raw: bytes, partner: str) -> Read:
    if format_name == IDENTITY:
        return translator().read(CONTENT_TYPE, raw, partner=partner)
    return translator().read_format(_format(format_name), raw)


class UnknownFormat(HubError):
    """A format that the catalogue does not have."""


def _format(name: str) -> Format:
    found = translator().catalogue.formats.get(name)
    if found is None:
        known = ", ".join(translator().formats())
        raise UnknownFormat(Code.NOT_FOUND, f"there is no format of that name; there are {known}")
    return found


def _input(file: Path | None) -> bytes:
    return sys.stdin.buffer.read() if file is None or str(file) == "-" else file.read_bytes()


def _message(raw: bytes) -> Mapping[str, Any]:
    """Read a message, one that the hub itself sent included: then it has the facts of its kind."""
    document = parse(raw)
    facts = document.get("notification") if isinstance(document, dict) else None
    if not isinstance(facts, dict) or "code" not in facts or "episode" not in document:
        return read_message(raw)[0]
    rest = {name: value for name, value in document.items() if name != "notification"}
    return {**read_message(orjson.dumps(rest))[0], "notification": facts}


def _rehearsed(tree: Mapping[str, Any]) -> dict[str, Any]:
    header = {**OFFLINE, **tree.get("message", {})}
    added = header.keys() - tree.get("message", {}).keys()
    if added:
        typer.echo(f"offline, message.{', message.'.join(sorted(added))} is made up", err=True)
    return {**tree, "message": header}


def _refused(error: HubError, *, as_json: bool) -> int:
    faults = [
        {"code": f.code, "path": f.path, "remedy": f.remedy, "code_list": f.code_list}
        for f in error.faults
    ]
    if as_json:
        told = {"code": error.code, "detail": error.detail, "errors": faults}
        typer.echo(json.dumps(told), err=True)
        return 1
    typer.echo(str(error), err=True)
    for fault in error.faults:
        typer.echo(f"  {fault.code} {fault.path or '/'}: {fault.remedy}", err=True)
    return 1


def _explained(rows: Sequence[Row], path: str, *, as_json: bool) -> int:
    if not rows:
        typer.echo(f"nothing stands at {path}, on either side", err=True)
        return 1
    if as_json:
        _out(orjson.dumps([asdict(row) for row in rows], option=orjson.OPT_INDENT_2))
        return 0
    table = _table("input", "outcome", "output", "rule", "why")
    for row in rows:
        why = " ".join(part for part in (row.code, row.reason) if part)
        table.add_row(row.caf or "", row.outcome, row.wire or "", row.rule or "", why)
    _console().print(table)
    return 0


def _report(name: str, rows: Iterable[Row]) -> bytes:
    listed = list(rows)
    told = {
        "format": name,
        "counts": dict(sorted(Counter(row.outcome for row in listed).items())),
        "rows": [asdict(row) for row in listed],
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"


def _counted(rows: Iterable[Row]) -> str:
    counts = Counter(row.outcome for row in rows)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _spec_markdown(one: Format, rows: Sequence[Static]) -> str:
    lines = [
        f"# {one.name}, version {one.written.version}",
        "",
        f"Content type `{one.written.content_type}`. Made from the mapping; do not edit.",
        "",
        "| Field | Section | Sensitivity | Code list | Place in the format | Outcome |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        places = "<br>".join(f"`{wire}`".replace("|", "\\|") for wire in row.wires)
        outcome = f"{row.outcome}: {row.reason}" if row.reason else row.outcome
        lines.append(
            f"| `{row.caf}` | {row.section} | {row.sensitivity} | {row.codes or ''} "
            f"| {places} | {outcome} |"
        )
    return "\n".join(lines) + "\n"


def _spec_csv(rows: Sequence[Static]) -> str:
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(
        ["field", "section", "sensitivity", "code_list", "place", "tables", "outcome", "reason"]
    )
    for row in rows:
        write.writerow(
            [
                *(row.caf, row.section, row.sensitivity, row.codes or "", " ; ".join(row.wires)),
                *(" ".join(row.tables), row.outcome, row.reason or ""),
            ]
        )
    return out.getvalue()


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _console() -> Console:
    return Console(highlight=False, markup=False)


def _out(raw: bytes) -> None:
    sys.stdout.buffer.write(raw)
    if sys.stdout.isatty() or not raw.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()
