"""What everybody whose data it is lets one recipient see, section by section."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hub.services.masking import NOBODY, Masked

BASIC: Final = 1


SECTION: Final = 2


SENSITIVE: Final = 4


Levels = Mapping[str, int]
"""Section to the bits above; of a section that is not there nothing may be seen."""

Rights = Callable[[str], Levels]
"""Data subject to what that person lets this recipient see of each section."""


@dataclass(slots=True)
class Permits:
    """The answers of the agreements for one recipient, each person asked once.

    *masked* are never named.  *counted* holds (people, section, bit) of everybody whose permission
    a kept leaf rests on: what was asked about a leaf that stayed behind leaves no trace there.
    *places* and *last* are the pruning's own memory of where it has been, and whom it met there.
    """

    children: tuple[str, ...]
    adults: tuple[str, ...]
    rights: Rights
    masked: Masked = NOBODY
    counted: list[tuple[tuple[str, ...], str, int]] = field(default_factory=list)
    places: dict[tuple[str | None, ...], Any] = field(default_factory=dict)
    last: dict[int, tuple[Mapping[str, Any], Any]] = field(default_factory=dict)
    _said: dict[str, Levels] = field(default_factory=dict)

    def levels(self, person: str) -> Levels:
        """Return what this person permits."""
        known = self._said.get(person)
        if known is None:
            known = self._said[person] = self.rights(person)
        return known

    def shared(self, section: str) -> int:
        """Return what every child's decisions permit; nothing if there is no child."""
        seen = BASIC | SECTION | SENSITIVE if self.children else 0
        for child in self.children:
            seen &= self.levels(child).get(section, 0)
        return seen

    def person(self, person: str | None, section: str) -> int:
        """Return what the person named by an item permits; nothing if nobody knows who that is."""
        if person is None:
            return 0
        if person in self.children:
            return self.levels(person).get(section, 0)
        if person in self.adults:
            return self.shared(section) & self.levels(person).get(section, 0)
        return 0
