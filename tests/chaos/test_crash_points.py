"""The crash-point sweep: killed before every statement, commit, send, publish and answer of a
story, the hub loses, doubles, reorders and invents nothing, and discloses nothing unrecorded.

`reliability.md` P1, P2, P4, P6, P27, and P17 (a migration killed at any statement is run again):
the story begins with an empty database.
"""

from collections.abc import Callable
from random import Random

import pytest

from tests.chaos.sweep import Point, sweep
from tests.servers.rabbitmq import RabbitServer

pytestmark = pytest.mark.acceptance
Said = Callable[[str], None]
SAMPLE = 4


def spread(points: list[Point], count: int, seed: int) -> list[Point]:
    """Return *count* of *points* at equal distances, which ones is the seed's to say."""
    step = len(points) / count
    start = Random(seed).uniform(0, step)
    return [points[int(start + step * number)] for number in range(count)]


@pytest.mark.parametrize("count", [SAMPLE, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("sqlite and rabbitmq", marks=pytest.mark.broker)]
)
async def test_killed_at_any_point_the_hub_goes_on_as_if_nothing_had_been(
    backend: str, count: int | None, seed: int, said: Said, request: pytest.FixtureRequest
) -> None:
    """Every point of the story is died at (or a spread of them), and every story ends the same."""
    broker: RabbitServer | None = None
    if "rabbitmq" in backend:
        broker = request.getfixturevalue("empty_rabbitmq")

    async with sweep(broker.url if broker else None) as run:
        points = await run.points()
        swept = await run.through(spread(points, count, seed) if count else points)

    said(f"crash points on {backend}: {len(points)} points, {swept}, seed {seed}")
    assert swept.faults == {}
    assert swept.missed == []
    assert swept.kills == (count or len(points))
