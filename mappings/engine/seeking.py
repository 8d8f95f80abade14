"""Rules that look for their value elsewhere in the message: what was last said of an outcome.

A sought value is derived: another rule says it in its own place, so nothing reads it back.
"""

from collections.abc import Callable, Iterator
from typing import Any

from mappings.engine.model import Seek
from mappings.engine.paths import Path, Step


def seeker(seeks: tuple[Seek, ...]) -> Callable[[Any, Any], Any]:
    """Return what finds the value for an item: in the first place that has one, or None.

    There it is the last that is about the same thing; where that is not asked, the first of all.
    """

    def find(item: Any, context: Any) -> Any:
        for seek in seeks:
            values = list(_values(seek, item, context))
            if values:
                return values[0 if seek.same is None else -1]
        return None

    return find


def _values(seek: Seek, item: Any, context: Any) -> Iterator[Any]:
    path = seek.path
    mine = None if seek.same is None else _at(item, seek.same[1])
    if seek.same is not None and mine is None:
        return
    start = {"item": item, "outer": context.outer, "root": context.root}[path.start]
    *above, last = path.steps
    for holder in _holders(start, tuple(above)):
        if seek.same is None or _at(holder, seek.same[0]) == mine:
            value = holder.get(last.name)
            if value is not None:
                yield from value if last.kind.many else (value,)


def _holders(here: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    if not steps:
        yield here
        return
    held = here.get(steps[0].name)
    if held is not None:
        for one in held if steps[0].kind.many else (held,):
            yield from _holders(one, steps[1:])


def _at(here: Any, path: Path) -> Any:
    for step in path.steps:
        here = None if here is None else here.get(step.name)
    return here
