"""What a door answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.domain.exchange import Tree


@dataclass(frozen=True, slots=True)
class Receipt:
    """An HTTP-shaped answer: *status*, *body* without personal data, extra *headers*."""

    status: int
    body: Tree
    headers: Mapping[str, str] = field(default_factory=dict)
