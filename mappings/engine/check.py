"""What a mapping must keep besides being readable: every leaf named, references lawful, codes
complete.

A canonical leaf that is named by no rule and not declared lost is an error: a field added to the
dictionary cannot vanish unseen.  A reference that the format forbids is found here, at load, and
therefore needs no test while messages run.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from hub.domain.codes import code_list, list_ids
from hub.positioned import PositionedError, Problems
from mappings.engine.canonical import all_leaves
from mappings.engine.model import Entry, Rule, Written
from mappings.engine.paths import Kind
from mappings.engine.rules import every_rule
from mappings.engine.shape import Shape
from mappings.engine.tree import Leaf, Listed, Object, Slot

EPISODE: Final = "episode."


def check(written: Written, plans: Mapping[str, Object], shape: Shape) -> None:
    """Check the mapping; raises `PositionedErrors` with every fault."""
    problems = Problems()
    _coverage(written, problems)
    _codes(written, problems)
    for name, plan in plans.items():
        _targets(plan, written, shape, problems)
        _slices(written, name, problems)
    problems.settle()


def named(written: Written) -> dict[str, list[Rule]]:
    """Return every canonical leaf that some rule names, with the rules, by generic path."""
    found: dict[str, list[Rule]] = {}
    for entry in (written.envelope, *written.entries.values()):
        if entry.of is None:
            for path, rule in _named(entry.rules, written, ""):
                found.setdefault(path, []).append(rule)
    return found


def _named(rules: tuple[Rule, ...], written: Written, prefix: str) -> Iterator[tuple[str, Rule]]:
    """Yield the leaves that *rules* name; those of a demanded entry are seen from *prefix*."""
    for rule in every_rule(rules):
        for path in slice_keys(rule):
            yield _joined(prefix, path), rule
        for above in rule.narrate:
            for path in all_leaves():
                if _under(path, _joined(prefix, above)):
                    yield path, rule
        if rule.rules or rule.covers is None:
            continue
        demanded = written.entries.get(rule.to or "")
        if demanded is not None and demanded.of is not None:
            yield from _named(demanded.rules, written, _joined(prefix, rule.covers))
        elif rule.whole:
            below = _joined(prefix, rule.covers)
            for path in all_leaves():
                if path == below or path.startswith((f"{below}.", f"{below}[]")):
                    yield path, rule
        else:
            yield _joined(prefix, rule.covers), rule


def _joined(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix and path else prefix or path


def slice_keys(rule: Rule) -> Iterator[str]:
    """Yield the leaves that the conditions of a canonical slice name."""
    if rule.caf is None or rule.covers is None:
        return
    for position, step in enumerate(rule.caf.steps):
        for where, _value in step.where:
            behind = rule.caf.steps[position + 1 :]
            above = rule.covers.split(".")
            yield ".".join([*above[: len(above) - len(behind)], str(where)])


def _coverage(written: Written, problems: Problems) -> None:
    leaves = all_leaves()
    found = named(written)
    for lost in written.lost:
        with problems.kept():
            if not any(_under(path, lost.path) for path in leaves):
                raise PositionedError(lost.place, f"there is no {lost.path} to lose")
            both = next((path for path in found if _under(path, lost.path)), None)
            if both is not None:
                raise PositionedError(
                    lost.place, f"{both} is declared lost, and {found[both][0].place} maps it"
                )
    declared = [lost.path for lost in written.lost]
    for path in leaves:
        if path not in found and not any(_under(path, lost) for lost in declared):
            with problems.kept():
                raise PositionedError(
                    written.place, f"{path} is named by no rule and not declared lost"
                )


def _under(path: str, above: str) -> bool:
    return path == above or path.startswith((f"{above}.", f"{above}[]"))


def _codes(written: Written, problems: Problems) -> None:
    leaves = all_leaves()
    for path, rules in named(written).items():
        leaf = leaves.get(path)
        for rule in rules:
            if rule.codes is None or leaf is None or leaf.codes not in list_ids():
                continue
            known = code_list(leaf.codes)
            table = rule.codes
            missing = [
                code
                for code in known.codes
                if code not in table.outward and code not in table.silent
            ]
            if missing and not table.passes:
                with problems.kept():
                    raise PositionedError(
                        rule.place,
                        f"{table.file} has no row for {', '.join(missing)} of {leaf.codes}",
                    )
            strange = [code for code in table.lines if code not in known.codes]
            if strange and not known.open:
                with problems.kept():
                    raise PositionedError(
                        rule.place, f"{table.file} has {', '.join(strange)}, not in {leaf.codes}"
                    )


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
        if isinstance(held, Leaf):
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
