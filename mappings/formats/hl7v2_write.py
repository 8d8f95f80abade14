r"""Writes messages as bytes: segments in the order of their structure, fields in theirs, set ids
counted.

Always version 2.4, ``|^~\&``, UTF-8 and carriage returns.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from hub.errors import Code, Fault, Rejected
from mappings.formats.hl7v2_characters import CHARSET, Wrong, escaped
from mappings.formats.hl7v2_dates import day_out, moment_out
from mappings.formats.hl7v2_definitions import (
    ANY,
    EMITTED,
    EVENTS,
    PRIMITIVES,
    REQUIRED,
    SEGMENTS,
    VALUE_TYPES,
    VARIES,
    Field,
    Group,
    structures,
)
from mappings.formats.hl7v2_groups import missing, segments, strangers
from mappings.formats.hl7v2_people import WRITE
from mappings.formats.hl7v2_read import kind_of
from mappings.formats.hl7v2_values import components

SHOWN: Final = 3
MOST_FIELDS: Final = 200
MOST_COMPONENTS: Final = 40
_TEXT: Final = Field("ST", many=False)
_RESTARTS: Final = {"OBR": ("OBX", "NTE"), "OBX": ("NTE",)}
"""Whose set ids begin again behind a segment."""


def write(messages: Sequence[Mapping[str, Any]], *, check: bool) -> bytes:
    """Return *messages* one behind the other; raises `Rejected`.

    With *check*, also for what the standard demands and a message lacks.
    """
    faults: list[Fault] = []
    lines: list[str] = []
    for position, message in enumerate(messages):
        path = f"message[{position}]"
        event = EVENTS.get(kind_of(message.get("MSH", {})))
        if event is None:
            faults.append(Fault(Code.MAPPING, f"{path}.MSH.9", f"one of {', '.join(EVENTS)}"))
            continue
        structure = structures()[event]
        if check:
            faults += _lacking(message, structure, path)
        lines += _lines(message, structure, path, faults, check=check)
    if not messages:
        raise Rejected(
            Code.MAPPING, "there is nothing to say in HL7 v2: no child or other person is shown"
        )
    if faults:
        places = ", ".join(fault.path for fault in faults[:SHOWN])
        raise Rejected(Code.MAPPING, f"the message breaks HL7 v2 at {places}", tuple(faults))
    return "".join(f"{line}\r" for line in lines).encode()


def _lacking(message: Mapping[str, Any], structure: Group, path: str) -> list[Fault]:
    found = [
        Fault(Code.MAPPING, f"{path}.{place}", "the structure demands it")
        for place in missing(message, structure)
    ]
    found += [
        Fault(Code.MAPPING, f"{path}.{place}", "the structure has no place for it")
        for place in strangers(message, structure)
    ]
    return found


def _lines(
    message: Mapping[str, Any], structure: Group, path: str, faults: list[Fault], *, check: bool
) -> list[str]:
    counts: dict[str, int] = {}
    lines = []
    for place, name, segment in segments(message, structure):
        for other in _RESTARTS.get(name, ()):
            counts[other] = 0
        known, fields = _fields(name), dict[int, str]()
        if known["1"][1].type == "SI":
            counts[name] = counts.get(name, 0) + 1
            fields[1] = str(counts[name])
        for key, value in segment.items():
            number, one = known.get(key, (0, _TEXT))
            if not number:
                if key[:1] != "@":  # else it is said by where the segment stands
                    remedy = "the standard has no such field"
                    faults.append(Fault(Code.MAPPING, f"{path}.{place}.{key}", remedy))
                continue
            try:
                fields[number] = _field(one, value, segment)
            except Wrong as wrong:
                faults.append(Fault(wrong.code, f"{path}.{place}.{key}", wrong.remedy))
        if check:
            faults += [
                Fault(Code.MAPPING, f"{path}.{place}.{number}", "the standard demands it")
                for number in REQUIRED.get(name, ())
                if not fields.get(number)
            ]
        if name == "MSH":
            lines.append(_header(fields))
        else:
            lines.append("|".join([name, *_filled(fields)]))
    return lines


def _header(fields: dict[int, str]) -> str:
    fields = {12: EMITTED, 18: CHARSET, **fields}
    return "MSH|^~\\&|" + "|".join(_filled(fields)[2:])


def _filled(parts: Mapping[int, str]) -> list[str]:
    """Return the parts in order, empty ones between them, none at the end."""
    found = [""] * max(parts, default=0)
    for number, part in parts.items():
        found[number - 1] = part
    while found and not found[-1]:
        found.pop()
    return found


def _field(one: Field, value: Any, segment: Mapping[str, Any]) -> str:
    kind = one.type
    if kind == VARIES:
        kind = VALUE_TYPES.get(segment.get("2", ""), ANY)
    if not one.many:
        return _one(kind, value, "^")
    if len(value) == 1:
        return _one(kind, value[0], "^")
    return "~".join([_one(kind, repetition, "^") for repetition in value])


def _one(kind: str, value: Any, separator: str) -> str:
    """Return one repetition, component or subcomponent."""
    if kind in PRIMITIVES:
        spell = _SPELT.get(kind)
        return _text(value) if spell is None else spell(value)
    if not isinstance(value, Mapping):
        return _text(value)
    parts: dict[int, str] = {}
    special = WRITE.get(kind)
    if special is not None:
        special(value, parts, escaped)
    places = _places(kind)
    for key, inner in value.items():
        number, sort = places.get(key, _NAMED)
        if sort == "" and type(inner) is str:
            parts[number] = escaped(inner)
        elif number:
            parts[number] = _one(sort or "ST", inner, "&")
    return separator.join(_filled(parts))


_NAMED: Final = (0, "-")
"""Where a member with a name stands: its data type has written it."""


@cache
def _places(kind: str) -> Mapping[str, tuple[int, str]]:
    """Return number and data type of each component; no type is needed for a text."""
    kinds = components(kind)
    return {
        str(number): (
            number,
            sort if (sort := kinds[number - 1]) in _SPELT or sort not in PRIMITIVES else "",
        )
        if number <= len(kinds)
        else (number, "")
        for number in range(1, MOST_COMPONENTS + 1)
    }


@cache
def _fields(name: str) -> Mapping[str, tuple[int, Field]]:
    """Return number and definition of each field that a segment may have."""
    known = SEGMENTS.get(name, ())
    return {
        str(number): (number, known[number - 1] if number <= len(known) else _TEXT)
        for number in range(1, MOST_FIELDS + 1)
    }


def _text(value: Any) -> str:
    if value is True or value is False:
        return "Y" if value else "N"
    return escaped(str(value))


def _when(value: Any) -> str:
    text = str(value)
    return moment_out(text) if "T" in text else day_out(text)


_SPELT: Final[Mapping[str, Callable[[Any], str]]] = {
    "TS": lambda value: moment_out(str(value)),
    "DAY": lambda value: day_out(str(value)),
    "WHEN": _when,
}
