"""The rules of one entry, sorted by where they stand on the wire: the plan from which both
directions compile.

Here two rules that write one place are found, and every wire path is checked against the format's
own definitions: an unknown element, a list written as a single value, a constant of the wrong type.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from hub.positioned import PositionedError, Problems
from mappings.engine.model import Rule
from mappings.engine.paths import Kind, Path, Step
from mappings.engine.shape import Shape


@dataclass(slots=True)
class Constant:
    """A value that the format wants; *rule* is where it is written."""

    value: Any
    rule: Rule


@dataclass(slots=True)
class Leaf:
    """A place that a canonical value (or a reference) fills."""

    rule: Rule
    also: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Object:
    """An object under construction, of the format's type *kind*."""

    kind: str | None
    fields: "dict[str, Slot]" = field(default_factory=dict)


@dataclass(slots=True)
class Part:
    """One kind of item of a list: found and made by *where*; *rule* runs over many."""

    where: tuple[tuple[Path, Any], ...]
    step: Step
    content: "Slot"
    rule: Rule | None = None


@dataclass(slots=True)
class Listed:
    """A list, its fixed items first."""

    parts: list[Part] = field(default_factory=list)

    def sorted_parts(self) -> list[Part]:
        """Return the parts, those with most conditions first: so items are recognised."""
        return sorted(self.parts, key=lambda part: -len(part.where))


Slot = Constant | Leaf | Object | Listed


def plan(kind: str, rules: Sequence[Rule], shape: Shape, where: Step | None = None) -> Object:
    """Return the plan of one resource; raises `PositionedErrors`."""
    problems = Problems()
    top = Object(kind)
    for path, value in where.where if where else ():
        first = rules[0] if rules else None
        if first is not None:
            fixed = Rule(place=first.place, wire=path, const=value)
            with problems.kept():
                _insert(top, path.steps, fixed, shape)
    for rule in rules:
        with problems.kept():
            _insert(top, rule.wire.steps, rule, shape)
    problems.settle()
    return top


def _fail(rule: Rule, message: str) -> NoReturn:
    raise PositionedError(rule.place, message)


def _member(here: Object, step: Step, rule: Rule, shape: Shape) -> str | None:
    """Return the type of what *step* leads to, after checking that the format has it so."""
    if here.kind is None:
        return None
    try:
        member = shape.member(here.kind, step.name)
    except ValueError as wrong:
        _fail(rule, str(wrong))
    if member is None:
        return None
    if member.many and step.kind is Kind.FIELD:
        _fail(rule, f"{here.kind}.{step.name} is a list: write {step.name}[], [0] or [x=y]")
    if not member.many and step.kind is not Kind.FIELD:
        _fail(rule, f"{here.kind}.{step.name} is not a list: write {step.name}")
    return member.type


def _insert(here: Object, steps: tuple[Step, ...], rule: Rule, shape: Shape) -> None:
    step, rest = steps[0], steps[1:]
    kind = _member(here, step, rule, shape)
    if step.kind is Kind.FIELD:
        if not rest and not step.where:
            _place(here, step, rule, shape)
            return
        inner = here.fields.setdefault(step.name, Object(kind))
        if not isinstance(inner, Object):
            _fail(rule, f"{step.name} has a rule of its own already")
        _conditions(inner, step, rule, shape)
        if rest:
            _insert(inner, rest, rule, shape)
        return
    listed = here.fields.setdefault(step.name, Listed())
    if not isinstance(listed, Listed):
        _fail(rule, f"{step.name} has a rule of its own already")
    part = _part(listed, step, kind, rule, shape)
    if step.kind.many:
        _over_many(part, rule, rest, shape)
    elif rest:
        if not isinstance(part.content, Object):
            _fail(rule, f"{step} has a rule of its own already")
        _insert(part.content, rest, rule, shape)
    elif isinstance(part.content, Object) and not part.content.fields:
        part.content = _content(rule, here, step, shape)
    else:
        _fail(rule, f"two rules write {step}")


def _place(here: Object, step: Step, rule: Rule, shape: Shape) -> None:
    held = here.fields.get(step.name)
    if held is None:
        here.fields[step.name] = _content(rule, here, step, shape)
    elif isinstance(held, Leaf) and held.rule.only == rule.only == "in":
        held.also.append(_worded(rule, shape))  # one place of the wire says several leaves
    elif isinstance(held, Leaf) and (rule.when or held.rule.when):
        for before in (held.rule, *held.also):
            if (before.when, before.caf, before.const) == (rule.when, rule.caf, rule.const):
                _fail(rule, f"this can never match: {before.place} says the same, and comes first")
        other = _content(rule, here, step, shape)  # conditions choose between them
        held.also.append(other.rule)
    elif isinstance(held, Constant) and rule.const == held.rule.const:
        return  # the same condition, from two rules of one slice
    else:
        _fail(rule, f"two rules write {step.name}: the other is at {_other(held)}")


def _other(held: Slot) -> str:
    if isinstance(held, Leaf | Constant):
        return str(held.rule.place)
    return "a longer path"


def _content(rule: Rule, here: Object, step: Step, shape: Shape) -> Constant | Leaf:
    if rule.const is None:
        return Leaf(_worded(rule, shape))
    value = constant(rule, here.kind, step.name, shape)
    return Leaf(replace(rule, const=value)) if rule.when else Constant(value, rule)


def _worded(rule: Rule, shape: Shape) -> Rule:
    """Return *rule* with the format's words for its leaf's form, unless it has words of its own."""
    if rule.form is None or rule.codes or rule.prefix is not None or rule.to or rule.words:
        return rule
    return replace(rule, words=shape.words(rule.form))


def constant(rule: Rule, kind: str | None, name: str, shape: Shape) -> Any:
    """Return the typed value of a constant rule."""
    if kind is None:
        return rule.const
    try:
        return shape.constant(kind, name, rule.const)
    except ValueError as wrong:
        _fail(rule, str(wrong))


def _conditions(inner: Object, step: Step, rule: Rule, shape: Shape) -> None:
    for path, value in step.where:
        _insert(inner, path.steps, Rule(place=rule.place, wire=path, const=value), shape)


def _part(listed: Listed, step: Step, kind: str | None, rule: Rule, shape: Shape) -> Part:
    for part in listed.parts:
        if frozenset(part.step.where) != frozenset(step.where):
            continue
        if step.kind.many or part.step.kind.many:
            other = part.rule or _first(part.content) or rule
            _fail(rule, f"two rules write {step}: the other is at {other.place}")
        return part
    made = Object(kind)
    _conditions(made, step, rule, shape)
    part = Part(step.where, step, made)
    listed.parts.append(part)
    return part


def _first(slot: Slot) -> Rule | None:
    """Return a rule that stands below *slot*."""
    return next((held.rule for held in leaves(slot) if held.rule.caf is not None), None)


def _over_many(part: Part, rule: Rule, rest: tuple[Step, ...], shape: Shape) -> None:
    if rule.refer_all:
        part.rule = rule
        if rest and isinstance(part.content, Object):
            _insert(part.content, rest, rule, shape)
        else:
            part.content = Leaf(rule)
        return
    if rest or rule.caf is None or not rule.rules:
        _fail(rule, "a step over many items needs a list on the canonical side")
    part.rule = rule
    inner = part.content
    if not isinstance(inner, Object):
        _fail(rule, f"{part.step} has a rule of its own already")
    for one in rule.rules:
        if one.wire.steps:
            _insert(inner, one.wire.steps, one, shape)
        elif len(rule.rules) == 1 and not inner.fields:
            part.content = Leaf(_worded(one, shape))
        else:
            _fail(one, "the item itself can have one rule only")


def leaves(slot: Slot) -> Iterator[Leaf | Constant]:
    """Yield what fills the places at and below *slot*."""
    if isinstance(slot, Leaf | Constant):
        yield slot
    elif isinstance(slot, Object):
        for inner in slot.fields.values():
            yield from leaves(inner)
    else:
        for part in slot.parts:
            yield from leaves(part.content)


def structural(slot: Slot) -> bool:
    """Return whether *slot* holds constants only: these go in company, never alone."""
    if isinstance(slot, Constant):
        return True
    if isinstance(slot, Leaf):
        return all(rule.const is not None for rule in (slot.rule, *slot.also))
    if isinstance(slot, Object):
        return all(structural(inner) for inner in slot.fields.values())
    return all(part.rule is None and structural(part.content) for part in slot.parts)
