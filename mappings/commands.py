"""What the command line does with mappings: render, read, and test their cases.

Each command is a plain function that prints and returns its exit code: 0 done, 1 refused or failed.
Wire bytes and canonical JSON go to standard output alone; everything said about them goes to
standard error.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import orjson
import typer

from hub.errors import Code, HubError, Missing
from hub.ports import Read
from hub.services.released import rehearse
from mappings.commands_print import (
    STDOUT,
    counted,
    input_of,
    nowhere,
    out,
    out_json,
    refused,
    report_json,
    save,
    show_rows,
)
from mappings.engine.cases import Case, Verdict, find, of_overlays, plain, run
from mappings.engine.catalogue import HOME, Format
from mappings.engine.report import Row, report
from mappings.engine.report_reading import read_report
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse
from mappings.site import site_catalogue
from mappings.translator import Translator

OFFLINE: Final = {"message_id": "rehearsal", "message_type": "N7"}
"""What the hub would write into the metadata of a delivery, if the input has none."""

Decided = Mapping[str, Sequence[str]]
"""Consent decisions by the section that they opened."""


@cache
def translator(site: Path | None = None) -> Translator:
    """Return the catalogue (with what the folder *site* adds) and its reader, compiled once."""
    return Translator(site_catalogue(site), read_message)


def chosen(name: str, partner: str = "", site: Path | None = None) -> Format:
    """Return the mapping *name*, with the overlay of *partner*; raises `HubError`.

    A partner without an overlay for it has the mapping as it is, which is said.
    """
    both = translator(site)
    one = both.mapping(name, partner)
    if partner and one.partner != partner:
        known = sorted(who for who, what in both.catalogue.overlays if what == name)
        if site is None:
            hint = "say where overlays are: --site FOLDER or ECAF_CONFIG_DIR"
        else:
            hint = f"{name} has overlays for: {', '.join(known)}" if known else "it has no overlays"
        typer.echo(f"{partner} has no overlay of {name}, so it is as it is; {hint}", err=True)
    return one


def render_command(
    format_name: str,
    file: Path | None = None,
    *,
    report_file: Path | None = None,
    explain: str | None = None,
    partner: str = "",
    site: Path | None = None,
    withheld: Sequence[tuple[str, str]] = (),
    decided: Decided | None = None,
    as_json: bool = False,
) -> int:
    """Turn a canonical message into the bytes of *format_name*, as if all of it were released.

    With *explain* it prints instead what made that place of the output, or what became of that
    place of the input (``""``: everything).  *report_file* gets the whole mapping report; ``-`` is
    standard output, instead of the bytes.  *withheld* and *decided* are what a cut under consent
    left out (place, reason) and by which decisions it showed the rest.
    """
    try:
        one = chosen(format_name, partner, site)
        tree = _rehearsed(_message(input_of(file)))
        rendered = translator(site).render(format_name, rehearse(tree), partner=partner)
        if report_file is None and explain is None:
            out(rendered.body)
            return 0
        made = report(one, tree, withheld)
        made = replace(made, rows=tuple(_decided(row, decided or {}) for row in made.rows))
        if report_file is not None:
            _reported(report_file, rendered.mapping, made.rows, as_json=as_json)
        if explain is not None:
            rows = made.explain(explain) if explain else made.rows
            _explained(rows, explain, as_json=as_json)
            return 0
    except HubError as error:
        return refused(error, as_json=as_json)
    if report_file != STDOUT:
        out(rendered.body)
    return 0


def read_command(
    format_name: str,
    file: Path | None = None,
    *,
    report_file: Path | None = None,
    partner: str = "",
    site: Path | None = None,
    as_json: bool = False,
) -> int:
    """Turn the bytes of *format_name* into a canonical message; names what no rule knows.

    *report_file* gets the mapping report: from which place each field was read, and what was not;
    ``-`` is standard output, instead of the message.
    """
    try:
        one = chosen(format_name, partner, site)
        raw = input_of(file)
        found = translator(site).read_format(one, raw)
        for path in found.unmapped:
            typer.echo(f"unmapped: {path}", err=True)
        if report_file is not None:
            made = read_report(one, one.wire.parse(raw))
            _reported(report_file, one.written.identity, made.rows, as_json=as_json)
    except HubError as error:
        return refused(error, as_json=as_json)
    if report_file != STDOUT:
        out(orjson.dumps(found.message, option=0 if as_json else orjson.OPT_INDENT_2))
    return 0


def test_command(  # the command is called test
    path: Path | None = None,  # noqa: PT028
    *,
    partner: str = "",  # noqa: PT028
    site: Path | None = None,  # noqa: PT028
    as_json: bool = False,  # noqa: PT028
    write: bool = False,  # noqa: PT028
) -> int:
    """Run the cases beside the mappings and overlays, and show what differs.

    *path* is a folder (the cases below it), the name of a format, or the first part of the names of
    several (``fhir-r4``); *partner* runs the cases of this partner's overlays only.  *write* makes
    of what differs the new expectation, but for errors: those a person writes.
    """
    try:
        cases = _cases(path, partner, site)
    except HubError as error:
        return refused(error, as_json=as_json)
    verdicts = []
    for case in cases:
        began = perf_counter()
        verdict = _run(case, site)
        if write and verdict.result is not None:
            _expect(verdict, site)
            typer.echo(f"written {case.name}", err=True)
            verdict = _run(case, site)
        verdicts.append(verdict)
        if not as_json:
            spent = (perf_counter() - began) * 1000
            typer.echo(f"{'FAILED' if verdict.difference else 'ok    '} {case.name} {spent:.0f} ms")
            if verdict.difference:
                typer.echo(verdict.difference)
    failed = [verdict for verdict in verdicts if verdict.difference]
    if as_json:
        out_json([{"case": v.case.name, "difference": v.difference} for v in verdicts])
    else:
        _summary(verdicts)
    if not verdicts:
        typer.echo(f"{Code.NOT_FOUND}: no case was found: nothing has been tested", err=True)
    return 1 if failed or not verdicts else 0


def _cases(path: Path | None, partner: str, site: Path | None) -> list[Case]:
    catalogue = translator(site).catalogue
    cases = [] if partner else [*find(HOME / "catalogue")]
    if site is not None:
        cases += [] if partner else find(site / "catalogue")
        cases += [one for one in of_overlays(site) if partner in {"", one.partner}]
    if path is None:
        return cases
    if path.exists():
        home = path.resolve()
        return [case for case in cases if case.folder.resolve().is_relative_to(home)]
    name = str(path).strip("/")
    if catalogue.family(name):
        return [case for case in cases if f"{case.format}/".startswith(f"{name}/")]
    near = get_close_matches(name, (*catalogue.families(), *catalogue.formats), 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(catalogue.families())}"
    raise Missing(
        Code.NOT_FOUND, f"{path} is no folder, no format and no family of formats; {hint}"
    )


def _run(case: Case, site: Path | None) -> Verdict:
    def render(name: str, raw: bytes) -> Any:
        rendered = translator(site).render(name, rehearse(parse(raw)), partner=case.partner)
        return document(name, rendered.body)

    def read(name: str, raw: bytes) -> Any:
        one = translator(site).mapping(name, case.partner)
        return _told(translator(site).read_format(one, raw))

    def document(name: str, raw: bytes) -> Any:
        return translator(site).mapping(name, case.partner).wire.parse(raw)

    return run(case, render, read, document)


def _expect(verdict: Verdict, site: Path | None) -> None:
    """Write what a case comes to as what it expects."""
    case = verdict.case
    (expected,) = case.folder.glob("expected.*")
    body = json.dumps(plain(verdict.result), indent=1, ensure_ascii=False).encode() + b"\n"
    if case.outward and expected.suffix != ".json":
        tree = rehearse(parse((case.folder / "input.json").read_bytes()))
        body = translator(site).render(case.format, tree, partner=case.partner).body
    expected.write_bytes(body)


def _summary(verdicts: Sequence[Verdict]) -> None:
    formats = dict.fromkeys(verdict.case.owner for verdict in verdicts)
    if len(formats) > 1:
        for name in formats:
            mine = [not verdict.difference for verdict in verdicts if verdict.case.owner == name]
            typer.echo(f"  {name}: {sum(mine)} of {len(mine)}")
    passed = sum(not verdict.difference for verdict in verdicts)
    typer.echo(f"{passed} of {len(verdicts)} cases pass")


def render_case(format_name: str, raw: bytes) -> Any:
    """Render the canonical tree *raw* of a case and return the document as its bytes say it."""
    rendered = translator().render(format_name, rehearse(parse(raw)), partner="")
    return parse_case(format_name, rendered.body)


def parse_case(format_name: str, raw: bytes) -> Any:
    """Return the document that the bytes *raw* of the format say, by which cases are compared."""
    return chosen(format_name).wire.parse(raw)


def read_case(format_name: str, raw: bytes) -> Any:
    """Read the wire document *raw* of a case; the result names what was not mapped."""
    return _told(translator().read_format(chosen(format_name), raw))


def _told(found: Read) -> Any:
    return {"message": dict(found.message), "unmapped": list(found.unmapped)}


def _message(raw: bytes) -> Mapping[str, Any]:
    """Read a message, one that the hub itself sent included: then it has the facts of its kind."""
    document = parse(raw)
    facts = document.get("notification") if isinstance(document, dict) else None
    if not isinstance(facts, dict) or "code" not in facts or "episode" not in document:
        return read_message(raw)[0]
    rest = {name: value for name, value in document.items() if name != "notification"}
    return {**read_message(orjson.dumps(rest))[0], "notification": facts}


def _rehearsed(tree: Mapping[str, Any]) -> dict[str, Any]:
    sent = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    header = {**OFFLINE, "sent_at": sent, **tree.get("message", {})}
    added = header.keys() - tree.get("message", {}).keys()
    if added:
        typer.echo(f"offline, message.{', message.'.join(sorted(added))} is made up", err=True)
    return {**tree, "message": header}


def _decided(row: Row, decided: Decided) -> Row:
    if row.caf is None or not row.caf.startswith("episode."):
        return row
    return replace(row, consent=tuple(decided.get(row.caf, decided.get(row.section or "", ()))))


def _reported(file: Path, name: str, rows: Sequence[Row], *, as_json: bool) -> None:
    if file != STDOUT:
        save(file, report_json(name, rows))
        typer.echo(f"report: {file} ({counted(rows)})", err=True)
    elif as_json:
        out(report_json(name, rows))
    else:
        typer.echo(name)
        show_rows(rows)


def _explained(rows: Sequence[Row], path: str, *, as_json: bool) -> None:
    if not rows:
        raise Missing(Code.NOT_FOUND, nowhere(path))
    if as_json:
        out_json(list(rows))
    else:
        show_rows(rows)
