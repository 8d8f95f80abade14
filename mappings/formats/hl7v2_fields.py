"""Reads the fields of one segment into the members that rules address.

Nothing is dropped: what a field or component holds beyond its definition stands in the tree under a
name that no rule has (``PID.8.2``, ``PID.7[1]``, ``PID.5=""``), so that the mapping names it as
unmapped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mappings.formats.hl7v2_characters import NULL, Delimiters, Wrong, unescaped
from mappings.formats.hl7v2_definitions import ANY, PRIMITIVES, VALUE_TYPES, Field
from mappings.formats.hl7v2_people import READ, WIDTH
from mappings.formats.hl7v2_values import CHANGE, components

Tree = dict[str, Any]

NEVER: Final = "\r"
"""A character that no segment holds: what stands for a delimiter that is not declared."""
_BLANK: Final = ("",) * WIDTH
_NOTHING: Final[tuple[Any, ...]] = ("", {})


class Reader:
    """Reads the fields of one message, between its own delimiters, in its own character set."""

    def __init__(self, delimiters: Delimiters, codec: str) -> None:
        """Keep what the message declares."""
        self.delimiters = delimiters
        self.codec = codec
        self.notes: list[str] = []
        self.component = delimiters.component
        self.repetition = delimiters.repetition
        self.escape = delimiters.escape or NEVER
        self.subcomponent = delimiters.subcomponent or NEVER

    def field(self, out: Tree, key: str, one: Field, text: str) -> None:
        """Put what *text* says into *out* under *key*; raises `Wrong`."""
        self._repeated(out, key, one, text)
        for note in self.notes:
            out[key + note] = ""
        self.notes.clear()

    def varying(self, out: Tree, key: str, text: str, value_type: str) -> None:
        """Put OBX-5 into *out*, whose data type OBX-2 says; a strange one is a text."""
        self.field(out, key, _VALUES.get(value_type, _ANY), text)

    def _repeated(self, out: Tree, key: str, one: Field, text: str) -> None:
        repetitions = text.split(self.delimiters.repetition)
        listed = []
        for position, repetition in enumerate(repetitions):
            if not repetition:
                continue
            place = key if position == 0 or one.many else f"{key}[{position}]"
            try:
                value = self._value(out, place, one.type, repetition)
            except Wrong as wrong:
                raise wrong.at(f"[{position}]" if one.many or position else "") from None
            if value in _NOTHING:
                continue
            if one.many:
                listed.append(value)
            else:
                out[place] = value
        if listed:
            out[key] = listed

    def _value(self, out: Tree, key: str, kind: str, text: str) -> Any:
        parts = text.split(self.delimiters.component)
        if kind in PRIMITIVES:
            for number, part in enumerate(parts[1:], 2):
                if part:
                    out[f"{key}.{number}"] = self.text(part)
            return self._primitive(kind, self.first(out, f"{key}.1", parts[0]))
        special = READ.get(kind)
        if special is not None:
            return special(self, [*parts, *_BLANK])
        inner: Tree = {}
        self.rest(inner, kind, parts, ())
        return inner

    # What the data types of people and places use

    def text(self, part: str) -> str:
        """Return what a part without separators means; a demand to delete is noted."""
        if part == NULL:
            self.notes.append(f"={NULL}")
            return ""
        return unescaped(part, self.delimiters, self.codec, self._escape)

    def first(self, out: Tree, place: str, part: str) -> str:
        """Return the first subcomponent of *part*; the others go into *out*, behind *place*."""
        separator = self.delimiters.subcomponent
        if not separator or separator not in part:
            return self.text(part)
        first, *others = part.split(separator)
        for position, other in enumerate(others, 2):
            if other:
                out[f"{place}.{position}"] = self.text(other)
        return self.text(first)

    def rest(self, out: Tree, kind: str, parts: Sequence[str], used: tuple[int, ...]) -> None:
        """Read the components of *kind* that are not *used*, each by its data type."""
        kinds = components(kind)
        for number, part in enumerate(parts, 1):
            if part and number not in used:
                inner = kinds[number - 1] if number <= len(kinds) else "ST"
                try:
                    value = self._component(out, str(number), inner, part)
                except Wrong as wrong:
                    raise wrong.at(f".{number}") from None
                if value not in _NOTHING:
                    out[str(number)] = value

    def _component(self, out: Tree, place: str, kind: str, part: str) -> Any:
        if kind in PRIMITIVES:
            return self._primitive(kind, self.first(out, place, part))
        separator, kinds = self.delimiters.subcomponent, components(kind)
        inner: Tree = {}
        for position, one in enumerate(part.split(separator) if separator else [part], 1):
            sort = kinds[position - 1] if position <= len(kinds) else "ST"
            if one and (value := self._primitive(sort, self.text(one))) != "":
                inner[str(position)] = value
        return inner

    def _primitive(self, kind: str, text: str) -> Any:
        change = CHANGE.get(kind)
        return text if change is None or not text else change(text, self.notes)

    def _escape(self, sequence: str) -> None:
        self.notes.append(f"\\{sequence}\\")


_ANY: Final = Field(ANY, many=True)
_VALUES: Final[Mapping[str, Field]] = {
    name: Field(kind, many=True) for name, kind in VALUE_TYPES.items()
}
