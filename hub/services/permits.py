"""What everybody whose data it is lets one recipient see, section by section."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from hub.services.masking import NOBODY, Masked

BASIC: Final = 1


SECTION: Final = 2


SENSITIVE: Final = 4


Rights = Callable[[str, str], int]
"""(data subject, section) to the bits above: what that person lets this recipient see of the
section.
"""


@dataclass(slots=True)
class Permits:
    """The answers of the agreements for one recipient, asked once per person and section.

    *masked* are never named.  *counted* holds (people, section, bit) of everybody whose permission
    a kept leaf rests on: what was asked about a leaf that stayed behind leaves no trace there.
    *places* is the pruning's own memory of where it has been.
    """

    children: tuple[str, ...]
    adults: tuple[str, ...]
    rights: Rights
    masked: Masked = NOBODY
    counted: list[tuple[tuple[str, ...], str, int]] = field(default_factory=list)
    _shared: dict[str, int] = field(default_factory=dict)
    places: dict[tuple[str | None, ...], Any] = field(default_factory=dict)

    def shared(self, section: str) -> int:
        """Return what every child's decisions permit; nothing if there is no child."""
        known = self._shared.get(section)
        if known is None:
            known = self._shared[section] = _all(
                self.rights(child, section) for child in self.children
            )
        return known

    def person(self, person: str | None, section: str) -> int:
        """Return what the person named by an item permits; nothing if nobody knows who that is."""
        if person is None:
            return 0
        if person in self.children:
            return self.rights(person, section)
        if person in self.adults:
            return self.shared(section) & self.rights(person, section)
        return 0


def _all(rights: Iterable[int]) -> int:
    seen = None
    for right in rights:
        seen = right if seen is None else seen & right
    return seen or 0
