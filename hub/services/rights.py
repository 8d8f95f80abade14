"""What the agreements let one recipient see, cell by cell, and by which decisions."""

from collections.abc import Iterable

from hub.domain.consent import Agreements, Ask, Heard
from hub.services.permits import BASIC, SECTION, SENSITIVE


class Rights:
    """The answers for one `Ask`."""

    def __init__(self, agreements: Agreements, ask: Ask) -> None:
        """Ask nothing yet."""
        self.agreements = agreements
        self._ask = ask
        self._heard: dict[str, Heard] = {}
        self._known: dict[tuple[str, str], int] = {}

    def __call__(self, person: str, section: str) -> int:
        """Return the bits of `hub.services.prune` for this person and section."""
        known = self._known.get((person, section))
        if known is None:
            known = self._known[person, section] = self._answer(person, section)
        return known

    def _answer(self, person: str, section: str) -> int:
        heard = self._heard.get(person)
        if heard is None:
            heard = self._heard[person] = self.agreements.heard(person, self._ask)
        cell = heard.section(section)
        if cell.permitted:
            return BASIC | SECTION | SENSITIVE if cell.sensitive else BASIC | SECTION
        return BASIC if heard.basic(section).permitted else 0

    def decisions(self, counted: Iterable[tuple[tuple[str, ...], str, int]]) -> frozenset[str]:
        """Return the decisions behind the (people, section, bit) that the kept leaves rest on.

        What was asked about a leaf that stayed behind is not among them: a decision's id would
        tell of the leaf.
        """
        ask = self.agreements.basic, self.agreements.section
        answers = (
            ask[bit != BASIC](person, section, self._ask)
            for people, section, bit in counted
            for person in people
        )
        return frozenset(answer.decision_id for answer in answers if answer.decision_id)
