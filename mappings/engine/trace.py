"""Recording where each output value came from, by the same compiled closures as the hot path.

The input is wrapped leaf by leaf in `Origin`; recording leaves answer with `Mark`; when the
document is built, its marks are taken out and listed with their places.  Nothing of this runs
unless asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.engine.access import Get
from mappings.engine.chain import Finish
from mappings.engine.model import Rule
from mappings.engine.render import Build


class Origin:
    """A canonical leaf that remembers its path; equal to, and hashed and shown as, its value."""

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: str) -> None:
        """Wrap *value*."""
        self.value = value
        self.path = path

    def __eq__(self, other: object) -> bool:
        """Compare by value, with wrapped and bare values alike."""
        return bool(self.value == (other.value if isinstance(other, Origin) else other))

    def __hash__(self) -> int:
        """Hash as the value."""
        return hash(self.value)

    def __str__(self) -> str:
        """Show as the value."""
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """An output value with the rule that made it and the canonical leaf it came from, if any."""

    value: Any
    rule: Rule
    origin: str | None
    code: Any = None


class Tracer:
    """Makes recording leaves."""

    def leaf(self, rule: Rule, build: Build, get: Get | None) -> Build:
        """Return *build* with its answer marked."""

        def recorded(item: Any, context: Any) -> Any:
            source = get(item, context) if get is not None else None
            value = build(item, context)
            if value is None:
                if isinstance(source, Origin) and rule.codes is not None:
                    context.notes.untabled.append((source.path, rule))
                return None
            origin = source.path if isinstance(source, Origin) else None
            code = source.value if isinstance(source, Origin) else None
            if isinstance(value, Origin):
                value = value.value
            if rule.narrate:
                return value  # marked line by line
            if rule.whole:
                return _marked(value, rule)
            return Mark(value, rule, origin, code)

        return recorded

    def word(self, word: Finish) -> Finish:
        """Return *word* for values that remember their path."""
        return lambda value: word(value.value if isinstance(value, Origin) else value)


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
