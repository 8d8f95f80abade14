"""A mapping ready to run: both directions, compiled once, without state of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from hub.errors import Code, Fault, Rejected
from hub.positioned import PositionedError, Problems
from mappings.engine import access, entries, read, render
from mappings.engine.alone import View, alone
from mappings.engine.model import Entry, Rule, Written
from mappings.engine.read import Reader
from mappings.engine.reading import Take
from mappings.engine.recognise import met, recogniser
from mappings.engine.render import Build, Renderer, Trace
from mappings.engine.rendering import Notes, Rendering
from mappings.engine.rules import every_rule
from mappings.engine.scripting import Scripting, Write
from mappings.engine.session import ReadBack, Session, Taken, taken_of
from mappings.engine.shape import Drafting, Shape
from mappings.engine.source import Source
from mappings.engine.trace_reading import listening
from mappings.engine.tree import Object, Part, plan

MAX_ENTRIES: Final = 2000
SEED: Final = ("message", "message_id")


@dataclass(frozen=True, slots=True)
class _Outward:
    """The functions of one mapping that render."""

    source: Source
    envelope: Build
    addressed: Callable[[Rendering], Sequence[tuple[Build, Any, Any, str]]]
    builds: Mapping[str, Build]


@dataclass(frozen=True, slots=True)
class _Script:
    """The function of one mapping that writes a document at once."""

    source: Source
    write: Write


@dataclass(frozen=True, slots=True)
class _Inward:
    """The functions of one mapping that read."""

    source: Source
    envelope: Take
    taken: Mapping[str, Callable[[Any], Taken | None]]


class Compiled:
    """One mapping, compiled; safe to share, because nothing in it changes.

    Each direction becomes code when it is first wanted (`ready`), and stays.
    """

    def __init__(self, written: Written, shape: Shape, trace: Trace | None = None) -> None:
        """Plan; raises `PositionedErrors` with every fault of the mapping."""
        self.written = written
        self._shape = shape
        self._trace = trace
        problems = Problems()
        _references(written, problems)
        problems.settle()
        plans: dict[str, Object] = {}
        for entry in (written.envelope, *written.entries.values()):
            with problems.kept():
                plans[entry.name] = plan(entry.resource.name, entry.rules, shape, entry.resource)
        problems.settle()
        self.plans = plans
        self._entries = any(entry.of is None for entry in written.entries.values())

    def ready(self, *, to_read: bool = True) -> None:
        """Compile what the mapping's direction asks for, so that no message has to wait for it.

        Without *to_read* only for what is sent, which is the smaller part by far.
        """
        if self.written.direction != "in" and self.script is None:
            self.outward  # noqa: B018  asked for, it is there
        if to_read and self.written.direction != "out":
            self.inward  # noqa: B018  as above

    @cached_property
    def outward(self) -> _Outward:
        """The rendering side."""
        source = Source(**access.NAMES, **entries.NAMES, **render.NAMES)
        written, heading = self.written.entries, self._shape.heading
        demands = entries.demands(source, written)
        renderer = Renderer(source, self._named, demands, self._shape, self._trace)
        names = {
            entry.name: renderer.resource(self.plans[entry.name], heading(entry.resource.name))
            for entry in (self.written.envelope, *written.values())
        }
        made = [(entry, names[name]) for name, entry in written.items() if entry.of is None]
        addressed = entries.addressing(source, made)
        find = source.loaded(self._named)
        builds = {name: find(build) for name, build in names.items()}
        return _Outward(source, builds["envelope"], find(addressed), builds)

    @cached_property
    def script(self) -> _Script | None:
        """What writes a document's text at once; None where the format has no such way."""
        if self._trace is not None or self.written.entries:
            return None
        if not isinstance(self._shape, Scripting):
            return None
        source = Source(**access.NAMES, **render.NAMES)
        renderer = Renderer(source, self._named, {}, self._shape)
        name = self._shape.script(renderer, self.plans["envelope"])
        return None if name is None else _Script(source, source.loaded(self._named)(name))

    @cached_property
    def inward(self) -> _Inward:
        """The reading side."""
        source = Source(**read.NAMES)
        reader, heading = Reader(source), self._shape.heading
        plans = self.plans if self._trace is None else listening(self.plans)
        names: dict[str, str] = {}
        for entry in (self.written.envelope, *self.written.entries.values()):
            resource = entry.resource
            known = met(resource.where) if entry.name in self.written.entries else frozenset()
            names[entry.name] = reader.resource(plans[entry.name], known, heading(resource.name))
        find = source.loaded(self._named)
        taken: dict[str, list[tuple[Part, Taken]]] = {}
        for name, entry in self.written.entries.items():
            lists = tuple(tuple(step.name for step in part) for part in entries.levels(entry.each))
            part = Part(entry.resource.where, entry.resource, plans[name])
            one = taken_of(entry, find(names[name]), lists)
            taken.setdefault(entry.resource.name, []).append((part, one))
        kinds = {resource: recogniser(*zip(*ones, strict=True)) for resource, ones in taken.items()}
        return _Inward(source, find(names["envelope"]), kinds)

    @property
    def _named(self) -> str:
        return f"{self.written.name} {self.written.version}"

    def render(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wire document of the released *tree*.

        Raises `Rejected` with ``E_MAPPING``, naming rule and path, where the format cannot say it.
        """
        if self.written.per == "child":
            return self._documents(tree, None)
        return self._assemble(tree, Rendering(tree, self._address(tree)))

    def recorded(self, tree: Mapping[str, Any]) -> tuple[dict[str, Any], Notes]:
        """Return the document of a wrapped tree, full of marks (compiled to record)."""
        notes = Notes()
        if self.written.per == "child":
            return self._documents(tree, notes), notes
        context = Rendering(tree, self._address(tree), notes=notes)
        return self._assemble(tree, context), notes

    def _documents(self, tree: Mapping[str, Any], notes: Notes | None) -> dict[str, Any]:
        """Return a document for every child, each made from what is about that child."""
        return {"document": [self._document(view, notes) for view in alone(tree)]}

    def _document(self, view: View, notes: Notes | None) -> Any:
        """Return the document of one child."""
        address = self._shape.addresses(view.seed)

        def whole() -> dict[str, Any]:
            return self._assemble(view.tree, Rendering(view.tree, address, notes=notes))

        if self.script is None or not isinstance(self._shape, Scripting):
            return whole()
        return self._shape.scripted(self.script.write, Rendering(view.tree, address), whole)

    def _address(self, tree: Mapping[str, Any]) -> Callable[[str], str]:
        if not self._entries:
            return str
        seed = tree.get(SEED[0], {}).get(SEED[1])
        if not seed:
            path = ".".join(SEED)
            fault = Fault(Code.MAPPING, path, "the ids of a document are made from it")
            raise Rejected(Code.MAPPING, f"{path}: {fault.remedy}", faults=(fault,))
        return self._shape.addresses(str(seed))

    def _assemble(self, tree: Mapping[str, Any], context: Rendering) -> dict[str, Any]:
        outward = self.outward
        waiting = outward.addressed(context)
        if len(waiting) > MAX_ENTRIES:
            raise Rejected(Code.MAPPING, f"more than {MAX_ENTRIES} entries")
        made: list[tuple[str, dict[str, Any]]] = []
        for build, item, outer, url in waiting:
            context.outer = outer
            made.append((url, build(item, context)))
        envelope = outward.envelope(tree, context) or {}
        demanded = context.waiting
        position = 0
        while position < len(demanded):  # building one may demand more
            name, block, url = demanded[position]
            made.append((url, outward.builds[name](block, context)))
            position += 1
            if position > MAX_ENTRIES:
                raise Rejected(Code.MAPPING, f"more than {MAX_ENTRIES} entries")
        document = self._shape.assemble(envelope, made, context.address)
        if context.notes is not None and isinstance(self._shape, Drafting):
            settled: dict[str, Any] = self._shape.settled(document)
            return settled  # what is recorded is looked into
        return document

    def read(self, document: Mapping[str, Any]) -> ReadBack:
        """Return the canonical message that *document* says.

        The document has passed its format's own checks; what no rule knows is listed, and what
        disagrees with itself is a fault.
        """
        envelope, pieces = self._shape.take_apart(document)
        inward = self.inward
        return Session(inward.taken, self._shape, pieces).run(inward.envelope, envelope)


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
