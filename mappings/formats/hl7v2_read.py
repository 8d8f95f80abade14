"""Our own tokenizer: bytes to the messages, segments and fields that rules address.

Every fault says segment, field and position, never a value.  Time and memory are bounded by the
limits, whatever comes (`reliability.md` 5.11, 5.12).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hub.errors import Code, Fault, InvalidContent, Malformed
from mappings.formats.hl7v2_characters import (
    CHARSETS,
    CONTROL,
    Delimiters,
    Wrong,
    charset,
    controlled,
    declared,
)
from mappings.formats.hl7v2_definitions import (
    ACCEPTED,
    EVENTS,
    SEGMENTS,
    VARIES,
    Field,
    structures,
)
from mappings.formats.hl7v2_easy import reads
from mappings.formats.hl7v2_easy_types import NUMBERS
from mappings.formats.hl7v2_fields import Reader
from mappings.formats.hl7v2_groups import Placing

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything one delivery may hold; *parts* counts every separator in it."""

    size: int = 5 * 1024 * 1024
    messages: int = 50
    segments: int = 5_000
    parts: int = 100_000
    fields: int = 400
    field: int = 1024 * 1024
    faults: int = 100


DEFAULT: Final = Limits()
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_TEXT: Final = Field("ST", many=False)
_SET_ID: Final = re.compile(r"[0-9]{0,9}")


@dataclass(slots=True)
class _Faults:
    """What is wrong, each with its place."""

    most: int
    found: list[Fault] = field(default_factory=list)

    def add(self, code: Code, path: str, remedy: str) -> None:
        self.found.append(Fault(code, path, remedy))
        if len(self.found) >= self.most:
            self.raise_any()

    def raise_any(self) -> None:
        if self.found:
            shown = tuple(self.found)
            raise InvalidContent(shown[0].code, f"{len(shown)} faults in the message", shown)


def read(raw: bytes, limits: Limits = DEFAULT) -> list[Tree]:
    """Return the messages of *raw*, one tree each.

    Raises `Malformed` for what is no HL7 v2 at all, or too much of it, and `InvalidContent` with
    every fault of single fields.
    """
    if len(raw) > limits.size:
        raise _malformed(Code.TOO_LARGE, "", f"send at most {limits.size} bytes")
    codec, text = _decoded(raw)
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    lines = text.split("\r")
    if controlled(raw, codec):
        _check_characters(lines)
    starts = [0]  # nothing stands before the first message
    if "\rMSH" in text:
        starts = [number for number, line in enumerate(lines) if line.startswith("MSH")]
    if len(starts) > limits.messages:
        raise _malformed(Code.TOO_LARGE, "", f"send at most {limits.messages} messages at once")
    if len(lines) > limits.segments:
        raise _malformed(Code.TOO_LARGE, "", f"send at most {limits.segments} segments")
    faults = _Faults(limits.faults)
    messages = []
    for position, start in enumerate(starts):
        end = starts[position + 1] if position + 1 < len(starts) else len(lines)
        messages.append(_Message(position, start, codec, faults, limits).read(lines[start:end]))
    faults.raise_any()
    return messages


def _malformed(code: Code, path: str, remedy: str) -> Malformed:
    return Malformed(code, "no HL7 v2 message that can be read", (Fault(code, path, remedy),))


def _decoded(raw: bytes) -> tuple[str, str]:
    """Return codec and text of *raw*, by the character set that its first MSH-18 names."""
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _malformed(Code.ENCODING, "", "send no byte order mark: MSH-18 names the encoding")
    if raw[:1] == b"\x0b":
        raise _malformed(Code.CONTROL_CHAR, "", "take the message out of its MLLP frame")
    if not raw.startswith(b"MSH"):
        raise _malformed(Code.SYNTAX, "", "a message begins with MSH")
    first = raw.split(b"\r", maxsplit=1)[0].split(b"\n", maxsplit=1)[0]
    fields = first.split(first[3:4]) if len(first) > 3 else []
    name = fields[17].decode("ascii", "replace") if len(fields) > 17 else ""
    try:
        codec = charset(_first_of(name, first))
        return codec, raw.decode(codec)
    except Wrong as wrong:
        raise _malformed(wrong.code, "message[0].MSH.18", wrong.remedy) from None
    except UnicodeDecodeError as wrong:
        place = _byte_place(raw, wrong.start)
        raise _malformed(
            Code.ENCODING, place, "these bytes are not in the character set that MSH-18 names"
        ) from None


def _first_of(name: str, line: bytes) -> str:
    """Return the first repetition of an MSH-18: the character set of the message itself."""
    separator = line[5:6].decode("ascii", "replace")
    return name.split(separator, maxsplit=1)[0] if separator else name


def _byte_place(raw: bytes, at: int) -> str:
    before = re.split(rb"\r\n|\r|\n", raw[:at])
    return f"segment {len(before)}, byte {len(before[-1]) + 1}"


def _check_characters(lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        inside = CONTROL.search(line)
        if inside is not None:
            starts = sum(1 for one in lines[: number + 1] if one.startswith("MSH"))
            place = f"message[{max(starts, 1) - 1}].{_place(line, inside.start())}"
            raise _malformed(
                Code.CONTROL_CHAR,
                place,
                f"take out the control character: segment {number + 1}, "
                f"character {inside.start() + 1}",
            )


def _place(line: str, at: int) -> str:
    """Return segment and field that hold the character *at* of *line*."""
    name = line[:3] if _NAME.fullmatch(line[:3]) else "segment"
    separator = "|" if name != "MSH" else line[3:4]
    number = line.count(separator, 0, at) + (name == "MSH") if separator else 0
    return f"{name}.{number}"


class _Message:
    """Reads the lines of one message."""

    def __init__(
        self, position: int, start: int, codec: str, faults: _Faults, limits: Limits
    ) -> None:
        self._path = f"message[{position}]"
        self._start = start
        self._codec = codec
        self._faults = faults
        self._limits = limits

    def read(self, lines: Sequence[str]) -> Tree:
        try:
            delimiters = declared(lines[0])
        except Wrong as wrong:
            raise _malformed(wrong.code, f"{self._path}.MSH.2", wrong.remedy) from None
        self._bounded(lines, delimiters)
        reader = Reader(delimiters, self._codec)
        header = self._header(lines[0], delimiters, reader)
        placing = Placing(structures()[self._structure(header)])
        placing.put("MSH", header)
        separator = delimiters.field
        for number, line in enumerate(lines[1:], 1):
            if line:
                parts = line.split(separator)
                name = parts[0]
                if name in SEGMENTS or _NAME.fullmatch(name):
                    placing.put(name, self._segment(name, line, parts, number, reader))
                else:
                    self._wrong(name, number, 0, Wrong(Code.SYNTAX, "no name of a segment"))
        return placing.root

    def _bounded(self, lines: Sequence[str], delimiters: Delimiters) -> None:
        """Refuse what would cost too much; most messages are too short to need counting."""
        limits, separator = self._limits, delimiters.field
        for number in [at for at, line in enumerate(lines) if len(line) > limits.fields]:
            line = lines[number]
            if line.count(separator) > limits.fields:
                raise _malformed(
                    Code.TOO_LARGE,
                    f"{self._path}.{_place(line, 0)}",
                    f"at most {limits.fields} fields in a segment: segment {number + 1}",
                )
            if len(line) > limits.field and max(map(len, line.split(separator))) > limits.field:
                raise _malformed(
                    Code.TOO_LARGE,
                    f"{self._path}.{_place(line, 0)}",
                    f"at most {limits.field} characters in a field: segment {number + 1}",
                )
        if sum(map(len, lines)) > limits.parts:
            counted = delimiters.inner + separator
            if sum(line.count(one) for line in lines for one in counted) > limits.parts:
                raise _malformed(Code.TOO_LARGE, self._path, f"at most {limits.parts} separators")

    def _segment(
        self, name: str, line: str, parts: Sequence[str], number: int, reader: Reader
    ) -> Tree:
        """Return the fields of one segment; a segment that nobody knows is only named."""
        if reader.escape in line or reader.subcomponent in line or '"' in line:
            return self._slowly(name, parts, number, reader)
        repetition = reader.repetition
        read = reads(name, parts, several=repetition in line)
        if read is not None:
            notes = reader.notes
            try:
                easy = read(parts, reader.component, repetition, notes, reader.field)
            except Wrong:
                easy = None  # the long way finds it again, with its place, and whatever else
            if easy is not None:
                return easy
            notes.clear()
        return self._slowly(name, parts, number, reader)

    def _slowly(self, name: str, parts: Sequence[str], number: int, reader: Reader) -> Tree:
        out: Tree = {}
        fields = SEGMENTS.get(name)
        if fields is None:
            if name[0] != "Z":
                return out
            fields = ()
        for at, text in enumerate(parts):
            if not text or not at:
                continue
            one = fields[at - 1] if at <= len(fields) else _TEXT
            try:
                if one.type == VARIES:
                    reader.varying(out, NUMBERS[at], text, parts[2])
                elif at > 1 or one.type != "SI" or not _SET_ID.fullmatch(text):
                    reader.field(out, NUMBERS[at], one, text)
            except Wrong as wrong:
                reader.notes.clear()
                self._wrong(name, number, at, wrong)
        return out

    def _header(self, line: str, delimiters: Delimiters, reader: Reader) -> Tree:
        """Read MSH, whose first field is its own separator; what the tokenizer obeys goes."""
        parts = line.split(delimiters.field)
        rest = line[len("MSH||") + len(parts[1]) :]
        header = self._segment("MSH", rest, ["MSH", "", "", *parts[2:]], 0, reader)
        version = header.pop("12", {})
        if version.pop("1", "") not in ACCEPTED:
            raise _malformed(
                Code.CONTENT_TYPE, f"{self._path}.MSH.12", f"versions {', '.join(ACCEPTED)}"
            )
        if version:
            header["12"] = version
        told = header.pop("18", [""])
        if CHARSETS.get(told[0]) != self._codec:
            raise _malformed(
                Code.ENCODING,
                f"{self._path}.MSH.18",
                "messages of one delivery have one character set",
            )
        if len(told) > 1:
            header["18[1]"] = told[1:]
        return header

    def _structure(self, header: Tree) -> str:
        kind = kind_of(header)
        structure = EVENTS.get(kind)
        if structure is None:
            self._faults.raise_any()
            raise _malformed(
                Code.CONTENT_TYPE, f"{self._path}.MSH.9", f"one of {', '.join(EVENTS)}"
            )
        if not header.get("10"):
            self._faults.add(Code.REQUIRED, f"{self._path}.MSH.10", "a message needs its id")
        return structure

    def _wrong(self, name: str, number: int, at: int, wrong: Wrong) -> None:
        """Note what is wrong with field *at* of the segment *number* of this message."""
        shown = name if _NAME.fullmatch(name) else "segment"
        place = f"{self._path}.{shown}" + (f".{at}" if at else "") + "".join(wrong.steps)
        where = f"segment {self._start + number + 1}"
        self._faults.add(wrong.code, place, f"{wrong.remedy} ({where})")


def kind_of(header: Tree) -> str:
    """Return message type and event of an MSH: ``REF^I12``."""
    said = header.get("9", {})
    return f"{said.get('1', '')}^{said.get('2', '')}"


def segment_names(raw: bytes) -> Iterator[str]:
    """Yield the names of the segments of *raw*, in order."""
    _codec, text = _decoded(raw)
    for line in text.replace("\n", "\r").split("\r"):
        if line:
            yield line[:3]
