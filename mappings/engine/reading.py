"""One reading: what it notes on its way, and wire values turned back into canonical ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from hub.errors import Code, Fault
from mappings.engine.model import Rule

Trail = tuple[Any, ...]
"""A place in the received document: (trail before, name or position)."""


@dataclass(slots=True)
class Reading:
    """The state of one reading; *outer* is the item that encloses the one being read."""

    root: dict[str, Any]
    resolve: Callable[[str, str], Any]
    outer: dict[str, Any] = field(default_factory=dict)
    unmapped: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    later: list[tuple[Any, Any, Any, Trail]] = field(default_factory=list)

    def unknown(self, trail: Trail) -> None:
        """Note that nothing knows what stands at *trail*."""
        self.unmapped.append(said(trail))

    def disagreement(self, trail: Trail, path: str) -> None:
        """Note that *trail* says otherwise than another place about the leaf *path*."""
        self.faults.append(
            Fault(Code.RULE, said(trail), f"two places of the message disagree about {path}")
        )


def said(trail: Trail) -> str:
    """Return *trail* as a path."""
    steps: list[str] = []
    while trail:
        trail, step = trail
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(reversed(steps)).removeprefix(".")


def decoder(rule: Rule) -> Callable[[Any, Reading, Trail], Any]:
    """Return what turns a wire value of *rule* into the canonical one, or notes what is wrong."""
    if rule.codes is not None:
        table = rule.codes
        inward: Mapping[str, Any] = table.inward
        if rule.form == "bool":
            inward = {wire: code == "true" for wire, code in inward.items()}

        def coded(value: Any, context: Reading, trail: Trail) -> Any:
            if not isinstance(value, str):
                context.unknown(trail)
                return None
            found = inward.get(value)
            if found is None:
                if table.passes and value not in table.known_wire:
                    return value
                if value not in table.known_wire:
                    context.unknown(trail)
            return found

        return coded
    if rule.prefix is not None:
        prefix, whole = rule.prefix, rule.form == "int"

        def stripped(value: Any, context: Reading, trail: Trail) -> Any:
            if not isinstance(value, str) or not value.startswith(prefix):
                context.unknown(trail)
                return None
            rest = unquote(value[len(prefix) :])
            return int(rest) if whole and rest.isdigit() else rest

        return stripped
    if rule.to is not None:
        name = rule.to

        def resolved(value: Any, context: Reading, trail: Trail) -> Any:
            found = context.resolve(name, value) if isinstance(value, str) else None
            if found is None:
                context.unknown(trail)
            return found

        return resolved
    if rule.words is not None:
        hear = rule.words.hear

        def heard(value: Any, context: Reading, trail: Trail) -> Any:
            try:
                return hear(value)
            except ValueError:
                context.faults.append(
                    Fault(Code.FORMAT, said(trail), f"no {rule.form} as the format writes it")
                )
                return None

        return heard
    return lambda value, _context, _trail: value
