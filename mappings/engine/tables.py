"""Code tables: one CSV a pair of vocabularies, read both ways.

Columns ``caf,way,wire,note``.  *way* is ``=`` (both ways), ``>`` (only towards the wire) or ``<``
(only from the wire).  What a table loses is computed from its rows and never declared: a canonical
code whose wire code reads back as another, or as none, does not survive the round trip.  An empty
*wire* with ``>`` says that the format has no word for the code; a row ``*,=,*`` lets every other
code pass as it is.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hub.positioned import Place, PositionedError

HEADER: Final = ["caf", "way", "wire", "note"]
WAYS: Final = ("=", ">", "<")


@dataclass(frozen=True, slots=True)
class Table:
    """One code table; *lines* says in which line of *file* each canonical code stands."""

    name: str
    file: str
    outward: Mapping[str, str]
    inward: Mapping[str, str]
    silent: frozenset[str]
    known_wire: frozenset[str]
    passes: bool
    lines: Mapping[str, int]

    def survives(self, code: str) -> bool:
        """Return whether *code* reads back as itself."""
        if self.passes and code not in self.outward and code not in self.silent:
            return code not in self.inward
        wire = self.outward.get(code)
        return wire is not None and self.inward.get(wire) == code

    def knows(self, wire: object) -> bool:
        """Return whether *wire* stands in the table, even if it says nothing inward."""
        return wire in self.known_wire or self.passes


def read_table(
    path: Path, shown_as: str | None = None, let: Mapping[str, str] = MappingProxyType({})
) -> Table:
    """Read one table, with ``${name}`` put in from *let*; any fault is a `PositionedError` with its
    line.
    """
    file = shown_as or str(path)
    text = path.read_text("utf-8")
    lines = text.splitlines()

    def fault(line: int, message: str) -> PositionedError:
        shown = lines[line - 1] if line <= len(lines) else ""
        return PositionedError(Place(file, line, 1, shown), message)

    rows = csv.reader(io.StringIO(text, newline=""))
    if next(rows, None) != HEADER:
        raise fault(1, f"a code table begins with {','.join(HEADER)}")
    outward: dict[str, str] = {}
    inward: dict[str, str] = {}
    silent: set[str] = set()
    known: set[str] = set()
    passes = False
    places: dict[str, int] = {}
    for row in rows:
        line = rows.line_num
        if len(row) != len(HEADER):
            raise fault(line, f"expected {len(HEADER)} columns, not {len(row)}")
        caf, way, wire, _note = row
        for name, text in let.items():
            wire = wire.replace(f"${{{name}}}", text)
        if "${" in wire:
            raise fault(line, "nothing is called so here")
        if caf == wire == "*":
            passes = True
            continue
        if way not in WAYS:
            raise fault(line, f"way must be one of {' '.join(WAYS)}")
        if not caf or (not wire and way != ">"):
            raise fault(line, "a code is missing")
        if way in "=>":
            if caf in outward or caf in silent:
                raise fault(line, f"{caf} has two rows towards the wire")
            places[caf] = line
            if wire:
                outward[caf] = wire
            else:
                silent.add(caf)
        if way in "=<":
            if wire in inward:
                raise fault(line, f"{wire} has two rows from the wire")
            inward[wire] = caf
        known.add(wire)
    return Table(
        name=path.stem,
        file=file,
        outward=MappingProxyType(outward),
        inward=MappingProxyType(inward),
        silent=frozenset(silent),
        known_wire=frozenset(known),
        passes=passes,
        lines=MappingProxyType(places),
    )
