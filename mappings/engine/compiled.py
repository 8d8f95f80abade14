"""A mapping ready to run: both directions, compiled once, without state of its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import Code, Fault, Rejected
from hub.positioned import PositionedError, Problems
from mappings.engine import read as reading
from mappings.engine.access import Get, conditions, getter
from mappings.engine.model import Entry, Rule, Written
from mappings.engine.paths import Path
from mappings.engine.render import Build, Compiler, Trace
from mappings.engine.rendering import Notes, Rendering
from mappings.engine.rules import every_rule
from mappings.engine.session import ReadBack, Session, Taken, levels
from mappings.engine.shape import Shape
from mappings.engine.tree import Object, Part, plan

MAX_ENTRIES: Final = 2000
SEED: Final = ("message", "message_id")


@dataclass(frozen=True, slots=True)
class _Made:
    """One entry, compiled towards the wire."""

    name: str
    build: Build
    instances: Callable[[Rendering], Iterator[tuple[Any, Any, Any]]]
    test: Callable[[Any, Any], bool] | None


class Compiled:
    """One mapping, compiled; safe to share, because nothing in it changes."""

    def __init__(self, written: Written, shape: Shape, trace: Trace | None = None) -> None:
        """Compile; raises `PositionedErrors` with every fault of the mapping."""
        self.written = written
        self._shape = shape
        problems = Problems()
        _references(written, problems)
        problems.settle()
        plans: dict[str, Object] = {}
        for entry in (written.envelope, *written.entries.values()):
            with problems.kept():
                plans[entry.name] = plan(entry.resource.name, entry.rules, shape, entry.resource)
        problems.settle()
        self.plans = plans
        self._render_side(plans, trace)
        self._read_side(plans)

    def _render_side(self, plans: Mapping[str, Object], trace: Trace | None) -> None:
        entries = self.written.entries
        demands = {
            name: _demand(name, entry) for name, entry in entries.items() if entry.of is not None
        }
        compiler = Compiler(
            f"{self.written.name} {self.written.version}", demands, self._shape, trace
        )
        heading = self._shape.heading
        envelope = self.written.envelope
        self._envelope = compiler.resource(plans["envelope"], heading(envelope.resource.name))
        self._builds = {
            name: compiler.resource(plans[name], heading(entry.resource.name))
            for name, entry in entries.items()
        }
        self._made = tuple(
            _Made(
                name,
                self._builds[name],
                _instances(entry),
                conditions(entry.when),
            )
            for name, entry in entries.items()
            if entry.of is None
        )

    def _read_side(self, plans: Mapping[str, Object]) -> None:
        heading = self._shape.heading
        envelope = self.written.envelope
        self._take_envelope = reading.resource(plans["envelope"], heading(envelope.resource.name))
        self._taken: dict[str, list[Taken]] = {}
        for name, entry in self.written.entries.items():
            take = reading.resource(plans[name], heading(entry.resource.name))
            lists = tuple(tuple(step.name for step in part) for part in levels(entry.each))
            key = entry.key[-1].steps[-1].name if entry.key and entry.key[-1].steps else ""
            taken = Taken(
                entry, take, entry.resource.name, _matches(entry, plans[name]), lists, key
            )
            self._taken.setdefault(entry.resource.name, []).append(taken)

    def render(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wire document of the released *tree*.

        Raises `Rejected` with ``E_MAPPING``, naming rule and path, where the format cannot say it.
        """
        return self._assemble(tree, Rendering(tree, self._address(tree)))

    def recorded(self, tree: Mapping[str, Any]) -> tuple[dict[str, Any], Notes]:
        """Return the document of a wrapped tree, full of marks (compiled to record)."""
        notes = Notes()
        context = Rendering(tree, self._address(tree), notes=notes)
        return self._assemble(tree, context), notes

    def _address(self, tree: Mapping[str, Any]) -> Callable[[str], str]:
        if not self._made:
            return str
        seed = tree.get(SEED[0], {}).get(SEED[1])
        if not seed:
            path = ".".join(SEED)
            fault = Fault(Code.MAPPING, path, "the ids of a document are made from it")
            raise Rejected(Code.MAPPING, f"{path}: {fault.remedy}", faults=(fault,))
        return self._shape.addresses(str(seed))

    def _assemble(self, tree: Mapping[str, Any], context: Rendering) -> dict[str, Any]:
        address, urls = context.address, context.urls
        waiting: list[tuple[Build, Any, Any, str]] = []
        for made in self._made:
            known = urls[made.name] = {}
            test = made.test
            for key, item, outer in made.instances(context):
                if test is not None and not test(item, context):
                    continue
                text = "/".join(map(str, key)) if type(key) is tuple else key
                url = address(f"{made.name}/{text}")
                if key in known:
                    raise Rejected(Code.MAPPING, f"{made.name}: two items have the same key")
                known[key] = url
                waiting.append((made.build, item, outer, url))
        if len(waiting) > MAX_ENTRIES:
            raise Rejected(Code.MAPPING, f"more than {MAX_ENTRIES} entries")
        entries: list[tuple[str, dict[str, Any]]] = []
        for build, item, outer, url in waiting:
            context.outer = outer
            entries.append((url, build(item, context)))
        envelope = self._envelope(tree, context) or {}
        demanded = context.waiting
        position = 0
        while position < len(demanded):  # building one may demand more
            name, block, url = demanded[position]
            entries.append((url, self._builds[name](block, context)))
            position += 1
            if position > MAX_ENTRIES:
                raise Rejected(Code.MAPPING, f"more than {MAX_ENTRIES} entries")
        return self._shape.assemble(envelope, entries, address)

    def read(self, document: Mapping[str, Any]) -> ReadBack:
        """Return the canonical message that *document* says.

        The document has passed its format's own checks; what no rule knows is listed, and what
        disagrees with itself is a fault.
        """
        envelope, pieces = self._shape.take_apart(document)
        return Session(self._taken, self._shape, pieces).run(self._take_envelope, envelope)


def _instances(entry: Entry) -> Callable[[Rendering], Iterator[tuple[Any, Any, Any]]]:
    """Return what yields (key, item, enclosing item) of every instance of *entry*."""
    lists = tuple(getter(Path(steps)) for steps in levels(entry.each))
    keys = tuple(getter(path) for path in entry.key)
    if not lists:

        def alone(context: Rendering) -> Iterator[tuple[Any, Any, Any]]:
            yield "", context.root, context.root

        return alone
    if len(lists) == 1:
        (only,) = lists

        def flat(context: Rendering) -> Iterator[tuple[Any, Any, Any]]:
            for position, item in enumerate(only(context.root, context) or ()):
                yield _key(keys, item, context, position), item, context.root

        return flat
    first, second = lists

    def nested(context: Rendering) -> Iterator[tuple[Any, Any, Any]]:
        position = 0
        for outer in first(context.root, context) or ():
            context.outer = outer
            for item in second(outer, context) or ():
                yield _key(keys, item, context, position), item, outer
                position += 1

    return nested


def _key(keys: tuple[Get, ...], item: Any, context: Rendering, position: int) -> Any:
    if len(keys) == 1:
        found = keys[0](item, context)
        return f"#{position}" if found is None else found
    values = tuple(get(item, context) for get in keys)
    return (f"#{position}",) if not values or None in values else values


def _demand(name: str, entry: Entry) -> Any:
    """Return what makes the entry of a block once: equal blocks share it, others get their own."""
    keys = tuple(getter(path) for path in entry.key)
    (first, *others) = keys

    def demand(block: Any, context: Rendering) -> str:
        key = first(block, context)
        if others:
            key = "/".join(str(get(block, context) or "") for get in keys)
        here = (name, key)
        known = context.made.get(here)
        if known is None:
            known = context.made[here] = []
        for held, url in known:
            if held is block or held == block:
                if context.notes is not None:
                    context.notes.shared.append((held, block))
                return url
        url = context.address(f"{name}/{key}/{len(known)}" if known else f"{name}/{key}")
        known.append((block, url))
        context.waiting.append((name, block, url))
        return url

    return demand


def _matches(entry: Entry, made: Object) -> Callable[[Any], bool]:
    part = Part(entry.resource.where, entry.resource, made)
    return reading._matcher(part)  # noqa: SLF001  the same recognition as in lists


def _references(written: Written, problems: Problems) -> None:
    """Check that every entry that a rule names exists, and that demands do not go in a circle."""
    entries = written.entries

    def check(rule: Rule, name: str, *, demanded: bool) -> None:
        with problems.kept():
            if name not in entries:
                raise PositionedError(
                    rule.place, f"there is no entry {name}; there are {', '.join(entries)}"
                )
            if not demanded and entries[name].of is not None:
                raise PositionedError(rule.place, f"{name} is made on demand: use to")

    for entry in (written.envelope, *entries.values()):
        for rule in every_rule(entry.rules):
            if rule.to is not None:
                check(rule, rule.to, demanded=True)
            for name in (*rule.refer, *rule.refer_all):
                check(rule, name, demanded=False)
    for entry in entries.values():
        with problems.kept():
            _circle(entry, entries, (entry.name,))


def _circle(entry: Entry, entries: Mapping[str, Entry], above: tuple[str, ...]) -> None:
    if entry.of is None:
        return
    for rule in every_rule(entry.rules):
        following = entries.get(rule.to or "")
        if following is None or following.of is None:
            continue
        if following.name in above:
            raise PositionedError(rule.place, f"{following.name} demands itself")
        _circle(following, entries, (*above, following.name))
