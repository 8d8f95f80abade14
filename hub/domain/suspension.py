"""Suspension: the operator has stopped a partner for now, and nothing is lost by it.

Its doors are shut and nothing is sent to it; what is to be sent waits on its lanes.  A stage
``suspended`` is the accreditation's word instead (`domain.md` 5.1), and ends what was under way.
"""

from dataclasses import dataclass
from datetime import datetime

from hub.errors import Code, Fault, Forbidden


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why (a code), by whom (a staff reference), and since when."""

    reason: str
    by: str
    since: datetime


def refuse_suspended(one: Suspension | None) -> None:
    """Refuse whoever is suspended; raises `Forbidden` (``E_SUSPENDED``)."""
    if one is None:
        return
    remedy = "ask the hub's support; when the suspension has ended, send the same again"
    fault = Fault(Code.SUSPENDED, remedy=remedy)
    raise Forbidden(Code.SUSPENDED, "this partner is suspended", (fault,))
