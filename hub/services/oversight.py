"""Who did what to an episode, for those who may look it over (`domain.md` 5.3, column Audit; A5).

The lead professional's system sees the whole of its episode ("episode"); so does the co-ordinator
of its authority ("authority"), where the child index may know of it; who is at work there sees what
they did themselves ("own").  What happened, when, by whose system or to which service: no content,
person, decision, section, code or id, so it says no more of consent than that something was given.
Of what was given to the asker itself nothing is told: what was tried in vain and then withheld
would be among it.  What the law takes from consent (N13) and views past a shield are not in it:
they are the data protection lead's (4.6, A8).  A co-ordinator finds nothing of a sensitive service,
neither its name nor a gap (A6).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from hub.domain.exchange import Audited, Tree
from hub.domain.partner import Partner, Registry
from hub.services.brokering import OVERSEEING
from hub.services.masking import sensitive_service

GIVEN: Final = "disclosure.intended"
WHAT: Final[Mapping[str, str]] = {
    "message.accepted": "WROTE",
    "consent.recorded": "RECORDED_CONSENT",
    "view.released": "VIEWED",
    "view.copied": "MADE_COPY",
    "view.pulled": "PULLED",
    "view.refused": "REFUSED_VIEW",
    "consents.read": "LOOKED_AT_CONSENT",
    "report.read": "MADE_REPORT",
    "audit.read": "LOOKED_AT_AUDIT",
    GIVEN: "GIVEN",
}
"""What is told; every other kind of row is not."""
STATUTORY: Final = "N13"
LEADS: Final = frozenset({"lead"})


def overseen(
    rows: Iterable[Audited], partner: Partner, held: frozenset[str], registry: Registry
) -> list[Tree]:
    """Return what *partner* may know of what happened, oldest first, in the roles *held*."""
    found = []
    for row in rows:
        if row.kind not in WHAT or row.facts.get("message_type") == STATUTORY:
            continue
        own = row.actor == partner.name
        if not own and not held & (LEADS | OVERSEEING):
            continue
        if row.kind == GIVEN and row.service is not None and partner.serves(row.service):
            continue
        if held == OVERSEEING and not own and _sensitive(row, registry):
            continue
        found.append(_told(row, registry))
    return found


def _told(row: Audited, registry: Registry) -> Tree:
    by = registry.partners.get(row.actor)
    told = {
        "at": row.at.isoformat().replace("+00:00", "Z"),
        "what": WHAT[row.kind],
        "by": by.organisation if by is not None else row.actor,
        "service": row.service,
        "message_type": row.facts.get("message_type"),
    }
    return {name: value for name, value in told.items() if value is not None}


def _sensitive(row: Audited, registry: Registry) -> bool:
    """Return whether a row names a sensitive service, or a system that serves one."""
    by = registry.partners.get(row.actor)
    served = [service.ref for service in by.services] if by is not None else []
    named = [*served, *([row.service] if row.service else [])]
    return any(sensitive_service(service) for service in named)
