"""Compiled access to the canonical tree: getters and conditions, without any path parsing at run
time.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mappings.engine.model import When
from mappings.engine.paths import Kind, Path, Step


class Context(Protocol):
    """What a getter needs besides the item: the top of the message and the enclosing item."""

    root: Mapping[str, Any]
    outer: Mapping[str, Any]
    slices: dict[tuple[int, str], dict[Any, Any]]


Get = Callable[[Any, Any], Any]
"""(item, context) to the value, or None."""


def getter(path: Path) -> Get:
    """Return what fetches the value at *path*; absent anywhere on the way is None."""
    if path.start == "item" and not path.steps:
        return lambda item, _context: item
    if path.start == "item" and len(path.steps) == 1 and path.steps[0].kind is not Kind.SLICE:
        name = path.steps[0].name
        return lambda item, _context: item.get(name)
    if (
        path.start != "outer"
        and len(path.steps) == 2
        and not any(step.where for step in path.steps)
    ):
        first, second = (step.name for step in path.steps)
        if path.start == "root":

            def top(_item: Any, context: Any) -> Any:
                here = context.root.get(first)
                return None if here is None else here.get(second)

            return top

        def member(item: Any, _context: Any) -> Any:
            here = item.get(first)
            return None if here is None else here.get(second)

        return member
    moves = tuple(_move(step) for step in path.steps)
    start = path.start

    def get(item: Any, context: Any) -> Any:
        here = item if start == "item" else context.root if start == "root" else context.outer
        for move in moves:
            here = move(here, context)
            if here is None:
                return None
        return here

    return get


def _move(step: Step) -> Get:
    name = step.name
    if step.kind is not Kind.SLICE:
        return lambda here, _context: here.get(name)
    ((where, wanted),) = step.where
    member = where.steps[0].name

    def find(here: Any, context: Any) -> Any:
        items = here.get(name)
        if not items:
            return None
        # Nineteen elements are looked for in one list: it is indexed once a message.
        key = (id(items), member)
        index = context.slices.get(key)
        if index is None:
            index = context.slices[key] = {item.get(member): item for item in items}
        return index.get(wanted)

    return find


def condition(when: When) -> Callable[[Any, Any], bool]:
    """Return the compiled condition; an empty list counts as absent."""
    getters = tuple(getter(path) for path in when.paths)
    if when.test == "several":
        (several,) = getters
        return lambda item, context: len(several(item, context) or ()) > 1
    if when.test == "absent":
        return lambda item, context: not any(_there(get(item, context)) for get in getters)
    return lambda item, context: any(_there(get(item, context)) for get in getters)


def conditions(whens: tuple[When, ...]) -> Callable[[Any, Any], bool] | None:
    """Return one condition that holds if all hold; None if there is none."""
    tests = tuple(condition(when) for when in whens)
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda item, context: all(test(item, context) for test in tests)


def _there(value: Any) -> bool:
    return value is not None and (not isinstance(value, dict | list | tuple) or bool(value))
