"""The order in which decisions are heard, and that each is heard."""

from typing import Any

import pytest

from hub.domain.decision import Reading
from hub.domain.exchange import Decision
from hub.domain.hearing import Hearing
from tests.unit.domain.decisions import record, recorded


def ids(hearing: Hearing) -> list[str]:
    """Return what is heard, in its order."""
    return [reading.decision_id for reading in hearing]


def test_what_could_not_be_read_is_not_passed_over() -> None:
    """A refusal at which reading failed once fails again: nobody goes on without it."""
    decisions = recorded(record(), record("REFUSED"))

    def limit(decision: Decision, _reading: Reading) -> None:
        if decision.sequence == 2:
            raise MemoryError

    hearing = Hearing(decisions, adult=False, limit=limit)

    for _ in range(2):
        with pytest.raises(MemoryError):
            ids(hearing)


def test_who_asks_while_somebody_listens_changes_nothing_for_them() -> None:
    """A question in the middle of another is answered from the same decisions, and so is that."""
    hearing = Hearing(
        recorded(record(), record("ASKED"), record("REFUSED"), record("WIDENED")), adult=False
    )

    heard = [(reading.decision_id, *ids(hearing)) for reading in hearing]

    every = ("d4", "d3", "d1")
    assert heard == [(first, *every) for first in every]


def test_a_question_that_was_answered_still_decides_nothing() -> None:
    """Whoever names it as what they replace is heard, and it is not."""
    decisions = recorded(record("ASKED"), record(supersedes="d1"))

    assert ids(Hearing(decisions, adult=False)) == ["d2"]


@pytest.mark.parametrize(
    ("givers", "differ"),
    [
        (["mia"], False),
        (["mia", "mia"], False),
        (["mia", "tom"], True),
        (["mia", ["tom"]], False),
    ],
)
def test_parents_may_differ_where_there_are_two(givers: list[Any], *, differ: bool) -> None:
    """One parent may change their mind; only two can hold back what the other gave.  What is no
    name is nobody's.
    """
    decisions = recorded(*(record(given_by_person=giver) for giver in givers))

    assert Hearing(decisions, adult=False).may_differ() is differ
