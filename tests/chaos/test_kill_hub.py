"""kill -9 of `ecaf serve` in bursts of submissions: nothing acknowledged is lost, nothing doubled.

Without a broker; with one, and with the broker and the database killed as well, `test_kill_loops`.

`reliability.md` P1 (nothing accepted is lost), P2 (no ghosts), P3 (every delivery ends), P4
(effectively once), P6 (order), P11 (recovery without a human step).
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.chaos.rig import rig

pytestmark = pytest.mark.acceptance
REST_SECONDS = 60.0
Said = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How often and how much: *rounds* kills, each in a burst of two producers' *episodes*."""

    rounds: int
    episodes: int
    updates: int

    def __str__(self) -> str:
        return f"{self.rounds} kills"


SIZES = [
    Size(rounds=3, episodes=2, updates=3),
    pytest.param(Size(rounds=20, episodes=6, updates=5), marks=pytest.mark.slow),
]
BACKENDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.database),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
async def test_kill9_loses_and_doubles_nothing(
    backend: str, size: Size, seed: int, said: Said, request: pytest.FixtureRequest
) -> None:
    """After kills in mid-burst everything acknowledged arrives, each with one id and one body."""
    database = request.getfixturevalue("durable_url") if "postgresql" in backend else None
    rested = 0.0
    async with rig(seed, database=database) as run:
        for number in range(size.rounds):
            async with run.burst(size.episodes, size.updates):
                # In turn while it accepts and while it delivers; when exactly is the seed's to say.
                kind = "answer" if number % 2 == 0 else "receipt"
                share = run.random.uniform(0.1, 0.8)
                messages = 2 * size.episodes * (3 + size.updates)
                await run.moment(kind, int(messages * share))
                await run.kill_and_restart()
            # Between rests a backlog builds up, and is there when the next kill comes.
            if number % 3 == 2 or number == size.rounds - 1:
                rested = max(rested, await run.settle(REST_SECONDS))
        verdict = run.verdict()
        unrecorded = await run.undisclosed()

    said(
        f"{backend}: {run.kills} kills, {verdict}, rest after at most {rested:.1f} s,"
        f" slowest start {run.slowest_start:.1f} s, seed {seed}"
    )
    assert verdict.faults() == {}
    assert unrecorded == []
    assert verdict.acknowledged == 2 * size.rounds * size.episodes * (3 + size.updates)
