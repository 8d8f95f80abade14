"""Overlays: what one partner's form of a mapping replaces, read from its ``overlay.yaml``.

A site keeps them in ``overlays/<partner>/<format name>/overlay.yaml``, code tables of their own in
``codes/*.csv`` beside it.  An overlay replaces values of ``let:``, whole code tables (a file of the
same name), single rows of one (``codes:``), and single rules, named by the canonical field that
they carry::

    overlay: SCH-A                  # the partner, as the folder says
    mapping: fhir-r4/episode
    mapping_version: 1              # for which it was written
    version: 3
    let: {id: https://school-a.example/Id}
    codes:
      identifier-system:
        - {caf: la-child-id, way: "=", wire: https://school-a.example/Id/child}
    rules:
      - field: episode.subjects[].gender
        by: [{caf: gender, wire: gender, codes: gender-school-a}]
      - field: episode.subjects[].email[]
        lost: the school's system has no place for e-mail
      - entry: child
        add: [{caf: preferred_name, wire: "name[use=nickname].text"}]

It is data of the same language: what it adds is checked like the mapping itself, and an overlay
that replaces nothing, or was written for another version, does not load.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Final, NoReturn

from hub.positioned import Fields, Place, PositionedError, Problems, Value, read_file
from mappings.engine.tables import HEADER, WAYS, CodeRow

TOP: Final = (
    *("overlay", "mapping", "mapping_version", "version", "about"),
    *("let", "codes", "rules"),
)
CHANGE: Final = ("field", "entry", "wire", "by", "add", "lost", "about")
ROW: Final = HEADER


@dataclass(frozen=True, slots=True)
class Identity:
    """Which overlay a mapping was loaded with; *file* is what its places are called."""

    partner: str
    version: str
    file: str


@dataclass(slots=True)
class Change:
    """One change of rules; *met* says whether the mapping has what it changes."""

    place: Place
    covers: str | None
    entry: str | None
    wire: str | None
    by: Value | None
    add: Value | None
    lost: str | None
    met: bool = False
    done: set[tuple[tuple[str, str, str], str]] = field(default_factory=set)

    def concerns(self, entry: str, covers: str, wire: Collection[str]) -> bool:
        """Return whether the change is about a rule of *entry* that carries *covers* to *wire*.

        *wire* are the names that the place has: as the rule says it, as the specification does.
        """
        if self.covers is None or (self.entry is not None and self.entry != entry):
            return False
        if self.wire is not None and self.wire not in wire:
            return False
        below = (f"{self.covers}.", f"{self.covers}[]")
        return covers == self.covers or (self.lost is not None and covers.startswith(below))


@dataclass(slots=True)
class Overlay:
    """One overlay as it is written."""

    identity: Identity
    mapping: str
    mapping_version: str
    place: Place
    let: Mapping[str, Value]
    let_places: Mapping[str, Place]
    codes: Mapping[str, tuple[CodeRow, ...]]
    changes: Sequence[Change]
    used: set[str] = field(default_factory=set)

    def rows_of(self, table: str) -> tuple[CodeRow, ...]:
        """Return the rows that replace those of *table*, and remember that it was asked for."""
        self.used.add(table)
        return self.codes.get(table, ())

    def change_of(self, entry: str, covers: str, wire: Collection[str]) -> Change | None:
        """Return the change that replaces or loses this rule, if any."""
        for change in self.changes:
            if change.add is None and change.concerns(entry, covers, wire):
                change.met = True
                return change
        return None

    def beside(self, entry: str, covers: str, wire: Collection[str]) -> Change | None:
        """Return the change that adds rules beside this one, if any."""
        for change in self.changes:
            if change.add is not None and change.concerns(entry, covers, wire):
                change.met = True
                return change
        return None

    def added(self, entry: str) -> list[Value]:
        """Return the lists of rules that are added to *entry* as a whole."""
        found = []
        for change in self.changes:
            if change.add is not None and change.covers is None and change.entry == entry:
                change.met = True
                found.append(change.add)
        return found


def read_overlay(file: FilePath, shown: str) -> Overlay:
    """Return the overlay in *file*; raises `PositionedErrors` with every fault of its form."""
    value = read_file(file, shown)
    top = value.mapping(*TOP)
    problems = Problems()
    let: dict[str, Value] = {}
    places: dict[str, Place] = {}
    codes: dict[str, tuple[CodeRow, ...]] = {}
    changes: list[Change] = []
    for name, given in _items(top, "let", problems):
        with problems.kept():
            given.text()
            let[name], places[name] = given, given.place
    for name, given in _items(top, "codes", problems):
        with problems.kept():
            codes[name] = tuple(_row(item) for item in given.sequence())
    with problems.kept():
        for item in () if (rules := top.get("rules")) is None else rules.sequence():
            with problems.kept():
                changes.append(_change(item))
    said: dict[str, str] = {}
    for name in ("overlay", "mapping", "mapping_version", "version"):
        with problems.kept():
            said[name] = top.need(name).text()
    problems.settle()
    return Overlay(
        identity=Identity(said["overlay"], said["version"], shown),
        mapping=said["mapping"],
        mapping_version=said["mapping_version"],
        place=top.need("overlay").place,
        let=let,
        let_places=places,
        codes=codes,
        changes=changes,
    )


def _items(top: Fields, name: str, problems: Problems) -> tuple[tuple[str, Value], ...]:
    found: list[tuple[str, Value]] = []
    if (given := top.get(name)) is not None:
        with problems.kept():
            found += given.items()
    return tuple(found)


def _row(item: Value) -> CodeRow:
    given = item.mapping(*ROW)
    wire = given.get("wire")
    return CodeRow(
        caf=given.need("caf").text(),
        way=given.need("way").one_of(*WAYS),
        wire="" if wire is None or wire.content == "" else wire.text(),
        note=given.text("note") or "",
        place=item.place,
    )


def _change(item: Value) -> Change:
    given = item.mapping(*CHANGE)
    kinds = [name for name in ("by", "add", "lost") if name in given]
    if len(kinds) != 1:
        item.error("a change has exactly one of by, add, lost")
    if "field" not in given and (kinds != ["add"] or "entry" not in given):
        item.error("say which field, as `ecaf spec` calls it (or, to add, which entry)")
    if "wire" in given and "field" not in given:
        given.need("wire").error("wire chooses among the rules of a field: say which field")
    for name in ("by", "add"):
        if (rules := given.get(name)) is not None and not rules.sequence():
            rules.error("no rules: to send nothing, write lost with the reason")
    return Change(
        place=(given.get("field") or given.need("entry")).place,
        covers=given.text("field"),
        entry=given.text("entry"),
        wire=given.text("wire"),
        by=given.get("by"),
        add=given.get("add"),
        lost=given.text("lost"),
    )


def unmet(overlay: Overlay, let: Mapping[str, str], entries: Sequence[str]) -> Problems:
    """Return what the overlay changes and the mapping does not have."""
    problems = Problems()
    for name, place in overlay.let_places.items():
        if name not in let:
            with problems.kept():
                _unknown(place, f"let has no {name}", name, tuple(let))
    for table, rows in overlay.codes.items():
        if table not in overlay.used:
            with problems.kept():
                place = rows[0].place if rows else overlay.place
                _unknown(place, f"no rule uses the code table {table}", table, tuple(overlay.used))
    for change in overlay.changes:
        if change.met:
            continue
        with problems.kept():
            if change.entry is not None and change.entry not in entries:
                _unknown(
                    change.place, f"there is no entry {change.entry}", change.entry, tuple(entries)
                )
            where = "" if change.entry is None else f" in the entry {change.entry}"
            what = change.covers if change.wire is None else f"{change.covers} to {change.wire}"
            raise PositionedError(change.place, f"no rule{where} carries {what}")
    return problems


def _unknown(place: Place, message: str, name: str, known: Sequence[str]) -> NoReturn:
    near = get_close_matches(name, known, 1)
    hint = f" (did you mean {near[0]}?)" if near else f"; there are {', '.join(known)}"
    raise PositionedError(place, message + hint)
