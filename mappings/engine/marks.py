"""What a recorded rendering carries instead of plain values: where an input leaf stands, and what
an output value was made of.
"""

from dataclasses import dataclass
from typing import Any

from mappings.engine.model import Rule


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

    def __bool__(self) -> bool:
        """Say whether there is a value: what is gone (N5) is none."""
        return self.value is not None

    def __hash__(self) -> int:
        """Hash as the value."""
        return hash(self.value)

    def __str__(self) -> str:
        """Show as the value."""
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """An output value with the rule that made it and the canonical leaf it came from, if any.

    *also* are the other leaves that it was made of: a line of text for people can hold several.
    """

    value: Any
    rule: Rule
    origin: str | None
    code: Any = None
    also: tuple[str, ...] = ()


def bare(value: Any) -> Any:
    """Return *value* without what it carries."""
    if type(value) is str:  # most are, and nothing that carries something is
        return value
    return value.value if isinstance(value, (Origin, Mark)) else value
