"""Access to the canonical tree as generated code: where a path's value stands, and conditions.

A place is reached through bound ``get`` methods.  A branch that several paths share is fetched
once, at the top of the block in which it can first be known; where it is absent an empty one stands
in, so that every leaf costs one look and no question.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from mappings.engine.marks import Origin
from mappings.engine.model import When
from mappings.engine.paths import Kind, Path, Start, Step
from mappings.engine.rendering import Rendering
from mappings.engine.source import Block, Source

NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
HOLDERS: Final = (dict, list, tuple, Origin)
"""What may be there and hold nothing; a recorded value that is gone (N5) is none, too."""


def index(context: Rendering, items: Any, member: str) -> Mapping[Any, Any]:
    """Return *items* by *member*: nineteen elements are looked for in one list, indexed once."""
    if not items:
        return NOTHING
    key = (id(items), member)
    found = context.slices.get(key)
    if found is None:
        found = context.slices[key] = {item.get(member): item for item in items}
    return found


def fitting(held: Any, member: str, wanted: Any) -> Any:
    """Return the object *held* if its *member* is *wanted* (``message{message_type=N4}``)."""
    return held if held and held.get(member) == wanted else None


def chosen(items: Any, member: str, wanted: Any) -> Any:
    """Return the *items* whose *member* is *wanted* (``identifiers[system=upn][]``)."""
    return [one for one in items or () if one.get(member) == wanted]


NAMES: Final[Mapping[str, Any]] = {
    "nothing": NOTHING,
    "holders": HOLDERS,
    "index": index,
    "fitting": fitting,
    "chosen": chosen,
}
"""What generated access expects in the namespace."""


class Scope(Block):
    """A block of generated code that knows the item in hand.

    *item* and *outer* are the names of variables, set where the block brings new ones.  A scope
    *of* a value finds that value at every path.  *at* is the branch that the block stands in.
    """

    def __init__(
        self,
        source: Source,
        above: "Scope | None" = None,
        *,
        item: str | None = None,
        outer: str | None = None,
        of: str | None = None,
    ) -> None:
        """Begin a block inside *above*, or (with none) a function with a context ``c``."""
        super().__init__()
        self.source = source
        self.of: str | None = of if above is None else above.of
        self.at: Path | None = None if above is None or item is not None else above.at
        self.above = above
        self.depth: int = 0 if above is None else above.depth + 1
        self.starts: dict[Start, str] = {}
        if item is not None:
            self.starts["item"] = item
        if outer is not None:
            self.starts["outer"] = outer
        if above is None:
            self.starts.setdefault("outer", "c.outer")
            self.starts["root"] = "c.root"
        self.known: dict[Any, str] = {}

    def inside(self, head: str, *, item: str | None = None, outer: str | None = None) -> "Scope":
        """Open a block below *head*, which may bring a new item."""
        self.line(head)
        made = Scope(self.source, self, item=item, outer=outer)
        self.body.append(made)
        return made

    def branch(self, path: Path) -> "Scope":
        """Open a block that is run only if there is something at *path*."""
        name = f"b{self.depth}"
        made = self.inside(f"if {name} := {self.value(path)}:")
        made.known[path.start, path.steps] = made.first(f"{name}.get")
        made.at = path
        return made

    def start(self, start: Start) -> str:
        """Return the variable at which paths with this *start* begin."""
        here: Scope | None = self
        while here is not None:
            if start in here.starts:
                return here.starts[start]
            here = here.above
        raise LookupError(start)

    def value(self, path: Path) -> str:
        """Return the expression of the value at *path*: None where anything is absent."""
        if self.of is not None:
            return self.of
        if not path.steps:
            return self.start(path.start)
        return self._step(path.start, path.steps[:-1], path.steps[-1])[1]

    def once(self, expression: str) -> str:
        """Return the variable that holds *expression*, which is the same all through a function."""
        here = self
        while here.above is not None:
            here = here.above
        if expression not in here.known:
            here.known[expression] = here.first(expression)
        return here.known[expression]

    def holds(self, whens: Sequence[When]) -> str:
        """Return the expression that is true if all conditions hold; empty if there are none."""
        return " and ".join(self._holds(one) for one in whens)

    def _holds(self, when: When) -> str:
        if when.test == "several":
            (several,) = when.paths
            return f"len({self.value(several)} or ()) > 1"
        if when.test in {"is", "not"}:
            return self._is(when)
        there = " or ".join(self._there(path) for path in when.paths)
        return f"not ({there})" if when.test == "absent" else f"({there})"

    def _is(self, when: When) -> str:
        (path,) = when.paths
        wanted = self.source.literal(when.value)
        if isinstance(when.value, tuple):
            return f"{self.value(path)} {'in' if when.test == 'is' else 'not in'} {wanted}"
        return f"{self.value(path)} {'==' if when.test == 'is' else '!='} {wanted}"

    def _there(self, path: Path) -> str:
        """Return whether something stands at *path*; an empty list counts as absent."""
        name = "t"
        return (
            f"({name} := {self.value(path)}) is not None"
            f" and ({name} or not isinstance({name}, holders))"
        )

    def first(self, expression: str) -> str:
        """Return the variable that holds *expression* from the top of this block on.

        It is called after the block's depth: blocks of one depth are never inside each other.
        """
        name = f"g{self.depth}_{len(self.top)}"
        self.top.append(f"{name} = {expression}")
        return name

    def _get(self, start: Start, steps: tuple[Step, ...]) -> "tuple[Scope, str]":
        """Return the ``get`` of what stands at *steps*, and the block that has it at its top."""
        here = self
        while True:
            if (known := here.known.get((start, steps))) is not None:
                return here, known
            if start in here.starts:
                break
            if here.above is None:
                raise LookupError(start)
            here = here.above
        if steps:
            here, found = self._step(start, steps[:-1], steps[-1])
            expression = f"({found} or nothing).get"
        else:
            expression = f"{here.starts[start]}.get"
        here.known[start, steps] = here.first(expression)
        return here, here.known[start, steps]

    def _step(self, start: Start, before: tuple[Step, ...], step: Step) -> "tuple[Scope, str]":
        """Return the expression of what *step* leads to, and the block from which on it holds."""
        scope, get = self._get(start, before)
        name = self.source.literal(step.name)
        if not step.where:
            return scope, f"{get}({name})"
        ((where, wanted),) = step.where
        member = where.steps[0].name
        if step.kind is not Kind.SLICE:
            which = "fitting" if step.kind is Kind.FIELD else "chosen"
            told = f"{self.source.literal(member)}, {self.source.literal(wanted)}"
            return scope, f"{which}({get}({name}), {told})"
        key = (start, before, step.name, member)
        if key not in scope.known:
            indexed = f"index(c, {get}({name}), {self.source.literal(member)}).get"
            scope.known[key] = scope.first(indexed)
        return scope, f"{scope.known[key]}({self.source.literal(wanted)})"
