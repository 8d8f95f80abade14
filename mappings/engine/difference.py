"""What differs between two mappings, in the words of who will be sent what: not text, but meaning.

For every canonical field: *gained* (comes back now, did not), *lost*, *newly sent*, *no longer
sent*, *moved* (another place), *changed* (another code table, condition or outcome).  For every
code table: the rows that say otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mappings.engine.catalogue import Format
from mappings.engine.model import Rule, Written
from mappings.engine.placement import Placed, placed
from mappings.engine.report import Static, loss, way
from mappings.engine.rules import every_rule
from mappings.engine.tables import Table

Kind = Literal["newly sent", "no longer sent", "gained", "lost", "moved", "changed"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What became of one field: places, tables and outcome before and after."""

    kind: Kind
    caf: str
    before: str
    after: str
    section: str
    sensitivity: str


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One code of one table whose word differs; *way* is ``>`` (written) or ``<`` (read)."""

    table: str
    way: str
    code: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ConstantChange:
    """A constant of the format that differs: its place, and the values."""

    wire: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything in which two mappings differ; *heads* are lines of their own (version, type)."""

    before: str
    after: str
    heads: tuple[str, ...]
    fields: tuple[FieldChange, ...]
    codes: tuple[CodeChange, ...]
    constants: tuple[ConstantChange, ...]

    def __bool__(self) -> bool:
        """Return whether anything but the version differs."""
        return bool(self.heads or self.fields or self.codes or self.constants)


def differences(old: Format, new: Format) -> Difference:
    """Return what *new* does otherwise than *old*."""
    return Difference(
        before=old.written.identity,
        after=new.written.identity,
        heads=tuple(_heads(old.written, new.written)),
        fields=tuple(_fields(old, new)),
        codes=tuple(_codes(_tables(old.written), _tables(new.written))),
        constants=tuple(_constants(_fixed(old.written), _fixed(new.written))),
    )


def _heads(old: Written, new: Written) -> Iterator[str]:
    for name, one, two in (
        ("content type", old.content_type, new.content_type),
        ("direction", old.direction, new.direction),
        ("format", old.format, new.format),
        ("kinds read", ", ".join(old.accepts), ", ".join(new.accepts)),
    ):
        if one != two:
            yield f"{name}: {one or 'any'} → {two or 'any'}"
    for name in dict.fromkeys((*old.let, *new.let)):
        if name in old.let and name in new.let and old.let[name] != new.let[name]:
            yield f"let {name}: {old.let[name]} → {new.let[name]}"


def _fields(old: Format, new: Format) -> Iterator[FieldChange]:
    ways = _said(old.written), _said(new.written)
    rows = [{row.caf: row for row in loss(one)} for one in (old, new)]
    for path in dict.fromkeys((*rows[0], *rows[1])):
        one, two = (held.get(path) or _nothing(path) for held in rows)
        rules = ways[0].get(path, []), ways[1].get(path, [])
        kinds: list[tuple[Kind, str, str]] = []
        sent = tuple(_is_sent(rules[side], (old, new)[side].written) for side in (0, 1))
        kept = one.outcome != "lost", two.outcome != "lost"
        places = " ; ".join(one.wires), " ; ".join(two.wires)
        if sent == (False, True):
            kinds.append(("newly sent", _why(one), places[1]))
        elif sent == (True, False):
            kinds.append(("no longer sent", places[0], _why(two)))
        if kept == (False, True):
            kinds.append(("gained", _why(one), places[1]))
        elif kept == (True, False):
            kinds.append(("lost", places[0], _why(two)))
        if not kinds:
            if set(one.wires) != set(two.wires):
                kinds.append(("moved", *places))
            elif (one.outcome, one.reason) != (two.outcome, two.reason):
                kinds.append(("changed", _outcome(one), _outcome(two)))
            elif (told := _details(*rules)) is not None:
                kinds.append(("changed", *told))
        for kind, before, after in kinds:
            yield FieldChange(kind, path, before, after, two.section, two.sensitivity)


def _nothing(path: str) -> Static:
    """Return the row of a fact of a notification that a mapping does not know."""
    return Static(path, "lost", (), (), (), (), "no rule", "", "", None)


def _said(written: Written) -> dict[str, list[Placed]]:
    found: dict[str, list[Placed]] = {}
    for one in placed(written):
        found.setdefault(one.path, []).append(one)
    return found


def _is_sent(places: Sequence[Placed], written: Written) -> bool:
    return any(way(one.rule, written) != "in" for one in places)


def _why(row: Static) -> str:
    return row.reason or _outcome(row)


def _outcome(row: Static) -> str:
    return f"{row.outcome}: {row.reason}" if row.reason else row.outcome


def _details(old: Sequence[Placed], new: Sequence[Placed]) -> tuple[str, str] | None:
    """Return what the rules of one field say beside their places, where that differs."""
    before, after = ([_detail(one.rule) for one in side] for side in (old, new))
    if before == after:
        return None
    lists = [text for text in before if text not in after], [t for t in after if t not in before]
    return "; ".join(lists[0]) or "as it is", "; ".join(lists[1]) or "as it is"


def _detail(rule: Rule) -> str:
    parts = [
        f"codes {rule.codes.name}" if rule.codes is not None else "",
        f"prefix {rule.prefix}" if rule.prefix is not None else "",
        f"to {rule.to}" if rule.to else "",
        f"only {rule.only}" if rule.only else "",
        "backup" if rule.backup else "",
        "required" if rule.required else "",
        *(f"when {when}" for when in rule.when),
    ]
    return f"{rule.wire}: {', '.join(part for part in parts if part) or 'as it is'}"


def _tables(written: Written) -> dict[str, Table]:
    entries = (written.envelope, *written.entries.values())
    return {
        rule.codes.name: rule.codes
        for entry in entries
        for rule in every_rule(entry.rules)
        if rule.codes is not None
    }


def _codes(old: Mapping[str, Table], new: Mapping[str, Table]) -> Iterator[CodeChange]:
    for name in sorted(old.keys() | new.keys()):
        one, two = old.get(name), new.get(name)
        if one is None or two is None:
            continue  # the fields that use it say so
        for sign, before, after in (
            (">", _out(one), _out(two)),
            ("<", dict(one.inward), dict(two.inward)),
        ):
            for code in dict.fromkeys((*before, *after)):
                if before.get(code) != after.get(code):
                    yield CodeChange(name, sign, code, before.get(code), after.get(code))


def _out(table: Table) -> dict[str, str]:
    passing = {"*": "*"} if table.passes else {}
    return {**passing, **table.outward, **dict.fromkeys(table.silent, "(no word)")}


def _fixed(written: Written) -> dict[str, str]:
    """Return what the format gets that no field says, by place and condition."""
    found: dict[str, str] = {}
    for name, entry in (("envelope", written.envelope), *written.entries.items()):
        for rule in every_rule(entry.rules):
            if rule.structural:
                when = "".join(f" when {one}" for one in rule.when)
                value = (
                    rule.const
                    if rule.const is not None
                    else ", ".join((*rule.refer, *rule.refer_all))
                )
                found[f"{name}: {rule.wire}{when}"] = str(value)
    return found


def _constants(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[ConstantChange]:
    for place in dict.fromkeys((*old, *new)):
        if old.get(place) != new.get(place):
            yield ConstantChange(place, old.get(place), new.get(place))
