"""The mapping report: what became of every field, recorded by the engine as it ran, and the static
loss.

Outcomes: *kept* (reads back as it was), *normalised* (reads back as another word for it), *lost*
(with the reason), *withheld* (by which decision, if the caller says what the gate cut), *invented*
(a constant that the format wants), *unmapped* (input that no rule knows).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hub.domain.codes import code_list, list_ids
from mappings.engine.canonical import all_leaves
from mappings.engine.catalogue import Format
from mappings.engine.marks import Mark, Origin
from mappings.engine.model import Rule, Written
from mappings.engine.placement import Placed, choosing, placed
from mappings.engine.rendering import Notes
from mappings.engine.rules import every_rule
from mappings.engine.trace import origins, place_of, unwrapped, wrapped
from mappings.engine.unsaid import Unsaid, code_text, row_of, why_lost

Outcome = Literal["kept", "normalised", "lost", "withheld", "invented", "unmapped"]

STRUCTURE: Final = re.compile(r"(^|\.)(fullUrl|resourceType|MSH\.10)$|^id$")
"""Output that names and addresses things and says nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one field; *rule* is ``file:line:column``, *code* the row of a code table.

    *consent* are the decisions that showed it, if the caller knows them.
    """

    outcome: Outcome
    caf: str | None
    wire: str | None
    rule: str | None = None
    code: str | None = None
    reason: str | None = None
    section: str | None = None
    consent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Every row of one message, with the document that it is about.

    *shared* are groups of blocks that are equal and have one entry: where one turns, references of
    the others may.
    """

    format: str
    rows: tuple[Row, ...]
    document: Mapping[str, Any]
    shared: tuple[frozenset[str], ...] = ()

    def of_output(self, path: str) -> tuple[Row, ...]:
        """Return what made the output at or below *path*."""
        return tuple(row for row in self.rows if row.wire is not None and _within(row.wire, path))

    def of_input(self, path: str) -> tuple[Row, ...]:
        """Return what became of the input at or below *path*."""
        return tuple(row for row in self.rows if row.caf is not None and _within(row.caf, path))

    def feeding(self, path: str) -> frozenset[str]:
        """Return every place of the output that may differ if the input leaf *path* does."""
        near = {
            block
            for group in self.shared
            if any(_within(path, block) for block in group)
            for block in group
        }
        return frozenset(
            row.wire
            for row in self.rows
            if row.wire is not None
            and row.caf is not None
            and (_within(row.caf, path) or _within(path, row.caf) or row.caf in near)
        )

    def explain(self, path: str) -> tuple[Row, ...]:
        """Return the rows about *path*, whether it is a place of the output or of the input."""
        return self.of_output(path) or self.of_input(path)


def report(
    format_: Format, tree: Mapping[str, Any], withheld: Sequence[tuple[str, str]] = ()
) -> Report:
    """Render *tree* with recording rules; *withheld* is (path, why) of what the gate cut."""
    held = wrapped(tree)
    marked, notes = format_.recording.recorded(held)
    marks: dict[str, Mark] = {}
    constants: dict[str, Any] = {}
    document = unwrapped(marked, marks, constants)
    twins = _twins(notes)
    said = {mark.origin for mark in marks.values()}
    said |= {origin for mark in marks.values() for origin in mark.also}
    said |= {twin for origin, others in twins.items() if origin in said for twin in others}
    rows = [
        *_said(marks, twins, format_.written.direction),
        *_unsaid(held, said, notes, format_.reasons),
        *(Row("withheld", path, None, reason=why) for path, why in withheld),
        *(Row("invented", None, path) for path in constants if not STRUCTURE.search(path)),
    ]
    return Report(format_.name, tuple(rows), document, _shared(notes))


def generic(path: str) -> str:
    """Return *path* without positions: ``subjects[0].email[1]`` is ``subjects[].email[]``."""
    return re.sub(r"\[\d+\]", "[]", path)


def leaves_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of every leaf of a document."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves_of(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from leaves_of(inner, f"{path}[{position}]")
    elif value is not None:
        yield path, value


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith((f"{above}.", f"{above}["))


def _twins(notes: Notes) -> dict[str, list[str]]:
    """Return, for leaves of a block whose entry others share, the paths of the same leaves in
    those.
    """
    found: dict[str, list[str]] = {}
    for held, other in notes.shared:
        for mine, its in zip(_in_order(held), _in_order(other), strict=True):
            found.setdefault(mine, []).append(its)
    return found


def _shared(notes: Notes) -> tuple[frozenset[str], ...]:
    """Return the places of the blocks that share an entry, group by group."""
    groups: dict[str, set[str]] = {}
    for held, other in notes.shared:
        mine, its = place_of(held), place_of(other)
        if mine is not None and its is not None:
            groups.setdefault(mine, {mine}).add(its)
    return tuple(frozenset(group) for group in groups.values())


def _in_order(value: Any) -> Iterator[str]:
    if isinstance(value, Origin):
        yield value.path
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from _in_order(value[name])
    elif isinstance(value, list):
        for inner in value:
            yield from _in_order(inner)


def _said(
    marks: Mapping[str, Mark], twins: Mapping[str, Sequence[str]], direction: str
) -> Iterator[Row]:
    back = {mark.origin for mark in marks.values() if mark.origin and _comes_back(mark, direction)}
    leaves = all_leaves()
    for path, mark in marks.items():
        if mark.origin is None:
            if mark.rule.const is not None:
                yield Row("invented", None, path, str(mark.rule.place))
            continue
        for origin in dict.fromkeys((mark.origin, *mark.also, *twins.get(mark.origin, ()))):
            leaf = leaves.get(generic(origin))
            yield Row(
                "kept" if mark.origin in back else _derived(mark, direction),
                origin,
                path,
                str(mark.rule.place),
                row_of(mark.rule, mark.code),
                section=leaf.section if leaf else None,
            )


def _comes_back(mark: Mark, direction: str) -> bool:
    """Return whether the value reads back; from a format that is only written, whether it could."""
    rule = mark.rule
    if rule.only == "out" and direction != "out":
        return False
    return rule.codes is None or rule.codes.survives(code_text(mark.code))


def _derived(mark: Mark, direction: str) -> Outcome:
    return "lost" if mark.rule.only == "out" and direction != "out" else "normalised"


def _unsaid(held: Any, said: set[str | None], notes: Notes, reasons: Unsaid) -> Iterator[Row]:
    """Yield a row for every leaf of the input that stands nowhere in the output."""
    untabled = dict(notes.untabled)
    leaves = all_leaves()
    for origin in origins(held):
        if origin.path in said:
            continue
        shown = generic(origin.path)
        leaf = leaves.get(shown)
        item = origin.path.rpartition(".")[0]
        if shown in reasons.choosing and any(path and path.startswith(f"{item}.") for path in said):
            yield Row(
                "kept",
                origin.path,
                None,
                reason="says which rule",
                section=leaf.section if leaf else None,
            )
            continue
        why = reasons.why(shown, origin.value, untabled.get(origin.path))
        section = leaf.section if leaf else None
        yield Row("lost", origin.path, None, why.rule, why.code, why.reason, section)


def deciding(written: Written) -> frozenset[str]:
    """Return the leaves whose values decide what becomes of others: slices and conditions."""
    entries = (written.envelope, *written.entries.values())
    conditions = [when for entry in entries for when in entry.when]
    conditions += [w for entry in entries for rule in every_rule(entry.rules) for w in rule.when]
    return choosing(written) | {key for when in conditions for key in when.keys}


@dataclass(frozen=True, slots=True)
class Static:
    """What a format does with one canonical leaf, whatever the message."""

    caf: str
    outcome: Outcome
    wires: tuple[str, ...]
    ways: tuple[str, ...]
    rules: tuple[str, ...]
    tables: tuple[str, ...]
    reason: str | None
    section: str
    sensitivity: str
    codes: str | None


def loss(format_: Format) -> tuple[Static, ...]:
    """Return the static report: one row for every canonical leaf, in the order of the form.

    What a notification says is free, so its rows are those that the mapping has rules for.
    """
    found: dict[str, list[Placed]] = {}
    for one in placed(format_.written):
        found.setdefault(one.path, []).append(one)
    leaves = dict.fromkeys((*all_leaves(), *found))
    return tuple(_static(path, found.get(path, []), format_.written) for path in leaves)


def _static(path: str, places: Sequence[Placed], written: Written) -> Static:
    leaf = all_leaves().get(path)
    codes = None if leaf is None else leaf.codes
    rules = [one.rule for one in places]
    outcome: Outcome = "lost"
    reason = why_lost(path, written) if not rules else None
    whole = [rule for rule in rules if rule.only in {None, written.direction}]
    if whole:
        outcome = "kept"
        if all(rule.codes is not None for rule in whole):
            changed = _changed(whole, codes)
            if changed:
                outcome, reason = "normalised", f"codes without a way back: {', '.join(changed)}"
    elif rules:
        if any(rule.only == "out" for rule in rules):
            reason = "written only: nothing reads it back"
        else:
            reason = "read only: never written"
    return Static(
        caf=path,
        outcome=outcome,
        wires=tuple(dict.fromkeys(one.wire for one in places)),
        ways=tuple(dict.fromkeys(way(rule, written) for rule in rules)),
        rules=tuple(dict.fromkeys(str(rule.place) for rule in rules)),
        tables=tuple(dict.fromkeys(rule.codes.name for rule in rules if rule.codes)),
        reason=reason,
        section="" if leaf is None else leaf.section,
        sensitivity="" if leaf is None else " ".join(sorted(leaf.sensitivity)),
        codes=codes,
    )


def way(rule: Rule, written: Written) -> str:
    """Return which way *rule* works: ``both``, ``out`` or ``in``."""
    return rule.only or written.direction


def _changed(rules: Sequence[Rule], list_id: str | None) -> list[str]:
    if list_id is None or list_id not in list_ids():
        return []
    tables = [rule.codes for rule in rules if rule.codes is not None]
    return [
        code
        for code in code_list(list_id).codes
        if not any(table.survives(code) for table in tables)
    ]
