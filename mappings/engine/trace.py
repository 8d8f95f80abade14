"""Recording where each output value came from, by the same generated code as the hot path.

The input is wrapped leaf by leaf in `Origin`; recording leaves answer with `Mark`; when the
document is built, its marks are taken out and listed with their places.  Nothing of this runs
unless asked for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.engine.marks import Mark, Origin
from mappings.engine.model import Rule
from mappings.engine.render import Record
from mappings.engine.rendering import Rendering
from mappings.engine.words import Word


class Tracer:
    """Makes recording leaves."""

    def leaf(self, rule: Rule) -> Record:
        """Return what marks the values of *rule*."""

        def recorded(source: Any, value: Any, context: Rendering) -> Any:
            if isinstance(source, Origin) and not source and not rule.whole:
                return None  # what is gone (N5) is told by leaving it out
            if value is None:
                if isinstance(source, Origin) and rule.codes is not None and context.notes:
                    context.notes.untabled.append((source.path, rule))
                return None
            origin = source.path if isinstance(source, Origin) else None
            code = source.value if isinstance(source, Origin) else None
            if rule.to and isinstance(source, Mapping):
                return Mark(value, rule, place_of(source))  # which entry it is, all of it decides
            if isinstance(value, Origin):
                value = value.value
            if rule.narrate:
                return value  # marked line by line
            if rule.whole:
                return _marked(value, rule)
            return Mark(value, rule, origin, code)

        return recorded

    def word(self, word: Word) -> Word:
        """Return *word* for values that remember their path."""
        return lambda value: word(value.value if isinstance(value, Origin) else value)


def place_of(block: Mapping[str, Any]) -> str | None:
    """Return where a wrapped block stands."""
    for name, value in block.items():
        if isinstance(value, Origin):
            return value.path.removesuffix(f".{name}")
    return None


def _marked(value: Any, rule: Rule) -> Any:
    if isinstance(value, Origin):
        return Mark(value.value, rule, value.path, value.value)
    if isinstance(value, Mapping):
        return {name: _marked(inner, rule) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(inner, rule) for inner in value]
    return value


def wrapped(value: Any, path: str = "") -> Any:
    """Return *value* with every leaf wrapped."""
    if isinstance(value, Mapping):
        return {
            name: wrapped(inner, f"{path}.{name}" if path else name)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [wrapped(inner, f"{path}[{position}]") for position, inner in enumerate(value)]
    return Origin(value, path)


def origins(value: Any) -> Iterator[Origin]:
    """Yield every wrapped leaf below *value*."""
    if isinstance(value, Origin):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from origins(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from origins(inner)


def unwrapped(value: Any, marks: dict[str, Mark], constants: dict[str, Any], path: str = "") -> Any:
    """Return *value* without marks, after filing each mark and each constant under its path."""
    if isinstance(value, Mark):
        marks[path] = value
        return value.value
    if isinstance(value, Mapping):
        return {
            name: unwrapped(inner, marks, constants, f"{path}.{name}" if path else name)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            unwrapped(inner, marks, constants, f"{path}[{position}]")
            for position, inner in enumerate(value)
        ]
    constants[path] = value
    return value
