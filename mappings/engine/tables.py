"""Code tables: one CSV a pair of vocabularies, read both ways.

Columns ``caf,way,wire,note``.  *way* is ``=`` (both ways), ``>`` (only towards the wire) or ``<``
(only from the wire).  What a table loses is computed from its rows and never declared: a canonical
code whose wire code reads back as another, or as none, does not survive the round trip.  An empty
*wire* with ``>`` says that the format has no word for the code; a row ``*,=,*`` lets every other
code pass as it is.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hub.positioned import Place, PositionedError, Problems

HEADER: Final = ("caf", "way", "wire", "note")
WAYS: Final = ("=", ">", "<")
ANY: Final = "*"
NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One row as it is written, ``${name}`` and all, with its place."""

    caf: str
    way: str
    wire: str
    note: str
    place: Place

    @property
    def passes(self) -> bool:
        """Return whether this is the row ``*,=,*``."""
        return self.caf == self.wire == ANY

    def cells(self) -> tuple[str, str, str, str]:
        """Return the row as the CSV has it."""
        return self.caf, self.way, self.wire, self.note


@dataclass(frozen=True, slots=True)
class Table:
    """One code table, ready for both directions; *rows* is what it was made of."""

    name: str
    file: str
    outward: Mapping[str, str]
    inward: Mapping[str, str]
    silent: frozenset[str]
    known_wire: frozenset[str]
    passes: bool
    rows: tuple[CodeRow, ...] = field(repr=False)

    def survives(self, code: str) -> bool:
        """Return whether *code* reads back as itself."""
        if self.passes and code not in self.outward and code not in self.silent:
            return code not in self.inward
        wire = self.outward.get(code)
        return wire is not None and self.inward.get(wire) == code

    def knows(self, wire: object) -> bool:
        """Return whether *wire* stands in the table, even if it says nothing inward."""
        return wire in self.known_wire or self.passes

    def row_out(self, code: str) -> CodeRow | None:
        """Return the row that says what becomes of the canonical *code* on the wire."""
        return next((row for row in self.rows if row.caf == code and row.way in "=>"), None)

    def row_in(self, code: str, wire: str) -> CodeRow | None:
        """Return the row by which *wire* reads as the canonical *code*."""
        mine = [row for row in self.rows if row.caf == code and row.way in "=<"]
        return next((row for row in mine if row.wire == wire), None) or next(iter(mine), None)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Folders with code tables, the nearest first, each with the name that errors give it."""

    folders: tuple[tuple[Path, str], ...]

    @classmethod
    def of(cls, codes: "Path | Shelf") -> "Shelf":
        """Return *codes* as a shelf."""
        return codes if isinstance(codes, Shelf) else cls(((codes, "codes"),))

    def find(self, name: str) -> tuple[Path, str] | None:
        """Return file and shown name of the table *name* in the nearest folder that has it."""
        for folder, shown in self.folders:
            file = folder / f"{name}.csv"
            if file.is_file():
                return file, f"{shown}/{name}.csv"
        return None

    def names(self) -> tuple[str, ...]:
        """Return the names of all tables, sorted."""
        found = {file.stem for folder, _shown in self.folders for file in folder.glob("*.csv")}
        return tuple(sorted(found))


def read_rows(path: Path, shown_as: str | None = None) -> tuple[CodeRow, ...]:
    """Return the rows of the file *path*; raises `PositionedErrors` with every faulty line."""
    file = shown_as or str(path)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise PositionedError(Place(file, 1, 1), "not UTF-8") from None
    return parse_rows(text, file)


def parse_rows(text: str, file: str) -> tuple[CodeRow, ...]:
    """Return the rows of a table's *text*."""
    lines = text.replace("\r\n", "\n").split("\n")

    def place(line: int) -> Place:
        return Place(file, line, 1, lines[line - 1] if line <= len(lines) else "")

    problems = Problems()
    found: list[CodeRow] = []
    given = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if tuple(next(given, ())) != HEADER:
            raise PositionedError(place(1), f"a code table begins with {','.join(HEADER)}")
        after = given.line_num
        for row in given:
            line, after = after + 1, given.line_num
            with problems.kept():
                if len(found) >= MAX_ROWS:
                    raise PositionedError(place(line), f"more than {MAX_ROWS} rows")
                if len(row) != len(HEADER):
                    raise PositionedError(
                        place(line), f"expected {len(HEADER)} columns, not {len(row)}"
                    )
                caf, way, wire, note = row
                found.append(_lawful(CodeRow(caf, way, wire, note, place(line))))
    except csv.Error as wrong:
        raise PositionedError(place(given.line_num), f"not CSV: {wrong}") from None
    problems.settle()
    return tuple(found)


def _lawful(row: CodeRow) -> CodeRow:
    if row.way not in WAYS:
        raise PositionedError(row.place, f"way must be one of {' '.join(WAYS)}")
    if row.passes:
        if row.way != "=":
            raise PositionedError(row.place, "what passes as it is passes both ways: *,=,*")
        return row
    if not row.caf or (not row.wire and row.way != ">"):
        raise PositionedError(row.place, "a code is missing")
    return row


def table_of(
    name: str, file: str, rows: Sequence[CodeRow], let: Mapping[str, str] = MappingProxyType({})
) -> Table:
    """Return the table that *rows* make, with ``${name}`` put in from *let*.

    Raises `PositionedErrors` with every row that says otherwise than one before it.
    """
    problems = Problems()
    outward: dict[str, str] = {}
    inward: dict[str, str] = {}
    silent: set[str] = set()
    known: set[str] = set()
    passes = False
    filled = []
    for written in rows:
        with problems.kept():
            row = _filled(written, let)
            filled.append(row)
            if row.passes:
                passes = True
                continue
            if row.way in "=>":
                if row.caf in outward or row.caf in silent:
                    raise PositionedError(row.place, f"{row.caf} has two rows towards the wire")
                if row.wire:
                    outward[row.caf] = row.wire
                else:
                    silent.add(row.caf)
            if row.way in "=<":
                if row.wire in inward:
                    raise PositionedError(row.place, f"{row.wire} has two rows from the wire")
                inward[row.wire] = row.caf
            known.add(row.wire)
    problems.settle()
    return Table(
        name=name,
        file=file,
        outward=MappingProxyType(outward),
        inward=MappingProxyType(inward),
        silent=frozenset(silent),
        known_wire=frozenset(known),
        passes=passes,
        rows=tuple(filled),
    )


def _filled(row: CodeRow, let: Mapping[str, str]) -> CodeRow:
    if "${" not in row.wire:
        return row

    def put(found: re.Match[str]) -> str:
        if found[1] not in let:
            at = row.place.text.find(found[0])
            raise PositionedError(
                row.place.moved(max(at, 0)), f"nothing is called {found[1]} in let"
            )
        return let[found[1]]

    return CodeRow(row.caf, row.way, re.sub(r"\$\{([^}]*)\}", put, row.wire), row.note, row.place)


def replaced(rows: Sequence[CodeRow], given: Sequence[CodeRow]) -> tuple[CodeRow, ...]:
    """Return *rows* in which the rows of every canonical code in *given* give way to those.

    They stand where the first of the old rows stood; rows for other codes come last.
    """
    by_code: dict[str, list[CodeRow]] = {}
    for row in given:
        by_code.setdefault(row.caf, []).append(row)
    found: list[CodeRow] = []
    waiting = dict(by_code)
    for row in rows:
        if row.caf in by_code:
            found += waiting.pop(row.caf, ())
        else:
            found.append(row)
    return (*found, *(row for rest in waiting.values() for row in rest))


def written(rows: Sequence[CodeRow]) -> str:
    """Return the rows as the text of a table's file."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(HEADER)
    write.writerows(row.cells() for row in rows)
    return out.getvalue()
