"""Seeing past a shield for one view, and who is told of it at once (`domain.md` A8).

Only child protection users whose system's profile has the right ``override``; the caller's system
must have shown the warning, and says by which practitioner, on what ground and under which of its
own references.  It lifts the shield and nothing else: relationship and consent stand, and whoever
needs more discloses or asks under N13.  Every use, refused or not, is audited and alerted to the
data protection lead before a byte leaves; nothing of it outlives the one answer.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from hub.domain.codes import code_list
from hub.domain.exchange import Tree
from hub.domain.partner import Partner
from hub.errors import Code, Fault, Forbidden, InvalidContent
from hub.ports import Session
from hub.services.alerts import alert

CHILD_PROTECTION: Final = frozenset({"CSC"})
"""Services (CL-11) whose practitioners may ask at all."""
WARNING: Final = (
    "show the practitioner that this will trigger an immediate investigation, "
    "then send warned: true"
)
FIELDS: Final = frozenset({"purpose", "basis", "reference", "warned"})
REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{2,39}")


@dataclass(frozen=True, slots=True)
class Lift:
    """One asking: for what, on what ground (CL-21f), under which reference of the asker's own."""

    purpose: str
    basis: str
    reference: str


def read_lift(partner: Partner, service: str, body: Tree) -> Lift:
    """Return what *body* asks for; raises `InvalidContent` or `Forbidden`, before anything of any
    episode is looked at.
    """
    if service.rpartition("/")[2] not in CHILD_PROTECTION:
        raise Forbidden(Code.FORBIDDEN, "a shield is lifted for child protection alone")
    bases = tuple(sorted(code_list("CL-21f").codes))
    faults = [Fault(Code.UNKNOWN_FIELD, "", "remove it") for name in body if name not in FIELDS]
    if body.get("basis") not in bases:
        faults.append(Fault(Code.CODELIST, "basis", "say on what ground", "CL-21f", bases))
    reference = body.get("reference")
    if not isinstance(reference, str) or not REFERENCE.fullmatch(reference):
        remedy = "your own reference to the reason, without spaces and names"
        faults.append(Fault(Code.REQUIRED, "reference", remedy))
    if partner.acting is None:
        faults.append(Fault(Code.REQUIRED, "ECAF-User", "say which practitioner asks"))
    if body.get("warned") is not True:
        faults.append(Fault(Code.REQUIRED, "warned", WARNING))
    if faults:
        raise InvalidContent(faults[0].code, "a shield is not lifted like this", tuple(faults))
    return Lift(str(body.get("purpose", "")), str(body["basis"]), str(reference))


def tell_of(
    session: Session,
    partner: Partner,
    service: str,
    lift: Lift | None,
    outcome: str,
    *,
    authority: str | None,
    at: datetime,
    episode_id: str | None = None,
    view_id: str | None = None,
) -> None:
    """Keep the alert about one use, if there is one (*lift*)."""
    if lift is None:
        return
    facts: dict[str, Any] = {
        "partner": partner.name,
        "practitioner": partner.acting,
        "basis": lift.basis,
        "reference": lift.reference,
        "outcome": outcome,
    }
    session.add_alert(
        alert(
            "shield.override",
            f"data-protection:{authority or '-'}",
            view_id or str(uuid4()),
            at=at,
            episode_id=episode_id,
            service=service,
            delivery_id=view_id,
            facts=facts,
        )
    )
