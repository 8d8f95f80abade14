"""Tables as the engine sees them: ``row`` is a list, and a cell stands under its column's name.

A document is ``{"row": [{"column": "text", …}, …]}``.  A rule over a list may fill a column
(``column[]``): it holds as long as the list has one item, or the column takes several.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.domain.fields import Form
from hub.errors import Code, Fault, Rejected
from mappings.engine.shape import Document, Member, Piece, Words
from mappings.formats import csv_text

ROW: Final = "row"
_TRUTH: Final = {"true": True, "false": False}


def _said(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table in their order, those that no row can lack, and those in which
    several values may stand, ``A; B``.
    """

    names: tuple[str, ...]
    required: frozenset[str]
    several: frozenset[str] = frozenset()


class CsvShape:
    """The shape of one table."""

    def __init__(self, columns: Columns) -> None:
        """Check mappings against *columns*."""
        self._columns = columns

    def member(self, kind: str, name: str) -> Member | None:
        """Return what *name* is: the list of rows, or a column (None: once, or a list of one)."""
        if kind != ROW:
            if name != ROW:
                raise ValueError(f"a table has {ROW}[] and nothing else")
            return Member(ROW, many=True)
        if name not in self._columns.names:
            raise ValueError(
                f"there is no column {name}; there are {', '.join(self._columns.names)}"
            )
        return None

    def constant(self, _kind: str, _name: str, text: str) -> str:
        """Return *text*."""
        return text

    def words(self, form: Form) -> Words | None:
        """Return how numbers and truth values are written: a cell is text."""
        if form == "bool":
            return Words(_said, lambda text: _TRUTH[text])
        return Words(str, int) if form == "int" else None

    def targets(self, _kind: str, _name: str) -> tuple[str, ...]:
        """Allow any."""
        return ()

    def heading(self, _resource: str) -> Mapping[str, Any]:
        """Begin with nothing."""
        return {}

    def resource_of(self, _resource: Mapping[str, Any]) -> str:
        """Name the one table."""
        return ""

    def addresses(self, _seed: str) -> Callable[[str], str]:
        """Address a row by its key."""
        return str

    def assemble(
        self,
        envelope: dict[str, Any],
        entries: Iterable[tuple[str, dict[str, Any]]],
        address: Callable[[str], str],
    ) -> dict[str, Any]:
        """Return the envelope; there are no entries."""
        del address
        if any(True for _ in entries):
            raise ValueError("a table has no entries")
        return envelope

    def take_apart(self, document: Document) -> tuple[Document, Sequence[Piece]]:
        """Return the document as it is."""
        return document, ()


class CsvWire:
    """One table as bytes (`csv_text`)."""

    suffix = "csv"

    def __init__(self, columns: Columns) -> None:
        """Write and read *columns*."""
        self.columns = columns
        self.shape = CsvShape(columns)

    def parse(self, raw: bytes) -> Document:
        """Return the rows of *raw*, empty cells left out; raises `Malformed`."""
        names = self.columns.names
        rows = [
            {name: cell for name, cell in zip(names, row, strict=True) if cell}
            for row in csv_text.parsed(raw, names)
        ]
        return {ROW: rows} if rows else {}

    def kind(self, _document: Document) -> str:
        """Tell nothing apart: one content type, one mapping."""
        return ""

    def write(self, document: dict[str, Any], *, check: bool) -> bytes:
        """Return *document* as CSV, the header always.

        Raises `Rejected` where a column would hold two values; with *check*, also where a row lacks
        a cell that it needs.
        """
        faults: list[Fault] = []
        rows = [
            [
                self._cell(row.get(name), f"{ROW}[{number}].{name}", faults)
                for name in self.columns.names
            ]
            for number, row in enumerate(document.get(ROW, ()))
        ]
        if check:
            faults += self._missing(rows)
        if faults:
            places = ", ".join(fault.path for fault in faults[:3])
            raise Rejected(Code.MAPPING, f"the table cannot say {places}", tuple(faults))
        return csv_text.written(self.columns.names, rows)

    def _cell(self, held: Any, path: str, faults: list[Fault]) -> str:
        listed = held if isinstance(held, list | tuple) else (held,)
        if len(listed) > 1 and path.rpartition(".")[2] not in self.columns.several:
            faults.append(Fault(Code.MAPPING, path, "one value only"))
        return "; ".join(_said(value) for value in listed if value is not None)

    def _missing(self, rows: list[list[str]]) -> Iterator[Fault]:
        for number, row in enumerate(rows):
            for name, cell in zip(self.columns.names, row, strict=True):
                if not cell and name in self.columns.required:
                    yield Fault(Code.MAPPING, f"{ROW}[{number}].{name}", "no row can lack it")


SSD_EARLY_HELP: Final = Columns(
    names=(
        "earl_episode_id",
        "earl_person_id",
        "earl_episode_start_date",
        "earl_episode_end_date",
        "earl_episode_reason",
        "earl_episode_end_reason",
        "earl_episode_organisation",
        "earl_episode_worker_id",
    ),
    required=frozenset({"earl_episode_id", "earl_person_id"}),
    several=frozenset({"earl_episode_reason"}),
)
"""``ssd_early_help_episodes`` of the Standard Safeguarding Dataset (`standards.md` section 9)."""


def ssd_early_help() -> CsvWire:
    """Return the wire of the early-help extract."""
    return CsvWire(SSD_EARLY_HELP)
