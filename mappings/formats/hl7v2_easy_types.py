"""The short way through the data types of HL7 v2: one function for each, written once as code.

For repetitions without subcomponents, escapes or quotation marks, where a component means what it
says.  Whatever is not as plain as that is answered with nothing, and read the long way
(`hl7v2_fields`), with the same result.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from mappings.engine.source import Block, Source
from mappings.formats.hl7v2_definitions import PRIMITIVES
from mappings.formats.hl7v2_people import LINES, NET, TELEPHONE, WIDTH, put_together
from mappings.formats.hl7v2_values import CHANGE, components

Tree = dict[str, Any]
One = Callable[[str, str, list[str]], Any]
"""(text, component separator, notes) to the value of one repetition; what is empty, or None, or
leaves notes, is read the long way.
"""

NUMBERS: Final = tuple(map(str, range(500)))
_COMPONENTS: Final = NUMBERS[1:]
_STRETCH: Final = 4
"""After how many components the code looks whether there are more."""

_SPECIAL: Final[Mapping[str, tuple[tuple[int, ...], str]]] = {
    "XPN": (
        (2, 3),
        """\
if x3:
 d = [*some(None, (x2, *x3.split(' ')))]
 if d: o['given'] = d
elif x2: o['given'] = [x2]""",
    ),
    "NAME": (
        (1, 2, 3, 4, 5),
        """\
if x2 or x3 or x4 or x5: o['text'] = ' '.join(some(None, (x5, x2, x3, x1, x4)))
elif x1: o['text'] = x1""",
    ),
    "WHO": (
        (2, 3, 4, 5, 6),
        """\
if x3 or x4 or x5 or x6: o['text'] = ' '.join(some(None, (x6, x3, x4, x2, x5)))
elif x2: o['text'] = x2""",
    ),
    "XAD": (
        LINES,
        """\
d = [*some(None, (x1, x2, x3, x4, x8))]
if d: o['line'] = d""",
    ),
    "XTN": (
        tuple(range(1, WIDTH + 1)),
        """\
if x4 or x2 in net or x3 in net:
 o['kind'] = 'email'
 o['4'] = x4 or x1
 if x4 and x1: o['1'] = x1
else:
 o['kind'] = 'tel'
 o['1'] = x1 or whole(x5, x6, x7, x8, x12)
if x2: o['2'] = x2
if x3: o['3'] = x3
if len(l) > (4 if x1 else 8): more(o, l, k)""",
    ),
}
"""What CAF says in one breath (`hl7v2_people`): the components used, and the code that puts them
together.
"""


@cache
def one_of(kind: str) -> One:
    """Return the short way of the data type *kind*."""
    if kind in PRIMITIVES:
        change = CHANGE.get(kind)
        if change is None:
            return lambda text, component, _notes: None if component in text else text
        return lambda text, component, notes: None if component in text else change(text, notes)
    return _texts if all_texts(kind) else _written(kind)


def all_texts(kind: str) -> bool:
    """Tell whether *kind* has components, and all of them are texts that stay as they are."""
    if kind in PRIMITIVES or kind in _SPECIAL:
        return False
    return all(one in PRIMITIVES and one not in CHANGE for one in components(kind))


def _texts(text: str, component: str, _notes: list[str]) -> Tree | None:
    """Read components that are all texts."""
    listed = text.split(component)
    if "" in listed:
        return {n: part for n, part in zip(_COMPONENTS, listed, strict=False) if part}
    return dict(zip(_COMPONENTS, listed, strict=False))


def _written(kind: str) -> One:
    """Return the function of *kind*: straight code, a line for each component."""
    used, together = _SPECIAL.get(kind, ((), ""))
    width = max(len(components(kind)), WIDTH if together else 0)
    blank = [[""] * (width - number) for number in range(width + 1)]
    source, body = Source(some=filter, net=NET, whole=put_together, more=_beside), Block()
    body.line("l = t.split(c)")
    body.line(f"if len(l) > {width}: return None")
    names = ", ".join(f"x{number}" for number in range(1, width + 1))
    body.line(f"{names} = l + {source.bind(blank)}[len(l)]")
    body.line("o = {}")
    for line in together.splitlines():
        body.line(line)
    kinds = [*components(kind), *["ST"] * width]
    for number, one in enumerate(kinds[:width], 1):
        if number % _STRETCH == 0:
            body.line(f"if len(l) < {number}: return o")
        if number not in used:
            body.line(f"if x{number}: o[{str(number)!r}] = {_said(source, one, f'x{number}')}")
    body.line("return o")
    name = source.function("t, c, k", body)
    made: One = source.loaded(f"HL7 v2 {kind}")(name)
    return made


def _said(source: Source, kind: str, value: str) -> str:
    """Return the expression of a component of *kind*."""
    if kind not in PRIMITIVES:
        return f"{{'1': {_said(source, components(kind)[0], value)}}}"
    change = CHANGE.get(kind)
    return value if change is None else f"{source.bind(change)}({value}, k)"


def _beside(out: Tree, parts: list[str], notes: list[str]) -> None:
    """Read what stands in an XTN beside the number; its parts too, where it is told whole."""
    kinds = components("XTN")
    for number, part in enumerate(parts[4:], 5):
        if part and (parts[0] or number not in TELEPHONE):
            change = CHANGE.get(kinds[number - 1] if number <= len(kinds) else "ST")
            out[str(number)] = part if change is None else change(part, notes)
