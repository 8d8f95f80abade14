"""Twenty thousand pairs in every format: not one byte tells of what is withheld (`reliability.md`
P24).  `ECAF_TEST_PAIRS` says how many; the suite has 300 (`tests/property`).
"""

import os
from collections.abc import Callable
from typing import Final

import pytest

from tests.property.noninterference import FORMATS, index_pair, pair
from tests.property.noninterference import said as bytes_of

pytestmark = pytest.mark.slow
PAIRS: Final = int(os.environ.get("ECAF_TEST_PAIRS") or 20_000)


def test_no_byte_differs(said: Callable[[str], None], seed: int) -> None:
    """Every pair in every format, and at the index."""
    compared, sent = 0, 0
    for number in range(seed, seed + PAIRS):
        one = pair(number)
        sent += not isinstance(one.told[0], str)
        for name in FORMATS:
            first, second = (bytes_of(name, told) for told in one.told)
            assert first == second, f"pair {number} ({one.kind}) in {name}"
            compared += 1
        first, second = index_pair(number)
        assert first == second, f"pair {number} at the index"
    said(f"{PAIRS} pairs, {sent} sent, {compared} comparisons, 0 bytes differ; seed {seed}")
