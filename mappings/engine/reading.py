"""One reading: what it notes on its way, and wire values turned back into canonical ones."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from hub.errors import Code, Fault
from mappings.engine.model import Rule
from mappings.engine.tables import Table

Trail = tuple[Any, ...]
"""A place in the received document: (trail before, name or position), or (trail before, `Steps`,
what fills their marks ...), which costs nothing until it is said.
"""


class Sought:
    """The items of a growing list by what one of their members says, which never changes."""

    __slots__ = ("count", "found", "items", "key")

    def __init__(self, key: str, items: list[dict[str, Any]]) -> None:
        """Look all of them up; of several, the last counts.

        The list is kept, so that its identity stays its own.
        """
        self.key = key
        self.items = items
        told = [
            (one[key], one) for one in items if not isinstance(one.get(key), dict | list | None)
        ]
        self.found = dict(told)
        self.count = len(items) if len(told) == len(items) else None
        """How many items were looked up; nothing if some may still come to say something."""


@dataclass(slots=True)
class Reading:
    """The state of one reading; *outer* is the item that encloses the one being read."""

    root: dict[str, Any]
    resolve: Callable[[str, str], Any]
    outer: dict[str, Any] = field(default_factory=dict)
    unmapped: list[Trail] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    later: list[tuple[Any, Any, Any, Trail]] = field(default_factory=list)
    known: "Positions" = field(default_factory=dict)
    sought: dict[int, Sought] = field(default_factory=dict)

    def unknown(self, trail: Trail) -> None:
        """Note that nothing knows what stands at *trail*."""
        self.unmapped.append(trail)

    def misheard(self, trail: Trail, form: str) -> None:
        """Note that what stands at *trail* is no value of *form*."""
        self.faults.append(
            Fault(Code.FORMAT, said(trail, self.known), f"no {form} as the format writes it")
        )

    def disagreement(self, trail: Trail, path: str) -> None:
        """Note that *trail* says otherwise than another place about the leaf *path*."""
        self.faults.append(
            Fault(
                Code.RULE,
                said(trail, self.known),
                f"two places of the message disagree about {path}",
            )
        )


Take = Callable[[Any, Any, Reading, Trail], None]
"""(wire value, canonical item, context, trail): put what the value says into the item."""


AT: Final = object()
IN: Final = object()
FROM: Final = object()


class Steps(tuple[Any, ...]):
    """Several steps of a trail: names, positions, and marks for what the trail holds behind them.

    `AT` stands for a position, `IN` for the position in a list (first) of an item (second), `FROM`
    for no step, but for the value from which those behind it lead on: so a `Pick` finds its item.
    """

    __slots__ = ()


class Pick(NamedTuple):
    """A step to the first item of a list whose *member* is *wanted*."""

    member: str
    wanted: str

    def position(self, listed: Any) -> int:
        """Return where it stands in *listed*."""
        return next(
            at
            for at, one in enumerate(listed)
            if type(one) is dict and one.get(self.member) == self.wanted
        )


Positions = dict[int, dict[int, int]]
"""Where the items of lists stand, by the identities of both: looked up once for a list."""


def said(trail: Trail, known: Positions | None = None) -> str:
    """Return *trail* as a path; *known* remembers positions from one trail to the next."""
    names = steps(trail, {} if known is None else known)
    return "".join(f"[{n}]" if isinstance(n, int) else f".{n}" for n in names).removeprefix(".")


def steps(trail: Trail, known: Positions) -> list[Any]:
    """Return the names and positions of *trail*."""
    found: list[Any] = []
    while trail:
        trail, *behind = trail
        if type(behind[0]) is Steps:
            found += reversed(list(_filled(known, *behind)))
        else:
            found.append(behind[0])
    found.reverse()
    return found


def _filled(known: Positions, steps: Steps, *marks: Any) -> Iterator[Any]:
    left, here = iter(marks), None
    for step in steps:
        if step is FROM:
            here = next(left)
        elif step is AT:
            yield next(left)
        elif step is IN:
            listed, wanted = next(left), next(left)
            if id(listed) not in known:
                places = enumerate(reversed(listed), 1)  # of what stands there twice, the first
                known[id(listed)] = {id(one): len(listed) - n for n, one in places}
            yield known[id(listed)][id(wanted)]
        else:
            name = step.position(here) if type(step) is Pick else step
            here = None if here is None else here[name]
            yield name


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a decoder answers if there is no canonical value: a word nobody knows, or no *form*."""

    form: str | None = None

    def note(self, context: Reading, trail: Trail) -> None:
        """Note it."""
        if self.form is None:
            context.unknown(trail)
        else:
            context.misheard(trail, self.form)


UNKNOWN: Final = Wrong()

Decode = Callable[[Any, Reading], Any]
"""(wire value, context) to the canonical value, None if it says nothing, or `Wrong`."""


def inward(rule: Rule) -> Mapping[str, Any]:
    """Return the codes of *rule* by the wire's words, with the type that the leaf's form has."""
    codes: Mapping[str, Any] = {} if rule.codes is None else rule.codes.inward
    if rule.form == "bool":
        return {wire: code == "true" for wire, code in codes.items()}
    return codes


def decoder(rule: Rule) -> Decode | None:
    """Return what turns a wire value of *rule* into the canonical one; None if it is the same."""
    if rule.codes is not None:
        return _coded(rule, rule.codes)
    if rule.prefix is not None:
        prefix, whole = rule.prefix, rule.form == "int"

        def stripped(value: Any, _context: Reading) -> Any:
            if not isinstance(value, str) or not value.startswith(prefix):
                return UNKNOWN
            rest = unquote(value[len(prefix) :])
            return int(rest) if whole and rest.isdigit() else rest

        return stripped
    if rule.to is not None:
        name = rule.to

        def resolved(value: Any, context: Reading) -> Any:
            found = context.resolve(name, value) if isinstance(value, str) else None
            return UNKNOWN if found is None else found

        return resolved
    if rule.words is not None:
        hear, wrong = rule.words.hear, Wrong(str(rule.form))

        def heard(value: Any, _context: Reading) -> Any:
            try:
                return hear(value)
            except ValueError:
                return wrong

        return heard
    return None


def _coded(rule: Rule, table: Table) -> Decode:
    known = inward(rule)

    def coded(value: Any, _context: Reading) -> Any:
        if not isinstance(value, str):
            return UNKNOWN
        found = known.get(value)
        if found is None and value not in table.known_wire:
            return value if table.passes else UNKNOWN
        return found

    return coded


def find(here: dict[str, Any], name: str, key: str, text: str, context: Reading) -> dict[str, Any]:
    """Return the last item of the list *name* whose *key* is *text*; it is made if there is none.

    Items are looked up once for as long as the list does not grow otherwise.
    """
    items = here.get(name)
    if items is None:
        items = here[name] = []
    looked = context.sought.get(id(items))
    if looked is None or looked.key != key or looked.count != len(items):
        looked = context.sought[id(items)] = Sought(key, items)
    found = looked.found.get(text)
    if found is None:
        found = looked.found[text] = {key: text}
        items.append(found)
        if looked.count is not None:
            looked.count += 1
    return found


def leads(value: Any, names: tuple[str, ...], context: "Reading") -> bool:
    """Return whether *value* is the address of an entry of one of these names."""
    return isinstance(value, str) and any(
        context.resolve(name, value) is not None for name in names
    )


def again(held: Any, value: Any, context: Reading, trail: Trail, path: str) -> None:
    """Say *value* of the leaf *path*, of which *held* has been said: it must be the same."""
    if held == value:
        return
    if type(held) is dict and type(value) is dict:
        merge(held, value, context, trail)
    else:
        context.disagreement(trail, path)


def merge(held: dict[str, Any], given: Mapping[str, Any], context: Reading, trail: Trail) -> None:
    """Put the members of *given* into *held*; where both say something, they must say the same."""
    for name, value in given.items():
        before = held.setdefault(name, value)
        if before is not value:
            again(before, value, context, trail, name)


def strange(value: Any, known: AbstractSet[str], context: Reading, trail: Trail) -> None:
    """Note the members of *value* that are not *known*, those that say nothing, or all of it."""
    if type(value) is not dict:
        context.unknown(trail)
        return
    for name, inner in value.items():
        if inner is None or name not in known:
            context.unknown((trail, name))


def only(value: Any, context: Reading, trail: Trail) -> Any:
    """Return the one item that the list *value* should hold, after noting what else there is."""
    if type(value) is not list:
        context.unknown(trail)
        return None
    for later in range(1, len(value)):
        context.unknown((trail, later))
    return value[0] if value else None
