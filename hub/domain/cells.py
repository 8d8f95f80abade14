"""Cells: what is asked about one person's consent, and the answers (`domain.md` 4.2)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from hub.domain.decision import SHAREABLE
from hub.errors import Code

LISTED: Final = "listed"
"""The cell of basic leaves: name, address, gender, date of birth, school, GP, parents."""


class Ask(NamedTuple):
    """Who asks, what for, and when."""

    service: str
    purpose: str
    at: datetime


class Cell(NamedTuple):
    """An answer: yes or no, by which decision, and why not.

    *contribute*: the service may also write there.  *sensitive*: leaves tagged SEN too.
    *excluded*: the family said no to this very section, so not even its basic leaves.
    """

    permitted: bool
    decision_id: str | None = None
    reason: Code | None = None
    contribute: bool = False
    sensitive: bool = False
    excluded: bool = False


NOT_NAMED: Final = Cell(False, None, Code.CONSENT_SCOPE)
_NOT_SHAREABLE: Final = Cell(False, None, Code.CONSENT_SCOPE, excluded=True)


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

    __slots__ = ("_fine", "_plain", "_sensitive")

    def __init__(self, plain: Layer, sensitive: Layer) -> None:
        """Answer by what was said of ordinary and of sensitive leaves."""
        self._plain, self._sensitive = plain, sensitive
        self._fine: dict[int, Cell] = {}

    def listed(self) -> Cell:
        """Return whether the service may see basic leaves."""
        return self._cell(LISTED)

    def section(self, section: str) -> Cell:
        """Return whether the service may see *section*, and its sensitive leaves."""
        if section not in SHAREABLE:
            return _NOT_SHAREABLE
        return self._cell(section)

    def basic(self, section: str) -> Cell:
        """Return whether basic leaves of *section* may be seen: listed, and not excluded."""
        cell = self.section(section)
        return cell if cell.permitted or cell.excluded else self.listed()

    def named(self) -> frozenset[str]:
        """Return the sections of which something was said by name; all others are answered alike,
        as `rest`.
        """
        return SHAREABLE & (self._plain.cells.keys() | self._sensitive.cells.keys())

    def rest(self) -> Cell:
        """Return the answer for every section of which nothing was said by name."""
        return self._weighed(self._plain.rest or NOT_NAMED, self._sensitive.rest)

    def _cell(self, section: str) -> Cell:
        plain, sensitive = self._plain, self._sensitive
        return self._weighed(
            plain.cells.get(section) or plain.rest or NOT_NAMED,
            sensitive.cells.get(section) or sensitive.rest,
        )

    def _weighed(self, cell: Cell, fine: Cell | None) -> Cell:
        """Return *cell*, with its sensitive leaves if *fine* permits them."""
        if fine is None or not fine.permitted or not cell.permitted:
            return cell
        known = self._fine.get(id(cell))  # of a layer, which lives as long as this
        if known is None:
            known = self._fine[id(cell)] = Cell(True, cell.decision_id, None, cell.contribute, True)
        return known
