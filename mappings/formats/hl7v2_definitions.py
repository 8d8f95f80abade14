"""HL7 v2 definitions: the segments, data types and message structures that the hub knows.

Written for 2.4, which the hub emits; later versions add fields and components at the end, and what
stands beyond the lists here is read and named, never lost.  Fields are listed in order with their
data type; ``*`` says that a field repeats.  A test holds them against a second opinion.

Four of the types are the hub's own view of the standard's:

* ``XPN`` (structured) and ``NAME`` (whole) are both XPN, ``WHO`` is XCN with a whole name: CAF
  knows children by their names' parts and everybody else by a whole name;
* ``DAY`` is a TS, DT or DTM of which the day matters, ``WHEN`` one of any precision;
* ``OBX.5`` is of whatever type OBX-2 says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

ACCEPTED: Final = ("2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8")
EMITTED: Final = "2.4"

PRIMITIVES: Final = frozenset({"ST", "TX", "FT", "ID", "IS", "SI", "NM", "TN", "TS", "DAY", "WHEN"})
ANY: Final = "ANY"
"""A composite of which nothing is known but that its components are texts."""
VARIES: Final = "varies"
VALUE_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("CE", "CWE", "CNE"), "CE"),
        **dict.fromkeys(("DT", "TS", "DTM"), "WHEN"),
        **{name: name for name in ("ST", "TX", "FT", "ID", "IS", "NM", "TN", "CX", "XAD", "XTN")},
        "XPN": "NAME",
        "XCN": "WHO",
    }
)
"""The data type of OBX-5 by what OBX-2 says."""

COMPOSITES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CE": "ST ST ST ST ST ST",
        "CX": "ST ST ID HD ID HD DAY DAY",
        "DR": "DAY DAY",
        "EI": "ST ST ST ID",
        "FN": "ST ST ST ST ST",
        "HD": "ST ST ID",
        "MSG": "ID ID ID",
        "PL": "IS IS IS HD IS IS IS IS ST",
        "PLN": "ST IS ST DAY",
        "PT": "ID ID",
        "SAD": "ST ST ST",
        "VID": "ID CE CE",
        # CAF keeps an address as lines: XAD-1 to 4 and 8 are the list `line` (see hl7v2_people)
        "XAD": "SAD ST ST ST ST ID ID ST IS IS ID DR",
        "XPN": "FN ST ST ST ST IS ID ID CE DR ID",
        "NAME": "FN ST ST ST ST IS ID ID CE DR ID",
        "WHO": "ST FN ST ST ST ST IS IS HD ID ST ID IS HD",
        "XTN": "ST ID ID ST NM NM NM NM ST",
        "XON": "ST IS ST ST ID HD IS HD ID ST",
    }
)
NAMED: Final[Mapping[str, Mapping[str, tuple[str, bool]]]] = MappingProxyType(
    {
        "XPN": {"given": ("ST", True)},
        "NAME": {"text": ("ST", False)},
        "WHO": {"text": ("ST", False)},
        "XAD": {"line": ("ST", True)},
        "XTN": {"kind": ("ID", False)},
    }
)
"""Members with a name instead of a number: what several components say together."""

_FIELDS: Final[Mapping[str, str]] = {
    "AIG": "SI ID CE CE CE* NM CE ST NM CE NM CE IS CE",
    "AIL": "SI ID ANY CE CE ST NM CE NM CE IS CE",
    "AIP": "SI ID WHO* CE CE ST NM CE NM CE IS CE",
    "AIS": "SI ID CE DAY NM CE NM CE IS CE CE* CE*",
    "CTD": "CE* NAME* XAD* ANY XTN* CE ANY*",
    "EVN": "ID TS ST IS WHO* DAY HD",
    "MRG": "CX* CX* CX CX CX CX XPN*",
    "MSA": "ID ST ST NM ID CE",
    "MSH": "ST ST HD HD HD HD TS ST MSG ST PT VID NM ST ID ID ID ID* CE ID ID*",
    "NK1": "SI NAME* CE XAD* XTN* XTN* CE DAY DAY ST ANY CX XON* CE IS DAY IS* IS* CE* CE IS CE ID"
    " IS CE NAME* CE CE* CE* NAME* XTN* XAD* CX* IS CE* IS ST",
    "NTE": "SI ID FT* CE",
    "OBR": "SI EI EI CE ID ST DAY DAY ANY WHO* ID CE ST ST ANY WHO* XTN* ST ST ST ST ST ANY ID ID"
    " ANY ANY* WHO* ANY ID CE* ANY ANY* ANY* ANY* ST NM CE* CE* CE ID ID CE* CE CE* CE* CE*",
    "OBX": "SI ID CE ST varies* CE ST IS NM* ID ID ST ST TS CE WHO CE* EI* ST",
    "PD1": "IS* IS XON* WHO* IS IS IS IS ID CX* CE ID ST XON* CE* IS ST ST IS IS IS",
    "PID": "SI CX CX* CX* XPN* NAME* DAY IS NAME* CE* XAD* IS XTN* XTN* CE CE CE CX ST ANY CX* CE*"
    " ST ID NM CE* CE CE DAY ID ID IS* ST HD CE CE ST CE",
    "PRD": "CE* NAME* XAD* PL XTN* CE PLN* DAY DAY",
    "PV1": "SI IS ANY IS CX ANY WHO* WHO* WHO* IS ANY IS IS IS IS* IS WHO* IS CX ANY* IS IS IS IS*"
    " ST* NM* NM* IS IS ST IS NM NM IS ST IS ANY CE IS IS IS ANY ANY DAY ST* NM NM NM NM CX IS"
    " WHO*",
    "PV2": "ANY CE CE CE ST* ST IS* ST ST NM NM ST",
    "RF1": "CE CE CE CE* CE EI TS TS TS CE* EI*",
    "RGS": "SI ID CE",
    "SCH": "EI EI NM EI CE CE CE CE NM CE ANY* WHO* XTN XAD* ANY WHO* XTN XAD* ANY WHO* XTN* ANY EI"
    " EI CE EI* EI*",
}

REQUIRED: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "MSH": (9, 10, 11),
        "EVN": (2,),
        "PID": (3, 5),
        "PV1": (2,),
        "MRG": (1,),
        "RF1": (6,),
        "PRD": (1,),
        "MSA": (1, 2),
        "OBR": (4,),
        "OBX": (2, 3, 11),
    }
)
"""Fields that the standard demands in the segments that the hub writes."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its data type, and whether it repeats."""

    type: str
    many: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group of segments, or a whole structure: members in order, with what repeats.

    A member is a segment (its name) or a group; the first member of a group opens it.  *ways* says
    through which groups each segment further down is reached; *groups* holds the members that are
    groups.
    """

    name: str
    members: Mapping[str, "Group | None"]
    many: frozenset[str]
    needed: frozenset[str]
    ways: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, "Group"]


def _segments() -> Mapping[str, tuple[Field, ...]]:
    return MappingProxyType(
        {
            name: tuple(Field(one.rstrip("*"), one.endswith("*")) for one in listed.split())
            for name, listed in _FIELDS.items()
        }
    )


SEGMENTS: Final = _segments()
"""The fields of each known segment, from the first."""

_STRUCTURES: Final[Mapping[str, str]] = {
    "REF_I12": "MSH! RF1 PROVIDER_CONTACT*!(PRD! CTD*) PID! NK1*"
    " OBSERVATION*(OBR! NTE* RESULTS*(OBX! NTE*)) PV1 PV2 NTE*",
    "RRI_I12": "MSH! MSA RF1 PROVIDER_CONTACT*!(PRD! CTD*) PID!"
    " OBSERVATION*(OBR! NTE* RESULTS*(OBX! NTE*)) PV1 PV2 NTE*",
    "ADT_A01": "MSH! EVN! PID! PD1 NK1* PV1! PV2 OBX*",
    "ADT_A03": "MSH! EVN! PID! PD1 PV1! PV2 OBX*",
    "ADT_A05": "MSH! EVN! PID! PD1 NK1* PV1! PV2 OBX*",
    "ADT_A39": "MSH! EVN! PATIENT*!(PID! PD1 MRG! PV1)",
    "SIU_S12": "MSH! SCH! NTE* PATIENT*(PID! PD1 PV1 PV2 OBX*)"
    " RESOURCES*(RGS! SERVICE*(AIS! NTE*) GENERAL*(AIG! NTE*) LOCATION*(AIL! NTE*)"
    " PERSONNEL*(AIP! NTE*))",
}

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "REF^I12": "REF_I12",
        "RRI^I12": "RRI_I12",
        **dict.fromkeys(("ADT^A01", "ADT^A04", "ADT^A08"), "ADT_A01"),
        "ADT^A03": "ADT_A03",
        **dict.fromkeys(("ADT^A28", "ADT^A31"), "ADT_A05"),
        "ADT^A40": "ADT_A39",
        **dict.fromkeys(("SIU^S12", "SIU^S15", "SIU^S26"), "SIU_S12"),
    }
)
"""The structure of each message type and event that the hub reads or writes."""


@cache
def structures() -> Mapping[str, Group]:
    """Return every message structure by name."""
    return {name: _group(name, text.split()) for name, text in _STRUCTURES.items()}


def _group(name: str, words: list[str]) -> Group:
    """Return the group that *words* (its members, groups in brackets) describe."""
    members: dict[str, Group | None] = {}
    many, needed = set(), set()
    while words:
        word = words.pop(0)
        inner: list[str] | None = None
        if "(" in word:
            word, _, first = word.partition("(")
            inner = _bracketed(first, words)
        bare = word.rstrip("*!")
        members[bare] = None if inner is None else _group(bare, inner)
        if "*" in word:
            many.add(bare)
        if "!" in word:
            needed.add(bare)
    groups = {step: inner for step, inner in members.items() if inner is not None}
    return Group(name, members, frozenset(many), frozenset(needed), _ways(members), groups)


def _ways(members: Mapping[str, Group | None]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, inner in members.items():
        if inner is not None:
            for segment, below in inner.members.items():
                if below is None:
                    found.setdefault(segment, (name,))
            for segment, way in inner.ways.items():
                found.setdefault(segment, (name, *way))
    return found


def _bracketed(first: str, words: list[str]) -> list[str]:
    """Take from *words* up to the bracket that closes the group beginning with *first*."""
    found, depth = [first], 1 + first.count("(") - first.count(")")
    while depth:
        found.append(words.pop(0))
        depth += found[-1].count("(") - found[-1].count(")")
    found[-1] = found[-1].removesuffix(")")
    return found
