"""The short way through segments without subcomponents, escapes or quotation marks.

Nearly all segments are so, and they make the speed of the tokenizer (`performance.md`, goal 8): no
component needs a second look, and each field has its own small reader, made once.  Whatever has
more to it takes the long way of `hl7v2_fields`, with the same result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from mappings.formats.hl7v2_characters import Wrong
from mappings.formats.hl7v2_definitions import (
    ANY,
    PRIMITIVES,
    SEGMENTS,
    VALUE_TYPES,
    VARIES,
    Field,
)
from mappings.formats.hl7v2_people import READ, WIDTH, Read
from mappings.formats.hl7v2_values import CHANGE, components

Tree = dict[str, Any]
Change = Callable[[str, list[str]], Any]
One = Callable[[str, str, "Parts"], Any]
"""(text, component separator, parts) to the value of one repetition; None sends the segment the
long way.
"""
Easy = Callable[[str, str, str, "Parts"], Any]
"""(text, component separator, repetition separator, parts) to the value of a field."""

NUMBERS: Final = tuple(map(str, range(500)))
_COMPONENTS: Final = NUMBERS[1:]
_ALONE: Final = {"NAME": "text", "WHO": "1"}
"""The member that a single component fills, of the types that have a short way for it."""
_BLANK: Final = [""] * WIDTH


@dataclass(frozen=True, slots=True)
class Plan:
    """How to read one sort of segment: a reader for each field, None for a plain text.

    *most* is how many parts it has with its name; *counted* says that the first field is a set id.
    """

    readers: tuple[Easy | None, ...]
    fields: tuple[Field | None, ...]
    most: int
    counted: bool


def easy(
    parts: Sequence[str],
    plan: Plan,
    component: str,
    repetition: str,
    helper: "Parts",
    long: Callable[[Tree, str, Field, str], None],
) -> Tree | None:
    """Return the fields of a segment that is easy; None if it is not after all.

    A single field that has more to it is read the *long* way (`hl7v2_fields.Reader.field`).
    """
    out: Tree = {}
    if len(parts) > plan.most:
        return None
    if plan.counted and (len(parts) < 2 or not parts[1].isdecimal()):
        return None  # a set id counts the segments, and says nothing
    try:
        for number, reader, text in zip(NUMBERS, plan.readers, parts, strict=False):
            if text:
                if reader is None:
                    if component not in text and repetition not in text:
                        out[number] = text
                        continue
                else:
                    value = reader(text, component, repetition, helper)
                    if value is not None and not helper.notes:
                        if value != "":
                            out[number] = value
                        continue
                    helper.notes.clear()
                field = plan.fields[int(number)]
                if field is None:
                    return None
                long(out, number, field, text)
    except Wrong:
        return None  # the long way finds it again, with its place, and whatever else is wrong
    return out


@cache
def plan_of(name: str, value_type: str) -> Plan | None:
    """Return the plan of the segment *name*, by OBX-2 where there is one; None if unknown."""
    fields = SEGMENTS.get(name)
    if fields is None:
        return None
    readers: list[Easy | None] = [_nothing]
    alone = [None if one.type in (VARIES, "SI") else one for one in fields]
    for number, one in enumerate(fields, 1):
        kind = VALUE_TYPES.get(value_type, ANY) if one.type == VARIES else one.type
        if number == 1 and kind == "SI":
            readers.append(_nothing)
        elif kind in PRIMITIVES and kind not in CHANGE and not one.many:
            readers.append(None)
        else:
            readers.append(_listed(_one(kind)) if one.many else _single(_one(kind)))
    return Plan(tuple(readers), (None, *alone), len(readers), fields[0].type == "SI")


def _nothing(_text: str, _component: str, _repetition: str, _parts: "Parts") -> str:
    return ""


def _single(one: One) -> Easy:
    def single(text: str, component: str, repetition: str, parts: "Parts") -> Any:
        return None if repetition in text else one(text, component, parts)

    return single


def _listed(one: One) -> Easy:
    def listed(text: str, component: str, repetition: str, parts: "Parts") -> Any:
        if repetition not in text:
            value = one(text, component, parts)
            return [value] if value else None
        values = [one(each, component, parts) for each in text.split(repetition) if each]
        return values if values and all(values) else None

    return listed


def _one(kind: str) -> One:
    if kind in PRIMITIVES:
        change = CHANGE.get(kind)
        if change is None:
            return lambda text, component, _parts: None if component in text else text
        return lambda text, component, parts: (
            None if component in text else change(text, parts.notes)
        )
    special = READ.get(kind)
    return _composite(kind) if special is None else _special(special, _ALONE.get(kind))


def _special(special: Read, alone: str | None) -> One:
    def read(text: str, component: str, parts: "Parts") -> Tree | None:
        if alone is not None and component not in text:
            return {alone: text}
        listed = text.split(component)
        if len(listed) < WIDTH:
            listed += _BLANK[len(listed) :]
        return special(parts, listed) or None

    return read


def _composite(kind: str) -> One:
    changes = _changes(kind, ())
    first = changes[0]
    if not any(changes):

        def plain(text: str, component: str, _parts: "Parts") -> Tree | None:
            if component not in text:
                return {"1": text}
            listed = text.split(component)
            if "" not in listed:
                return dict(zip(_COMPONENTS, listed, strict=False))
            return {n: part for n, part in zip(_COMPONENTS, listed, strict=False) if part} or None

        return plain

    def read(text: str, component: str, parts: "Parts") -> Tree | None:
        if first is None and component not in text:
            return {"1": text}
        out: Tree = {}
        _fill(out, changes, text.split(component), parts.notes)
        return out or None

    return read


def _inner(kind: str) -> Change | None:
    """Return what turns a component of *kind* into its value; None if it stays as it is."""
    if kind in PRIMITIVES:
        return CHANGE.get(kind)
    change = CHANGE.get(components(kind)[0])
    if change is None:
        return lambda part, _notes: {"1": part}
    return lambda part, notes: {"1": change(part, notes)}


def _used(_part: str, _notes: list[str]) -> None:
    """Stand for a component that has been read already."""


@cache
def _changes(kind: str, used: tuple[int, ...]) -> tuple[Change | None, ...]:
    """Return what to do with each component of *kind*, and with those beyond."""
    listed = [
        _used if number in used else _inner(one) for number, one in enumerate(components(kind), 1)
    ]
    listed += [_used if number in used else None for number in range(len(listed) + 1, len(NUMBERS))]
    return tuple(listed)


def _fill(
    out: Tree, changes: Sequence[Change | None], parts: Sequence[str], notes: list[str]
) -> None:
    for number, change, part in zip(_COMPONENTS, changes, parts, strict=False):
        if part and change is not _used:
            out[number] = part if change is None else change(part, notes)


class Parts:
    """Components that mean what they say."""

    __slots__ = ("notes",)

    def __init__(self, notes: list[str]) -> None:
        """Keep where what a value does not say is noted."""
        self.notes = notes

    def text(self, part: str) -> str:
        """Return *part*."""
        return part

    def first(self, _out: Tree, _place: str, part: str) -> str:
        """Return *part*: it has no subcomponents."""
        return part

    def rest(self, out: Tree, kind: str, parts: Sequence[str], used: tuple[int, ...]) -> None:
        """Read the components that are not *used*."""
        _fill(out, _changes(kind, used), parts, self.notes)


PLANS: Final[Mapping[str, Plan | None]] = {name: plan_of(name, "") for name in SEGMENTS}
"""The plans of all segments but OBX, whose fifth field is of many types."""
