"""Our definitions beside a second opinion: hl7apy's tables of 2.4."""

from collections.abc import Iterator
from typing import Any

import pytest
from hl7apy import load_library

from mappings.formats.hl7v2_definitions import (
    COMPOSITES,
    EVENTS,
    PRIMITIVES,
    REQUIRED,
    SEGMENTS,
    Group,
    structures,
)
from mappings.formats.hl7v2_shape import Hl7v2

LIBRARY = load_library("2.4")
SAME = {
    "XPN": {"XPN", "NAME"},
    "XCN": {"WHO"},
    "TS": {"TS", "DAY", "WHEN", "ST"},
    "DT": {"DAY", "ST"},
    "PI": {"PLN"},
    "CM": {"ANY"},
    "FT": {"FT"},
    "DR_SIMPLE": {"DR"},
    "NM": {"NM", "ST"},
    "varies": {"varies"},
}
"""What we may call a data type of the standard's; others by their own name, or not looked into."""


@pytest.mark.parametrize("name", sorted(SEGMENTS))
def test_fields_are_those_of_2_4(name: str) -> None:
    """Number, data type and repetition of each field agree."""
    theirs = LIBRARY.SEGMENTS[name][1]
    ours = SEGMENTS[name]
    assert len(ours) <= len(theirs)
    for field, (label, _structure, (_least, most), _kind) in zip(ours, theirs, strict=False):
        kind = LIBRARY.FIELDS[label][2] or "varies"
        assert field.type in {*SAME.get(kind, {kind}), "ANY"}, label
        assert field.many is (most != 1), label


@pytest.mark.parametrize("name", sorted(SEGMENTS))
def test_what_we_demand_the_standard_demands(name: str) -> None:
    """No field is called for that 2.4 leaves open, but for the type of an observation."""
    demanded = {
        int(label.split("_")[1])
        for label, _structure, (least, _most), _kind in LIBRARY.SEGMENTS[name][1]
        if least
    }
    assert set(REQUIRED.get(name, ())) - demanded <= ({2} if name == "OBX" else set())


@pytest.mark.parametrize("kind", sorted(COMPOSITES))
def test_components_are_those_of_2_4(kind: str) -> None:
    """Number and data type of each component agree."""
    label = {"NAME": "XPN", "WHO": "XCN"}.get(kind, kind)
    theirs = LIBRARY.DATATYPES_STRUCTS[label]
    for number, (ours, (name, _structure, _count, _kind)) in enumerate(
        zip(COMPOSITES[kind].split(), theirs, strict=False), 1
    ):
        known = LIBRARY.DATATYPES.get(name, (None, None, None))[2]
        text = ours in PRIMITIVES and known in {"ST", "IS", "ID", "NM", "TN", "TX", None}
        assert text or ours in SAME.get(known, {known}), f"{kind}.{number}"


def flat(group: Group) -> Iterator[str]:
    """Yield the segments of *group* and below, in order."""
    for name, inner in group.members.items():
        if inner is None:
            yield name
        else:
            yield from flat(inner)


def theirs_of(structure: Any) -> Iterator[str]:
    """Yield the segments of one of hl7apy's structures, in order."""
    for name, inner, _count, kind in structure[1]:
        if kind == "SEG":
            yield name
        else:
            yield from theirs_of(inner)


@pytest.mark.parametrize("name", sorted(set(EVENTS.values())))
def test_segments_of_a_structure_stand_in_the_order_of_2_4(name: str) -> None:
    """What we write is a part of the structure, in its order."""
    theirs = list(theirs_of(LIBRARY.MESSAGES[name]))
    at = 0
    for segment in flat(structures()[name]):
        assert segment in theirs[at:], segment
        at = theirs.index(segment, at) + 1


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("PID", "99", "PID has the fields 1 to 38, not 99"),
        ("PID", "x", "PID has the fields 1 to 38, not x"),
        ("CX", "9", "CX has the components 1 to 8, not 9"),
        ("NAME", "given", "NAME has the components text, 1 to 11, not given"),
        ("ST", "1", "ST has no components, not 1"),
        ("REF_I12", "EVN", "REF_I12 has no EVN"),
        ("REF_I12/OBSERVATION", "PID", "REF_I12/OBSERVATION has no PID"),
    ],
)
def test_a_place_that_the_standard_does_not_have_is_named(kind: str, name: str, told: str) -> None:
    """A rule that writes it does not load, and is told what there is."""
    with pytest.raises(ValueError, match=told):
        Hl7v2().member(kind, name)
