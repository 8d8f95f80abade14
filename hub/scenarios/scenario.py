"""A scenario, once read: who takes part, what happens, what must come of it and what must not."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.positioned import Place
from hub.scenarios.casts import Cast
from hub.scenarios.reading import Fields, Text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a message or an answer must hold; ``None`` means "not asked"."""

    place: Place
    kind: str = ""
    status: int | None = None
    code: str | None = None
    result: str | None = None
    sections: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    fields: tuple[tuple[str, Any], ...] = ()
    facts: tuple[tuple[str, Any], ...] = ()
    says: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    same_as: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One sentence of a step, with its details prepared as far as can be before it is played."""

    text: Text
    kind: str
    words: dict[str, str]
    details: Fields
    ready: dict[str, Any]
    answer: Wanted | None


@dataclass(slots=True)
class Step:
    """Some sentences, and what everybody must have received when things are at rest again."""

    number: int
    label: str
    title: str
    place: Place
    actions: list[Action] = field(default_factory=list)
    expect: dict[str, list[Wanted]] = field(default_factory=dict)
    wait: bool = True
    checks: list["Check"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Span:
    """From step number to step number, both included."""

    first: int = 0
    last: int = 10**6

    def holds(self, number: int) -> bool:
        """Tell whether a step lies within."""
        return self.first <= number <= self.last


@dataclass(frozen=True, slots=True)
class Barred:
    """Something that must not reach somebody."""

    text: str
    place: Place
    what: str
    values: tuple[str, ...]
    to: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Check:
    """A question put to everything that was received, when the last step is over."""

    text: str
    place: Place
    kind: str
    words: dict[str, Any]


@dataclass(slots=True)
class Scenario:
    """A whole scenario."""

    file: Path
    title: str
    about: str
    starts_at: datetime
    episode: str
    cast: Cast
    documents: dict[str, Any]
    steps: list[Step]
    barred: list[Barred] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
