"""What the episode shows of the people behind its decisions: birthdays, parental responsibility.

A decision record says who gave it and why they may; life goes on.  `domain.md` 4.1 and 4.4:

- at 18 the young person decides alone: what a parent agreed to is over;
- at 16 they are asked: a parent's scope stands until the next review (``review_by``, if that comes
  after the birthday) and never widens, not by a date that it named beforehand either;
- a parent whom the episode shows without parental responsibility: what they agreed to is held, and
  nothing new leaves on it; storing is left as it is, and so is every "no".

Ages come from dates alone and never say whether somebody is competent.  A partial date of birth is
taken for its last day, as `hub.domain.entitlement` does: only what is certain counts.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from hub.domain.decision import PARENT_BASES, Reading, moment
from hub.domain.exchange import Decision, Tree

_STAND_INS: Final = PARENT_BASES | {"CARER_NO_PR"}
"""Whose word stands in for a child's own."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Birthdays by child, and (person, child) where parental responsibility is shown as absent."""

    sixteen: Mapping[str, datetime] = field(default_factory=dict)
    eighteen: Mapping[str, datetime] = field(default_factory=dict)
    without: frozenset[tuple[str, str]] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether there is anything that could limit a decision."""
        return bool(self.sixteen or self.without)

    def limit(self, decision: Decision, reading: Reading) -> None:
        """Take from *reading* what its giver may no longer give."""
        record, child = decision.record, decision.data_subject
        basis = record.get("given_by_basis")
        if not isinstance(basis, str) or basis not in _STAND_INS:
            return
        if basis == "PR_HOLDER" and (reading.parent, child) in self.without:
            reading.held = True  # what they refused still holds others back: no merge widens
        adult_from = self.eighteen.get(child)
        if adult_from is not None:
            reading.ends = min(reading.ends, adult_from)
        asked_from = self.sixteen.get(child)
        if asked_from is not None:
            _at_sixteen(record, reading, asked_from)


NOTHING_KNOWN: Final = Circumstances()


def _at_sixteen(record: Tree, reading: Reading, birthday: datetime) -> None:
    signed = moment(record.get("signed_at"))
    if signed is not None and signed >= birthday:
        judged = record.get("competence_judgement")
        if not isinstance(judged, Mapping) or judged.get("outcome") != "NOT_COMPETENT":
            reading.held = True
        return
    review = moment(record.get("review_by"))
    if review is not None and review >= birthday:
        reading.ends = min(reading.ends, review)
    reading.includes = [_not_from(item, birthday) for item in reading.includes]


def _not_from(item: Tree, birthday: datetime) -> Tree:
    """Return *item*, empty if it would only open when the young person must be asked."""
    begins = moment(item.get("from"))
    if begins is None or begins < birthday:
        return item
    return {**item, "to": item["from"]}


def circumstances(tree: Tree | None) -> Circumstances:
    """Return what *tree*, the newest version of the episode, shows; total, as `decide` is."""
    if not tree:
        return NOTHING_KNOWN
    sixteen: dict[str, datetime] = {}
    eighteen: dict[str, datetime] = {}
    for subject in tree.get("subjects", ()):
        born = subject.get("date_of_birth")
        if isinstance(born, str):
            for age, found in ((16, sixteen), (18, eighteen)):
                day = birthday(born, age)
                if day is not None:
                    found[subject["subject_id"]] = day
    without = frozenset(
        (parent["parent_carer_id"], relation["subject_id"])
        for parent in tree.get("parents_carers", ())
        for relation in parent.get("relationships", ())
        if relation.get("has_parental_responsibility", "Y") != "Y" and "subject_id" in relation
    )
    return Circumstances(sixteen, eighteen, without)


def birthday(born: Any, age: int) -> datetime | None:
    """Return the first moment at which somebody *born* then is certainly of *age*.

    >>> birthday("2010-05", 16).date(), birthday("2008-02-29", 18).date()
    (datetime.date(2026, 5, 31), datetime.date(2026, 3, 1))
    """
    try:
        parts = [int(part) for part in born.split("-")]
        year, month = parts[0], parts[1] if len(parts) > 1 else 12
        day = parts[2] if len(parts) > 2 else monthrange(year, month)[1]
        if (month, day) == (2, 29) and monthrange(year + age, 2)[1] == 28:
            month, day = 3, 1
        return datetime(year + age, month, day, tzinfo=UTC)
    except (AttributeError, IndexError, ValueError, OverflowError):
        return None
