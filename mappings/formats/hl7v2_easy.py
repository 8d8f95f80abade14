"""The short way through segments without subcomponents, escapes or quotation marks.

Nearly all segments are so, and they make the speed of the tokenizer (`performance.md`, goal 8).
Each sort of segment becomes one function of straight code when it is first seen: a line or two for
each field, by its data type.  A field that has more to it takes the long way of `hl7v2_fields`,
with the same result.
"""

from collections.abc import Callable, Sequence
from typing import Final

from mappings.engine.source import Block, Source
from mappings.formats.hl7v2_definitions import (
    ANY,
    PRIMITIVES,
    SEGMENTS,
    VALUE_TYPES,
    VARIES,
    Field,
)
from mappings.formats.hl7v2_easy_types import NUMBERS, Tree, all_texts, one_of
from mappings.formats.hl7v2_values import CHANGE

Long = Callable[[Tree, str, Field, str], None]
"""(members, number, field, text): read one field the long way (`hl7v2_fields.Reader.field`)."""
Read = Callable[[Sequence[str], str, str, list[str], Long], Tree | None]
"""(parts, component and repetition separator, notes, the long way) to the fields of a segment; None
if all of it must go the long way.  Raises `Wrong`.
"""

_STRETCH: Final = 8
"""After how many fields the code looks whether there are more."""


def reads(name: str, parts: Sequence[str], *, several: bool) -> Read | None:
    """Return the code of the segment *name*, by OBX-2 where there is one; None if unknown.

    *several* says whether anything in it is repeated: most segments have no repetition at all.
    """
    made = _MADE[several]
    told = parts[2] if name == "OBX" and len(parts) > 2 and parts[2] in VALUE_TYPES else ""
    read = made.get(name + told)
    if read is None and name in SEGMENTS:
        read = made[name + told] = _written(name, told, several=several)
    return read


_MADE: Final[tuple[dict[str, Read], dict[str, Read]]] = ({}, {})
"""What has been written, without and with repetitions."""


def _written(name: str, value_type: str, *, several: bool) -> Read:
    writer = _Writer(SEGMENTS[name], value_type, several=several)
    function = writer.written()
    made: Read = writer.source.loaded(f"HL7 v2 {name}")(function)
    return made


def _noted(out: Tree, number: str, notes: list[str]) -> None:
    """Put what the value of a field does not say beside it."""
    for note in notes:
        out[number + note] = ""
    notes.clear()


class _Writer:
    """Writes the code of one sort of segment."""

    def __init__(self, fields: Sequence[Field], value_type: str, *, several: bool) -> None:
        self.source = Source(noted=_noted)
        self._fields = fields
        self._several = several
        self._kinds = [
            VALUE_TYPES.get(value_type, ANY) if one.type == VARIES else one.type for one in fields
        ]
        self._body = Block()

    def written(self) -> str:
        """Return the name of the function: a `Read`."""
        line, width = self._body.line, len(self._fields)
        blank = self.source.bind([[""] * (width - number) for number in range(width + 1)])
        line(f"if len(p) > {width + 1}: return None")
        if self._fields[0].type == "SI":  # a set id counts the segments, and says nothing
            line("if len(p) < 2 or not p[1].isdecimal(): return None")
        line(f"n, {', '.join(f'x{at}' for at in range(1, width + 1))} = p + {blank}[len(p) - 1]")
        texts = "".join(f"{{x{at}}}" for at in range(1, width + 1) if self._text(at))
        line(f"e = f{texts!r}")
        line("e = c not in e and r not in e" if self._several else "e = c not in e")
        line("o = {}")
        for at, one in enumerate(self._fields, 1):
            if at % _STRETCH == 0:
                line(f"if len(p) <= {at}: return o")
            if at > 1 or one.type != "SI":
                line(f"if x{at}:")
                self._body.body.append(self._field(at, one))
        line("return o")
        return self.source.function("p, c, r, k, g", self._body)

    def _text(self, at: int) -> bool:
        """Tell whether field *at* is a single plain text."""
        kind = self._kinds[at - 1]
        return kind in PRIMITIVES and kind not in CHANGE and not self._fields[at - 1].many

    def _field(self, at: int, field: Field) -> Block:
        """Write what reads field *at*, which is there."""
        block, kind, value = Block(), self._kinds[at - 1], f"x{at}"
        put = f"o[{NUMBERS[at]!r}] = "
        long = f"g(o, {NUMBERS[at]!r}, {self.source.bind(field)}, {value})"
        if field.type in (VARIES, "SI"):
            long = "return None"
        if self._text(at):
            block.line(f"if e or (c not in {value} and r not in {value}): {put}{value}")
            block.line(f"else: {long}")
            return block
        inner = block
        if self._several:
            block.line(f"if r in {value}:")
            block.body.append(self._repeated(kind, field, value, put, long))
            block.line("else:")
            inner = Block()
            block.body.append(inner)
        if kind in PRIMITIVES:
            self._primitive(inner, at, field, put, long)
        else:
            self._composite(inner, kind, field, value, put, long)
        return block

    def _repeated(self, kind: str, field: Field, value: str, put: str, long: str) -> Block:
        """Write what reads a field that says several things."""
        block = Block()
        if field.many:
            one = self.source.bind(one_of(kind))
            block.line(f"d = [{one}(y, c, k) for y in {value}.split(r) if y]")
            block.line(f"if d and all(d) and not k: {put}d")
            block.line(f"else: k.clear(); {long}")
        else:
            block.line(long)
        return block

    def _primitive(self, block: Block, at: int, field: Field, put: str, long: str) -> None:
        value, change = f"x{at}", CHANGE.get(self._kinds[at - 1])
        block.line(f"if c in {value}: {long}")
        block.line("else:")
        inner = Block()
        block.body.append(inner)
        if change is None:
            inner.line(f"{put}[{value}]" if field.many else put + value)
            return
        inner.line(f"d = {self.source.bind(change)}({value}, k)")
        if field.many:
            inner.line(f"if d and not k: {put}[d]")
            inner.line(f"else: k.clear(); {long}")
        else:
            inner.line(f"if d != '': {put}d")
            inner.line(f"if k: noted(o, {NUMBERS[at]!r}, k)")

    def _composite(
        self, block: Block, kind: str, field: Field, value: str, put: str, long: str
    ) -> None:
        shown = "[{}]" if field.many else "{}"
        if all_texts(kind):
            block.line(f"match {value}.split(c):")
            cases, rest = Block(), Block()
            for names, members in _CASES:
                said = f" if {' and '.join(names)}" if len(names) > 1 else ""
                cases.line(f"case [{', '.join(names)}]{said}:")
                cases.body.append(_lines(put + shown.format(members)))
            cases.line("case _:")
            cases.body.append(rest)
            block.body.append(cases)
            block = rest
        block.line(f"d = {self.source.bind(one_of(kind))}({value}, c, k)")
        block.line(f"if d and not k: {put}{shown.format('d')}")
        block.line(f"else: k.clear(); {long}")


def _lines(*texts: str) -> Block:
    block = Block()
    for text in texts:
        block.line(text)
    return block


_CASES: Final = (
    ("abd", "{'1': a, '2': b, '3': d}"),
    ("ab", "{'1': a, '2': b}"),
    ("a", "{'1': a}"),
)
"""The first components of a data type, as they are named in the code, and as members."""
