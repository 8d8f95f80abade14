"""What the agreements let one recipient see, cell by cell, and by which decisions."""

from collections.abc import Iterable
from typing import NamedTuple

from hub.domain.cells import Cell, Heard
from hub.domain.consent import Agreements, Ask
from hub.domain.decision import SHAREABLE
from hub.services.permits import BASIC, SECTION, SENSITIVE


class _Levels(NamedTuple):
    """The bits of one person's answers: of the sections that are *named*, and of the *rest*."""

    heard: Heard
    named: dict[str, int]
    rest: int


class Rights:
    """The answers for one `Ask`."""

    def __init__(self, agreements: Agreements, ask: Ask) -> None:
        """Ask nothing yet."""
        self.agreements = agreements
        self._ask = ask
        self._known: dict[str, _Levels] = {}

    def __call__(self, person: str, section: str) -> int:
        """Return the bits of `hub.services.permits` for this person and section."""
        _, named, rest = self._known.get(person) or self._levels(person)
        bits = named.get(section)
        if bits is None:
            return rest if section in SHAREABLE else 0
        return bits

    def _levels(self, person: str) -> _Levels:
        heard = self.agreements.heard(person, self._ask)
        listed = heard.listed()
        named = {section: _bits(heard.section(section), listed) for section in heard.named()}
        found = self._known[person] = _Levels(heard, named, _bits(heard.rest(), listed))
        return found

    def decisions(self, counted: Iterable[tuple[tuple[str, ...], str, int]]) -> frozenset[str]:
        """Return the decisions behind the (people, section, bit) that the kept leaves rest on.

        What was asked about a leaf that stayed behind is not among them: a decision's id would
        tell of the leaf.
        """
        cells = {
            (person, section, bit == BASIC) for people, section, bit in counted for person in people
        }
        found = set()
        for person, section, basic in cells:
            heard = (self._known.get(person) or self._levels(person)).heard
            found.add((heard.basic(section) if basic else heard.section(section)).decision_id)
        return frozenset(decision for decision in found if decision)


def _bits(cell: Cell, listed: Cell) -> int:
    """Return the bits of a section's *cell*; *listed* is the answer about basic leaves."""
    if cell.permitted:
        return BASIC | SECTION | SENSITIVE if cell.sensitive else BASIC | SECTION
    return BASIC if listed.permitted and not cell.excluded else 0
