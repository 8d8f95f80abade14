"""Accreditation and eligibility in a scenario: what a profile says, who vouches for whom, who acts.

Everybody at work is vouched for until 2039 unless the file says otherwise, so that a story is about
eligibility only where it wants to be.
"""

from dataclasses import dataclass
from typing import Any, Final

from hub.scenarios.reading import Fields, Text, complain

ACCREDITATION: Final = (
    "accredited from",
    "accredited until",
    "protocol expires",
    "protocols",
    "stage",
    "pilot",
    "practitioners",
)
"""Words of a participant."""
ASSERTED: Final = {
    "role expires": "role",
    "training expires": "training",
    "identity expires": "identity_check",
    "dbs expires": "enhanced_dbs",
}
ASSERTIONS: Final = (*ASSERTED, "may author", "may receive", "stopped on", "vouched")
"""Words of a practitioner."""
SINCE, UNTIL = "2020-01-01", "2039-12-31"


@dataclass(frozen=True, slots=True)
class Vouched:
    """What one participant's system puts for one practitioner before the story begins."""

    participant: str
    ref: str
    record: dict[str, Any]


def administrator(organisation: str) -> str:
    """Return the reference of the one accountable eCAF administrator of an organisation."""
    return f"admin-{organisation.lower()}"


def accredited(name: str, organisation: str, told: Fields) -> dict[str, Any]:
    """Return the ``accredited`` part of a profile: one protocol for all, or one an authority."""
    part: dict[str, Any] = {
        "stage": told.text("stage") or "live",
        "from": told.text("accredited from") or SINCE,
        "until": told.text("accredited until") or UNTIL,
        "application": f"APP-{name}",
        "administrator": administrator(organisation),
    }
    signed = _fields(told, "protocols")
    if signed:
        part["protocols"] = [
            {"authority": str(at), "id": f"ISP-{name}-{at}", "version": "1.0", "expires": str(day)}
            for at, day in signed.items()
        ]
    else:
        part["protocol"] = f"ISP-{name}"
        part["protocol_expires"] = told.text("protocol expires") or UNTIL
    limits = _fields(told, "pilot")
    if limits:
        limits.pick("authorities", "services", "episodes")
        part["pilot"] = {
            word: [str(one) for one in limits.items_of(word)]
            for word in ("authorities", "services")
            if Text(word) in limits
        }
        if limits.text("episodes"):
            part["pilot"]["episodes"] = limits.text("episodes")
    return part


def asserted(role: str, told: Fields) -> dict[str, Any] | None:
    """Return what is vouched for of one practitioner; ``None`` where the file says ``vouched: no``.

    A file says ``no`` as text; everything else counts as vouched for.
    """
    if told.text("vouched") == "no":
        return None
    record: dict[str, Any] = {
        fact: {"from": SINCE, "expires": told.text(word) or UNTIL}
        for word, fact in ASSERTED.items()
    }
    record["role"]["code"] = role
    record["may_author"] = told.text("may author") != "no"
    record["may_receive"] = told.text("may receive") != "no"
    if told.text("stopped on"):
        record["stopped_on"] = told.text("stopped on")
    return record


def _fields(told: Fields, word: str) -> Fields:
    node = told.get(Text(word))
    if node is None:
        return Fields()
    if not isinstance(node, Fields):
        raise complain(node, "a mapping of details is expected here")
    return node
