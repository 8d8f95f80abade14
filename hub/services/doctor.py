"""`ecaf doctor`: goes through the whole record in bounded steps and says what does not agree.

One step is one page of episodes read in one moment; a running hub does other work between them.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from hub.domain.dossier import Dossier
from hub.domain.exchange import Tree
from hub.services.conservation import FAULT, Finding, judge, tally

PAGE: Final = 50
"""Episodes read in one transaction: some ten milliseconds of a writer's time."""
STEP_SECONDS: Final = 2.0
"""How long one call goes on before it answers."""
SHOWN: Final = 200
"""Findings shown; all are counted."""


class Examined(Protocol):
    """A record that can be gone through, be it `hub.ports.Store` or not a hub's store at all."""

    async def examine(self, after: str, limit: int) -> Sequence[Dossier]:
        """Return dossiers of the next *limit* episodes beyond the id *after*; of one moment."""
        ...


async def examination(record: Examined, after: str = "", *, running: bool = True) -> Tree:
    """Return what a few seconds of going through *record* from *after* on found.

    *next* is where to go on, absent at the end.  *law* are the terms of the conservation law over
    what was gone through, *findings* the first of what is wrong, *counted* how many there are by
    code.
    """
    began = time.monotonic()
    report = Report()
    at: str | None = after
    while at is not None and (at == after or time.monotonic() - began < STEP_SECONDS):
        page = await record.examine(at, PAGE)
        report.read(page, running=running)
        at = page[-1].episode_id if len(page) == PAGE else None
    return report.told(at)


class Report:
    """What was found so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.episodes = 0
        self.law: dict[str, int] = {}
        self.findings: list[Finding] = []
        self.counted: dict[str, int] = {}

    def read(self, page: Sequence[Dossier], *, running: bool) -> None:
        """Judge one page."""
        self.episodes += len(page)
        for name, number in tally(page).items():
            self.law[name] = self.law.get(name, 0) + number
        real = datetime.now(UTC)
        for dossier in page:
            self.add(judge(dossier, real, running=running))

    def add(self, found: Any) -> None:
        """Count findings, and keep the first."""
        for finding in found:
            self.counted[finding.code] = self.counted.get(finding.code, 0) + 1
            if len(self.findings) < SHOWN:
                self.findings.append(finding)

    def told(self, beyond: str | None) -> Tree:
        """Return it in JSON types."""
        body: dict[str, Any] = {
            "episodes": self.episodes,
            "law": self.law,
            "findings": [asdict(one) for one in self.findings],
            "counted": self.counted,
        }
        if beyond is not None:
            body["next"] = beyond
        return body


def joined(steps: Sequence[Tree]) -> Tree:
    """Return the steps of one examination as a whole, with its verdict.

    *healthy* is whether there is no fault; warnings leave it so.  *balance* is what the law lacks:
    0 where it holds.
    """
    law: dict[str, int] = {}
    counted: dict[str, int] = {}
    for step in steps:
        for whole, part in ((law, step["law"]), (counted, step["counted"])):
            for name, number in part.items():
                whole[name] = whole.get(name, 0) + number
    findings = [one for step in steps for one in step["findings"]]
    states = sum(number for name, number in law.items() if name != "made")
    checks = [one for step in steps for one in step.get("checks", ())]
    balance = law.get("made", 0) - states
    return {
        "healthy": not balance and not any(one["severity"] == FAULT for one in findings),
        "episodes": sum(step["episodes"] for step in steps),
        "law": law,
        "balance": balance,
        "checks": checks,
        "counted": counted,
        "findings": findings[:SHOWN],
    }
