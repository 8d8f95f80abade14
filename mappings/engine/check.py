"""What a mapping must keep besides being readable: every leaf named, references lawful, codes
complete.

A canonical leaf that is named by no rule and not declared lost is an error: a field added to the
dictionary cannot vanish unseen.  A reference that the format forbids is found here, at load, and
therefore needs no test while messages run.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from hub.domain.codes import Standing, code_list, list_ids
from hub.domain.codes import check as standing
from hub.domain.dictionary import Leaf
from hub.positioned import PositionedError, Problems
from mappings.engine.canonical import all_leaves
from mappings.engine.model import Entry, Lost, Rule, Written
from mappings.engine.never import never
from mappings.engine.paths import Kind
from mappings.engine.placement import ancestry, named, slice_keys, under
from mappings.engine.rules import every_rule
from mappings.engine.shape import Shape
from mappings.engine.tables import Table
from mappings.engine.tree import Leaf as Filled
from mappings.engine.tree import Listed, Object, Slot

EPISODE: Final = "episode."


def check(written: Written, plans: Mapping[str, Object], shape: Shape) -> None:
    """Check the mapping; raises `PositionedErrors` with every fault."""
    problems = Problems()
    found = named(written)
    _coverage(written, found, problems)
    _codes(found, problems)
    if written.direction != "out":
        _keys_kept(written, problems)
    for name, plan in plans.items():
        _targets(plan, written, shape, problems)
        _words(plan, shape, problems)
        _slices(written, name, problems)
    problems.errors += never(written, found).errors
    problems.settle()


def _keys_kept(written: Written, problems: Problems) -> None:
    """Refuse lists of chosen items that are read: nothing would say what they were chosen by."""
    for entry in (written.envelope, *written.entries.values()):
        for rule in every_rule(entry.rules):
            step = None if rule.caf is None or not _is_read(rule) else rule.caf.steps[-1:]
            if step and step[0].kind is Kind.SLICES:
                keys = " and ".join(str(where) for where, _value in step[0].where)
                with problems.kept():
                    raise PositionedError(
                        rule.place,
                        f"{rule.caf} would be read without its {keys}: say only: out in its rules,"
                        f" or write {step[0].name}[] with a rule for {keys}",
                    )


def _is_read(rule: Rule) -> bool:
    """Return whether reading puts anything where *rule*, or a rule inside it, says."""
    if rule.only == "out" or rule.structural:
        return False
    return any(_is_read(one) for one in rule.rules) if rule.rules else rule.caf is not None


def _coverage(written: Written, found: Mapping[str, list[Rule]], problems: Problems) -> None:
    leaves = all_leaves()
    places = {place for path in leaves for place in ancestry(path)}
    for number, lost in enumerate(written.lost):
        with problems.kept():
            if lost.path not in places:
                raise PositionedError(lost.place, f"there is no {lost.path} to lose")
            for path in (one for one in found if lost.path in ancestry(one)):
                rule = _contested(found[path], lost, written)
                if rule is not None:
                    raise PositionedError(
                        lost.place, f"{path} is declared lost, and {rule.place} maps it"
                    )
            for before in written.lost[:number]:
                if under(lost.path, before.path) and before.place.file == lost.place.file:
                    raise PositionedError(
                        lost.place,
                        f"{lost.path} is lost already, at {before.place}: say the narrower first",
                    )
    declared = {lost.path for lost in written.lost}
    for path in leaves:
        if path not in found and not ancestry(path) & declared:
            with problems.kept():
                raise PositionedError(
                    written.place, f"{path} is named by no rule and not declared lost"
                )


def _contested(rules: list[Rule], lost: Lost, written: Written) -> Rule | None:
    """Return a rule that contradicts *lost*; an overlay's rules may map what the mapping loses."""
    over = written.overlay
    if over is None or lost.place.file == over.file:
        return rules[0]
    return next((rule for rule in rules if rule.place.file != over.file), None)


def _codes(found: Mapping[str, list[Rule]], problems: Problems) -> None:
    """Check that every code of a list has a row, and that every row is for a code of a list."""
    leaves = all_leaves()
    uses: dict[str, list[Leaf]] = {}
    tables: dict[str, Table] = {}
    told: set[tuple[str, str]] = set()
    for path, rules in found.items():
        for rule in rules:
            leaf = leaves.get(path)
            if rule.codes is None or leaf is None:
                continue
            tables[rule.codes.file] = rule.codes
            uses.setdefault(rule.codes.file, []).append(leaf)
            if leaf.codes not in list_ids() or (str(rule.place), str(leaf.codes)) in told:
                continue
            told.add((str(rule.place), str(leaf.codes)))
            with problems.kept():
                _rows(rule, rule.codes, str(leaf.codes))
    for file, table in tables.items():
        for row in table.rows:
            if not row.passes and not any(_reaches(row.caf, leaf) for leaf in uses[file]):
                lists = ", ".join(
                    dict.fromkeys(str(leaf.codes or leaf.form) for leaf in uses[file])
                )
                with problems.kept():
                    raise PositionedError(
                        row.place, f"{row.caf} is no code of {lists}: the row can never match"
                    )


def _rows(rule: Rule, table: Table, list_id: str) -> None:
    missing = [
        code
        for code in code_list(list_id).codes
        if code not in table.outward and code not in table.silent
    ]
    if missing and not table.passes and rule.only != "in":
        raise PositionedError(
            rule.place, f"{table.file} has no row for {', '.join(missing)} of {list_id}"
        )


def _reaches(code: str, leaf: Leaf) -> bool:
    """Return whether *leaf* can hold *code*."""
    if leaf.form == "bool":
        return code in {"true", "false"}
    if leaf.codes not in list_ids():
        return True
    return standing(str(leaf.codes), code) is not Standing.REFUSED


def _words(slot: Slot, shape: Shape, problems: Problems) -> None:
    """Check that the words of code tables are words of the format, where it has a list of them."""
    if isinstance(slot, Object):
        for name, inner in slot.fields.items():
            if slot.kind is not None:
                for rule in _coded(inner):
                    _word(slot.kind, name, rule, shape, problems)
            _words(inner, shape, problems)
    elif isinstance(slot, Listed):
        for part in slot.parts:
            _words(part.content, shape, problems)


def _coded(slot: Slot) -> Iterator[Rule]:
    """Yield the rules with a code table that fill *slot* itself, or the items that it lists."""
    if isinstance(slot, Filled):
        yield from (rule for rule in (slot.rule, *slot.also) if rule.codes is not None)
    elif isinstance(slot, Listed):
        for part in slot.parts:
            if isinstance(part.content, Filled):
                yield from _coded(part.content)


def _word(kind: str, name: str, rule: Rule, shape: Shape, problems: Problems) -> None:
    for row in () if rule.codes is None or rule.only == "in" else rule.codes.rows:
        if row.way in "=>" and row.wire and not row.passes:
            try:
                shape.constant(kind, name, row.wire)
            except ValueError as wrong:
                with problems.kept():
                    raise PositionedError(row.place, f"{wrong} (rule at {rule.place})") from None


def _targets(slot: Slot, written: Written, shape: Shape, problems: Problems) -> None:
    """Check that every reference names a resource that the format allows at its place."""
    if isinstance(slot, Object):
        for name, inner in slot.fields.items():
            if slot.kind is not None:
                for reference in _references(inner):
                    with problems.kept():
                        _lawful(slot.kind, name, reference, written, shape)
            _targets(inner, written, shape, problems)
    elif isinstance(slot, Listed):
        for part in slot.parts:
            _targets(part.content, written, shape, problems)


def _references(slot: Slot) -> Iterator[Rule]:
    """Yield the rules that fill ``reference`` of the Reference (or list of them) *slot*."""
    if isinstance(slot, Listed):
        for part in slot.parts:
            yield from _references(part.content)
    elif isinstance(slot, Object) and slot.kind == "Reference":
        held = slot.fields.get("reference")
        if isinstance(held, Filled):
            yield from (held.rule, *held.also)


def _lawful(kind: str, name: str, rule: Rule, written: Written, shape: Shape) -> None:
    allowed = shape.targets(kind, name)
    for entry in (*((rule.to,) if rule.to else ()), *rule.refer, *rule.refer_all):
        target = written.entries[entry].resource.name
        if allowed and target not in allowed:
            raise PositionedError(
                rule.place, f"{kind}.{name} may not refer to a {target}, only {', '.join(allowed)}"
            )


def _slices(written: Written, name: str, problems: Problems) -> None:
    """Check that rules for single items of a coded list cover every code of it."""
    entry: Entry = written.envelope if name == "envelope" else written.entries[name]
    used: dict[str, set[str]] = {}
    places: dict[str, Rule] = {}
    for rule in every_rule(entry.rules):
        if rule.caf is None:
            continue
        for key in slice_keys(rule):
            for step in rule.caf.steps:
                if step.kind is Kind.SLICE:
                    used.setdefault(key, set()).update(value for _where, value in step.where)
                    places.setdefault(key, rule)
    leaves = all_leaves()
    for key, values in used.items():
        leaf = leaves.get(key)
        if leaf is None or leaf.codes is None:
            continue
        missing = [code for code in code_list(leaf.codes).codes if code not in values]
        if missing:
            with problems.kept():
                raise PositionedError(
                    places[key].place, f"no rule for {key} {', '.join(missing)} of {leaf.codes}"
                )
