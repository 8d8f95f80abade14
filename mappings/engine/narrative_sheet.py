"""What text for people is written on: a sheet takes titles, lines, words, tables and blocks.

A `Block` keeps them as a plain dictionary, so that the engine can record every text in it::

    {"title": text, "parts": [part], "foot": [text]}

with *part* one of ``{"lines": [{"label": str, "items": [item]}]}``, ``{"words": {"who": text,
"text": [paragraph]}}``, ``{"table": {"label": str, "columns": [str], "rows": [{"cells": [{"items":
[item]}]}]}}`` and ``{"block": block}``; *item* is ``{"text": [paragraph], "detail": [text]}``.
What is not there leaves no member, no heading and nothing that says so.

A format may have a sheet of its own, on which everything stands at once as it will leave
(`mappings.formats.cda_narrative`).
"""

from collections.abc import Sequence
from typing import Any, Protocol, Self

from mappings.engine.model import Rule
from mappings.engine.narrative_text import Item, out, paragraphs


class Sheet(Protocol):
    """One block of text under construction."""

    title: str | None
    foot: list[str]

    @property
    def empty(self) -> bool:
        """Return whether it says nothing; a title alone says nothing."""
        ...

    def fresh(self) -> Self:
        """Return an empty sheet of the same kind."""
        ...

    def line(self, name: str, items: Sequence[Item]) -> None:
        """Add a line; neighbouring lines stand together."""
        ...

    def says(self, name: str, said: str) -> None:
        """Add a line of one text."""
        ...

    def words(self, who: str | None, said: Sequence[str]) -> None:
        """Add what somebody said, in their own words."""
        ...

    def table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Sequence[Item]]]
    ) -> None:
        """Add rows of one kind of thing; a column stands only where some row has something."""
        ...

    def inside(self, other: Self) -> None:
        """Add *other* as a block in this one."""
        ...

    def take(self, other: Self) -> None:
        """Add what *other*, which needs no title of its own, says."""
        ...


class Block:
    """A sheet that becomes a plain dictionary, its texts marked if the message was recorded."""

    __slots__ = ("foot", "parts", "rule", "title")

    def __init__(self, rule: Rule) -> None:
        """Begin; *rule* is what makes the text."""
        self.rule = rule
        self.title: str | None = None
        self.parts: list[dict[str, Any]] = []
        self.foot: list[str] = []

    @property
    def empty(self) -> bool:
        """Return whether it says nothing; a title alone says nothing."""
        return not (self.parts or self.foot)

    def fresh(self) -> "Block":
        """Return an empty block of the same rule."""
        return Block(self.rule)

    def line(self, name: str, items: Sequence[Item]) -> None:
        """Add a line; neighbouring lines stand together."""
        self._lines([{"label": out(name, self.rule), "items": self._items(items)}])

    def says(self, name: str, said: str) -> None:
        """Add a line of one text."""
        self.line(name, [(paragraphs(said), ())])

    def words(self, who: str | None, said: Sequence[str]) -> None:
        """Add what somebody said, in their own words."""
        spoken: dict[str, Any] = {} if who is None else {"who": out(who, self.rule)}
        spoken["text"] = [out(one, self.rule) for one in said]
        self.parts.append({"words": spoken})

    def table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Sequence[Item]]]
    ) -> None:
        """Add rows of one kind of thing; a column stands only where some row has something."""
        made = [{"cells": [{"items": self._items(cell)} for cell in row]} for row in rows]
        self.parts.append({"table": {"label": name, "columns": list(columns), "rows": made}})

    def inside(self, other: "Block") -> None:
        """Add *other* as a block in this one."""
        self.parts.append({"block": other.out()})

    def take(self, other: "Block") -> None:
        """Add what *other*, which needs no title of its own, says."""
        for part in other.parts:
            if "lines" in part:
                self._lines(part["lines"])
            else:
                self.parts.append(part)
        self.foot += other.foot

    def out(self) -> dict[str, Any]:
        """Return the block as a plain dictionary."""
        made: dict[str, Any] = {}
        if self.title is not None:
            made["title"] = out(self.title, self.rule)
        if self.parts:
            made["parts"] = self.parts
        if self.foot:
            made["foot"] = [out(one, self.rule) for one in self.foot]
        return made

    def _lines(self, lines: list[dict[str, Any]]) -> None:
        if self.parts and "lines" in self.parts[-1]:
            self.parts[-1]["lines"] += lines
        else:
            self.parts.append({"lines": list(lines)})

    def _items(self, items: Sequence[Item]) -> list[dict[str, Any]]:
        return [
            {
                "text": [out(one, self.rule) for one in said],
                **({"detail": [out(one, self.rule) for one in detail]} if detail else {}),
            }
            for said, detail in items
        ]
