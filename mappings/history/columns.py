"""The columns of a CSV of paper episodes, as data (``paper.yaml`` beside this module).

A column's path is one of the data dictionary in which brackets say which item is meant: the child
of the row, the first parent or carer, the element of that code.
"""

import csv
import io
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from hub.domain.dictionary import Leaf
from hub.domain.messages import message_tree
from hub.positioned import Fields, Value, read_file

As = Literal[
    "text", "int", "number", "list", "code", "codes", "bool", "date", "partial_date", "moment",
    "owner", "person", "answer", "consent_code",
]  # fmt: skip
FORMS: Final[tuple[As, ...]] = As.__args__  # type: ignore[attr-defined]
CONSENT: Final = "consent"
_STEP: Final = re.compile(r"([a-z_]+)(?:\[([^\]]*)\])?(?:\.(?=.)|$)")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a member, and which item of it where it is a list.

    *which* is ``None`` for a single member, empty for a list of values, else ``child``, a number,
    or ``key=value``.
    """

    name: str
    which: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, where its value goes, and how it is written."""

    name: str
    steps: tuple[Step, ...]
    how: As
    needed: bool
    codes: str | None
    help: str
    example: str

    @property
    def consent(self) -> bool:
        """Return whether it belongs to the decision about storing."""
        return self.steps[0].name == CONSENT

    @property
    def of_child(self) -> bool:
        """Return whether each row of a family has a value of its own for it."""
        return self.consent or any(step.which == "child" for step in self.steps)


@cache
def columns() -> tuple[Column, ...]:
    """Return the columns in their order; raises `PositionedError` where the data are wrong."""
    file = Path(str(files("mappings.history"))) / "paper.yaml"
    top = read_file(file, "history/paper.yaml").mapping("columns")
    return tuple(_column(value) for value in top.need("columns").sequence())


def _column(value: Value) -> Column:
    told = value.mapping("column", "caf", "as", "needed", "codes", "help", "example")
    steps = _steps(told.need("caf"))
    how = told.need("as").one_of(*FORMS)
    return Column(
        name=told.need("column").text(),
        steps=steps,
        how=next(form for form in FORMS if form == how),
        needed=told.boolean("needed"),
        codes=_codes(told, steps),
        help=told.text("help", "") or "",
        example=told.text("example", "") or "",
    )


def _steps(value: Value) -> tuple[Step, ...]:
    text, steps, at = value.text(), [], 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            value.error("is not a path", at=at)
        steps.append(Step(found[1], found[2]))
        at = found.end()
    return tuple(steps)


def _codes(told: Fields, steps: tuple[Step, ...]) -> str | None:
    """Return the code list of a column: named, or that of the leaf that it fills."""
    named = told.text("codes")
    if named is not None or steps[0].name == CONSENT:
        return named
    leaf = leaf_of(steps)
    if leaf is None and told.text("as") != "owner":
        told.need("caf").error("is not a leaf of the data dictionary")
    return leaf.codes if leaf is not None else None


def leaf_of(steps: tuple[Step, ...]) -> Leaf | None:
    """Return the leaf of an episode that a path leads to; ``None`` if it leads to none."""
    node = message_tree()["episode"]
    for step in steps:
        found = node.children.get(step.name)
        if found is None:
            return None
        node = found
    return node.leaf


def template() -> str:
    """Return a CSV to fill in: the headings, a row that says what belongs there, an example.

    The second row begins with ``#`` in its first cell, and is passed over when it is imported.
    """
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n")
    write.writerow(column.name for column in columns())
    told = [_told(column) for column in columns()]
    write.writerow(["# " + told[0], *told[1:]])
    write.writerow(column.example for column in columns())
    return out.getvalue()


_SHOWN: Final = {
    "text": "text",
    "int": "a number",
    "number": "an identifier",
    "list": "texts; separated; by; semicolons",
    "bool": "yes or no",
    "date": "YYYY-MM-DD",
    "partial_date": "YYYY-MM-DD, YYYY-MM or YYYY",
    "moment": "YYYY-MM-DD",
    "owner": "who",
    "person": "who",
    "answer": "yes or no",
}


def _told(column: Column) -> str:
    shown = _SHOWN.get(column.how) or f"a code of {column.codes}"
    needed = "needed: " if column.needed else ""
    return f"{needed}{shown}. {column.help}".rstrip()
