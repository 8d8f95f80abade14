"""The allow-list: what oracles say that we accept, each with a reason (accepted.yaml).

Nothing else is let through, and nothing stays on the list that no longer occurs.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

ACCEPTED: Final = Path(__file__).parent / "accepted.yaml"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an oracle says about a document, in the oracle's own words.

    *severity* is ``fatal``, ``error``, ``warning`` or ``information``.
    """

    document: str
    severity: str
    code: str
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list; *message* and *place* are regular expressions that must be found."""

    oracle: str
    severity: str
    code: str
    message: str
    place: str
    reason: str

    def covers(self, oracle: str, finding: Finding) -> bool:
        """Return whether this is what *oracle* found."""
        return (
            (self.oracle, self.severity, self.code) == (oracle, finding.severity, finding.code)
            and re.search(self.message, finding.message) is not None
            and re.search(self.place, finding.place) is not None
        )


@dataclass(frozen=True, slots=True)
class Sorted:
    """The findings of one oracle: what fails the run, and how often each entry was needed."""

    unexpected: Sequence[Finding]
    needed: Counter[Entry]
    stale: Sequence[Entry]
    """Entries for this oracle that covered nothing."""


def entries(file: Path = ACCEPTED) -> list[Entry]:
    """Return the list; a part that is missing or unknown, or an empty reason, is a `TypeError`."""
    read = yaml.safe_load(file.read_text("utf-8")) or []
    listed = [Entry(**{"place": "", **item}) for item in read]
    for entry in listed:
        if not entry.reason.strip() or not entry.message:
            raise TypeError(f"{file.name}: a message and a reason are needed: {entry}")
    return listed


def sort(oracle: str, findings: Iterable[Finding], listed: Sequence[Entry]) -> Sorted:
    """Hold *findings* against the list; what is only information needs no entry."""
    mine = [entry for entry in listed if entry.oracle == oracle]
    needed: Counter[Entry] = Counter()
    unexpected = []
    for finding in findings:
        if finding.severity == "information":
            continue
        entry = next((one for one in mine if one.covers(oracle, finding)), None)
        if entry is None:
            unexpected.append(finding)
        else:
            needed[entry] += 1
    return Sorted(unexpected, needed, [entry for entry in mine if not needed[entry]])
