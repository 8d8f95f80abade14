"""Mappings sketched: rules from the rows of a spreadsheet, and what no rule names as a work list.

A row pairs a canonical place (as `ecaf spec` writes it) with a place of the format, and perhaps a
code table.  Rows that share a list share its rule.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from hub.domain.messages import message_tree
from hub.positioned import Place, PositionedError, PositionedErrors, Problems
from mappings.engine.canonical import NoSuchPlace, Scope, all_leaves
from mappings.engine.paths import Path, PathError, parse

COLUMNS: Final = ("source", "target", "table", "note")
WIDTH: Final = 100
PLAIN: Final = re.compile(r"[A-Za-z/^.][A-Za-z0-9_./^-]*(\[\])?[A-Za-z0-9_./^\[\]-]*")
UNDONE: Final = "not mapped yet: write a rule, or say why the format does not hold it"


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: where a value stands with us and with them, and by which table it is told."""

    source: Path
    target: Path
    table: str
    place: Place


def pairs(text: str, file: str, tables: Collection[str], *, entries: bool) -> list[Pair]:
    """Return the rows of a spreadsheet's CSV; raises `PositionedErrors` with every faulty line.

    *tables* are the code tables that there are.  With *entries* the outermost list of a source may
    become an entry for each of its items.
    """
    lines = text.split("\n")
    first = lines[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    problems = Problems()
    found: list[Pair] = []
    try:
        head = [cell.strip().lower() for cell in next(rows, [])]
        unknown = [name for name in head if name not in COLUMNS]
        if unknown or not {"source", "target"} <= set(head):
            raise PositionedError(
                Place(file, 1, 1, first), f"the first line names the columns: {','.join(COLUMNS)}"
            )
        for cells in rows:
            line = rows.line_num
            place = Place(file, line, 1, lines[line - 1] if line <= len(lines) else "")
            if any(cell.strip() for cell in cells):
                with problems.kept():
                    pair = _pair(dict(zip(head, cells, strict=False)), place, entries=entries)
                    if pair.table and pair.table not in tables:
                        near = get_close_matches(pair.table, tables, 1)
                        hint = f" (did you mean {near[0]}?)" if near else ""
                        raise PositionedError(place, f"there is no such code table{hint}")
                    found.append(pair)
    except csv.Error as wrong:
        raise PositionedError(Place(file, 1, 1, first), f"not CSV: {wrong}") from None
    problems.settle()
    if not found:
        raise PositionedErrors([PositionedError(Place(file, 1, 1, first), "there are no rows")])
    return found


def _pair(row: dict[str, str], place: Place, *, entries: bool) -> Pair:
    told = [row.get(name, "").strip() for name in ("source", "target", "table")]
    paths = []
    for name, text in zip(("source", "target"), told, strict=False):
        try:
            paths.append(parse(text))
        except PathError as wrong:
            raise PositionedError(place, f"{name} {text or '(empty)'}: {wrong}") from None
    source, target = paths
    try:
        found = Scope(message_tree(), "").resolve(source)
    except NoSuchPlace as wrong:
        near = get_close_matches(told[0], all_leaves(), 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise PositionedError(place, f"{wrong}{hint}") from None
    if found.node is None or found.node.leaf is None:
        raise PositionedError(place, f"{source} is no single field: name the fields in it")
    lists = [_lists(path) for path in paths]
    if lists[0] - lists[1] not in ({0, 1} if entries else {0}):
        raise PositionedError(
            place, f"{lists[0]} lists in {source} and {lists[1]} in {target}: both need the same []"
        )
    return Pair(source, target, told[2], place)


def based(rows: Sequence[Pair], each: Path) -> list[Pair]:
    """Return *rows* as they are written inside an entry made for every item of *each*.

    Raises `PositionedErrors` for rows of other lists that the entry cannot hold.
    """
    problems = Problems()
    found = []
    for row in rows:
        parts = row.source.split()
        if parts is not None and parts[0] == each:
            source = parts[1]
        else:
            source = Path(row.source.steps, "root")
        if _lists(source) == _lists(row.target):
            found.append(replace(row, source=source))
            continue
        with problems.kept():
            raise PositionedError(
                row.place,
                f"{row.target} stands once for every item of {each}: it needs the same []",
            )
    problems.settle()
    return found


def rule_lines(rows: Sequence[Pair], indent: int) -> Iterator[str]:
    """Yield the YAML of rules for *rows*, those inside a shared list grouped under it."""
    yield from _lines([(row, row.source, row.target) for row in rows], indent)


_Row = tuple[Pair, Path, Path]


def _lines(rows: Sequence[_Row], indent: int) -> Iterator[str]:
    pad = " " * indent
    done: set[tuple[str, str]] = set()
    for pair, source, target in rows:
        ours, theirs = source.split(), target.split()
        if ours is None or theirs is None or not (ours[1].steps or theirs[1].split()):
            yield f"{pad}- caf: {quoted(str(source))}"
            yield f"{pad}  wire: {quoted(str(target))}"
            if pair.table:
                yield f"{pad}  codes: {quoted(pair.table)}"
            continue
        head = str(ours[0]), str(theirs[0])
        if head in done:
            continue
        done.add(head)
        yield f"{pad}- caf: {quoted(head[0])}"
        yield f"{pad}  wire: {quoted(head[1])}"
        yield f"{pad}  rules:"
        inside = [
            (one, mine[1], its[1])
            for one, s, t in rows
            if (mine := s.split()) is not None
            and (its := t.split()) is not None
            and (str(mine[0]), str(its[0])) == head
        ]
        yield from _lines(inside, indent + 4)


def entry_lines(rows: Sequence[Pair], indent: int) -> Iterator[str]:
    """Yield the YAML of entries for rows whose target begins with a resource (``Patient.…``).

    An entry is made for each item of the list in which its fields stand.
    """
    by_entry: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        first, *rest = row.target.steps
        target = Path(tuple(rest))
        listed = row.source.split()
        if listed is not None and _lists(row.source) > _lists(target):
            by_entry.setdefault((first.name, str(listed[0])), []).append((row, listed[1], target))
        else:
            by_entry.setdefault((first.name, ""), []).append((row, row.source, target))
    pad = " " * indent
    for number, ((resource, each), held) in enumerate(by_entry.items()):
        yield f"{pad}{_name(resource)}{number or ''}:"
        yield f"{pad}  resource: {resource}"
        if each:
            yield f"{pad}  each: {each}"
            if (key := _key(each)) is not None:
                yield f"{pad}  key: {key}"
        yield f"{pad}  rules:"
        yield from _lines(held, indent + 4)


def _lists(path: Path) -> int:
    return sum(step.kind.many for step in path.steps)


def _name(resource: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", resource).lower()


def _key(each: str) -> str | None:
    found = Scope(message_tree(), "").resolve(parse(each))
    for name, node in (found.members or {}).items():
        if node.leaf is not None and node.leaf.key:
            return name
    return None


def lost_lines(missing: Sequence[str]) -> Iterator[str]:
    """Yield the YAML of ``lost:`` for every leaf in *missing*: what is still to be done."""
    if missing:
        yield "lost:"
    for path in missing:
        yield f"  - caf: {path}"
        yield f"    reason: {quoted(UNDONE)}"


def quoted(text: str) -> str:
    """Return *text* as a YAML scalar, in quotes where it could be read as something else."""
    if PLAIN.fullmatch(text) and text not in {"true", "false", "null", "yes", "no", "~"}:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
