"""HL7 v2 messages broken on purpose, and what each oracle must say to it."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.conformance.breaking import Break, CannotBreak

# HL7 v2


def _v2(edit: Callable[[list[str]], list[str]]) -> Callable[[bytes], bytes]:
    """Break a message by its segments."""

    def make(raw: bytes) -> bytes:
        segments = [segment for segment in raw.decode().split("\r") if segment]
        return ("\r".join(edit(segments)) + "\r").encode()

    return make


def _segment(segments: Sequence[str], name: str) -> int:
    for number, segment in enumerate(segments):
        if segment.startswith(f"{name}|"):
            return number
    raise CannotBreak(name)


def _moved(segments: list[str]) -> list[str]:
    patient = segments.pop(_segment(segments, "PID"))
    return [*segments, patient]


def _without_patient(segments: list[str]) -> list[str]:
    del segments[_segment(segments, "PID")]
    return segments


def _field(name: str, number: int, value: str) -> Callable[[bytes], bytes]:
    """Write *value* in the field *number* of the first segment *name*."""

    def edit(segments: list[str]) -> list[str]:
        place = _segment(segments, name)
        fields = segments[place].split("|")
        fields += [""] * (number + 1 - len(fields))
        fields[number] = value
        segments[place] = "|".join(fields)
        return segments

    return _v2(edit)


def _stranger(segments: list[str]) -> list[str]:
    return [*segments[:2], "PV9|1", *segments[2:]]


def _hl7v2(name: str, make: Callable[[bytes], bytes], said: str) -> Break:
    return Break(name, "hl7v2", make, {"hapi-hl7v2": (said, "error")})


HL7V2: Final = (
    _hl7v2("misplaced segment", _v2(_moved), "UnexpectedSegment|RequiredStructure"),
    _hl7v2("missing required segment", _v2(_without_patient), "RequiredStructure"),
    _hl7v2("unknown segment", _v2(_stranger), "UnexpectedSegment"),
    _hl7v2("missing required field", _field("PID", 3, ""), "RequiredField"),
    _hl7v2("unknown field", _field("PID", 60, "x"), "UnknownField"),
    _hl7v2("two where one may be", _field("PID", 8, "F~M"), "TooManyRepetitions"),
    _hl7v2("unknown component", _field("PID", 15, "a^b^c^d^e^f^g"), "UnknownComponent"),
    _hl7v2("British date", _field("PID", 7, "01/03/2015"), "01/03/2015"),
    _hl7v2("wrong code of a value type", _field("OBX", 2, "QQ"), "QQ"),
    _hl7v2("unknown structure", _field("MSH", 8, "REF^I99^REF_I99"), "UnknownStructure"),
)
