"""YAML read with positions: every value knows its file, line and column, and every error shows
them.

Scalars stay strings until the reader asks for a type, so that ``no`` is never false and ``1.10``
never 1.1.  Duplicate keys, anchors, aliases, tags, merge keys and further documents are refused,
and depth and size are bounded (`design.md` section 5, `reliability.md` P19-P21).  Mappings,
profiles and scenarios are
read with this::

    top = read_text(text, "episode.yaml").mapping("mapping", "version", "entries")
    name = top.need("mapping").text()
    for name, entry in top.need("entries").items(): ...
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import yaml

MAX_DEPTH: Final = 40
MAX_CHARACTERS: Final = 2_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; *line* and *column* count from one, *text* is the whole line."""

    file: str
    line: int
    column: int
    text: str = ""

    def __str__(self) -> str:
        """Return ``file:line:column``."""
        return f"{self.file}:{self.line}:{self.column}"

    def moved(self, characters: int) -> "Place":
        """Return the place *characters* further right on the same line."""
        return Place(self.file, self.line, self.column + characters, self.text)


class PositionedError(Exception):
    """Something wrong at one place of a file."""

    def __init__(self, place: Place, message: str) -> None:
        """Keep where and what."""
        super().__init__(message)
        self.place = place
        self.message = message

    def __str__(self) -> str:
        """Return place and message, the line, and a caret under the column."""
        shown = self.place.text.expandtabs(1)
        caret = " " * (self.place.column - 1) + "^"
        return f"{self.place}: {self.message}\n    {shown}\n    {caret}"


class PositionedErrors(Exception):
    """Everything that is wrong with a file or folder, in the order of reading."""

    def __init__(self, errors: Sequence[PositionedError]) -> None:
        """Keep the errors; there is at least one."""
        super().__init__(f"{len(errors)} errors")
        self.errors = tuple(errors)

    def __str__(self) -> str:
        """Return every error with its caret line."""
        return "\n".join(str(error) for error in self.errors)


@dataclass(slots=True)
class Problems:
    """Collects errors so that a reader can go on and show them all at once."""

    errors: list[PositionedError] = field(default_factory=list)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a positioned error raised inside, and go on after the block."""
        try:
            yield
        except PositionedError as error:
            self.errors.append(error)
        except PositionedErrors as several:
            self.errors.extend(several.errors)

    def settle(self) -> None:
        """Raise `PositionedErrors` if anything was collected."""
        if self.errors:
            raise PositionedErrors(self.errors)


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar, sequence or mapping, with its place; the accessors say what it must be."""

    place: Place
    path: str
    content: "str | tuple[Value, ...] | dict[str, tuple[Place, Value]]"
    plain: bool = True

    def error(self, message: str, *, at: int = 0) -> NoReturn:
        """Raise a `PositionedError` here, or *at* characters into a plain scalar."""
        raise PositionedError(self.place.moved(at if self.plain else at + 1), message)

    def kind(self) -> str:
        """Return ``text``, ``list`` or ``mapping``."""
        if isinstance(self.content, str):
            return "text"
        return "list" if isinstance(self.content, tuple) else "mapping"

    def is_null(self) -> bool:
        """Return whether this is an empty plain scalar, ``~`` or ``null``."""
        return self.plain and self.content in ("", "~", "null")  # a mapping has no hash

    def text(self) -> str:
        """Return the scalar as it is written; empty is an error."""
        if not isinstance(self.content, str) or self.is_null():
            self.error(f"{self._name()} must be text, not {self._seen()}")
        return self.content

    def one_of(self, *allowed: str) -> str:
        """Return the scalar, which must be one of *allowed*."""
        found = self.text()
        if found not in allowed:
            self.error(f"{self._name()} must be one of {', '.join(allowed)}{_hint(found, allowed)}")
        return found

    def integer(self, least: int | None = None, most: int | None = None) -> int:
        """Return a whole number within the bounds."""
        found = self.text()
        if not (found.isascii() and found.removeprefix("-").isdigit()):
            self.error(f"{self._name()} must be a whole number")
        number = int(found) if len(found) < 19 else 10**18
        if (least is not None and number < least) or (most is not None and number > most):
            self.error(f"{self._name()} must lie between {least} and {most}")
        return number

    def boolean(self) -> bool:
        """Return ``true`` or ``false``; no other spelling counts."""
        return self.one_of("true", "false") == "true"

    def sequence(self) -> "tuple[Value, ...]":
        """Return the items of a list."""
        if not isinstance(self.content, tuple):
            self.error(f"{self._name()} must be a list, not {self._seen()}")
        return self.content

    def texts(self) -> tuple[str, ...]:
        """Return the items of a list of texts."""
        return tuple(item.text() for item in self.sequence())

    def items(self) -> "tuple[tuple[str, Value], ...]":
        """Return the names and values of a mapping whose names are free."""
        if not isinstance(self.content, dict):
            self.error(f"{self._name()} must be a mapping, not {self._seen()}")
        return tuple((name, value) for name, (_place, value) in self.content.items())

    def mapping(self, *allowed: str) -> "Fields":
        """Return a mapping that may hold the names *allowed* and no other."""
        if not isinstance(self.content, dict):
            self.error(f"{self._name()} must be a mapping, not {self._seen()}")
        for name, (place, _value) in self.content.items():
            if name not in allowed:
                raise PositionedError(
                    place, f"unknown key {name}{_hint(name, allowed)}; known: {', '.join(allowed)}"
                )
        return Fields(self)

    def without(self, *names: str) -> "Value":
        """Return a mapping without the members *names*; anything else as it is."""
        if not isinstance(self.content, dict):
            return self
        rest = {name: held for name, held in self.content.items() if name not in names}
        return replace(self, content=rest)

    def built(self, build: Callable[[str], T]) -> T:
        """Return ``build(text)``; its ``ValueError`` becomes an error at this place."""
        try:
            return build(self.text())
        except ValueError as wrong:
            self.error(str(wrong))

    def _name(self) -> str:
        return self.path or "the document"

    def _seen(self) -> str:
        return "nothing" if self.is_null() else f"a {self.kind()}".replace("a text", "text")


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of a mapping with known names."""

    value: Value

    @property
    def place(self) -> Place:
        """Return where the mapping begins."""
        return self.value.place

    def _content(self) -> dict[str, tuple[Place, Value]]:
        content = self.value.content
        return content if isinstance(content, dict) else {}

    def __contains__(self, name: str) -> bool:
        """Return whether *name* is given."""
        return name in self._content()

    def names(self) -> tuple[str, ...]:
        """Return the names given, in order."""
        return tuple(self._content())

    def get(self, name: str) -> Value | None:
        """Return the value of *name*, if given."""
        found = self._content().get(name)
        return found[1] if found else None

    def need(self, name: str) -> Value:
        """Return the value of *name*, which must be given."""
        found = self.get(name)
        if found is None:
            self.value.error(f"{self.value.path or 'the document'} needs the key {name}")
        return found

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return the text of *name*, or *default*."""
        found = self.get(name)
        return found.text() if found else default

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """Return the truth value of *name*, or *default*."""
        found = self.get(name)
        return found.boolean() if found else default


def _hint(found: str, allowed: Sequence[str]) -> str:
    near = get_close_matches(found, allowed, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def read_file(path: Path, shown_as: str | None = None) -> Value:
    """Read the one document of *path*; errors name it *shown_as*."""
    name = shown_as or str(path)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise PositionedError(Place(name, 1, 1), "not UTF-8") from None
    except OSError as wrong:
        raise PositionedError(Place(name, 1, 1), f"cannot be read: {wrong.strerror}") from None
    return read_text(text, name)


def read_text(text: str, file: str) -> Value:
    """Read the one document of *text*; *file* is what errors call it."""
    if len(text) > MAX_CHARACTERS:
        raise PositionedError(Place(file, 1, 1), f"longer than {MAX_CHARACTERS} characters")
    return _Reader(text, file).document()


class _Reader:
    """Builds the tree of values from libyaml's events."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._lines = text.splitlines()
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._seen_ahead: yaml.Event | None = None

    def document(self) -> Value:
        try:
            self._take()  # stream start
            start = self._take()
            if isinstance(start, yaml.StreamEndEvent):
                raise PositionedError(self._place(start), "the document is empty")
            value = self._value("", 0)
            self._take()  # document end
            after = self._take()
            if not isinstance(after, yaml.StreamEndEvent):
                raise PositionedError(self._place(after), "only one document is allowed")
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark or wrong.context_mark
            place = Place(self._file, 1, 1) if mark is None else self._at(mark.line, mark.column)
            raise PositionedError(place, wrong.problem or "not YAML") from None
        except yaml.reader.ReaderError:
            raise PositionedError(Place(self._file, 1, 1), "holds a forbidden character") from None
        return value

    def _take(self) -> yaml.Event:
        ahead, self._seen_ahead = self._seen_ahead, None
        return next(self._events) if ahead is None else ahead

    def _peek(self) -> yaml.Event:
        if self._seen_ahead is None:
            self._seen_ahead = next(self._events)
        return self._seen_ahead

    def _at(self, line: int, column: int) -> Place:
        text = self._lines[line] if line < len(self._lines) else ""
        return Place(self._file, line + 1, column + 1, text)

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self._file, 1, 1) if mark is None else self._at(mark.line, mark.column)

    def _value(self, path: str, depth: int) -> Value:
        event = self._take()
        place = self._place(event)
        if depth > MAX_DEPTH:
            raise PositionedError(place, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            raise PositionedError(place, "aliases are not allowed: write the value again")
        if not isinstance(event, yaml.NodeEvent):
            raise PositionedError(place, "a value is missing here")
        if event.anchor is not None:
            raise PositionedError(place, "anchors are not allowed")
        if getattr(event, "tag", None) is not None:
            raise PositionedError(place, "tags are not allowed")
        if isinstance(event, yaml.ScalarEvent):
            return Value(place, path, event.value, plain=not event.style)
        if isinstance(event, yaml.SequenceStartEvent):
            return Value(place, path, tuple(self._items(path, depth)))
        return Value(place, path, self._members(path, depth))

    def _items(self, path: str, depth: int) -> Iterator[Value]:
        position = 0
        while not isinstance(self._peek(), yaml.SequenceEndEvent):
            yield self._value(f"{path}[{position}]", depth + 1)
            position += 1
        self._take()

    def _members(self, path: str, depth: int) -> dict[str, tuple[Place, Value]]:
        members: dict[str, tuple[Place, Value]] = {}
        while not isinstance(self._peek(), yaml.MappingEndEvent):
            key = self._value(path, depth + 1)
            if not isinstance(key.content, str):
                key.error("a key must be text")
            if key.content == "<<" and key.plain:
                key.error("merge keys are not allowed")
            if key.content in members:
                key.error(f"{key.content} is given twice")
            inner = f"{path}.{key.content}" if path else key.content
            members[key.content] = (key.place, self._value(inner, depth + 1))
        self._take()
        return members
