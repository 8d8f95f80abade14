"""``python -m tests.conformance``: judge what the hub writes by other people's programs.

Exit code 0: every oracle ran, saw what was broken on purpose, judged something, and found nothing
that the list of accepted findings does not explain.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conformance import peers, programs, queues
from tests.conformance.accepting import Entry, Finding, Sorted, entries, sort
from tests.conformance.artefacts import publish, published
from tests.conformance.breaking import CannotBreak, broken, unseen
from tests.conformance.breaks import BREAKS
from tests.conformance.documents import Document, Made, golden, made, missing
from tests.conformance.oracles import (
    ARTEFACTS,
    HapiFhir,
    HapiHl7v2,
    Medplum,
    Oracle,
    Vnu,
    Xmllint,
    clean,
)
from tests.conformance.table import kind, kinds_of, show, words

SEED: Final = 20261122
COUNT: Final = 500
PEERS: Final = "peers"
"""As an oracle's name: the programs that speak MLLP with the hub (`tests.conformance.peers`)."""
QUEUES: Final = "queues"
"""As an oracle's name: a broker's client, and AsyncAPI's parser (`tests.conformance.queues`)."""
SHOWN: Final = 5
"""Unexpected findings of one kind that are printed; all are in the verdicts under build/."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one oracle made of the run; *problems* are reasons to fail beside its findings."""

    oracle: Oracle
    version: str
    documents: int
    seconds: float
    findings: Sequence[Finding]
    sorted: Sorted
    problems: Sequence[str]

    @property
    def passed(self) -> bool:
        """Return whether the verdict is good."""
        return not self.problems and not self.sorted.unexpected


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and return the exit code."""
    asked = _asked(arguments)
    oracles: list[Oracle] = [HapiFhir(), Medplum(), HapiHl7v2(), Xmllint(), Vnu()]
    met = 0
    if not asked.only or PEERS in asked.only.split(","):
        met = _met(peers.main)
        if asked.only == PEERS:
            return met
    if not asked.only or QUEUES in asked.only.split(","):
        met = _met(queues.main) or met
        if asked.only == QUEUES:
            return met
    if asked.only:
        oracles = [oracle for oracle in oracles if oracle.name in asked.only.split(",")]
    try:
        return _run(oracles, asked.count, asked.seed, stale=asked.count >= COUNT) or met
    except (programs.Missing, programs.Failed, CannotBreak) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _met(meet: Callable[[], int]) -> int:
    try:
        return meet()
    except (programs.Missing, programs.Failed) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--only", help="oracles (and peers, queues), with commas between")
    parser.add_argument("--count", type=int, default=COUNT, help="generated documents a format")
    parser.add_argument("--seed", type=int, default=SEED, help="of the generated messages")
    return parser.parse_args(arguments)


def _run(oracles: Sequence[Oracle], count: int, seed: int, *, stale: bool) -> int:
    versions = {oracle.name: oracle.prepare() for oracle in oracles}
    kinds = sorted({kind for oracle in oracles for kind in oracle.kinds})
    folder = clean(programs.BUILD / "run")
    publish(folder / ARTEFACTS)
    whole = [*golden(kinds, folder), *published(folder / ARTEFACTS)]
    print(f"Rendering {count} messages in every format, seed {seed} ...", flush=True)
    generated = made(kinds, count, seed, folder)
    judged = []
    for oracle in oracles:
        documents = [d for d in [*whole, *generated.documents] if d.kind in oracle.kinds]
        print(f"{oracle.name} judges {len(documents)} documents ...", flush=True)
        problems = missing(oracle.kinds, count, whole, generated)
        version = versions[oracle.name]
        judged.append(_judged(oracle, version, documents, problems, folder, stale=stale))
    _told(judged, generated, seed)
    return 0 if all(one.passed for one in judged) else 1


def _judged(
    oracle: Oracle,
    version: str,
    documents: Sequence[Document],
    problems: list[str],
    folder: Path,
    *,
    stale: bool,
) -> Judged:
    """Judge the documents together with the broken ones, which must not pass."""
    mine = [one for one in BREAKS if one.kind in oracle.kinds and oracle.name in one.seen]
    spoilt = broken(mine, documents, folder)
    start = time.monotonic()
    verdicts = oracle.judge([*documents, *spoilt], folder)
    seconds = time.monotonic() - start
    problems += [
        f"did not see on purpose: {one.name}"
        for one, document in zip(mine, spoilt, strict=True)
        if unseen(one, oracle.name, verdicts.get(document.name, []))
    ]
    for name in oracle.kinds:
        if not any(document.kind == name for document in documents):
            problems.append(f"judged no document of {name}")
        if not any(one.kind == name for one in mine):
            problems.append(f"no broken document of {name} was shown to it")
    silent = [document.name for document in documents if document.name not in verdicts]
    problems += [f"gave no verdict on {name}" for name in silent]
    findings = [f for document in documents for f in verdicts.get(document.name, [])]
    held = sort(oracle.name, findings, entries())
    if stale:
        problems += [f"accepted, but no longer found: {_named(entry)}" for entry in held.stale]
    return Judged(oracle, version, len(documents), seconds, findings, held, problems)


def _named(entry: Entry) -> str:
    return f"{entry.severity} {entry.code} {entry.message!r} {entry.place!r}".rstrip(" '")


def _told(judged: Sequence[Judged], generated: Made, seed: int) -> None:
    for one in judged:
        print(f"\n{one.oracle.name} {one.version}, by kind")
        for text, number in kinds_of(one.findings).most_common():
            print(f"  {number:6} {text}")
        unexpected = kinds_of(one.sorted.unexpected)
        for text, number in unexpected.most_common():
            print(f"  NOT ACCEPTED, {number} times: {text}")
            for found in [f for f in one.sorted.unexpected if kind(f) == text][:SHOWN]:
                print(f"    {found.document} at {found.place}: {found.message}")
        for problem in one.problems:
            print(f"  PROBLEM: {problem}")
    print("\nMessages that a format refused with a code (nothing would be sent), by kind")
    refused: Counter[tuple[str, str]] = Counter()
    for (name, error), times in generated.refused.items():
        refused[name, words(error.partition(", ")[0])] += times
    for (name, error), times in refused.most_common():
        print(f"  {times:6} of {generated.tried[name]} {name}: {error}")
    heads = ["oracle", "version", "documents", "errors", "warnings", "accepted", "s", "verdict"]
    rows = [
        (
            one.oracle.name,
            one.version,
            one.documents,
            sum(finding.severity in ("error", "fatal") for finding in one.findings),
            sum(finding.severity == "warning" for finding in one.findings),
            one.sorted.needed.total(),
            one.seconds,
            "passed" if one.passed else "FAILED",
        )
        for one in judged
    ]
    print(f"\nseed {seed}\n{show(heads, rows)}")


if __name__ == "__main__":
    sys.exit(main())
