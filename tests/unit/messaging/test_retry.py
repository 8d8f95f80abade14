"""Back-off waits as the schedule says, a little apart, and ends."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.retry import HOUR, SCHEDULE, next_delay, reconnect_delay


def test_a_schedule_of_ones_own_says_how_often_and_when() -> None:
    """Two waits are two attempts; what the partner asks for still lengthens the wait."""
    own = (0.0, 100.0)

    assert next_delay(0, random=Random(1), schedule=own) == 0.0
    assert 80 <= (next_delay(1, random=Random(1), schedule=own) or 0.0) <= 120
    assert next_delay(1, random=Random(1), schedule=own, retry_after=300) == 300
    assert next_delay(2, random=Random(1), schedule=own) is None


def test_the_schedule_lasts_three_days() -> None:
    """Eleven attempts over about 76 hours, each wait at least as long as the one before."""
    assert len(SCHEDULE) == 11
    assert list(SCHEDULE) == sorted(SCHEDULE)
    assert 75 * HOUR < sum(SCHEDULE) < 77 * HOUR


@given(attempt=st.integers(0, len(SCHEDULE) - 1), seed=st.integers())
def test_jitter_stays_within_a_fifth(attempt: int, seed: int) -> None:
    """Each wait lies within 20 % of the schedule, to either side."""
    delay = next_delay(attempt, random=Random(seed))

    assert delay is not None
    assert 0.8 * SCHEDULE[attempt] <= delay <= 1.2 * SCHEDULE[attempt]


def test_jitter_spreads_to_both_sides() -> None:
    """Partners that failed together do not come back together."""
    random = Random(7)
    delays = [next_delay(3, random=random) or 0.0 for _ in range(200)]

    assert min(delays) < 0.9 * SCHEDULE[3]
    assert max(delays) > 1.1 * SCHEDULE[3]


def test_it_ends() -> None:
    """After eleven failed attempts there is no next one."""
    assert next_delay(11, random=Random(1)) is None
    assert next_delay(11, random=Random(1), retry_after=5) is None


@pytest.mark.parametrize(
    ("retry_after", "at_least", "at_most"),
    [(3600.0, 3600.0, 3600.0), (30 * HOUR, 6 * HOUR, 6 * HOUR), (1.0, 4.0, 6.0), (-9, 4.0, 6.0)],
)
def test_retry_after_lengthens_up_to_six_hours(
    retry_after: float, at_least: float, at_most: float
) -> None:
    """What a partner asks for is honoured up to six hours, and never shortens the wait."""
    delay = next_delay(1, random=Random(1), retry_after=retry_after)

    assert delay is not None
    assert at_least <= delay <= at_most


def test_attempts_count_from_zero() -> None:
    """A negative count is a mistake of the caller."""
    with pytest.raises(ValueError, match="from 0"):
        next_delay(-1, random=Random(1))


@given(failures=st.integers(0, 10_000), seed=st.integers())
def test_reconnecting_never_waits_longer_than_it_may(failures: int, seed: int) -> None:
    """However often it failed, the next try comes within the longest wait, and never at once."""
    assert 0 < reconnect_delay(failures, random=Random(seed), longest=5.0) <= 5.0
