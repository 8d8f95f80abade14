"""Reads: turns the plan of an entry into straight-line code that puts what a received resource says
into the canonical tree.

Whatever the resource holds and no rule knows is noted with its path.  Two places of one message
that say different things about one canonical leaf are a fault: nothing is chosen in silence.
Trails are put together only where something is noted.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from mappings.engine.canonical import required
from mappings.engine.chains import ODD, Chain, chain
from mappings.engine.model import Rule
from mappings.engine.reading import (
    AT,
    IN,
    Wrong,
    again,
    decoder,
    find,
    inward,
    leads,
    merge,
    only,
    strange,
)
from mappings.engine.recognise import met, sort
from mappings.engine.sorting import sort_out
from mappings.engine.source import Source
from mappings.engine.spots import Spot
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot

DEEPEST: Final = 14
"""Levels in one function; what lies deeper gets its own."""

NAMES: Final[Mapping[str, Any]] = {
    "Holders": (dict, list),
    "Odd": ODD,
    "Unhashable": TypeError,
    "Wrong": Wrong,
    "again": again,
    "find": find,
    "leads": leads,
    "merge": merge,
    "only": only,
    "sort": sort,
    "strange": strange,
}
"""What generated reading expects in the namespace."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Writes the reading code of one mapping into *source*."""

    source: Source

    def resource(self, plan: Object, matched: AbstractSet[str], heading: Mapping[str, Any]) -> str:
        """Return the name of the function (value, item, context, trail) that reads one resource.

        Members in *matched* and *heading* have been looked at.  What is only said again
        (``backup``) is put when everything else has been.
        """
        spot = Spot.function(self.source)
        spot.line("c.later = later = []")
        self._object(plan, spot, matched, heading)
        waiting = spot.inside("for put, value, item, trail in later:")
        waiting.line("known = len(c.faults)")
        waiting.line("put(value, item, c, trail)")
        waiting.line("del c.faults[known:]")  # something better has said it already
        return self._function(spot)

    def _function(self, spot: Spot) -> str:
        return self.source.function("x, t, c, w", spot.block)

    def _slot(self, slot: Slot, spot: Spot, matched: AbstractSet[str] = frozenset()) -> None:
        """Read a value that is there: not None."""
        found = chain(self.source, slot, spot.value, spot.level, matched)
        if found is not None:
            self._chain(found, spot)
        elif isinstance(slot, Constant):
            wrong = spot.inside(f"if {spot.value} != {self.source.literal(slot.value)}:")
            wrong.unknown()
        elif isinstance(slot, Leaf):
            self._leaf(slot, spot)
        elif spot.level >= DEEPEST:
            apart = Spot.function(self.source)
            self._slot(slot, apart, matched)
            spot.line(f"{self._function(apart)}({spot.value}, {spot.item}, c, {spot.trail})")
        elif isinstance(slot, Object):
            self._object(slot, spot, matched, {})
        else:
            self._listed(slot, spot)

    def _chain(self, found: Chain, spot: Spot) -> None:
        """Read a chain: as it should look, or step by step."""
        walk = f"{self.source.bind(found.walk)}({spot.value}, c, {spot.trail})"
        holds = " and ".join(found.holds) or "True"
        end = spot.along(found.steps, found.level + 1)
        trying = spot.inside("try:")
        for text in found.binds:
            trying.line(text)
        if found.leaf is None:
            trying.line(f"{end.value} = {holds}")
            spot.inside("except Odd:").line(f"{end.value} = False")
            spot.inside(f"if not {end.value}:").line(walk)
            return
        trying.line(f"{end.value} = {found.end} if {holds} else None")
        spot.inside("except Odd:").line(f"{end.value} = None")
        there = f"if {end.value} is not None or ({end.value} := {walk}) is not None:"
        self._leaf(found.leaf, end.inside(there))

    def _object(
        self, plan: Object, spot: Spot, matched: AbstractSet[str], heading: Mapping[str, Any]
    ) -> None:
        literal, value = self.source.literal, spot.value
        members = {name: slot for name, slot in plan.fields.items() if name not in matched}
        passed = [name for name in heading if name not in plan.fields]
        known = self.source.bind(frozenset((*matched, *passed, *members)))
        wrong = f"strange({value}, {known}, c, {spot.trail})"
        if len(members) == 1 and not passed:
            ((name, slot),) = members.items()
            below = spot.below(name)
            got = f"{value}.get({literal(name)})"
            if not matched:
                got += f" if type({value}) is dict else None"
            self._slot(slot, below.inside(f"if ({below.value} := {got}) is not None:"))
            more = f"if {below.value} is None or len({value}) != {len(matched) + 1}:"
            spot.inside(more).line(wrong)
            return
        there = spot if matched else spot.inside(f"if type({value}) is dict:")
        count = spot.name("n")
        begun = (str(len(matched)), *(f"({literal(name)} in {value})" for name in passed))
        there.line(f"{count} = {' + '.join(begun)}")
        for name, slot in members.items():
            below = there.below(name)
            found = below.inside(f"if ({below.value} := {value}.get({literal(name)})) is not None:")
            found.line(f"{count} += 1")
            self._slot(slot, found)
        there.inside(f"if len({value}) != {count}:").line(wrong)
        if not matched:
            spot.inside("else:").unknown()

    def _listed(self, slot: Listed, spot: Spot) -> None:
        alone = slot.parts[0] if len(slot.parts) == 1 and not slot.parts[0].where else None
        if alone is not None and alone.rule is None:
            there, value = spot.below(0), spot.value
            first = f"{value}[0] if type({value}) is list and len({value}) == 1"
            first += f" else only({value}, c, {spot.trail})"
            found = there.inside(f"if ({there.value} := {first}) is not None:")
            self._slot(alone.content, found)
            return
        there = spot.inside(f"if type({spot.value}) is list:")
        if alone is not None and alone.rule is not None:
            self._each(alone, alone.rule, there)
        else:
            for part, items, found in sort_out(slot.sorted_parts(), there):
                if part.rule is not None:
                    self._each(part, part.rule, found, items)
                else:
                    one = found.below(IN, found.value, items, value=items)
                    self._slot(part.content, one, met(part.where))
        spot.inside("else:").unknown()

    def _each(self, part: Part, rule: Rule, spot: Spot, items: str | None = None) -> None:
        """Read all items of the list at *spot*, or *items* of it, into a list."""
        if rule.refer_all:
            return
        out, held, at, one = (spot.name(stem) for stem in "oipy")
        spot.line(f"{out} = []")
        if items is None:
            loop = spot.inside(f"for {at}, {one} in enumerate({spot.value}):")
            inner = loop.below(AT, at, value=one).holding(held)
        else:
            loop = spot.inside(f"for {one} in {items}:")
            inner = loop.below(IN, spot.value, one, value=one).holding(held)
        if (plain := _plain(part.content)) is not None:
            there, value = self._decoded(plain, inner)
            there.line(f"{out}.append({value})")
        else:
            self._item(part, rule, inner, out)
        if rule.only != "out":
            first = spot.below(0) if items is None else spot.below(IN, spot.value, f"{items}[0]")
            self._put(rule, spot.inside(f"if {out}:"), out, first.trail)

    def _item(self, part: Part, rule: Rule, spot: Spot, out: str) -> None:
        """Read one item of a list into an item of *out*, if it says anything."""
        held, known, telling = spot.item, spot.name("k"), _telling(rule)
        spot.line(f"{held} = {{}}")
        if telling:
            spot.line(f"{known} = len(c.unmapped)")
        self._slot(part.content, spot, met(part.where))
        there = spot.inside(f"if {held}:")
        if telling:
            # What no row tells the sort of (a hospital's own number) is not understood.
            nameless = there.inside(f"if not {self.source.bind(telling)} <= {held}.keys():")
            nameless.line(f"del c.unmapped[{known}:]")
            nameless.unknown()
            there = there.inside("else:")
        there.line(f"{out}.append({held}.get('', {held}))")

    def _leaf(self, slot: Leaf, spot: Spot) -> None:
        every = (slot.rule, *slot.also)
        fixed = {rule.const for rule in every if rule.const is not None}
        heard = [
            rule
            for rule in every
            if not rule.structural and rule.only != "out" and rule.caf is not None
        ]
        if not heard:
            self._derived(slot, fixed, spot)
            return
        known, value = spot.name("k"), spot.value
        derived = tuple(rule.to for rule in every if rule.only == "out" and rule.to)
        if fixed or derived:
            spot.line(f"{known} = len(c.unmapped)")
        # Only rules for this direction share a spot that says several leaves.
        inward = all(rule.only == "in" for rule in heard)
        for rule in heard if inward else heard[:1]:
            self._rule(rule, spot)
        if fixed:
            said = f"not isinstance({value}, Holders) and {value} in {self.source.bind(fixed)}"
            spot.inside(f"if {said}:").line(f"del c.unmapped[{known}:]")
        if derived:  # a reference to what another rule says already says nothing new
            said = f"leads({value}, {self.source.bind(derived)}, c)"
            spot.inside(f"if {said}:").line(f"del c.unmapped[{known}:]")

    def _derived(self, slot: Leaf, fixed: AbstractSet[Any], spot: Spot) -> None:
        """Read a place that says nothing of its own: derived on the way out."""
        tables = [rule.codes for rule in (slot.rule, *slot.also) if rule.codes is not None]
        if slot.rule.refer or slot.rule.refer_all or (slot.rule.only == "out" and not tables):
            return

        def knows(value: Any) -> bool:
            if isinstance(value, dict | list):  # a stranger may put a list where a code belongs
                return False
            return value in fixed or any(table.knows(value) for table in tables)

        wrong = spot.inside(f"if not {self.source.bind(knows)}({spot.value}):")
        wrong.unknown()

    def _rule(self, rule: Rule, spot: Spot) -> None:
        there, value = self._decoded(rule, spot)
        if rule.backup:
            inner = Spot.function(self.source)
            self._put(rule, inner, "x", "w")
            waiting = f"({self._function(inner)}, {value}, {there.item}, {there.trail})"
            there.line(f"c.later.append({waiting})")
        else:
            self._put(rule, there, value, there.trail)

    def _decoded(self, rule: Rule, spot: Spot) -> tuple[Spot, str]:
        """Return where the canonical value is known, and its expression."""
        bind, value, found = self.source.bind, spot.value, spot.name("d")
        if (decode := decoder(rule)) is not None:
            test = f"({found} := {bind(decode)}({value}, c)) is not None"
            if rule.codes is not None:
                quick = f"{bind(inward(rule).get)}({value}) if type({value}) is str else None"
                test = f"({found} := {quick}) is not None or {test}"
            spot = spot.inside(f"if {test}:")
            spot.inside(f"if type({found}) is Wrong:").line(f"{found}.note(c, {spot.trail})")
            spot, value = spot.inside("else:"), found
        if rule.heard is not None:
            spot.line(f"{found} = {bind(rule.heard)}({value}, {spot.trail}, {spot.value})")
            value = found
        return spot, value

    def _put(self, rule: Rule, spot: Spot, value: str, trail: str) -> None:
        """Put *value* where *rule* says, making what is missing on the way."""
        path, literal = rule.source, self.source.literal
        if not path.steps:
            whole = spot.item if path.start == "item" else "c.outer"
            there = spot.inside(f"if type({value}) is dict:")
            there.line(f"merge({whole}, {value}, c, {trail})")
            spot.inside("else:").line(f"{whole}[''] = {value}")
            return
        here = spot.branch(path.start, path.steps[:-1])
        held, name = spot.name("h"), literal(path.steps[-1].name)
        clash = spot.inside(f"if ({held} := {here}.setdefault({name}, {value})) is not {value}:")
        shown = literal(rule.covers or str(path))
        clash.line(f"again({held}, {value}, c, {trail}, {shown})")


def _plain(slot: Slot) -> Rule | None:
    """Return the rule by which *slot* is the item itself, if it is nothing else."""
    if not isinstance(slot, Leaf) or slot.also:
        return None
    rule = slot.rule
    said = rule.caf is not None and not (rule.caf.steps or rule.backup or rule.whole)
    return rule if said and rule.only != "out" and not rule.structural else None


def _telling(rule: Rule) -> frozenset[str]:
    """Return the coded leaves without which the dictionary allows no such item."""
    return frozenset(
        one.caf.steps[0].name
        for one in rule.rules
        if one.codes is not None and one.only != "out" and not one.backup
        if one.caf is not None and len(one.caf.steps) == 1 and one.covers in required()
    )
