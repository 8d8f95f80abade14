"""How long an answer takes tells a stranger nothing: plain, shielded and sensitive take as long as
none (`reliability.md` P25, "timing class").

Asked in turns, so that what else the machine does falls on all alike; judged by ranks, so that a
few slow answers count as a few.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from hub.api.limits import Limits
from tests.acceptance.real_hub import CAF, RealHub, real_hub
from tests.acceptance.test_existence import ABSENT, KINDS, STRANGER, at_rest, made, reference

pytestmark = pytest.mark.slow
TRIALS: Final = int(os.environ.get("ECAF_TEST_TRIALS") or 2_000)
FAR: Final = 0.05
"""How far from one half the chance may be that one kind's answer is the slower of two."""


async def seconds(real: RealHub, kind: str) -> float:
    """Return how long the refusal of a view takes."""
    headers = {"authorization": f"Bearer {real.keys[STRANGER]}", "accept": CAF}
    path = f"/episodes/{reference(kind)}?purpose=PLAN"
    began = time.perf_counter()
    answer = await real.client.get(path, headers=headers)
    took = time.perf_counter() - began
    assert answer.status_code == 404
    return took


def slower(one: list[float], other: list[float]) -> float:
    """Return the chance that a time of *one* is longer than one of *other* (Mann and Whitney)."""
    places = sorted([(took, 1) for took in one] + [(took, 0) for took in other])
    ranks = sum(place for place, (_, mine) in enumerate(places, start=1) if mine)
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


async def test_a_refusal_takes_as_long_whatever_there_is(
    tmp_path: Path, said: Callable[[str], None], seed: int
) -> None:
    """Nobody who times many answers can tell an episode that exists from one that does not."""
    chance = random.Random(seed)
    async with real_hub(tmp_path, limits=Limits()) as real:
        for number, kind in enumerate(KINDS):
            await made(real, kind, number)
        await at_rest(real)
        took: dict[str, list[float]] = {kind: [] for kind in (*KINDS, ABSENT)}
        for trial in range(TRIALS + 50):
            kinds = list(took)
            chance.shuffle(kinds)
            for kind in kinds:
                found = await seconds(real, kind)
                if trial >= 50:
                    took[kind].append(found)
    chances = {kind: slower(took[kind], took[ABSENT]) for kind in KINDS}
    said(f"{TRIALS} refusals each; slower than none: {chances}; seed {seed}")

    assert all(abs(one - 0.5) < FAR for one in chances.values()), chances
