"""The mapping report of a reading: from which place of the input each canonical leaf came, and what
no rule knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mappings.engine.canonical import all_leaves
from mappings.engine.catalogue import Format
from mappings.engine.reading import said
from mappings.engine.report import STRUCTURE, Row, generic, leaves_of
from mappings.engine.shape import Document
from mappings.engine.trace_reading import Heard, unheard

SILENT: Final = "says nothing of its own: a constant, a reference, or said elsewhere as well"


@dataclass(frozen=True, slots=True)
class ReadReport:
    """Every row of one document, with the canonical message that it says."""

    format: str
    rows: tuple[Row, ...]
    message: Mapping[str, Any]


def read_report(format_: Format, document: Document) -> ReadReport:
    """Read *document* with recording rules.

    A leaf is *kept* if the format would say it in the same words again, else *normalised*;
    *unmapped* is what no rule knows.  Every place of the document has a row.
    """
    found = format_.recording.read(document)
    heard: dict[str, Heard] = {}
    message = unheard(found.message, heard)
    unmapped = [Row("unmapped", None, path) for path in found.unmapped]
    known = [_row(path, held) for path, held in heard.items()]
    told = {row.wire for row in (*known, *unmapped) if row.wire is not None}
    silent = (
        Row("kept", None, path, reason=SILENT)
        for path, _value in leaves_of(document)
        if not STRUCTURE.search(path) and not _covered(path, told)
    )
    return ReadReport(format_.name, (*known, *silent, *unmapped), message)


def _row(path: str, held: Heard) -> Row:
    rule, table = held.rule, held.rule.codes
    leaf = all_leaves().get(generic(path))
    code = reason = None
    kept = True
    if table is not None:
        word = {True: "true", False: "false"}.get(held.value, str(held.value))
        row = table.row_in(word, str(held.wire))
        code = f"{row.place.file}:{row.place.line}" if row else table.file
        said_back = table.outward.get(word, word if table.passes else None)
        kept = said_back == held.wire
        reason = None if kept else "another word for it is written"
    if rule.only == "in":
        kept, reason = False, "read only: this place is never written"
    return Row(
        "kept" if kept else "normalised",
        path,
        said(held.trail),
        str(rule.place),
        code,
        reason,
        leaf.section if leaf else None,
    )


def _covered(path: str, told: set[str]) -> bool:
    """Return whether *path* or something above it is in *told*."""
    while path:
        if path in told:
            return True
        cut = max(path.rfind("."), path.rfind("["))
        path = path[: max(cut, 0)]
    return "" in told
