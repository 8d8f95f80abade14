"""Sharing without consent: a decision that a person took, and what makes it one (`domain.md` 4.6).

An exception to consent is a message of its own (N13), never a role or a flag.  It says who decided,
on what basis, why the family's agreement was not sought or was overridden, who is to receive which
sections, and whether the family knows.  It bypasses consent and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hub.domain.contacts import Practitioner
from hub.domain.decision import SHAREABLE
from hub.domain.exchange import Tree
from hub.domain.fields import group, leaf

REQUEST: Final = "REQUEST"
DISCLOSE: Final = "DISCLOSE"

SOCIAL_CARE: Final = "CSC"
POLICE: Final = "POLN"
DUTY: Final = frozenset({SOCIAL_CARE, POLICE})
"""Service types (CL-11) that significant harm and serious crime are told to (4.6, table)."""

AGREED: Final = "S17_AGREED"
"""A child in need: agreement is sought, so consent is *not* bypassed (4.6; s17 Children Act)."""
ORDERED: Final = frozenset({"COURT", "STATUTE"})
"""As ordered: whoever the order or statute names, and which one it was must be said."""

RECIPIENTS: Final[Mapping[str, frozenset[str] | None]] = MappingProxyType(
    {
        "S47": DUTY,
        AGREED: frozenset({SOCIAL_CARE}),
        "ADULT_HARM": DUTY,
        "CRIME": DUTY,
        "VITAL": DUTY,
        "PUBLIC_INTEREST": DUTY,
        "COURT": None,
        "STATUTE": None,
    }
)
"""The service types that may receive under each basis; None: whoever is ordered."""

NAMEABLE: Final = SHAREABLE - {"sec.admin", "sec.consent"}
"""Sections that a disclosure may name: never the checklist (F5), nor what the family decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """One exception to consent: a request for sections, or the sections themselves (N13)."""

    exception_id: str = leaf("ref", key=True, required=True)
    kind: str = leaf("code", codes="disclosure-kinds", required=True)
    episode_id: str | None = leaf("ref")
    request_id: str | None = leaf("ref")
    subject_ids: tuple[str, ...] = leaf("ref", many=True)
    basis: str = leaf("code", codes="CL-21f", required=True)
    basis_reference: str | None = leaf(length=100)
    concern_summary: str = leaf("text", required=True)
    why_no_consent: str = leaf("text", required=True)
    decided_by: Practitioner = group(required=True)
    decided_at: str = leaf("datetime", required=True)
    manager_consulted: bool | None = leaf("bool")
    family_informed: str = leaf("code", codes="CL-21g", required=True)
    disclosed_to: str = leaf("service", required=True)
    disclosed_sections: tuple[str, ...] = leaf("code", codes="sections", many=True, required=True)
    consent_unverified: bool | None = leaf("bool")


def may_receive(basis: str, service: str) -> bool:
    """Return whether *basis* is a ground to tell *service* (``ORGANISATION/TYPE``) anything.

    >>> may_receive("S47", "CSC-A/CSC"), may_receive("S47", "HOU-A/HOUS"), may_receive("?", "C/CSC")
    (True, False, False)
    """
    if basis not in RECIPIENTS:
        return False
    types = RECIPIENTS[basis]
    return types is None or service.rpartition("/")[2] in types


def lacking(record: Tree) -> Mapping[str, str]:
    """Return what the schema cannot ask for: each missing or unlawful field with its remedy.

    Shapes and the fields that every disclosure has are the schema's.
    """
    found: dict[str, str] = {}
    if record.get("disclosed_sections") == []:
        found["disclosed_sections"] = "name the sections, and no more than are needed"
    if record.get("kind") == REQUEST and not record.get("episode_id"):
        found["episode_id"] = "say which episode you ask about"
    if record.get("kind") == DISCLOSE and not record.get("subject_ids"):
        found["subject_ids"] = "name the children whom it is about"
    if record.get("basis") in ORDERED and not record.get("basis_reference"):
        found["basis_reference"] = "say which order, or which statute"
    return found
