"""What do I see in HL7 v2?  A reader of segments, written from the form's own names.

Separators are those that the message itself declares.  An observation is placed by the OBR that it
stands under (and the 19 elements by their own coding system); what cannot be placed is reported as
``unknown:...``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.partners.double.sight import ELEMENT_SECTIONS, Seen, add

ELEMENTS = "CAF14"
GROUPS = {
    "CHARACTERISTICS": "sec.characteristics",
    "ASSESSMENT": "sec.assess_meta",
    "FAMILY": "sec.family",
    "HOUSEHOLD": "sec.family",
    "ELSEWHERE": "sec.family",
    "SERVICE": "sec.services",
    "CONCLUSIONS": "sec.conclusions",
    "TEAM": "sec.plan",
    "OUTCOME": "sec.plan",
    "ACTION": "sec.plan",
    "REQUEST": "sec.plan",
    "REVIEW": "sec.review",
}
"""OBR-4 and the section of everything below it."""
BASIC = {
    "EPISODE": ("sec.admin", "linked_episode_ids"),
    "SERVICES": ("sec.services", ""),
    "IDENTITY": ("sec.identity", "is_unborn expected_date_of_delivery"),
}
"""OBR-4 whose observations are basic, but for those named here."""
REFERENCES = {"plan_id", "plan_version", "plan_date", "family_id", "retention_until", "legal_hold"}
SAYS_NOTHING = {"MESSAGE", "NOTIFICATION", "EVENT"}
PROVIDERS = {
    "RP": "sec.services",
    "PP": "sec.services",
    "UGP": "sec.services",
    "UED": "sec.services",
    "RESP": "sec.admin",
    "SCH": "sec.identity",
    "GP": "sec.identity",
}
"""PRD-1: the school and the practice are part of who the child is, the others work with it."""
NK1_BEYOND = (4, 5, 7, 15, 16, 21, 22, 28)
HUB = "CAFHUB"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its fields from number 1 on, each cut into repetitions of components."""

    name: str
    fields: tuple[tuple[tuple[str, ...], ...], ...]

    def get(self, field: int, component: int = 1) -> str:
        """Return a component of the first repetition; empty where there is none."""
        if field > len(self.fields) or component > len(self.fields[field - 1][0]):
            return ""
        return self.fields[field - 1][0][component - 1]

    def holds(self, field: int) -> bool:
        """Tell whether anything stands in a field."""
        return field <= len(self.fields) and any(
            any(repetition) for repetition in self.fields[field - 1]
        )


def cut(body: bytes) -> list[Segment]:
    """Return the segments of one or more messages, by the separators that each header declares."""
    found: list[Segment] = []
    field, component, repetition = "|", "^", "~"
    for line in body.decode(errors="replace").split("\r"):
        if not line:
            continue
        header = line.startswith("MSH")
        if header:
            field, component, repetition = line[3], line[4], line[5]
        name, *rest = line.split(field)
        if header:
            rest.insert(0, field)  # MSH-1 is the separator itself
        fields = [
            tuple(tuple(one.split(component)) for one in part.split(repetition)) for part in rest
        ]
        found.append(Segment(name, tuple(fields)))
    return found


def id_of(body: bytes) -> str:
    """Return MSH-10, by which a message is acknowledged."""
    return next((one.get(10) for one in cut(body) if one.name == "MSH"), "")


def observed(body: bytes, name: str) -> str:
    """Return the value of the first observation called *name*; empty where there is none."""
    found = (one for one in cut(body) if one.name == "OBX" and one.get(3) == name)
    return next((one.get(5) for one in found), "")


def look_at_segments(body: bytes) -> Seen:
    """Return what HL7 v2 messages hold."""
    found: dict[str, str] = {}
    codes: list[str] = []
    kind, group = None, ""
    for one in cut(body):
        if one.name == "OBR":
            group = one.get(4)
        elif one.name == "OBX" and one.get(3) == "message_type":
            kind = one.get(5)
        for section, weight in _segment(one, group, codes):
            add(found, section, weight)
    return Seen(kind or _answer(body), found, tuple(codes))


def _answer(body: bytes) -> str | None:
    """RRI^I12 says what it is by its own type: the answer to a request (N16)."""
    header = next((one for one in cut(body) if one.name == "MSH"), None)
    return "N16" if header is not None and header.get(9) == "RRI" else None


def _segment(one: Segment, group: str, codes: list[str]) -> Iterator[tuple[str, str]]:
    if one.name == "RF1":
        yield "sec.admin", "basic"
        if one.holds(10):
            yield "sec.assess_meta", "full"
    elif one.name == "PRD":
        role = one.get(1)
        if role != "RT":  # whom this message is for
            yield PROVIDERS.get(role, f"unknown:PRD {role}"), "basic"
    elif one.name == "PID":
        yield from _patient(one)
    elif one.name == "NK1":
        numbered = one.holds(33) and any(len(cx) < 4 or cx[3] != HUB for cx in one.fields[32])
        beyond = numbered or any(one.holds(n) for n in NK1_BEYOND)
        yield "sec.family", "full" if beyond else "basic"
    elif one.name == "OBR":
        yield from _group(one, group)
    elif one.name == "NTE":
        yield GROUPS.get(group, f"unknown:NTE under {group}"), "full"
    elif one.name == "OBX":
        yield from _observation(one, group, codes)
    elif one.name not in ("MSH", "MSA"):
        yield f"unknown:{one.name}", "full"


def _patient(one: Segment) -> Iterator[tuple[str, str]]:
    # A message that shows no child goes by the episode's number (VN) and a name of no kind.
    if one.get(3, 5) != "VN":
        yield "sec.identity", "basic"
    if one.holds(15):
        yield "sec.characteristics", "basic"
    if one.holds(17) or one.holds(22):
        yield "sec.characteristics", "full"
    if one.holds(29):
        yield "sec.identity", "full"


def _group(one: Segment, group: str) -> Iterator[tuple[str, str]]:
    """What an OBR says by itself: dates."""
    if group == "ASSESSMENT":
        if one.holds(7) or one.holds(8):
            yield "sec.admin", "basic"
    elif group == "CLOSURE":
        yield "sec.closure", "basic"
    elif group == "PLAN":
        yield "sec.plan", "basic"
    elif group in GROUPS and any(one.holds(n) for n in (3, 7, 8)):
        yield GROUPS[group], "full"


def _observation(one: Segment, group: str, codes: list[str]) -> Iterator[tuple[str, str]]:
    name, system = one.get(3), one.get(3, 3)
    if system == ELEMENTS:
        if name not in codes:
            codes.append(name)
        yield ELEMENT_SECTIONS.get(name, f"unknown:element {name}"), "full"
    elif group in SAYS_NOTHING or name in REFERENCES:
        return
    elif group in BASIC:
        section, more = BASIC[group]
        yield section, "full" if name in more.split() else "basic"
    elif group == "CLOSURE":
        plain = name == "receiving_authority" or name.startswith("closed_by")
        yield "sec.closure", "basic" if plain else "full"
    elif group == "PLAN":
        yield "sec.plan", "full"
    else:
        yield GROUPS.get(group, f"unknown:{group} {name}"), "full"
