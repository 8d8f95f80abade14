"""Cells: what is asked about one person's consent, and the answers (`domain.md` 4.2)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.domain.decision import SHAREABLE
from hub.errors import Code

LISTED: Final = "listed"
"""The cell of basic leaves: name, address, gender, date of birth, school, GP, parents."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, what for, and when."""

    service: str
    purpose: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Cell:
    """An answer: by which decision, or why not.

    *sensitive*: leaves tagged SEN too.  *excluded*: the family said no to this very section, so not
    even its basic leaves.  *contribute*: the service may also write there.
    """

    permitted: bool
    sensitive: bool = False
    decision_id: str | None = None
    reason: Code | None = None
    excluded: bool = False
    contribute: bool = False


NOT_NAMED: Final = Cell(permitted=False, reason=Code.CONSENT_SCOPE)
_NOT_SHAREABLE: Final = Cell(permitted=False, reason=Code.CONSENT_SCOPE, excluded=True)


@dataclass(slots=True)
class Layer:
    """The cells of one service, ordinary or sensitive: who speaks first about a cell decides it."""

    cells: dict[str, Cell] = field(default_factory=dict)
    rest: Cell | None = None

    def say(self, section: str, cell: Cell) -> None:
        """Say it of one section, unless somebody spoke of it before."""
        if self.rest is None:
            self.cells.setdefault(section, cell)

    def say_all(self, cell: Cell) -> None:
        """Say it of every section that nobody spoke of before."""
        if self.rest is None:
            self.rest = cell


class Heard:
    """The answers of one person to one `Ask`, each cell weighed once."""

    __slots__ = ("_cells", "_plain", "_sensitive")

    def __init__(self, plain: Layer, sensitive: Layer) -> None:
        """Answer by what was said of ordinary and of sensitive leaves."""
        self._plain, self._sensitive = plain, sensitive
        self._cells: dict[str, Cell] = {}

    def listed(self) -> Cell:
        """Return whether the service may see basic leaves."""
        return self._cells.get(LISTED) or self._cell(LISTED)

    def section(self, section: str) -> Cell:
        """Return whether the service may see *section*, and its sensitive leaves."""
        if section not in SHAREABLE:
            return _NOT_SHAREABLE
        return self._cells.get(section) or self._cell(section)

    def basic(self, section: str) -> Cell:
        """Return whether basic leaves of *section* may be seen: listed, and not excluded."""
        cell = self.section(section)
        return cell if cell.permitted or cell.excluded else self.listed()

    def _cell(self, section: str) -> Cell:
        plain, sensitive = self._plain, self._sensitive
        cell = plain.cells.get(section) or plain.rest or NOT_NAMED
        if cell.permitted:
            fine = sensitive.cells.get(section) or sensitive.rest or NOT_NAMED
            if fine.permitted:
                cell = Cell(
                    permitted=True,
                    sensitive=True,
                    decision_id=cell.decision_id,
                    contribute=cell.contribute,
                )
        self._cells[section] = cell
        return cell
