"""Scenario files as text that remembers where it stood, so that every complaint cites its place."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hub import positioned
from hub.positioned import Place, PositionedError, Value

ScenarioFault = PositionedError
"""Something in a scenario file that cannot be understood, with its place and a caret."""


class Text(str):
    """A scalar as written; *quoted* tells whether it was in quotation marks or a block."""

    __slots__ = ("place", "quoted")
    place: Place
    quoted: bool

    @classmethod
    def at(cls, value: str, place: Place, *, quoted: bool = False) -> "Text":
        """Return *value* with its place."""
        text = cls(value)
        text.place, text.quoted = place, quoted
        return text


class Items(list[Any]):
    """A list with its place."""

    place: Place


class Fields(dict[Text, Any]):
    """A mapping with its place; its keys are texts with theirs."""

    place: Place

    def pick(self, *known: str) -> None:
        """Complain about the first key that is not among *known*."""
        for key in self:
            if key not in known:
                raise unknown(key, "word", known)

    def items_of(self, key: str) -> Iterator[Any]:
        """Yield the items under *key*: none if absent, one if it is not a list."""
        value = self.get(key)  # type: ignore[call-overload]
        if value is None or value == "":
            return
        yield from value if isinstance(value, Items) else [value]

    def text(self, key: str, default: str = "") -> str:
        """Return the text under *key*."""
        value = self.get(key, default)  # type: ignore[call-overload]
        if not isinstance(value, str):
            raise complain(value, f"“{key}” takes one word or sentence, not a list or a mapping")
        return value

    def yes(self, key: str) -> bool:
        """Return whether *key* says yes."""
        value = self.text(key, "no").lower()
        if value not in ("yes", "no", "true", "false"):
            raise complain(self[key], f"“{key}” is yes or no")  # type: ignore[index]
        return value in ("yes", "true")


def place_of(node: Any) -> Place:
    """Return where *node* stood."""
    return getattr(node, "place", Place("?", 1, 1))


def within(node: Any, word: str) -> Text:
    """Return *word* as standing where it first stands in the text *node*."""
    found = node.find(word) if isinstance(node, str) else -1
    place = place_of(node)
    return Text.at(word, place.moved(found) if found > 0 else place)


def complain(node: Any, says: str) -> ScenarioFault:
    """Return the fault at the place of *node*, to be raised."""
    return ScenarioFault(place_of(node), says)


def unknown(word: Any, kind: str, known: Iterable[str]) -> ScenarioFault:
    """Return the complaint that *word* is not known, naming the nearest that is."""
    choices = sorted(set(known))
    near = difflib.get_close_matches(str(word), choices, n=1, cutoff=0.5)
    hint = f"did you mean “{near[0]}”?" if near else f"known here: {', '.join(choices[:25])}"
    return complain(word, f"unknown {kind} “{word}”; {hint}")


def read_file(path: Path) -> Fields:
    """Return the mapping in a YAML file; repeated keys, anchors and tags are refused."""
    return _top(positioned.read_file(path))


def read_text(text: str, file: str) -> Fields:
    """As `read_file`, of text already read."""
    return _top(positioned.read_text(text, file))


def _top(value: Value) -> Fields:
    tree = _convert(value)
    if not isinstance(tree, Fields):
        raise complain(tree, "a scenario file holds one mapping")
    return tree


def _convert(value: Value) -> Any:
    if isinstance(value.content, str):
        return Text.at(value.content, value.place, quoted=not value.plain)
    if isinstance(value.content, tuple):
        items = Items(_convert(one) for one in value.content)
        items.place = value.place
        return items
    fields = Fields()
    fields.place = value.place
    for name, (place, inner) in value.content.items():
        fields[Text.at(name, place)] = _convert(inner)
    return fields
