"""A recipient learns nothing of what is withheld: 300 pairs in every format of the catalogue.

`make chaos` goes through 20,000 (`tests/chaos/test_many_pairs.py`).
"""

from functools import cache
from typing import Final

import pytest

from tests.property.noninterference import FORMATS, KINDS, SILENT, Pair, index_pair, pair, said

PAIRS: Final = 300


@cache
def pairs() -> tuple[Pair, ...]:
    """Return the pairs, made once for all formats."""
    return tuple(pair(number) for number in range(PAIRS))


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_withheld_changes_no_byte_of_any_message(name: str) -> None:
    """Content, counts, order, ids, sequence and errors are the same for both of each pair."""
    for number, one in enumerate(pairs()):
        first, second = (said(name, told) for told in one.told)
        assert first == second, f"pair {number} ({one.kind}) in {name}"
        assert b"CANARY" not in second, f"pair {number} ({one.kind}) in {name}"


def test_the_pairs_are_pairs() -> None:
    """Nearly all differ in what is withheld, all kinds are among them, and most are sent."""
    made = pairs()

    assert sum(one.differs for one in made) > 0.9 * PAIRS
    assert {one.kind for one in made if not isinstance(one.told[0], str)} == {
        kind for kind, *_ in KINDS
    }


@pytest.mark.parametrize("name", sorted(set(FORMATS) - SILENT))
def test_every_format_says_something_of_the_pairs(name: str) -> None:
    """The comparison compares messages: each format writes some of them, and they differ."""
    written = {said(name, one.told[0]) for one in pairs()[:60] if not isinstance(one.told[0], str)}

    assert len({body for body in written if b"\0" in body}) > 1


def test_the_index_learns_nothing_but_what_it_holds() -> None:
    """Whatever else there is of the family changes no byte at the index."""
    for number in range(PAIRS):
        first, second = index_pair(number)
        assert first == second, number
        assert b"CANARY" not in second, number
