"""The code lists of the data dictionary, read from the data files beside this module.

Every list of `domain.md` section 3 is one CSV in `code_lists/`, and `code_lists/lists.csv` says of
each its version, the day it took effect, and whether it is open.  A closed list refuses what it
does not hold; an open one (CL-29, the authorities) accepts whatever has its shape and flags what it
does not know.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType


class Standing(StrEnum):
    """What a list says of a code: in it, not in it but of its shape (open lists), or refused."""

    KNOWN = "known"
    FLAGGED = "flagged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Code:
    """One code, its display, and what else its list says of it (crosswalks, tier, section …)."""

    code: str
    display: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CodeList:
    """One list; *pattern* is the shape that an open list accepts, and empty for a closed one."""

    list_id: str
    version: str
    effective_from: str
    open: bool
    pattern: str
    title: str
    source: str
    codes: Mapping[str, Code]


def _rows(name: str) -> Iterator[dict[str, str]]:
    source = files("hub.domain").joinpath("code_lists", name)
    yield from csv.DictReader(source.read_text("utf-8").splitlines())


@cache
def _manifest() -> Mapping[str, Mapping[str, str]]:
    return {row["list_id"]: row for row in _rows("lists.csv")}


def list_ids() -> tuple[str, ...]:
    """Return the id of every list, sorted."""
    return tuple(sorted(_manifest()))


@cache
def code_list(list_id: str) -> CodeList:
    """Return a list by its id; an unknown id is a ``KeyError``, for it can only be our own mistake.

    >>> code_list("CL-11").codes["CAMHS"].attributes["sensitive"]
    'yes'
    """
    entry = _manifest()[list_id]
    codes = {}
    for row in _rows(f"{list_id}.csv"):
        code, display = row.pop("code"), row.pop("display")
        codes[code] = Code(code, display, MappingProxyType(row))
    return CodeList(
        list_id=list_id,
        version=entry["version"],
        effective_from=entry["effective_from"],
        open=entry["open"] == "yes",
        pattern=entry["pattern"],
        title=entry["title"],
        source=entry["source"],
        codes=MappingProxyType(codes),
    )


def check(list_id: str, code: str) -> Standing:
    """Return what the list says of *code*.

    >>> check("CL-02", "CNHE"), check("CL-29", "001"), check("CL-29", "999")
    (<Standing.REFUSED: 'refused'>, <Standing.KNOWN: 'known'>, <Standing.FLAGGED: 'flagged'>)
    """
    known = code_list(list_id)
    if code in known.codes:
        return Standing.KNOWN
    if known.open and re.fullmatch(known.pattern, code):
        return Standing.FLAGGED
    return Standing.REFUSED
