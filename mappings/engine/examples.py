"""Examples for the interface document: one value a field, as the mapping's own cases show it."""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from hub.errors import HubError
from mappings.engine.cases import Case
from mappings.engine.catalogue import Format
from mappings.engine.report import generic, leaves_of, report
from mappings.engine.report_reading import read_report

LONGEST: Final = 60


def examples(format_: Format, cases: list[Case]) -> dict[str, str]:
    """Return an example of what stands on the wire for each canonical leaf that a case holds.

    The richest case speaks first, so that the examples tell of one family.
    """
    found: dict[str, str] = {}
    for case in sorted(cases, key=_size, reverse=True):
        for path, value in _told(format_, case):
            found.setdefault(path, _short(value))
    return found


def _size(case: Case) -> tuple[int, str]:
    files = [*case.folder.glob("input.json"), *case.folder.glob("wire.*")]
    return sum(file.stat().st_size for file in files), case.folder.name


def _told(format_: Format, case: Case) -> Iterator[tuple[str, Any]]:
    """Yield generic canonical path and wire value of every leaf that the case shows."""
    if (case.folder / "error.txt").exists():
        return
    try:
        if case.outward and format_.written.direction != "in":
            tree = orjson.loads((case.folder / "input.json").read_bytes())
            sent = report(format_, tree)
            rows, document = sent.rows, sent.document
        elif not case.outward and format_.written.direction != "out":
            (file,) = case.folder.glob("wire.*")
            document = format_.wire.parse(file.read_bytes())
            rows = read_report(format_, document).rows
        else:
            return
    except (HubError, ValueError):
        return  # `ecaf test` says what is wrong with the case; here it is no example
    values = dict(leaves_of(document))
    for row in rows:
        if row.caf is not None and row.wire in values:
            yield generic(row.caf), values[row.wire]


def _short(value: Any) -> str:
    text = " ".join(
        ("true" if value is True else "false" if value is False else str(value)).split()
    )
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
