"""The slow pass over doubtful JSON: a tokenizer that keeps the path, and names everything that is
refused.

It builds nothing and never recurses, so neither depth nor size can hurt it.
"""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from hub.errors import Code, Fault

MOST_FAULTS: Final = 100

_STRINGS: Final = json.JSONDecoder(strict=False)
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NOT_A_NUMBER: Final = re.compile(r"NaN|-?Infinity")
_WORD: Final = re.compile(r"true|false|null")
_RAW: Final = re.compile(r"[\x00-\x1f]")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_OURS: Final = re.compile(r"[a-z_]{1,40}")


class Limits(Protocol):
    """The bounds that this pass enforces."""

    @property
    def depth(self) -> int: ...
    @property
    def keys(self) -> int: ...
    @property
    def values(self) -> int: ...
    @property
    def string(self) -> int: ...
    @property
    def digits(self) -> int: ...


def safe_name(name: str) -> str:
    """Return a key as a path may show it: one that could not be ours becomes ``?``.

    >>> safe_name("family_name"), safe_name("Ava Example")
    ('family_name', '?')
    """
    return name if _OURS.fullmatch(name) else "?"


@dataclass(slots=True)
class _Level:
    """One open object (*seen* is a set) or list (*seen* is ``None``), and where in it we are."""

    seen: set[str] | None
    position: str = ""
    index: int = -1


@dataclass(slots=True)
class _Scan:
    text: str
    limits: Limits
    at: int = 0
    keys: int = 0
    values: int = 0
    levels: list[_Level] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def path(self) -> str:
        return "".join(f"/{level.position}" for level in self.levels)

    def fault(self, code: Code, remedy: str) -> None:
        self.faults.append(Fault(code, self.path(), remedy))

    def skip_space(self) -> str:
        """Move to the next token and return its first character, or nothing at the end."""
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at
        return self.text[self.at : self.at + 1]

    def string(self) -> str:
        """Read the string that starts here, and report what is in it."""
        start = self.at
        value, self.at = _STRINGS.raw_decode(self.text, start)
        if len(value) > self.limits.string:
            self.fault(Code.LENGTH, f"at most {self.limits.string} characters")
        if _FORBIDDEN.search(value) or _RAW.search(self.text, start, self.at):
            self.fault(Code.CONTROL_CHAR, "no control characters or lone surrogates")
        return str(value)

    def scalar(self) -> None:
        if number := _NUMBER.match(self.text, self.at):
            written = number.group()
            digits = sum(character in "0123456789" for character in written)
            if digits > self.limits.digits:
                self.fault(Code.NUMBER, f"at most {self.limits.digits} digits")
            elif not math.isfinite(float(written)):
                self.fault(Code.NUMBER, "a number that can be held")
            self.at = number.end()
        elif word := _WORD.match(self.text, self.at):
            self.at = word.end()
        elif name := _NOT_A_NUMBER.match(self.text, self.at):
            self.fault(Code.NUMBER, "a number")
            self.at = name.end()
        else:
            raise ValueError

    def key(self, level: _Level) -> None:
        """Read ``"key":`` of the innermost object."""
        level.position = "?"
        if self.skip_space() != '"':
            raise ValueError
        name = self.string()
        level.position = safe_name(name)
        if level.seen is not None:
            if name in level.seen:
                self.fault(Code.DUPLICATE_KEY, "give each key once")
            level.seen.add(name)
        self.keys += 1
        if self.skip_space() != ":":
            raise ValueError
        self.at += 1

    def enter(self, opening: str) -> bool:
        """Open an object or list; return whether it has a first value to read."""
        self.at += 1
        level = _Level(set() if opening == "{" else None)
        closing = "}" if opening == "{" else "]"
        if self.skip_space() == closing:
            self.at += 1
            return False
        self.levels.append(level)
        self.next_position(level)
        return True

    def next_position(self, level: _Level) -> None:
        self.values += 1
        if level.seen is None:
            level.index += 1
            level.position = str(level.index)
        else:
            self.key(level)

    def leave_finished(self) -> bool:
        """After a value: move to the next position; return whether all is read."""
        while self.levels:
            level = self.levels[-1]
            mark = self.skip_space()
            self.at += 1
            if mark == ",":
                self.next_position(level)
                return False
            if mark != ("]" if level.seen is None else "}"):
                self.at -= 1
                raise ValueError
            self.levels.pop()
        if self.skip_space():
            raise ValueError
        return True

    def run(self) -> None:
        while len(self.faults) < MOST_FAULTS:
            if self.keys > self.limits.keys or self.values > self.limits.values:
                self.faults.append(Fault(Code.TOO_LARGE, "", "send fewer fields"))
                return
            mark = self.skip_space()
            if mark in ("{", "["):
                if self.enter(mark):
                    if len(self.levels) > self.limits.depth:
                        self.faults.append(
                            Fault(Code.DEPTH, "", f"nest at most {self.limits.depth} levels")
                        )
                        return
                    continue
            elif mark == '"':
                self.string()
            else:
                self.scalar()
            if self.leave_finished():
                return


def locate(text: str, limits: Limits) -> tuple[Fault, ...]:
    """Return everything that is wrong with *text* as JSON, at most a hundred faults; nothing if it
    is fine.

    A syntax error ends the search, because nobody knows what a writer meant after it.
    """
    scan = _Scan(text, limits)
    try:
        scan.run()
    except ValueError:
        line = text.count("\n", 0, scan.at) + 1
        column = scan.at - (text.rfind("\n", 0, scan.at) + 1) + 1
        scan.fault(Code.SYNTAX, f"not JSON at line {line}, column {column}")
    return tuple(scan.faults)
