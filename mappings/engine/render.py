"""Renders: turns the plan of an entry into straight-line code that builds its resource from the
canonical tree.

Nothing is parsed, looked up by path or decided while a message runs: objects are displays, lists
are appended to, and what is absent costs one look.  With *trace* the same code is made with
recording leaves: see `mappings.engine.trace`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Protocol

from hub.errors import Code, Fault, Rejected
from mappings.engine.access import Scope
from mappings.engine.branches import runs, shared
from mappings.engine.keeping import keeper
from mappings.engine.model import Rule
from mappings.engine.narrative import narrator
from mappings.engine.rendering import Rendering
from mappings.engine.seeking import seeker
from mappings.engine.shape import Finishing, Shape
from mappings.engine.source import Source
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot, structural
from mappings.engine.words import Shared, Word, word

Build = Callable[[Any, Rendering], Any]
"""(item, context) to the wire value, or None where there is nothing to say."""

Sink = Callable[[Scope, str], None]
"""Adds to the block given what is done with the value of the expression given."""

Record = Callable[[Any, Any, Rendering], Any]
"""(canonical value, wire value, context) to the wire value that remembers its origin."""

DEEPEST: Final = 12
"""Levels in one function; what lies deeper gets its own, because Python nests only so far."""

HELD: Final = "h"
MADE: Final = "m"
CHOSEN: Final = "a"
"""Variables of one leaf: its canonical value, its word, what the first rule that applies says.

Each is used before the next leaf is looked at.  Objects, lists and items are called after their
level (``o3``, ``i3``), so that a function needs a few dozen variables and not a thousand.
"""


class Trace(Protocol):
    """Makes the leaves of recording code."""

    def leaf(self, rule: Rule) -> Record:
        """Return what marks the values of *rule*; either value may be None."""
        ...

    def word(self, word: Word) -> Word:
        """Return *word* for wrapped values."""
        ...


NAMES: Final[Mapping[str, Any]] = {"Shared": Shared}
"""What generated rendering expects in the namespace."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """Writes the rendering code of one mapping into *source*.

    *demands* names the functions (block, context) that make the entry of a referenced block, once,
    and return its address.
    """

    source: Source
    mapping: str
    demands: Mapping[str, str]
    shape: Shape
    trace: Trace | None = None

    def resource(self, plan: Object, heading: Mapping[str, Any]) -> str:
        """Return the name of the function (item, context) that builds one resource.

        It is built even if only its constants are left.
        """
        scope = Scope(self.source, item="i")
        self._object(plan, scope, _return, 0, heading=heading)
        return self.source.function("i, c", scope)

    def _slot(self, slot: Slot, scope: Scope, sink: Sink, level: int) -> None:
        if isinstance(slot, Constant):
            sink(scope, self.source.literal(slot.value))
        elif isinstance(slot, Leaf):
            self.leaf(slot, scope, sink)
        elif level >= DEEPEST:
            self._apart(slot, scope, sink)
        elif (leaf := self.coded(slot, scope)) is not None:
            self._shared(slot, leaf.rule, scope, sink)
        elif isinstance(slot, Object):
            self._object(slot, scope, sink, level + 1)
        else:
            self._list(slot, scope, sink, level + 1)

    def _apart(self, slot: Slot, scope: Scope, sink: Sink) -> None:
        """Build *slot* in a function of its own."""
        inner = Scope(self.source, item="i", of=None if scope.of is None else "i")
        self._slot(slot, inner, _return, 0)
        build = self.source.function("i, c", inner)
        item = scope.start("item") if scope.of is None else scope.of
        sink(scope.inside(f"if ({MADE} := {build}({item}, c)) is not None:"), MADE)

    def coded(self, slot: Slot, scope: Scope) -> Leaf | None:
        """Return the only leaf of *slot* if it is a code, so that there are few such subtrees."""
        leaf = None if scope.of is not None or self.trace is not None else _only(slot)
        if leaf is None or leaf.also or leaf.rule.form not in {"code", "bool"}:
            return None
        rule = leaf.rule
        plain = rule.caf is not None and not (rule.to or rule.when or rule.required or rule.whole)
        return leaf if plain and rule.only != "in" else None

    def _shared(self, slot: Slot, rule: Rule, scope: Scope, sink: Sink) -> None:
        inner = Scope(self.source, item="i", of="i")
        self._slot(slot, inner, _return, 0)
        # A subtree of a code needs no context: it says the same in every message.
        made = self.source.made(f"Shared({self.source.function('i, c=None', inner)})")
        here = scope.inside(
            f"if ({HELD} := {scope.value(rule.source)}) is not None"
            f" and ({MADE} := {made}[{HELD}]) is not None:"
        )
        sink(here, MADE)

    def leaf(self, slot: Leaf, scope: Scope, sink: Sink) -> None:
        """Fetch the value of *slot*, and give it to *sink* where there is one."""
        rules = [rule for rule in (slot.rule, *slot.also) if rule.only != "in"]
        if len(rules) == 1:
            self._rule(rules[0], scope, sink)
            return
        scope.line(f"{CHOSEN} = None")
        for rule in rules:
            here = scope.inside(f"if {CHOSEN} is None:")
            self._rule(rule, here, lambda block, value: block.line(f"{CHOSEN} = {value}"))
        sink(scope.inside(f"if {CHOSEN} is not None:"), CHOSEN)

    def _rule(self, rule: Rule, scope: Scope, sink: Sink) -> None:
        # A reference to all of an entry is asked about once, outside its loop.
        if not rule.refer_all and (holds := scope.holds(rule.when)):
            scope = scope.inside(f"if {holds}:")
        tests, value = self._value(rule, scope)
        here = scope.inside(f"if {' and '.join(tests)}:") if tests else scope
        sink(here, value)
        if tests and rule.required:
            scope.inside("else:").line(f"{self._missing(rule)}()")

    def _missing(self, rule: Rule) -> str:
        """Return the name of what refuses because there is no value for *rule*."""
        path, place = str(rule.covers or rule.caf or ""), rule.place
        remedy = f"{self.mapping} cannot be written without it (rule at {place})"
        text = f"{path or rule.wire}: {remedy}"

        def missing() -> NoReturn:
            raise Rejected(Code.MAPPING, text, faults=(Fault(Code.MAPPING, path, remedy),))

        return self.source.bind(missing)

    def _value(self, rule: Rule, scope: Scope) -> tuple[list[str], str]:
        """Return the tests that a value of *rule* is there, and the value after them."""
        found, said = self._said(rule, scope)
        if self.trace is not None:
            mark = self.source.bind(self.trace.leaf(rule))
            if found is not None:
                there = HELD if rule.to in self.demands else f"{HELD} is not None"
                said = f"{said} if {there} else None"
            marked = f"{mark}({'None' if found is None else f'({HELD} := {found})'}, {said}, c)"
            return [f"({MADE} := {marked}) is not None"], MADE
        if found is None:
            certain = rule.const is not None or bool(rule.refer_all)
            return ([], said) if certain else ([f"({MADE} := {said}) is not None"], MADE)
        if rule.to in self.demands:
            return [f"({HELD} := {found})"], said
        there = f"({HELD} := {found}) is not None"
        if said == HELD:
            return [there], HELD
        return [there, f"({MADE} := {said}) is not None"], MADE

    def _said(self, rule: Rule, scope: Scope) -> tuple[str | None, str]:
        """Return what *rule* fetches, if anything, and what it says of that (then in `HELD`)."""
        source = self.source
        if rule.const is not None:
            return None, source.literal(rule.const)
        if rule.refer:
            names = source.bind(rule.refer)
            return None, f"c.firsts.get({names}) or first(c, {names})"
        if rule.refer_all:
            return None, scope.start("item")
        if rule.narrate:
            tell = narrator(rule, self.shape, recorded=self.trace is not None)
            return None, f"{source.bind(tell)}({scope.start('item')}, c)"
        if rule.seek:
            found = f"{seeker(source, rule.seek)}({scope.start('item')}, c)"
        else:
            found = scope.value(rule.source)
        if (say := word(rule)) is not None:
            if self.trace is not None:
                say = self.trace.word(say)
            return found, f"{source.bind(say)}({HELD})"
        if rule.to is None:
            return found, HELD
        if (demand := self.demands.get(rule.to)) is not None:
            return found, f"{demand}({HELD}, c)"
        return found, f"{scope.once(f'c.urls[{source.literal(rule.to)}].get')}({HELD})"

    def _object(
        self,
        plan: Object,
        scope: Scope,
        sink: Sink,
        level: int,
        heading: Mapping[str, Any] | None = None,
    ) -> None:
        """Build an object: constants first, then values, then what goes only in their company."""
        always = heading is not None
        constants: dict[str, Any] = dict(heading or {})
        parts: list[tuple[str, Slot]] = []
        company: list[tuple[str, Slot]] = []
        for name, slot in plan.fields.items():
            if isinstance(slot, Constant):
                constants[name] = slot.value
            else:
                (company if structural(slot) else parts).append((name, slot))
        if not always and len(parts) + len(company) <= 1:
            self._around(constants, [*parts, *company], scope, sink, level)
            return
        branch = shared(plan) if parts and not always else None
        if branch is not None and branch != scope.at:
            scope = scope.branch(branch)
        made = f"o{level}"
        scope.line(f"{made} = {self._display(constants)}")
        more = f"if len({made}) > {len(constants)}:" if constants else f"if {made}:"
        for name, slot in parts:
            self._slot(slot, scope, self._member(made, name), level)
        if parts and not always:
            scope = scope.inside(more)
        for name, slot in company:
            self._slot(slot, scope, self._member(made, name), level)
        if (not parts and not always) or (always and not constants):
            scope = scope.inside(more)
        if (finish := self._finish(plan)) is not None:
            scope.line(f"{finish}({made})")
        sink(scope, made)

    def _finish(self, plan: Object) -> str | None:
        """Return the name of what finishes an object of *plan*; what is recorded stays as it is."""
        if plan.kind is None or self.trace is not None or not isinstance(self.shape, Finishing):
            return None
        finish = self.shape.finishes(plan.kind)
        return None if finish is None else self.source.bind(finish)

    def _around(
        self,
        constants: Mapping[str, Any],
        rest: Sequence[tuple[str, Slot]],
        scope: Scope,
        sink: Sink,
        level: int,
    ) -> None:
        """Build an object that has one value at most: it is there if its value is."""
        if rest:
            ((name, slot),) = rest

            def wrapped(here: Scope, value: str) -> None:
                sink(here, self._display(constants, name, value))

            self._slot(slot, scope, wrapped, level)
        elif constants:
            sink(scope, self._display(constants))

    def _display(self, constants: Mapping[str, Any], name: str = "", value: str = "") -> str:
        literal = self.source.literal
        members = [f"{literal(key)}: {literal(fixed)}" for key, fixed in constants.items()]
        if value:
            members.append(f"{literal(name)}: {value}")
        return f"{{{', '.join(members)}}}"

    def _member(self, made: str, name: str) -> Sink:
        target = f"{made}[{self.source.literal(name)}]"
        return lambda scope, value: scope.line(f"{target} = {value}")

    def _list(self, slot: Listed, scope: Scope, sink: Sink, level: int) -> None:
        if len(slot.parts) == 1 and slot.parts[0].rule is None and keeper(slot.parts[0]) is None:
            self._slot(slot.parts[0].content, scope, lambda s, value: sink(s, f"[{value}]"), level)
            return
        made = f"o{level}"
        scope.line(f"{made} = []")
        self._several(slot.parts, scope, made, level)
        sink(scope.inside(f"if {made}:"), made)

    def _several(self, parts: Sequence[Part], scope: Scope, made: str, level: int) -> None:
        """Append the items of *parts* to *made*; neighbours of one branch after one look for it."""
        for run in runs(parts, scope.at):
            branch = shared(Listed(list(run))) if len(run) > 1 else None
            if branch is not None:
                self._several(run, scope.branch(branch), made, level)
                continue
            for part in run:
                self._part(part, scope, made, level)

    def _part(self, part: Part, scope: Scope, made: str, level: int) -> None:
        keep = keeper(part)
        kept = "" if keep is None else self.source.bind(keep)

        def append(here: Scope, value: str) -> None:
            here.line(f"{made}.append({kept}({value}))" if kept else f"{made}.append({value})")

        rule = part.rule
        if rule is None:
            self._slot(part.content, scope, append, level)
            return
        if holds := scope.holds(rule.when):
            scope = scope.inside(f"if {holds}:")
        item = f"i{level}"
        if rule.refer_all:
            items = f"every(c, {self.source.bind(rule.refer_all)})"
        else:
            items = f"{scope.value(rule.source)} or ()"
        self._slot(part.content, scope.inside(f"for {item} in {items}:", item=item), append, level)


def _return(scope: Scope, value: str) -> None:
    scope.line(f"return {value}")


def _only(slot: Slot) -> Leaf | None:
    """Return the only leaf of *slot* besides constants, if it has one and lies in no repetition."""
    if isinstance(slot, Leaf):
        return slot
    if isinstance(slot, Listed):
        alone = len(slot.parts) == 1 and slot.parts[0].rule is None
        return _only(slot.parts[0].content) if alone else None
    if not isinstance(slot, Object):
        return None
    rest = [inner for inner in slot.fields.values() if not isinstance(inner, Constant)]
    return _only(rest[0]) if len(rest) == 1 else None
