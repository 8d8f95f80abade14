"""Deliberately broken documents: an oracle's verdict counts only if it rejects these.

Each break is made anew, from a golden document that is whole, in every run.  A break that cannot be
made (nothing to break is there any more) fails the run, as does one that the oracle does not see.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conformance.accepting import Finding
from tests.conformance.documents import Document


class CannotBreak(Exception):
    """What was to be broken is not in the golden document."""


@dataclass(frozen=True, slots=True)
class Break:
    """One way to break a document of *kind*, and what each oracle must then say.

    *seen* holds, by oracle, a regular expression for the code and message of the finding, and the
    least severity that it must have.
    """

    name: str
    kind: str
    make: Callable[[bytes], bytes]
    seen: dict[str, tuple[str, str]]


SEVERITIES: Final = ("information", "warning", "error", "fatal")


def broken(breaks: Sequence[Break], whole: Sequence[Document], folder: Path) -> list[Document]:
    """Write each break of the first whole document of its kind that can be broken so."""
    made = []
    for one in breaks:
        raw = _made(one, [document for document in whole if document.kind == one.kind])
        file = folder / f"broken-{one.kind}-{re.sub('[^a-z0-9]+', '-', one.name)}"
        file.write_bytes(raw)
        made.append(Document(f"broken/{one.kind}/{one.name}", one.kind, file))
    return made


def _made(one: Break, whole: Sequence[Document]) -> bytes:
    for document in whole:
        raw = document.file.read_bytes()
        try:
            after = one.make(raw)
        except CannotBreak:
            continue
        if after != raw:
            return after
    raise CannotBreak(f"no golden document of {one.kind} can be broken by: {one.name}")


def unseen(one: Break, oracle: str, findings: Sequence[Finding]) -> bool:
    """Return whether *oracle* said nothing of the break that it must see."""
    pattern, least = one.seen[oracle]
    bad = SEVERITIES[SEVERITIES.index(least) :]
    return not any(
        finding.severity in bad and re.search(pattern, f"{finding.code} {finding.message}")
        for finding in findings
    )
