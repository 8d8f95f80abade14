"""A hub under load whose clock is set by hours and days, ahead and back (`reliability.md` P15).

The clock is the hub's own port (`ECAF_CLOCK_OFFSET_FILE`); leases and time-outs never read it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.rig import rig

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
Said = Callable[[str], None]
MINUTE, HOUR, DAY = 60, 3600, 86_400
JUMPS = (HOUR, -40 * MINUTE, 5 * HOUR, 0, 3 * DAY, 20 * DAY, -40 * MINUTE, 2 * DAY, MINUTE, 0)
"""Seconds that the clock is off, one after the other.  The load's decisions were signed two hours
ago and are good for ten months: a clock beyond either refuses them, and must.
"""
EPISODES, UPDATES = 3, 4
REST_SECONDS = 90.0


def put(file: Path, seconds: int) -> None:
    """Set the hub's clock off by *seconds*."""
    new = file.with_suffix(".new")
    new.write_text(f"{seconds}\n")
    new.replace(file)


async def test_a_clock_that_is_set_loses_doubles_and_reorders_nothing(
    seed: int, said: Said, tmp_path: Path
) -> None:
    """Jumps in every burst, with a fifth of all answers withheld, so that retries are waiting when
    the clock goes back; all of it arrives soon after the last, however far ahead they were put.
    """
    file = tmp_path / "offset"
    jumped = 0
    settings = {"ECAF_CLOCK_OFFSET_FILE": str(file)}
    async with rig(seed, drops=0.2, settings=settings) as run:
        for seconds in JUMPS:
            async with run.burst(EPISODES, UPDATES):
                await run.moment("receipt", run.random.randrange(2, 20))
                put(file, seconds)
                jumped += 1
        put(file, 0)
        rested = await run.settle(REST_SECONDS)
        verdict = run.verdict()
        unrecorded = await run.undisclosed()

    said(
        f"clock: {jumped} jumps from {min(JUMPS) / MINUTE:.0f} min to {max(JUMPS) / DAY:.0f} days,"
        f" {verdict}, {len(verdict.disordered)} disordered, rest after {rested:.1f} s, seed {seed}"
    )
    assert verdict.faults() == {}
    assert unrecorded == []
    assert verdict.acknowledged == len(JUMPS) * 2 * EPISODES * (3 + UPDATES)
