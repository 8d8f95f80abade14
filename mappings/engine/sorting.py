"""Sorts the items of received lists in generated code: which part of the plan each of them is.

As a mapping writes them, the items are told by one word each (``url``, ``linkId``, ``system``) and
stand there once: few parts are told by comparing, many by a table.  Any other list goes to the slow
function of `mappings.engine.recognise`, which knows what to do with strangers and with what stands
there twice.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from mappings.engine.reading import AT
from mappings.engine.recognise import several, sorter, told_by
from mappings.engine.spots import Spot
from mappings.engine.tree import Part

FEW: Final = 6
"""Parts that are faster compared than looked up."""


class Found(NamedTuple):
    """Where the code has the items of *part*: those of one that may be several are a list."""

    part: Part
    items: str
    spot: Spot


def sort_out(parts: Sequence[Part], spot: Spot) -> list[Found]:
    """Write what sorts the list at *spot*; return the places where there is something of a part."""
    told = told_by(parts)
    if told is None:
        names: list[Any] = list(range(len(parts)))
        return _looked_up(parts, names, spot, _slowly(parts, names, spot))
    member, names = told
    if len(parts) > FEW:
        return _by_table(parts, member, names, spot)
    return _compared(parts, member, names, spot)


def _slowly(parts: Sequence[Part], names: Sequence[Any], spot: Spot) -> str:
    """Sort by the slow function, and return the variable of what it found."""
    found = spot.name("g")
    spot.line(f"{found}, strangers = {sorter(spot.source, parts, names)}({spot.value})")
    spot.inside("for position in strangers:").below(AT, "position").unknown()
    return found


def _looked_up(
    parts: Sequence[Part], names: Sequence[Any], spot: Spot, found: str, *, one: bool = False
) -> list[Found]:
    """Look the parts up in *found*; *one* says that a list may stand there as its one item."""
    spot.line(f"{found} = {found}.get")
    made, item = [], f"x{spot.level + 1}"
    for name, part in zip(names, parts, strict=True):
        head = f"if ({item} := {found}({spot.source.literal(name)})) is not None:"
        there = spot.inside(head)
        if one and part.rule is not None:
            there.inside(f"if type({item}) is dict:").line(f"{item} = [{item}]")
        made.append(Found(part, item, there))
    return made


def _by_table(parts: Sequence[Part], member: str, names: list[Any], spot: Spot) -> list[Found]:
    """Sort into a dict; each item that fits is there under the name of its part."""
    value, found, item = spot.value, spot.name("g"), spot.name("y")
    table = spot.source.bind({name: name for name in names})
    each = f"{table}[{item}[{spot.source.literal(member)}]]: {item} for {item} in {value}"
    spot.inside("try:").line(f"{found} = {{{each}}}")
    spot.inside("except Odd:").line(f"{found} = None")
    slow = spot.inside(f"if {found} is None or len({found}) != len({value}):")
    _slowly(parts, names, slow)
    return _looked_up(parts, names, spot, found, one=True)


def _compared(parts: Sequence[Part], member: str, names: list[Any], spot: Spot) -> list[Found]:
    """Compare each item with the few names that it can have.

    Where there is one of each that can be there once, they mostly stand in their order.
    """
    literal, many = spot.source.literal, several(parts, names)
    rest, item, said = spot.name("s"), spot.name("y"), spot.name("u")
    made = [spot.source.fresh() for _part in parts]
    ones = [(name, one) for name, one in zip(names, made, strict=True) if name not in many]
    for name, items in zip(names, made, strict=True):
        if name in many:
            spot.line(f"{items} = []")
    spot.line(f"{rest} = True")
    unsorted = spot
    if len(ones) > 1:
        full = spot.inside(f"if len({spot.value}) == {len(ones)}:")
        trying = full.inside("try:")
        trying.line(f"{', '.join(one for _name, one in ones)} = {spot.value}")
        other = (f"{one}[{literal(member)}] != {literal(name)}" for name, one in ones)
        trying.line(f"{rest} = {' or '.join(other)}")
        full.inside("except Odd:").line("pass")
        unsorted = spot.inside(f"if {rest}:")
    for _name, one in ones:
        unsorted.line(f"{one} = None")
    trying = unsorted.inside("try:")
    loop = trying.inside(f"for {item} in {spot.value}:")
    loop.line(f"{said} = {item}[{literal(member)}]")
    for number, (name, items) in enumerate(zip(names, made, strict=True)):
        once = "" if name in many else f" and {items} is None"
        fits = loop.inside(f"{'elif' if number else 'if'} {said} == {literal(name)}{once}:")
        fits.line(f"{items}.append({item})" if name in many else f"{items} = {item}")
    loop.inside("else:").line("break")
    trying.inside("else:").line(f"{rest} = False")
    unsorted.inside("except Odd:").line("pass")
    slow = unsorted.inside(f"if {rest}:")
    found = _slowly(parts, names, slow)
    for name, items in zip(names, made, strict=True):
        slow.line(f"{items} = {found}.get({literal(name)})")
    return [
        Found(part, items, spot.inside(f"if {items}:" if part.rule else f"if {items} is not None:"))
        for part, items in zip(parts, made, strict=True)
    ]
