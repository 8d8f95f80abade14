"""Mutants that are known to change nothing, each with the reason (``equivalents.yaml``)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.mutation.mutants import Mutant

FILE: Final = Path(__file__).with_name("equivalents.yaml")


@dataclass(frozen=True)
class Equivalent:
    """One entry: which mutants (all that match), and *why* nobody could tell them apart."""

    module: str
    function: str | None
    code: str
    change: str
    why: str

    def matches(self, mutant: Mutant) -> bool:
        """Return whether the entry is about *mutant*."""
        return (self.module, self.function, self.code, self.change) == (
            mutant.module,
            mutant.function,
            mutant.code,
            mutant.change,
        )


def known(file: Path = FILE) -> Sequence[Equivalent]:
    """Return every entry; raises `TypeError` or `ValueError` if one of them is not whole."""
    found = [Equivalent(**entry) for entry in yaml.safe_load(file.read_text("utf-8"))]
    for entry in found:
        if not entry.why:
            raise ValueError(f"no reason: {entry}")
    return found


def stale(entries: Iterable[Equivalent], mutants: Sequence[Mutant]) -> list[Equivalent]:
    """Return the entries that match none of *mutants*."""
    return [entry for entry in entries if not any(map(entry.matches, mutants))]
