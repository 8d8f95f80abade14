"""A measured ratio: rounds of both sides in turn, the median of the quiet ones, and its goal."""

import statistics
from dataclasses import dataclass, field
from typing import Final

from tests.bench.load import QUIET

HEAD: Final = f"{'':58} {'ratio':>6} {'[rounds]':15} {'goal':>8} {'':7} quiet"


@dataclass(slots=True)
class Figure:
    """One row of the table; *least*: the goal is a lower bound, else an upper one.

    Without a goal it is only told.
    """

    name: str
    goal: float | None
    least: bool = True
    ratios: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    beside: str = ""

    def add(self, ratio: float, others: float) -> None:
        """Take one round; *others* is the load that was not ours, in cores."""
        self.ratios.append(ratio)
        self.others.append(others)

    def line(self) -> str:
        """Return the row: of the quiet rounds, or of all with a word of warning."""
        quiet = [r for r, load in zip(self.ratios, self.others, strict=True) if load <= QUIET]
        ratios = quiet or self.ratios
        ratio = statistics.median(ratios)
        span = f"[{min(ratios):.2f}-{max(ratios):.2f}]"
        goal = "" if self.goal is None else f"{'>=' if self.least else '<='} {self.goal:g}"
        warning = "" if quiet else "  NOT TO BE JUDGED: others were busy"
        return (
            f"{self.name:58} {ratio:6.2f} {span:15} {goal:>8} {self._verdict(ratio):7}"
            f" {len(quiet):2}/{len(self.ratios)}{warning}"
            + (f"\n  {self.beside}" if self.beside else "")
        )

    def _verdict(self, ratio: float) -> str:
        if self.goal is None:
            return ""
        passes = ratio >= self.goal if self.least else ratio <= self.goal
        return "pass" if passes else "MISSED"


def told(name: str, number: int, what: str, others: float) -> None:
    """Print one round; the one numbered 0 does not count."""
    which = "warm-up" if number == 0 else f"round {number}"
    busy = "" if others <= QUIET else " (busy)"
    print(f"  {name} {which}: {what}, others {others:.1f}{busy}", flush=True)


def check(what: str, found: int, wanted: int) -> None:
    """Raise unless as much was done as should be: nothing counts otherwise."""
    if found != wanted:
        raise RuntimeError(f"{what}: {found} instead of {wanted}; nothing counts")
