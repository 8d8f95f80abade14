"""CSV as text: strict in both directions, and harmless in a spreadsheet.

RFC 4180: UTF-8 without a byte order mark (one that comes is passed over), commas, double quotes
where they are needed, CRLF.  A cell that a spreadsheet would run as a formula goes with an
apostrophe before it, and without it on the way back, so that nothing is lost by the precaution.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from hub.errors import Code, Fault, Malformed

SIZE: Final = 5 * 1024 * 1024
ROWS: Final = 50_000
CELL: Final = 100_000
MARK: Final = "\ufeff"

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_GUARDED: Final = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def guarded(text: str) -> str:
    """Return *text* so that no spreadsheet takes it for a formula.

    >>> guarded("=1+1"), guarded("'=1"), guarded("O'Brien")
    ("'=1+1", "''=1", "O'Brien")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def bare(text: str) -> str:
    """Return what `guarded` was given.

    >>> bare("'=1+1"), bare("''=1"), bare("'quoted'")
    ('=1+1', "'=1", "'quoted'")
    """
    return text[1:] if _GUARDED.match(text) else text


def written(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return the bytes of a table, its header first."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def parsed(raw: bytes, columns: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows below a header that says exactly *columns*.

    Raises `Malformed` with ``line:column`` (or the line): size, encoding, control characters, a
    quotation mark out of place, a row of another width, another header.
    """
    text = _text(raw)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    try:
        for number, row in enumerate(lines):
            _checked(number, row, columns, lines.line_num)
            if number:
                yield [bare(cell) for cell in row]
    except csv.Error:
        raise _refused(Code.SYNTAX, f"{lines.line_num}", "quote cells as RFC 4180 does") from None
    if not text:
        raise _refused(Code.SYNTAX, "1", f"the header is {','.join(columns)}")


def _checked(number: int, row: list[str], columns: Sequence[str], line: int) -> None:
    if number == 0 and row != list(columns):
        raise _refused(Code.UNKNOWN_FIELD, "1", f"the header is {','.join(columns)}")
    if number > ROWS:
        raise _refused(Code.TOO_LARGE, f"{line}", f"at most {ROWS} rows")
    if len(row) != len(columns):
        raise _refused(Code.SYNTAX, f"{line}", f"{len(columns)} cells in every row")
    for place, cell in enumerate(row):
        if len(cell) > CELL:
            raise _refused(Code.LENGTH, f"{line}.{columns[place]}", f"at most {CELL} characters")


def _text(raw: bytes) -> str:
    if len(raw) > SIZE:
        raise _refused(Code.TOO_LARGE, f"byte {SIZE}", f"send at most {SIZE} bytes")
    try:
        text = raw.decode("utf-8").removeprefix(MARK)
    except UnicodeDecodeError as wrong:
        raise _refused(Code.ENCODING, f"byte {wrong.start}", "send UTF-8") from None
    found = _FORBIDDEN.search(text)
    if found is not None:
        at = found.start()
        column = at - text.rfind("\n", 0, at)
        place = f"{text.count(chr(10), 0, at) + 1}:{column}"
        raise _refused(Code.CONTROL_CHAR, place, "no control characters")
    return text


def _refused(code: Code, path: str, remedy: str) -> Malformed:
    return Malformed(code, "not the table that is expected", (Fault(code, path, remedy),))
