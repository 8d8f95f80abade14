"""What a run prints: one line for each oracle, and the findings by kind."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from tests.conformance.accepting import Finding

VARIABLE: Final = re.compile(
    r"""(?:(?:(?:urn|https?):\S+|(?<!\w)'[^']*'|"[^"]*"|“[^”]*”|\([^()]*\)|(?<![-\w])\d+\b)[\s,]*)+"""
)
"""What differs between two findings of one kind: addresses, quoted words, numbers."""

Row = Sequence[str | int | float]


def words(message: str) -> str:
    """Return *message* without what differs each time, and without what follows ``was != is``."""
    said = message.partition(": ")[0] if "  !=  " in message else message
    return VARIABLE.sub("… ", said)[:110].strip()


def kind(finding: Finding) -> str:
    """Return severity, code and the words of a finding."""
    return f"{finding.severity:11} {finding.code}: {words(finding.message)}"


def kinds_of(findings: Iterable[Finding]) -> Counter[str]:
    """Count findings by kind."""
    return Counter(map(kind, findings))


def show(heads: Sequence[str], rows: Iterable[Row]) -> str:
    """Return a table with columns as wide as they must be; numbers stand to the right."""
    shown = [list(heads), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads))]
    numbers = [not isinstance(cell, str) for cell in next(iter(rows), heads)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in shown
    )


def _text(cell: str | float) -> str:
    return f"{cell:.0f}" if isinstance(cell, float) else str(cell)
