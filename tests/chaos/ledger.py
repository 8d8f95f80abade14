"""The ledger of a chaos run: what was attempted, answered and received, one synced line each.

Whoever sends and whoever receives writes here; `judge` reads the file back and knows nothing else.
The words are those of Jepsen's queue checker and of `reliability.md` section 1: lost, unexpected,
duplicated, recovered.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]
Group = tuple[str, int, str, str]
"""Episode, version as its sender counts, recipient, message type."""


class Ledger:
    """Appends lines to a file; each is on the disk when the call returns."""

    def __init__(self, path: Path) -> None:
        """Begin an empty ledger."""
        self.path = path
        self._handle = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_TRUNC, 0o600)
        self.counted: defaultdict[str, int] = defaultdict(int)
        self.arrived: set[Group] = set()

    def note(self, kind: str, **facts: Any) -> None:
        """Write one line of *kind*."""
        os.write(self._handle, json.dumps({"kind": kind, **facts}).encode() + b"\n")
        os.fsync(self._handle)
        self.counted[kind] += 1
        if kind == "receipt":
            self.arrived.add(_group(facts))

    def close(self) -> None:
        """Let go of the file; it stays."""
        os.close(self._handle)

    def lines(self) -> list[Line]:
        """Return everything that was written."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@dataclass(frozen=True)
class Verdict:
    """What a ledger proves.  Every list must be empty; the numbers are for the reader."""

    attempted: int = 0
    acknowledged: int = 0
    delivered: int = 0
    repeats: int = 0
    """Receipts of what had been received before, under the same id: allowed, at least once."""

    lost: list[str] = field(default_factory=list)
    """Acknowledged, and a recipient never got it."""
    unexpected: list[str] = field(default_factory=list)
    """Received, though nobody attempted it, or attempted it for this recipient."""
    duplicated: list[str] = field(default_factory=list)
    """Received under two delivery ids."""
    altered: list[str] = field(default_factory=list)
    """Received with two different bodies."""
    disordered: list[str] = field(default_factory=list)
    """First received after something that its sender sent later."""
    forged: list[str] = field(default_factory=list)
    """Received with a signature that does not fit."""
    disclosed: list[str] = field(default_factory=list)
    """Received with what the family keeps from this recipient."""
    unsteady: list[str] = field(default_factory=list)
    """The same key and content, answered in two ways."""
    refused: list[str] = field(default_factory=list)
    """Answered with an error that sending again does not cure."""
    unanswered: list[str] = field(default_factory=list)
    """Attempted, and at the end not answered."""

    def faults(self) -> dict[str, list[str]]:
        """Return what is wrong, by name; empty if nothing is."""
        lists = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: found for name, found in lists.items() if isinstance(found, list) and found}

    def __str__(self) -> str:
        """Say the numbers in one line."""
        return (
            f"{self.attempted} attempted, {self.acknowledged} acknowledged, "
            f"{self.delivered} delivered, {self.repeats} repeats, {len(self.lost)} lost, "
            f"{len(self.duplicated)} duplicated"
        )


def judge(lines: Iterable[Line]) -> Verdict:
    """Return the verdict on a ledger.

    ``attempt``: key, episode, version, expect (pairs of recipient and message type).  ``answer``:
    key, status, body.  ``receipt``: partner, delivery, type, episode, version, digest, signature
    (what is wrong with it, or None), overheard (whether it holds what is kept from the partner).
    """
    attempts: dict[str, Line] = {}
    answers: defaultdict[str, list[Line]] = defaultdict(list)
    receipts: list[Line] = []
    for line in lines:
        if line["kind"] == "attempt":
            attempts[line["key"]] = line
        elif line["kind"] == "answer":
            answers[line["key"]].append(line)
        elif line["kind"] == "receipt":
            receipts.append(line)
    groups: defaultdict[Group, list[Line]] = defaultdict(list)
    for receipt in receipts:
        groups[_group(receipt)].append(receipt)
    owed = {key: _owed(attempt) for key, attempt in attempts.items()}
    known = {group for owing in owed.values() for group in owing}
    good = {key for key, given in answers.items() if any(_accepted(one) for one in given)}
    return Verdict(
        attempted=len(attempts),
        acknowledged=len(good),
        delivered=len(groups),
        repeats=len(receipts) - len(groups),
        lost=[_said(group) for key in good for group in owed[key] if group not in groups],
        unexpected=[_said(group) for group in groups if group not in known],
        duplicated=[_said(g) for g, got in groups.items() if _several(got, "delivery")],
        altered=[_said(g) for g, got in groups.items() if _several(got, "digest")],
        disordered=_disordered(receipts),
        forged=[f"{_said(_group(r))}: {r['signature']}" for r in receipts if r["signature"]],
        disclosed=[_said(_group(r)) for r in receipts if r.get("overheard")],
        unsteady=[
            key
            for key, given in answers.items()
            if any(_several(filter(_accepted, given), name) for name in ("status", "body"))
        ],
        refused=[
            f"{key}: {one['status']} {one['body']}"
            for key, given in answers.items()
            for one in given
            if 400 <= one["status"] < 500
        ],
        unanswered=[key for key in attempts if key not in answers],
    )


def _group(receipt: Line) -> Group:
    return receipt["episode"], receipt["version"], receipt["partner"], receipt["type"]


def _owed(attempt: Line) -> list[Group]:
    episode, version = attempt["episode"], attempt["version"]
    return [(episode, version, partner, kind) for partner, kind in attempt["expect"]]


def _said(group: Group) -> str:
    episode, version, partner, kind = group
    return f"{kind} of {episode} v{version} to {partner}"


def _accepted(answer: Line) -> bool:
    return 200 <= int(answer["status"]) < 300


def _several(lines: Iterable[Line], name: str) -> bool:
    return len({json.dumps(line[name], sort_keys=True) for line in lines}) > 1


def _disordered(receipts: Iterable[Line]) -> list[str]:
    newest: dict[tuple[str, str], int] = {}
    seen: set[Group] = set()
    found = []
    for receipt in receipts:
        group, lane = _group(receipt), (receipt["episode"], receipt["partner"])
        if group in seen:
            continue
        seen.add(group)
        if receipt["version"] < newest.get(lane, 0):
            found.append(f"{_said(group)} came after v{newest[lane]}")
        newest[lane] = max(newest.get(lane, 0), receipt["version"])
    return found
