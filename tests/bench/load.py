"""How busy the machine is: our own processors' time, and everybody else's, from ``/proc``."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

TICK: Final = os.sysconf("SC_CLK_TCK")
QUIET: Final = 0.5
"""Cores that others may use while a round still counts (`performance.md` section 9)."""


def _processes() -> dict[int, tuple[int, int]]:
    """Return the parent and the used ticks (with those of ended children) of every process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        fields = text[text.rindex(")") + 2 :].split()
        found[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return found


def ours() -> float:
    """Return the processor seconds of this process and of everything that it started."""
    known = _processes()
    children: dict[int, list[int]] = {}
    for process, (parent, _) in known.items():
        children.setdefault(parent, []).append(process)
    family, ticks = [os.getpid()], 0
    while family:
        process = family.pop()
        ticks += known[process][1] if process in known else 0
        family += children.get(process, ())
    return ticks / TICK


def of_process(process: int) -> float:
    """Return the processor seconds of one other process."""
    text = Path(f"/proc/{process}/stat").read_text()
    return sum(map(int, text[text.rindex(")") + 2 :].split()[11:13])) / TICK


def busy() -> float:
    """Return the processor seconds that the machine has spent, those stolen from it included."""
    user, nice, system, _idle, _wait, irq, soft, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + soft + steal) / TICK


def of_threads() -> dict[str, float]:
    """Return the processor seconds of each of our threads."""
    return {
        thread.name: time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        for thread in threading.enumerate()
        if thread.ident is not None
    }


@dataclass(slots=True)
class Watch:
    """What passed between entering and leaving."""

    seconds: float = 0.0
    cpu: float = 0.0
    others: float = 0.0

    def __enter__(self) -> Self:
        """Start."""
        self._before()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.seconds = time.perf_counter() - self.seconds
        self.cpu = time.process_time() - self.cpu
        spent = (busy() - self._busy) - (ours() - self._ours)
        self.others = max(0.0, spent / self.seconds)

    _busy: float = 0.0
    _ours: float = 0.0

    def _before(self) -> None:
        self._busy, self._ours = busy(), ours()
        self.cpu, self.seconds = time.process_time(), time.perf_counter()
