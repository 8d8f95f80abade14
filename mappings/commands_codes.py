"""`ecaf codes`: code tables listed, printed, and imported from spreadsheets and ConceptMaps."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import orjson
import typer

from hub.domain.codes import code_list, list_ids
from hub.errors import Code, Fault, HubError, InvalidContent, Misconfigured, Missing
from hub.positioned import Place, PositionedError, PositionedErrors
from mappings.commands import chosen
from mappings.commands import translator as whole_translator
from mappings.commands_print import out, out_json, refused, save, show, table, text_of
from mappings.concept_map import NotAConceptMap, concept_map, rows_of
from mappings.engine.canonical import all_leaves
from mappings.engine.catalogue import Format
from mappings.engine.placement import placed
from mappings.engine.tables import HEADER, NAME, CodeRow, Shelf, parse_rows, read_rows, table_of
from mappings.engine.tables import written as table_text
from mappings.formats.json_strict import parse
from mappings.translator import Translator

COLUMNS: Final = {
    "caf": ("caf", "source", "our code", "from"),
    "wire": ("wire", "target", "their code", "to"),
    "way": ("way", "direction"),
    "note": ("note", "comment", "comments", "notes"),
}
"""What spreadsheets call our columns."""
DIRECTIONS: Final = {
    "=": "=", "both": "=", "": "=",
    ">": ">", "out": ">",
    "<": "<", "in": "<",
}  # fmt: skip


def translator(site: Path | None) -> Translator:
    """Return the site's translator; the shipped one if the site does not load yet, which is said.

    A table may be just what it lacks.
    """
    try:
        return whole_translator(site)
    except Misconfigured as wrong:
        typer.echo(
            f"the site does not load yet ({len(wrong.faults)} faults, which `ecaf config check`"
            " tells): looked at without it",
            err=True,
        )
        return whole_translator()


def _once(site: Path | None) -> Callable[[], Translator]:
    """Return what gives the site's translator, made when first asked for: said and loaded once."""
    return cache(lambda: translator(site))


def list_command(*, site: Path | None = None, as_json: bool = False) -> int:
    """List the code tables of the catalogue with size, loss and the formats that use them."""
    try:
        catalogue = translator(site).catalogue
        using = {one.name: _uses(one) for one in catalogue.formats.values()}
        rows = []
        for name in catalogue.shelf.names():
            users = [one for one, tables in using.items() if name in tables]
            let = dict(catalogue.formats[users[0]].written.let) if users else _Any()
            found = table_of(name, name, _rows(catalogue.shelf, name), let)
            codes = [*dict.fromkeys(row.caf for row in found.rows if not row.passes)]
            lost = [code for code in codes if not found.survives(code)]
            rows.append((name, len(codes), lost, users))
    except HubError as error:
        return refused(error, as_json=as_json)
    if as_json:
        names = ("table", "codes", "lost", "formats")
        out_json([dict(zip(names, row, strict=True)) for row in rows])
        return 0
    made = table("table", "codes", "no way back", "used by")
    for name, count, lost, users in rows:
        made.add_row(name, str(count), ", ".join(lost), ", ".join(users))
    show(made)
    return 0


def export_command(
    name: str,
    *,
    as_map: bool = False,
    partner: str = "",
    format_name: str = "",
    site: Path | None = None,
) -> int:
    """Print the table *name* as its CSV, or (*as_map*) as a ConceptMap."""
    try:
        rows, lists = _table(name, partner, format_name, site, translator(site))
    except HubError as error:
        return refused(error, as_json=as_map)
    if as_map:
        out(orjson.dumps(_map(name, rows, lists), option=orjson.OPT_INDENT_2))
    else:
        out(table_text(rows).encode())
    return 0


def _map(name: str, rows: Sequence[CodeRow], lists: Sequence[str]) -> dict[str, object]:
    return concept_map(name, rows, lists[0] if len(lists) == 1 else None)


def import_command(
    name: str,
    file: Path,
    *,
    partner: str = "",
    format_name: str = "",
    to: Path | None = None,
    dry_run: bool = False,
    site: Path | None = None,
    as_json: bool = False,
) -> int:
    """Write the rows of *file* as the table *name*, after showing what changes by it."""
    known = _once(site)
    try:
        target = _target(name, partner, format_name, to, site, known)
        rows = _imported(file)
        text = table_text(rows)
        checked = parse_rows(text, str(file))
        table_of(name, str(file), checked, {} if "${" not in text else _Any())
        before = (
            read_rows(target)
            if target.exists()
            else _base(name, partner, format_name, site, known())
        )
        _warn(name, checked, known())
        if not dry_run:
            save(target, text.encode())
    except HubError as error:
        return refused(error, as_json=as_json)
    except PositionedErrors as wrong:
        return refused(_faulty(wrong.errors), as_json=as_json)
    except PositionedError as wrong:
        return refused(_faulty([wrong]), as_json=as_json)
    added, removed = _changes(before, checked)
    if as_json:
        told = {"table": name, "file": str(target), "written": not dry_run}
        out_json(told | {"added": added, "removed": removed})
        return 0
    for sign, cells in (("-", removed), ("+", added)):
        for row in cells:
            typer.echo(f"{sign} {','.join(row)}")
    done = "would be written" if dry_run else "written"
    typer.echo(
        f"{target}: {len(rows)} rows {done}, {len(added)} added, {len(removed)} removed", err=True
    )
    return 0


class _Any(dict[str, str]):
    """Names of ``let`` that only the mapping which uses the table knows: each stands for itself."""

    def __missing__(self, name: str) -> str:
        return f"${{{name}}}"

    def __contains__(self, name: object) -> bool:
        return True


def _faulty(errors: Sequence[PositionedError]) -> InvalidContent:
    faults = [Fault(Code.MAPPING_INVALID, str(error.place), error.message) for error in errors]
    return InvalidContent(Code.FORMAT, f"{len(errors)} faults in the table", faults)


def _target(
    name: str,
    partner: str,
    format_name: str,
    to: Path | None,
    site: Path | None,
    known: Callable[[], Translator],
) -> Path:
    """Return the file that an import writes."""
    if not NAME.fullmatch(name):
        raise Misconfigured(
            Code.CONFIGURATION, "a table's name has small letters, digits and single hyphens"
        )
    if to is not None:
        return to / f"{name}.csv"
    if site is None:
        raise Misconfigured(
            Code.CONFIGURATION,
            "say where the table belongs: --site FOLDER (or ECAF_CONFIG_DIR), or --to FOLDER",
        )
    if bool(partner) != bool(format_name):
        raise Misconfigured(Code.CONFIGURATION, "--partner and --format go together")
    if partner:
        known().mapping(format_name)  # raises, with what there is
        return site / "overlays" / partner / format_name / "codes" / f"{name}.csv"
    return site / "codes" / f"{name}.csv"


def _imported(file: Path) -> list[CodeRow]:
    text = text_of(file)
    if text.lstrip().startswith("{"):
        try:
            cells = rows_of(parse(text.encode()))
        except NotAConceptMap as wrong:
            fault = Fault(Code.FORMAT, wrong.path or "/", wrong.message)
            told = f"{file} holds no ConceptMap that can be imported"
            raise InvalidContent(Code.FORMAT, told, [fault]) from None
        here = Place(str(file), 1, 1)
        return [CodeRow(caf, way, wire, note, here) for caf, way, wire, note in cells]
    return list(_spreadsheet(text, str(file)))


def _spreadsheet(text: str, file: str) -> Iterable[CodeRow]:
    """Yield the rows of a spreadsheet's CSV: columns in any order, commas, semicolons or tabs."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    head = [cell.strip().lower() for cell in next(rows, [])]
    columns = {
        ours: next((head.index(name) for name in names if name in head), None)
        for ours, names in COLUMNS.items()
    }
    place = Place(file, 1, 1, first)
    if columns["caf"] is None or columns["wire"] is None:
        raise PositionedError(
            place,
            f"the first line names the columns: {','.join(HEADER)}; our code and their code, or"
            " source and target, will do",
        )
    strange = [name for name in head if not any(name in names for names in COLUMNS.values())]
    if strange:
        raise PositionedError(place, f"nothing is known of the column {strange[0] or '(empty)'}")
    lines = text.split("\n")
    problems: list[PositionedError] = []
    found = []
    try:
        for cells in rows:
            line = rows.line_num
            here = Place(file, line, 1, lines[line - 1] if line <= len(lines) else "")
            if not any(cell.strip() for cell in cells):
                continue  # an empty line of the sheet
            if len(cells) != len(head):
                problems.append(PositionedError(here, f"expected {len(head)} columns"))
                continue
            row = {ours: "" if at is None else cells[at].strip() for ours, at in columns.items()}
            way = DIRECTIONS.get(row["way"].lower())
            if way is None:
                problems.append(PositionedError(here, "way must be =, > or < (both, out or in)"))
                continue
            if way == "=" and not row["wire"]:
                way = ">"  # an empty cell: the format has no word
            found.append(CodeRow(row["caf"], way, row["wire"], row["note"], here))
    except csv.Error as wrong:
        raise PositionedError(place, f"not CSV: {wrong}") from None
    if problems:
        raise PositionedErrors(problems)
    return found


def _changes(
    before: Sequence[CodeRow], after: Sequence[CodeRow]
) -> tuple[list[list[str]], list[list[str]]]:
    old, new = [list(row.cells()) for row in before], [list(row.cells()) for row in after]
    return [row for row in new if row not in old], [row for row in old if row not in new]


def _table(
    name: str, partner: str, format_name: str, site: Path | None, known: Translator
) -> tuple[Sequence[CodeRow], Sequence[str]]:
    """Return the rows of a table as they are written, and the code lists that it is used for."""
    catalogue = known.catalogue
    lists = sorted(
        {
            leaf
            for one in catalogue.formats.values()
            for leaf in _uses(one).get(name, ())
            if leaf in list_ids()
        }
    )
    if partner and format_name:
        found = _of(chosen(format_name, partner, site), name)
        if found is not None:
            return found, lists
    return _rows(catalogue.shelf, name), lists


def _of(one: Format, name: str) -> Sequence[CodeRow] | None:
    """Return the rows of the table *name* as the mapping *one* has it."""
    for held in placed(one.written):
        if held.rule.codes is not None and held.rule.codes.name == name:
            return held.rule.codes.rows
    return None


def _rows(shelf: Shelf, name: str) -> Sequence[CodeRow]:
    found = shelf.find(name) if NAME.fullmatch(name) else None
    if found is None:
        raise Missing(
            Code.NOT_FOUND, f"there is no such code table; there are {', '.join(shelf.names())}"
        )
    return read_rows(*found)


def _base(
    name: str, partner: str, format_name: str, site: Path | None, known: Translator
) -> Sequence[CodeRow]:
    found = known.catalogue.shelf.find(name)
    return () if found is None else _table(name, partner, format_name, site, known)[0]


def _uses(one: Format) -> dict[str, list[str]]:
    """Return the tables that a mapping uses, with the code lists of the leaves."""
    found: dict[str, list[str]] = {}
    for held in placed(one.written):
        if held.rule.codes is not None:
            leaf = all_leaves().get(held.path)
            found.setdefault(held.rule.codes.name, []).append(str(leaf.codes) if leaf else "")
    return found


def _warn(name: str, rows: Sequence[CodeRow], known: Translator) -> None:
    """Say which codes of the lists that the table is used for have no row."""
    said = {row.caf for row in rows if row.way in "=>"}
    if any(row.passes for row in rows):
        return
    lists = {
        held
        for one in known.catalogue.formats.values()
        for held in _uses(one).get(name, ())
        if held in list_ids()
    }
    for held in sorted(lists):
        missing = [code for code in code_list(held).codes if code not in said]
        if missing:
            typer.echo(f"no row for {', '.join(missing)} of {held}: it will not load so", err=True)
