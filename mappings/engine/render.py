"""Compiles the plan of an entry into plain closures that build its resource from the canonical
tree.

Nothing is parsed, looked up by path or compiled while a message runs.  Rules of one wire object
that read the same canonical branch fetch it once; where the branch is absent the whole object costs
one look. With *trace* the same closures are made with recording leaves: see
`mappings.engine.trace`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.errors import Code, Fault, Rejected
from mappings.engine.access import Get, conditions, getter
from mappings.engine.branches import below, runs, shared
from mappings.engine.chain import SELF, Chain, Finish, around, chain, said
from mappings.engine.model import Rule
from mappings.engine.narrative import narrator
from mappings.engine.paths import Path
from mappings.engine.rendering import Rendering
from mappings.engine.shape import Shape
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot, structural

Build = Callable[[Any, "Rendering"], Any]
"""(item, context) to the wire value, or None where there is nothing to say."""


class Demand(Protocol):
    """Makes (once) the entry for a referenced block and returns its address."""

    def __call__(self, block: Any, context: "Rendering") -> str:
        """Return the address."""
        ...


class Trace(Protocol):
    """Wraps a leaf's closure so that it records where its value came from."""

    def leaf(self, rule: Rule, build: Build, get: Get | None) -> Build:
        """Return the recording form of *build*."""
        ...

    def word(self, word: Finish) -> Finish:
        """Return *word* for wrapped values."""
        ...


@dataclass(frozen=True, slots=True)
class Compiler:
    """What the closures of one mapping share: how to demand entries, and whether to record."""

    mapping: str
    demands: Mapping[str, Demand]
    shape: Shape
    trace: Trace | None = None

    def resource(self, plan: Object, heading: Mapping[str, Any]) -> Build:
        """Return what builds one resource; it is built even if only its constants are left."""
        return self._object(plan, None, always=True, heading=heading)

    def _slot(self, slot: Slot, branch: Path | None) -> Build:
        if self.trace is None and not isinstance(slot, Leaf) and not structural(slot):
            found = around(slot)
            if found is not None:
                return _around(self._leaf(found[0], branch), found[1])
        if isinstance(slot, Leaf):
            return self._leaf(slot, branch)
        if isinstance(slot, Object):
            return self._object(slot, branch, always=structural(slot))
        if isinstance(slot, Listed):
            return self._list(slot, branch)
        value = slot.value
        return lambda _item, _context: value

    def _leaf(self, slot: Leaf, branch: Path | None) -> Build:
        builds = tuple(self._rule(rule, branch) for rule in (slot.rule, *slot.also))
        if len(builds) == 1:
            return builds[0]

        def first(item: Any, context: Rendering) -> Any:
            for build in builds:
                value = build(item, context)
                if value is not None:
                    return value
            return None

        return first

    def _rule(self, rule: Rule, branch: Path | None) -> Build:
        if rule.only == "in":
            return lambda _item, _context: None
        get = None if rule.caf is None else getter(below(rule.caf, branch))
        build = self._value(rule, get)
        if self.trace is not None:
            build = self.trace.leaf(rule, build, get)
        if rule.required:
            build = self._required(rule, build)
        test = conditions(rule.when)
        if test is None:
            return build
        return lambda item, context: build(item, context) if test(item, context) else None

    def _required(self, rule: Rule, build: Build) -> Build:
        fault = Fault(
            Code.MAPPING,
            str(rule.covers or rule.caf or ""),
            f"{self.mapping} cannot be written without it (rule at {rule.place})",
        )

        def needed(item: Any, context: Rendering) -> Any:
            value = build(item, context)
            if value is None:
                raise Rejected(
                    Code.MAPPING, f"{fault.path or rule.wire}: {fault.remedy}", faults=(fault,)
                )
            return value

        return needed

    def _value(self, rule: Rule, get: Get | None) -> Build:
        if rule.const is not None:
            value = rule.const
            return lambda _item, _context: value
        if rule.refer:
            return _reference(rule.refer)
        if rule.refer_all:
            return lambda item, _context: item
        if rule.narrate:
            return narrator(rule, self.shape)
        if get is None:
            return lambda _item, _context: None
        word = said(rule)
        if word is not None:
            return _told(get, word if self.trace is None else self.trace.word(word))
        if rule.to is not None:
            return self._to(rule.to, get)
        return get

    def _to(self, name: str, get: Get) -> Build:
        demand = self.demands.get(name)
        if demand is None:

            def known(item: Any, context: Rendering) -> Any:
                return context.urls[name].get(get(item, context))

            return known

        def made(item: Any, context: Rendering) -> Any:
            block = get(item, context)
            return demand(block, context) if block else None

        return made

    def _object(
        self,
        plan: Object,
        branch: Path | None,
        *,
        always: bool,
        heading: Mapping[str, Any] | None = None,
    ) -> Build:
        branched = None if always else shared(plan)
        if branched is not None and branched != branch:
            inner = self._object(plan, branched, always=False)
            fetch = getter(below(branched, branch))

            def hoisted(item: Any, context: Rendering) -> Any:
                here = fetch(item, context)
                return None if not here else inner(here, context)

            return hoisted
        constants: dict[str, Any] = dict(heading or {})
        plain: list[tuple[str, str, Finish | None]] = []
        parts: list[tuple[str, Build]] = []
        company: list[tuple[str, Build]] = []
        for name, slot in plan.fields.items():
            if isinstance(slot, Constant):
                constants[name] = slot.value
            elif (folded := self._folded(slot, branch)) is not None and folded.member:
                plain.append((name, folded.member, folded.finish))
            else:
                (company if structural(slot) else parts).append((name, self._slot(slot, branch)))
        return _assembled(
            constants,
            tuple(plain),
            tuple(parts),
            tuple(company),
            always=always,
            heading=heading is not None,
        )

    def _folded(self, slot: Slot, branch: Path | None) -> Chain | None:
        """Return *slot* as a chain, unless it must record."""
        if self.trace is not None:
            return None
        return chain(slot, lambda path: below(path, branch))

    def _list(self, slot: Listed, branch: Path | None) -> Build:
        if len(slot.parts) == 1:
            (part,) = slot.parts
            build = self._part(part, branch)
            if part.rule is not None:
                return build

            def single(item: Any, context: Rendering) -> Any:
                value = build(item, context)
                return None if value is None else [value]

            return single
        return self._several(slot.parts, branch)

    def _several(self, parts: Sequence[Part], branch: Path | None) -> Build:
        builds: tuple[tuple[str | None, bool, Any], ...] = tuple(
            self._item(run[0], branch) if len(run) == 1 else (None, True, self._run(run, branch))
            for run in runs(parts, branch)
        )

        def several(item: Any, context: Rendering) -> Any:
            out: list[Any] = []
            for member, many, build in builds:
                if member is not None:
                    value = item.get(member)
                    if value is not None:
                        value = build(value)
                        if value is not None:
                            out.append(value)
                    continue
                value = build(item, context)
                if value is not None:
                    if many:
                        out += value
                    else:
                        out.append(value)
            return out or None

        return several

    def _run(self, parts: Sequence[Part], branch: Path | None) -> Build:
        """Return what builds items that all read one branch, after one look for the branch."""
        branched = shared(Listed(list(parts)))
        if branched is None:
            return self._several(parts, branch)
        inner = self._several(parts, branched)
        fetch = getter(below(branched, branch))

        def run(item: Any, context: Rendering) -> Any:
            here = fetch(item, context)
            return None if not here else inner(here, context)

        return run

    def _item(self, part: Part, branch: Path | None) -> tuple[str | None, bool, Any]:
        """Return one kind of item of a list: folded around a member, or as a closure of its own."""
        if part.rule is None:
            folded = self._folded(part.content, branch)
            if folded is not None and folded.member and folded.finish is not None:
                return folded.member, False, folded.finish
        return None, part.rule is not None, self._part(part, branch)

    def _part(self, part: Part, branch: Path | None) -> Build:
        if part.rule is None:
            return self._slot(part.content, branch)
        rule = part.rule
        if rule.refer_all:
            return _all_of(rule.refer_all, self._slot(part.content, None))
        get = getter(below(rule.source, branch))
        test = conditions(rule.when)
        folded = self._folded(part.content, None)
        if folded is not None and folded.member == SELF:
            return _each_plain(get, folded.finish, test)
        return _each(get, self._slot(part.content, None), test)


def _around(build: Build, wrap: Finish) -> Build:
    def around_it(item: Any, context: Rendering) -> Any:
        value = build(item, context)
        return None if value is None else wrap(value)

    return around_it


def _told(get: Get, word: Finish) -> Build:
    def told(item: Any, context: Rendering) -> Any:
        value = get(item, context)
        return None if value is None else word(value)

    return told


def _reference(names: tuple[str, ...]) -> Build:
    def first(_item: Any, context: Rendering) -> Any:
        for name in names:
            for url in context.urls[name].values():
                return url
        return None

    return first


def _all_of(names: tuple[str, ...], build: Build) -> Build:
    def everyone(_item: Any, context: Rendering) -> Any:
        urls = [url for name in names for url in context.urls[name].values()]
        return [build(url, context) for url in urls] or None

    return everyone


def _each_plain(get: Get, finish: Finish | None, test: Callable[[Any, Any], bool] | None) -> Build:
    def each(item: Any, context: Rendering) -> Any:
        if test is not None and not test(item, context):
            return None
        values = get(item, context)
        if not values:
            return None
        if finish is None:
            return list(values)
        out = [made for v in values if (made := finish(v)) is not None]
        return out or None

    return each


def _each(get: Get, build: Build, test: Callable[[Any, Any], bool] | None) -> Build:
    def each(item: Any, context: Rendering) -> Any:
        if test is not None and not test(item, context):
            return None
        values = get(item, context)
        if not values:
            return None
        out = [made for value in values if (made := build(value, context)) is not None]
        return out or None

    return each


def _assembled(
    constants: dict[str, Any],
    plain: tuple[tuple[str, str, Finish | None], ...],
    parts: tuple[tuple[str, Build], ...],
    company: tuple[tuple[str, Build], ...],
    *,
    always: bool,
    heading: bool,
) -> Build:
    if not plain and not company and len(parts) == 1 and not always:
        ((only, make),) = parts
        if len(constants) == 1:
            ((name, fixed),) = constants.items()

            def beside_one(item: Any, context: Rendering) -> Any:
                value = make(item, context)
                return None if value is None else {name: fixed, only: value}

            return beside_one

        def wrapped(item: Any, context: Rendering) -> Any:
            value = make(item, context)
            return None if value is None else {**constants, only: value}

        return wrapped
    least = len(constants)

    def build(item: Any, context: Rendering) -> Any:
        out = constants.copy()
        for wire, member, finish in plain:
            value = item.get(member)
            if value is not None:
                if finish is not None:
                    value = finish(value)
                    if value is None:
                        continue
                out[wire] = value
        for wire, make in parts:
            value = make(item, context)
            if value is not None:
                out[wire] = value
        if len(out) == least and not always:
            return None
        for wire, make in company:
            value = make(item, context)
            if value is not None:
                out[wire] = value
        if company and len(out) == least and not heading:
            return None  # conditions only, and none of them held
        return out or None

    return build
