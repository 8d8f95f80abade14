"""What the agreements let one recipient see, cell by cell, and by which decisions."""

from collections.abc import Collection, Iterable

from hub.domain.cells import Cell
from hub.domain.consent import Agreements, Ask
from hub.domain.decision import SHAREABLE
from hub.services.permits import BASIC, SECTION, SENSITIVE, Levels
from hub.services.permits import Rights as RightsOf


class Rights:
    """The answers for one `Ask`."""

    def __init__(self, agreements: Agreements, ask: Ask) -> None:
        """Ask nothing yet."""
        self.agreements = agreements
        self._ask = ask
        self._known: dict[str, Levels] = {}

    def __call__(self, person: str) -> Levels:
        """Return what this person permits of every section that may be shared at all."""
        known = self._known.get(person)
        if known is None:
            known = self._known[person] = self._levels(person)
        return known

    def _levels(self, person: str) -> Levels:
        heard = self.agreements.heard(person, self._ask)
        listed = heard.listed()
        levels = dict.fromkeys(SHAREABLE, _bits(heard.rest(), listed))
        for section in heard.named():
            levels[section] = _bits(heard.section(section), listed)
        return levels

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
            heard = self.agreements.heard(person, self._ask)
            found.add((heard.basic(section) if basic else heard.section(section)).decision_id)
        return frozenset(decision for decision in found if decision)


def named_alone(rights: RightsOf, sections: Collection[str]) -> RightsOf:
    """Return *rights* in these *sections*, and none in any other."""
    return lambda person: {
        section: level for section, level in rights(person).items() if section in sections
    }


def _bits(cell: Cell, listed: Cell) -> int:
    """Return the bits of a section's *cell*; *listed* is the answer about basic leaves."""
    if cell.permitted:
        return BASIC | SECTION | SENSITIVE if cell.sensitive else BASIC | SECTION
    return BASIC if listed.permitted and not cell.excluded else 0
