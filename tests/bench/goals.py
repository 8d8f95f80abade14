"""Works beside the unit that each is measured in: interleaved rounds, medians of their ratios."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.bench.load import QUIET, Watch

ROUNDS: Final = 11
SLICE: Final = 0.02
"""Seconds of processor that one side of a round takes at the least."""

Work = Callable[[], object]


@dataclass(slots=True)
class Goal:
    """One row: a work, the unit, and how many units it may cost; nothing means it is reported."""

    what: str
    work: Work
    unit: Work
    passes: float | None = None
    stretch: float | None = None
    ratios: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Return the row: of the quiet rounds, or of all with a word of warning."""
        quiet = [r for r, others in zip(self.ratios, self.others, strict=True) if others <= QUIET]
        ratios = quiet or self.ratios
        ratio = statistics.median(ratios)
        goal = "" if self.passes is None else f"{self.passes:g} / {self.stretch:g}"
        return (
            f"{self.what:58} {statistics.median(self.spent) * 1e6:8.0f} {ratio:6.2f}"
            f" [{min(ratios):.2f}-{max(ratios):.2f}]  {goal:9} {self._verdict(ratio):8}"
            f" {len(quiet):2}/{len(self.ratios)}{'' if quiet else '  NOT TO BE JUDGED: busy'}"
        )

    def _verdict(self, ratio: float) -> str:
        if self.passes is None or self.stretch is None:
            return ""
        if ratio <= self.stretch:
            return "stretch"
        return "pass" if ratio <= self.passes else "MISSED"


HEAD: Final = f"{'':58} {'µs':>8} {'ratio':>6} {'[rounds]':11}  {'goal':9} {'':8} quiet rounds"


def measure(goals: Sequence[Goal]) -> None:
    """Run the rounds, one goal after the other in each, work and unit in turn."""
    times = {id(goal): (_times(goal.work), _times(goal.unit)) for goal in goals}
    for number in range(ROUNDS + 1):
        for goal in goals:
            works, units = times[id(goal)]
            with Watch() as watch:
                work = _cpu(goal.work, works)
                unit = _cpu(goal.unit, units)
            if number:  # the first is warm-up
                goal.ratios.append(work / unit)
                goal.spent.append(work)
                goal.others.append(watch.others)


def _times(work: Work) -> int:
    """Return how often *work* fits into a slice."""
    work()
    return max(3, int(SLICE / max(_cpu(work, 3), 1e-7)))


def _cpu(work: Work, times: int) -> float:
    """Return the seconds of processor of one *work*."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times
