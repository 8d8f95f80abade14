"""Turns the plan of a document into straight-line code that writes its XML, element by element in
the schema's order, without a tree between.

What is certain of an element when the mapping is loaded (names, constants, order) becomes one
literal; for a message remains to fetch values, to make them harmless and to join.  The text is,
byte for byte, what `mappings.formats.xml_write` makes of the tree that `mappings.engine.render`
builds; a plan that holds what is not provided for here is `Unscripted`, and takes that way.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Final

from mappings.engine.access import Scope
from mappings.engine.branches import runs, shared
from mappings.engine.keeping import keeper
from mappings.engine.model import Rule
from mappings.engine.paths import Step
from mappings.engine.render import Renderer
from mappings.engine.shape import Member
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot, structural
from mappings.formats.xml_grammar import TEXT, Grammar
from mappings.formats.xml_pieces import (
    Held,
    Lay,
    Many,
    Pieces,
    Spot,
    Unscripted,
    added,
    appended,
    expression,
    listed,
    put,
    returned,
    several,
    whole,
)
from mappings.formats.xml_write import TYPE, said

There = Mapping[str, str]
"""Members that may be absent, each with the expression that says whether it is there."""

DEEPEST: Final = 30
"""Blocks in each other in one function; Python takes a hundred, and twenty loops."""

NO_MEMBER: Final = Member("", many=False)


@dataclass(frozen=True, slots=True)
class Script:
    """Writes the code of documents of one grammar into the source of *renderer*.

    A format that knows more of its elements says so in a subclass.
    """

    renderer: Renderer
    grammar: Grammar

    def document(self, plan: Object, root: str) -> str:
        """Return the name of the function (tree, context) that returns the element *root* as texts
        in a row, which is there even if nothing is left in it; raises `Unscripted`.
        """
        scope = Scope(self.renderer.source, item="i")
        spot = Spot(name=root, kind=self.grammar.roots[root])
        self._element(plan, spot, scope, listed, always=True)
        return self.renderer.source.function("i, c", scope)

    def fill(self, kind: str) -> Mapping[str, str]:
        """Return what stands in an element of *kind* for members that nobody says."""
        del kind
        return {}

    def needed(self, kind: str) -> AbstractSet[str]:
        """Return without which members an element of *kind* is not there."""
        del kind
        return frozenset()

    def disagrees(self, name: str, members: AbstractSet[str]) -> bool:
        """Return whether an element *name* with these *members* contradicts itself."""
        del name, members
        return False

    def deciding(self) -> AbstractSet[str]:
        """Return the members that `disagrees` looks at."""
        return frozenset()

    def spot(self, plan: Object, kind: str, name: str, member: Member) -> Spot:
        """Return how the member *name* of *plan* stands in an element; *kind* is its place's."""
        del plan
        if name == TEXT:
            return Spot()
        if name.startswith("@"):
            return Spot(f' {name[1:]}="', '"', "attribute({})")
        absent = self.fill(kind).get(name, "")
        return Spot(f"<{name}>", f"</{name}>", absent=absent, name=name, kind=member.type)

    def other(self, plan: Object, kind: str, name: str, scope: Scope) -> Pieces | None:
        """Return the text of the constant *name* of *plan* if it is not what the rule says."""
        del plan, kind, name, scope
        return None

    def wide(self) -> AbstractSet[str]:
        """Return the types of what is long and stands in a row: its text is copied once."""
        return frozenset()

    def alike(self, slot: Slot) -> bool:
        """Return whether *slot* says the same in every document, but for its leaves."""
        del slot
        return True

    def _slot(self, slot: Slot, spot: Spot, scope: Scope, lay: Lay) -> None:
        if isinstance(slot, Constant):
            lay(scope, spot.fixed(slot.value))
        elif isinstance(slot, Leaf):
            self._leaf(slot, spot, scope, lay)
        elif scope.depth >= DEEPEST:
            self._apart(slot, spot, scope, lay)
        elif self.alike(slot) and (leaf := self.renderer.coded(slot, scope)) is not None:
            self._coded(slot, spot, leaf.rule, scope, lay)
        else:
            self._inner(slot, spot, scope, lay)

    def _inner(self, slot: Slot, spot: Spot, scope: Scope, lay: Lay) -> None:
        if isinstance(slot, Object):
            self._element(slot, spot, scope, lay)
        elif isinstance(slot, Listed):
            self._list(slot, spot, scope, lay)

    def _leaf(self, slot: Leaf, spot: Spot, scope: Scope, lay: Lay) -> None:
        told = any(rule.narrate for rule in (slot.rule, *slot.also))
        if told and (slot.also or not spot.name):
            raise Unscripted

        def sink(here: Scope, value: str) -> None:
            if not value.isidentifier():
                name = self.renderer.source.fresh()
                here.line(f"{name} = {value}")
                value = name
            if told:
                lay(here, [Held(f"{value}.text")])
            else:
                lay(here, [spot.before, Held(spot.call.format(value)), spot.after])

        self.renderer.leaf(slot, scope, sink)

    def _apart(self, slot: Slot, spot: Spot, scope: Scope, lay: Lay) -> None:
        """Write *slot* in a function of its own."""
        source = self.renderer.source
        inner = Scope(source, item="i", of=None if scope.of is None else "i")
        self._inner(slot, spot, inner, returned)
        build, made = source.function("i, c", inner), source.fresh()
        item = scope.start("item") if scope.of is None else scope.of
        lay(scope.inside(f"if ({made} := {build}({item}, c)) is not None:"), [Held(made)])

    def _coded(self, slot: Slot, spot: Spot, rule: Rule, scope: Scope, lay: Lay) -> None:
        """Keep the text of *slot* for each code that it says: there are only so many."""
        source = self.renderer.source
        inner = Scope(source, item="i", of="i")
        self._inner(slot, spot, inner, returned)
        made = source.made(f"Shared({source.function('i, c=None', inner)})")
        code, text = source.fresh(), source.fresh()
        here = scope.inside(
            f"if ({code} := {scope.value(rule.source)}) is not None"
            f" and ({text} := {made}[{code}]) is not None:"
        )
        lay(here, [Held(text)])

    def _element(
        self, plan: Object, spot: Spot, scope: Scope, lay: Lay, *, always: bool = False
    ) -> None:
        """Write an element: it is there if anything but constants is, or *always*."""
        members = self._members(plan, spot)
        parts = [name for name in members if not structural(plan.fields[name])]
        spots = {name: self.spot(plan, spot.kind, name, members[name]) for name in members}
        source, needed = self.renderer.source, self.needed(spot.kind)
        if not needed <= plan.fields.keys():
            raise Unscripted
        free = [name for name, slot in plan.fields.items() if _free(slot)]
        if free and not parts:
            raise Unscripted
        if len(parts) == 1 and not (free or always):
            (only,) = parts
            self._agree(plan, spot, scope, {})
            certain = self._certain(plan, spot, spots, scope)

            def around(here: Scope, pieces: Pieces) -> None:
                lay(here, self._whole(spot, members, {**certain, only: pieces}, {}, here))

            self._slot(plan.fields[only], spots[only], scope, around)
            return
        branch = shared(plan) if parts and not always else None
        if branch is not None and branch != scope.at:
            scope = scope.branch(branch)
        held: dict[str, Held] = {name: Held(source.fresh()) for name in (*parts, *free)}
        there = {
            name: f"{one} is not None" if spots[name].hollow else one for name, one in held.items()
        }

        def fetched(name: str) -> None:
            def keep(here: Scope, pieces: Pieces) -> None:
                put(held[name])(here, pieces)
                if several(pieces):
                    held[name] = Many(held[name])

            scope.line(f"{held[name]} = {None if spots[name].hollow else repr('')}")
            self._slot(plan.fields[name], spots[name], scope, keep)

        for name in parts:
            fetched(name)
        if parts and not always:
            tests = " and ".join(there[name] for name in parts if name in needed)
            scope = scope.inside(f"if {tests or ' or '.join(there[name] for name in parts)}:")
        for name in free:
            fetched(name)
        self._agree(plan, spot, scope, there)
        said: dict[str, Pieces] = self._certain(plan, spot, spots, scope)
        for name, one in held.items():
            said[name] = [one]
            if spots[name].hollow:
                text = source.fresh()
                scope.line(f"{text} = {one} or {spots[name].absent!a}")
                said[name] = [Held(text)]
        lay(scope, self._whole(spot, members, said, there, scope))

    def _members(self, plan: Object, spot: Spot) -> dict[str, Member]:
        """Return the members of *plan* in the order in which they stand."""
        typed = plan.fields.get(TYPE)
        if typed is not None and not isinstance(typed, Constant):
            raise Unscripted
        content = self.grammar.types.get(spot.kind if typed is None else said(typed.value))
        if content is None or content.mixed:
            raise Unscripted
        ordered = {name: one for name, one in content.members.items() if name in plan.fields}
        if typed is not None:
            ordered = {TYPE: NO_MEMBER, **ordered}
        if len(ordered) != len(plan.fields):
            raise Unscripted
        return ordered

    def _certain(
        self, plan: Object, spot: Spot, spots: Mapping[str, Spot], scope: Scope
    ) -> dict[str, Pieces]:
        """Return the text of the constants of *plan*."""
        found: dict[str, Pieces] = {}
        for name, slot in plan.fields.items():
            if structural(slot) and not _free(slot):
                other = self.other(plan, spot.kind, name, scope)
                found[name] = self._fixed(slot, spots[name], scope) if other is None else other
        return found

    def _fixed(self, slot: Slot, spot: Spot, scope: Scope) -> Pieces:
        """Return the text of *slot*, which holds constants only."""
        made: list[str] = []
        if isinstance(slot, Leaf):
            raise Unscripted  # under a condition, and not beside what it belongs to
        if isinstance(slot, Listed):
            for part in slot.parts:
                made += self._fixed(part.content, spot, scope)
        else:
            self._slot(slot, spot, scope, lambda _scope, pieces: made.extend(pieces))
        return made

    def _whole(
        self,
        spot: Spot,
        members: Mapping[str, Member],
        said: Mapping[str, Pieces],
        there: There,
        scope: Scope,
    ) -> Pieces:
        """Return the element around what its members say, in their order."""
        begin, body = [f"<{spot.name}"], list[str]()
        certain = False
        for name in self._order(spot, members):
            if name.startswith("@"):
                begin += said[name]
                continue
            certain = certain or name not in there
            body += said[name] if name in said else [self.fill(spot.kind)[name]]
        inside = [there[name] for name in members if name in there and name[0] != "@"]
        if not (certain or inside):
            return [*begin, "/>"]
        if certain or len(inside) == len(there):
            return [*begin, ">", *body, f"</{spot.name}>"]
        whole(body)
        rest = self.renderer.source.fresh()
        closed = expression([">", *body, f"</{spot.name}>"])
        scope.line(f"{rest} = {closed} if {' or '.join(inside)} else '/>'")
        return [*begin, Held(rest)]

    def _order(self, spot: Spot, members: Mapping[str, Member]) -> Iterator[str]:
        """Yield *members*, and what is filled in beside them, in the schema's order."""
        fill = self.fill(spot.kind)
        if not fill.keys() - members.keys():
            yield from members
            return
        content = self.grammar.types[spot.kind]
        yield from (name for name in content.members if name in members or name in fill)

    def _agree(self, plan: Object, spot: Spot, scope: Scope, there: There) -> None:
        """Note it where the element contradicts itself, if that depends on the message."""
        open_ = sorted(there.keys() & self.deciding() - self.needed(spot.kind))
        sure = (plan.fields.keys() | self.fill(spot.kind).keys()) - set(open_)
        every = chain.from_iterable(combinations(open_, n) for n in range(len(open_) + 1))
        wrong = [some for some in map(set, every) if self.disagrees(spot.name, sure | some)]
        if not open_ and wrong:
            raise Unscripted
        for some in wrong:
            tests = [there[n] if n in some else f"not ({there[n]})" for n in open_]
            scope.line(f"if {' and '.join(tests)}: c.agrees = False")

    def _list(self, slot: Listed, spot: Spot, scope: Scope, lay: Lay) -> None:
        if len(slot.parts) == 1 and slot.parts[0].rule is None:
            _lasting(slot.parts[0])
            self._slot(slot.parts[0].content, spot, scope, lay)
            return
        made = self.renderer.source.fresh()
        wide = spot.kind in self.wide()
        scope.line(f"{made} = {'[]' if wide else repr('')}")
        self._several(slot.parts, spot, scope, appended(made) if wide else added(made))
        lay(scope.inside(f"if {made}:"), [Many(made) if wide else Held(made)])

    def _several(self, parts: Sequence[Part], spot: Spot, scope: Scope, lay: Lay) -> None:
        """Lay the items of *parts*; neighbours of one branch after one look for it."""
        for run in runs(parts, scope.at):
            branch = shared(Listed(list(run))) if len(run) > 1 else None
            if branch is not None:
                self._several(run, spot, scope.branch(branch), lay)
                continue
            for part in run:
                self._part(part, spot, scope, lay)

    def _part(self, part: Part, spot: Spot, scope: Scope, lay: Lay) -> None:
        _lasting(part)
        rule = part.rule
        if rule is None:
            self._slot(part.content, spot, scope, lay)
            return
        if rule.refer_all:
            raise Unscripted
        if holds := scope.holds(rule.when):
            scope = scope.inside(f"if {holds}:")
        item = self.renderer.source.fresh()
        head = f"for {item} in {scope.value(rule.source)} or ():"
        self._slot(part.content, spot, scope.inside(head, item=item), lay)


def _free(slot: Slot) -> bool:
    """Return whether *slot* is a constant under a condition: it goes in company, or not at all."""
    return isinstance(slot, Leaf) and structural(slot)


def _lasting(part: Part) -> None:
    """Pass if an item of *part* never loses what it is known by; raises `Unscripted`."""
    if keeper(part) is not None:
        for path, _value in part.where:
            if not _lasts(part.content, path.steps):
                raise Unscripted


def _lasts(slot: Slot, steps: Sequence[Step]) -> bool:
    """Return whether what stands at *steps* is there whenever *slot* is."""
    if structural(slot):
        return True
    if isinstance(slot, Listed):
        return len(slot.parts) == 1 and _lasts(slot.parts[0].content, steps)
    if not isinstance(slot, Object):
        return False
    name = steps[0].name
    inner = slot.fields.get(name)
    if inner is None:
        return False
    parts = [one for one, held in slot.fields.items() if not structural(held)]
    return structural(inner) or (parts == [name] and _lasts(inner, steps[1:]))
