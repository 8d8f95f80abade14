"""What stands in a cell, read as what its column asks for; nothing is guessed.

Text is taken letter for letter.  A date is written ``2016-05-14`` or as British paper has it,
``14/05/2016``; a code by itself or in the words of its list or of the form.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from hub.domain.codes import Standing, check, code_list
from hub.domain.dates import is_date, is_partial_date
from hub.errors import Code
from mappings.history.columns import As, Column

_BRITISH: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_WORDS: Final[Mapping[str, bool]] = {
    "yes": True, "y": True, "true": True, "no": False, "n": False, "false": False,
}  # fmt: skip


class WrongCell(ValueError):
    """A cell that cannot be read: the code of the fault, its remedy, and the code list if any."""

    def __init__(self, code: Code, remedy: str, codes: str | None = None) -> None:
        """Keep all three; never the value."""
        super().__init__(remedy)
        self.code = code
        self.remedy = remedy
        self.codes = codes


def read_cell(column: Column, cell: str, words: Mapping[str, str]) -> Any:
    """Return the value of *cell*; raises `WrongCell`.

    *words* are what the row's form calls the codes of the column's field: word to code.
    """
    if column.how in ("code", "codes", "consent_code"):
        parts = _parts(cell) if column.how == "codes" else [cell.strip()]
        found = [_code(str(column.codes), part, words) for part in parts]
        return found if column.how == "codes" else found[0]
    return _READERS[column.how](cell)


def _refuse(code: Code, remedy: str, codes: str | None = None) -> NoReturn:
    raise WrongCell(code, remedy, codes)


def _parts(cell: str) -> Sequence[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


def _code(list_id: str, text: str, words: Mapping[str, str]) -> str:
    if check(list_id, text) is not Standing.REFUSED:
        return text
    said = text.casefold()
    if said in words:
        return words[said]
    meant = [
        code.code for code in code_list(list_id).codes.values() if code.display.casefold() == said
    ]
    if len(meant) != 1:
        _refuse(Code.CODELIST, "a code of this list, or its own words", list_id)
    return meant[0]


def _day(cell: str) -> str:
    text = cell.strip()
    british = _BRITISH.fullmatch(text)
    if british:
        text = f"{british[3]}-{int(british[2]):02}-{int(british[1]):02}"
    if not is_date(text):
        _refuse(Code.FORMAT, "a day of the calendar: YYYY-MM-DD or DD/MM/YYYY")
    return text


def _partial(cell: str) -> str:
    text = cell.strip()
    if _BRITISH.fullmatch(text):
        return _day(text)
    if not is_partial_date(text):
        _refuse(Code.FORMAT, "YYYY-MM-DD, YYYY-MM, YYYY or DD/MM/YYYY, in the calendar")
    return text


def _bool(cell: str) -> bool:
    found = _WORDS.get(cell.strip().casefold())
    if found is None:
        _refuse(Code.TYPE, "yes or no")
    return found


def _int(cell: str) -> int:
    text = cell.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        _refuse(Code.NUMBER, "a whole number")
    return int(text)


def _person(cell: str) -> str:
    text = cell.strip().casefold()
    if text not in ("child", "parent1", "parent2"):
        _refuse(Code.REFERENCE, "child, parent1 or parent2")
    return text


def _owner(cell: str) -> str:
    text = cell.strip()
    return text if "/" in text else _person(text)


_READERS: Final[Mapping[As, Callable[[str], Any]]] = {
    "text": lambda cell: cell,
    "int": _int,
    "number": lambda cell: re.sub(r"\s", "", cell),
    "list": _parts,
    "bool": _bool,
    "date": _day,
    "partial_date": _partial,
    "moment": lambda cell: f"{_day(cell)}T00:00:00Z",
    "owner": _owner,
    "person": _person,
    "answer": lambda cell: "yes" if _bool(cell) else "no",
}
