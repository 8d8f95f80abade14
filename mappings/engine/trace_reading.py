"""Recording where each canonical value was read from, by the same closures as the hot path.

Decoded values are wrapped in `Heard`, which compares and hashes as its value; when the message is
read, the wrappers are taken out and listed with their places.  Nothing of this runs unless asked
for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mappings.engine.model import Rule
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A canonical value with the rule that read it, its place on the wire, and what stood there."""

    value: Any
    trail: Any
    rule: Rule
    wire: Any

    def __eq__(self, other: object) -> bool:
        """Compare by value, with wrapped and bare values alike."""
        return bool(self.value == (other.value if isinstance(other, Heard) else other))

    def __hash__(self) -> int:
        """Hash as the value."""
        return hash(self.value)


def listening(plans: Mapping[str, Object]) -> dict[str, Object]:
    """Return *plans* whose rules remember what they hear."""
    return {name: _object(plan) for name, plan in plans.items()}


def _object(plan: Object) -> Object:
    return Object(plan.kind, {name: _slot(slot) for name, slot in plan.fields.items()})


def _slot(slot: Slot) -> Slot:
    if isinstance(slot, Constant):
        return slot
    if isinstance(slot, Leaf):
        return Leaf(_hearing(slot.rule), [_hearing(rule) for rule in slot.also])
    if isinstance(slot, Object):
        return _object(slot)
    return Listed(
        [Part(part.where, part.step, _slot(part.content), part.rule) for part in slot.parts]
    )


def _hearing(rule: Rule) -> Rule:
    def heard(value: Any, trail: Any, wire: Any) -> Any:
        return _wrapped(value, trail, rule, wire)

    return replace(rule, heard=heard)


def _wrapped(value: Any, trail: Any, rule: Rule, wire: Any) -> Any:
    if isinstance(value, Heard):
        return Heard(value.value, trail, rule, wire)  # the key of another entry: said here as well
    if not rule.whole:
        return value if isinstance(value, dict | list) else Heard(value, trail, rule, wire)
    if isinstance(value, dict):
        return {name: _wrapped(one, (trail, name), rule, one) for name, one in value.items()}
    if isinstance(value, list):
        return [_wrapped(one, (trail, at), rule, one) for at, one in enumerate(value)]
    return Heard(value, trail, rule, wire)


def unheard(value: Any, heard: dict[str, Heard], path: str = "") -> Any:
    """Return *value* without wrappers, after filing each under its canonical path."""
    if isinstance(value, Heard):
        heard[path] = value
        return value.value
    if isinstance(value, Mapping):
        return {
            name: unheard(inner, heard, f"{path}.{name}" if path else name)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [unheard(inner, heard, f"{path}[{at}]") for at, inner in enumerate(value)]
    return value
