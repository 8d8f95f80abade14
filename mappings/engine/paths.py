"""Paths: how a rule points into the canonical tree and into the wire tree.

::

    gender                                  a member
    characteristics.ethnicity               a member of a member
    given_names[]                           every item of a list
    answer[0].valueString                   a list that holds exactly one item
    identifier[system=urn:x].value          the item in which system is urn:x: finds it, or makes it
    telecom[system=phone][].value           every item in which system is phone
    valueCoding{system=urn:x}.code          an object in which system is urn:x
    .                                       the item itself
    ^.name                                  a member of the enclosing item
    id.@root                                an attribute (XML)
    PID.3[5=NH].1                           a component of a repetition of a field (HL7 v2)
    /message.message_id                     from the top of the message

Inside brackets, several conditions are separated by commas, and what stands left of ``=`` is a path
too.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, Literal

NAME: Final = re.compile(r"@?_?[A-Za-z][A-Za-z0-9_:-]*|#text|[0-9]+(?![A-Za-z_])")
"""A member.  In XML ``@name`` is an attribute and ``#text`` an element's own text; in HL7 v2 a
number counts fields and components."""

Start = Literal["item", "outer", "root"]


class Kind(Enum):
    """What a step does at its name."""

    FIELD = "field"
    ONLY = "only"
    EACH = "each"
    SLICE = "slice"
    SLICES = "slices"

    @property
    def many(self) -> bool:
        """Return whether the step runs over every item of a list."""
        return self in {Kind.EACH, Kind.SLICES}


@dataclass(frozen=True, slots=True)
class Step:
    """One step; *where* holds the conditions that find an item and that make it."""

    name: str
    kind: Kind
    where: "tuple[tuple[Path, str], ...]" = ()

    def __str__(self) -> str:
        """Return the step as it is written."""
        said = ",".join(f"{path}={value}" for path, value in self.where)
        match self.kind:
            case Kind.FIELD:
                return f"{self.name}{{{said}}}" if said else self.name
            case Kind.ONLY:
                return f"{self.name}[0]"
            case Kind.EACH:
                return f"{self.name}[]"
            case Kind.SLICE:
                return f"{self.name}[{said}]"
            case Kind.SLICES:
                return f"{self.name}[{said}][]"


@dataclass(frozen=True, slots=True)
class Path:
    """Where to start and the steps from there; no steps means the start itself."""

    steps: tuple[Step, ...]
    start: Start = "item"

    def __str__(self) -> str:
        """Return the path as it is written."""
        said = ".".join(str(step) for step in self.steps)
        match self.start:
            case "root":
                return f"/{said}"
            case "outer":
                return f"^.{said}" if said else "^"
            case "item":
                return said or "."

    def joined(self, inner: "Path") -> "Path":
        """Return *inner* seen from where this path begins; a path from the top stays as it is."""
        if inner.start != "item":
            return inner
        return Path(self.steps + inner.steps, self.start)

    def split(self) -> "tuple[Path, Path] | None":
        """Return the part up to the first step over many items, and the rest; None if there is
        none.
        """
        for position, step in enumerate(self.steps):
            if step.kind.many:
                return (
                    Path(self.steps[: position + 1], self.start),
                    Path(self.steps[position + 1 :]),
                )
        return None


SELF: Final = Path(())


class PathError(ValueError):
    """A path that cannot be read; *at* is how many characters into it."""

    def __init__(self, message: str, at: int) -> None:
        """Keep what and where."""
        super().__init__(message)
        self.at = at


@lru_cache(maxsize=16_384)
def parse(text: str) -> Path:
    """Return the path that *text* writes; raises `PathError`."""
    path, end = _path(text, 0)
    if end != len(text):
        raise PathError(f"unexpected {text[end]!r}", end)
    return path


def _path(text: str, at: int) -> tuple[Path, int]:
    start: Start = "item"
    if text.startswith("/", at):
        start, at = "root", at + 1
    elif text.startswith("^", at):
        start, at = "outer", at + 1
        if not text.startswith(".", at):
            return Path((), start), at
        at += 1
    elif text.startswith(".", at):
        return SELF, at + 1
    steps = []
    while True:
        step, at = _step(text, at)
        steps.append(step)
        if not text.startswith(".", at):
            return Path(tuple(steps), start), at
        at += 1


def _step(text: str, at: int) -> tuple[Step, int]:
    found = NAME.match(text, at)
    if found is None:
        raise PathError("a name is missing here", at)
    name, at = found.group(), found.end()
    if text.startswith("{", at):
        where, at = _where(text, at + 1, "}")
        return Step(name, Kind.FIELD, where), at
    if text.startswith("[]", at):
        return Step(name, Kind.EACH), at + 2
    if text.startswith("[0]", at):
        return Step(name, Kind.ONLY), at + 3
    if text.startswith("[", at):
        where, at = _where(text, at + 1, "]")
        if text.startswith("[]", at):
            return Step(name, Kind.SLICES, where), at + 2
        return Step(name, Kind.SLICE, where), at
    return Step(name, Kind.FIELD), at


def _where(text: str, at: int, closing: str) -> tuple[tuple[tuple[Path, str], ...], int]:
    conditions = []
    while True:
        path, at = _path(text, at)
        if not text.startswith("=", at):
            raise PathError("expected = and a value", at)
        end = at + 1
        while end < len(text) and text[end] not in {",", closing}:
            end += 1
        if end == len(text):
            raise PathError(f"{closing} is missing", end)
        if end == at + 1:
            raise PathError("a value is missing here", end)
        conditions.append((path, text[at + 1 : end]))
        at = end + 1
        if text[end] == closing:
            return tuple(conditions), at
