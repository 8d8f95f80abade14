"""Compiles the plan of an entry into closures that read its resource back into the canonical tree.

Whatever a received resource holds and no rule knows is noted with its path.  Two places of one
message that say different things about one canonical leaf are a fault: nothing is chosen in
silence.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mappings.engine.model import Rule
from mappings.engine.paths import Path
from mappings.engine.reading import Reading, Trail, decoder
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot

Take = Callable[[Any, Any, "Reading", Trail], None]
"""(wire value, canonical item, context, trail): put what the value says into the item."""


def resource(plan: Object, heading: Mapping[str, Any]) -> Take:
    """Return what reads one resource into an item; backups come last."""
    take = _object(plan, ignore=frozenset(heading))

    def whole(value: Any, item: Any, context: Reading, trail: Trail) -> None:
        context.later = []
        take(value, item, context, trail)
        later, context.later = context.later, []
        for put, target, one, where in later:
            put(target, one, context, where)

    return whole


def _slot(slot: Slot) -> Take:
    if isinstance(slot, Constant):
        return _constant(slot.value)
    if isinstance(slot, Leaf):
        return _leaf(slot)
    if isinstance(slot, Object):
        return _object(slot)
    return _listed(slot)


def _constant(wanted: Any) -> Take:
    def check(value: Any, _item: Any, context: Reading, trail: Trail) -> None:
        if value != wanted:
            context.unknown(trail)

    return check


def _object(plan: Object, ignore: frozenset[str] = frozenset()) -> Take:
    takes = {name: _slot(slot) for name, slot in plan.fields.items()}

    def read(value: Any, item: Any, context: Reading, trail: Trail) -> None:
        if type(value) is not dict:
            context.unknown(trail)
            return
        for name, inner in value.items():
            take = takes.get(name)
            if take is not None:
                take(inner, item, context, (trail, name))
            elif name not in ignore:
                context.unknown((trail, name))

    return read


def _listed(plan: Listed) -> Take:
    parts = tuple((part.rule is not None, _part(part)) for part in plan.sorted_parts())
    recognise = _recogniser(plan.sorted_parts())

    def read(value: Any, item: Any, context: Reading, trail: Trail) -> None:
        if type(value) is not list:
            context.unknown(trail)
            return
        found: dict[int, list[tuple[Any, Trail]]] = {}
        for position, one in enumerate(value):
            number = recognise(one)
            if number is None or (number in found and not parts[number][0]):
                context.unknown((trail, position))
            elif number in found:
                found[number].append((one, (trail, position)))
            else:
                found[number] = [(one, (trail, position))]
        for number, ones in found.items():
            parts[number][1](ones, item, context)

    return read


def _recogniser(parts: list[Part]) -> Callable[[Any], int | None]:
    """Return what tells which of *parts* an item of a list is; the more conditions, the earlier.

    Parts told by one member of the item (``url``, ``linkId``, ``system``) are found by its value.
    """
    tables: dict[str, dict[Any, int]] = {}
    others: list[tuple[Callable[[Any], bool], int]] = []
    for number, part in enumerate(parts):
        if len(part.where) == 1 and len(part.where[0][0].steps) == 1 and not others:
            ((path, text),) = part.where
            name = path.steps[0].name
            tables.setdefault(name, {})[_fixed(part.content, path, text)] = number
        else:
            others.append((_matcher(part), number))

    def recognise(value: Any) -> int | None:
        if type(value) is dict:
            for name, table in tables.items():
                said = value.get(name)
                if type(said) is str and said in table:
                    return table[said]
        for matches, number in others:
            if matches(value):
                return number
        return None

    return recognise


def _matcher(part: Part) -> Callable[[Any], bool]:
    """Return the test by which an item of a list is recognised as this part's."""
    wanted = tuple(
        (tuple(step.name for step in path.steps), _fixed(part.content, path, text))
        for path, text in part.where
    )

    def matches(value: Any) -> bool:
        for names, fixed in wanted:
            here = value
            for name in names:
                if type(here) is list:
                    here = here[0] if here else None
                if type(here) is not dict:
                    return False
                here = here.get(name)
            if here != fixed:
                return False
        return True

    return matches


def _fixed(slot: Slot, path: Path, text: str) -> Any:
    """Return the typed constant at *path* below *slot*; *text* if the format types nothing."""
    here: Slot = slot
    for step in path.steps:
        if isinstance(here, Listed):
            here = here.parts[0].content
        if not isinstance(here, Object) or step.name not in here.fields:
            return text
        here = here.fields[step.name]
    return here.value if isinstance(here, Constant) else text


_TakeAll = Callable[[list[tuple[Any, Trail]], Any, Reading], None]


def _part(part: Part) -> _TakeAll:
    take = _slot(part.content)
    rule = part.rule
    if rule is None:

        def one(ones: list[tuple[Any, Trail]], item: Any, context: Reading) -> None:
            value, trail = ones[0]
            take(value, item, context, trail)

        return one
    if rule.refer_all:
        return lambda _ones, _item, _context: None
    put = _setter(rule.source, rule)
    skip = rule.only == "out"

    def every(ones: list[tuple[Any, Trail]], item: Any, context: Reading) -> None:
        out = []
        for value, trail in ones:
            holder: dict[str, Any] = {}
            take(value, holder, context, trail)
            if holder:
                out.append(holder.get("", holder))
        if out and not skip:
            put(item, out, context, ones[0][1])

    return every


def _leaf(slot: Leaf) -> Take:
    rules = [
        rule
        for rule in (slot.rule, *slot.also)
        if not rule.structural and rule.only != "out" and rule.caf is not None
    ]
    fixed = {rule.const for rule in (slot.rule, *slot.also) if rule.const is not None}
    takes = tuple(_rule(rule) for rule in rules)
    if not takes:
        return _known(slot, fixed)
    (take,) = takes[:1]
    if not fixed:
        return take

    def either(value: Any, item: Any, context: Reading, trail: Trail) -> None:
        known = len(context.unmapped)
        take(value, item, context, trail)
        if _hashable(value) and value in fixed:
            del context.unmapped[known:]

    return either


def _known(slot: Leaf, fixed: set[Any]) -> Take:
    """Return what reads a place that says nothing of its own: derived on the way out."""
    tables = [rule.codes for rule in (slot.rule, *slot.also) if rule.codes is not None]
    derived = slot.rule.refer or slot.rule.refer_all or (slot.rule.only == "out" and not tables)

    def check(value: Any, _item: Any, context: Reading, trail: Trail) -> None:
        if derived:
            return
        if _hashable(value) and (value in fixed or any(table.knows(value) for table in tables)):
            return
        context.unknown(trail)

    return check


def _hashable(value: Any) -> bool:
    """Return whether *value* can be looked up; a stranger may put a list where a code belongs."""
    return not isinstance(value, dict | list)


def _rule(rule: Rule) -> Take:
    put = _setter(rule.source, rule)
    decode = decoder(rule)
    if rule.backup:

        def wait(value: Any, item: Any, context: Reading, trail: Trail) -> None:
            decoded = decode(value, context, trail)
            if decoded is not None:
                context.later.append((_if_absent(put), item, decoded, trail))

        return wait

    def take(value: Any, item: Any, context: Reading, trail: Trail) -> None:
        decoded = decode(value, context, trail)
        if decoded is not None:
            put(item, decoded, context, trail)

    return take


_Put = Callable[[Any, Any, Reading, Trail], None]
_ABSENT: Any = object()


def _setter(path: Path, rule: Rule) -> _Put:
    """Return what puts a value at *path* of an item, making what is missing on the way."""
    shown = rule.covers or str(path)
    if not path.steps:
        if path.start == "item":
            return _itself
        return lambda _item, value, context, trail: merge(context.outer, value, context, trail)
    start, last = path.start, path.steps[-1].name
    before = tuple(
        (step.name, tuple((w.steps[0].name, value) for w, value in step.where))
        for step in path.steps[:-1]
    )

    def put(item: Any, value: Any, context: Reading, trail: Trail) -> None:
        here = item if start == "item" else context.root if start == "root" else context.outer
        for name, where in before:
            here = _find(here, name, where) if where else here.setdefault(name, {})
        held = here.get(last, _ABSENT)
        if held is _ABSENT:
            here[last] = value
        elif held != value:
            if type(held) is dict and type(value) is dict:
                merge(held, value, context, trail)
            else:
                context.disagreement(trail, shown)

    return put


def _itself(item: Any, value: Any, context: Reading, trail: Trail) -> None:
    """Put a value that is the item: its members, or (for a bare value) the value under a mark."""
    if type(value) is dict:
        merge(item, value, context, trail)
    else:
        item[""] = value


def _find(here: Any, name: str, where: tuple[tuple[str, str], ...]) -> Any:
    items = here.setdefault(name, [])
    ((key, wanted),) = where
    for one in reversed(items):  # the leaves of one item come together
        if one.get(key) == wanted:
            return one
    made: dict[str, Any] = dict(where)
    items.append(made)
    return made


def _if_absent(put: _Put) -> _Put:
    def backed_up(item: Any, value: Any, context: Reading, trail: Trail) -> None:
        faults = len(context.faults)
        put(item, value, context, trail)
        del context.faults[faults:]  # something better has said it already

    return backed_up


def merge(held: dict[str, Any], given: Mapping[str, Any], context: Reading, trail: Trail) -> None:
    """Put the members of *given* into *held*; where both say something, they must say the same."""
    for name, value in given.items():
        before = held.get(name, _ABSENT)
        if before is _ABSENT:
            held[name] = value
        elif type(before) is dict and type(value) is dict:
            merge(before, value, context, trail)
        elif before != value:
            context.disagreement(trail, name)
