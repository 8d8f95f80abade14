"""Admission: whether a recipient's accreditation and its people let it take part in one episode.

Source: `domain.md` 4.4 (accredited, eligible), 5.1 and 1.4; scenario S8.  Asked by the gate at the
moment of sending, of what is recorded at that moment: a lapse takes effect at once, for what
already waits as well.
"""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final

from hub.domain.exchange import EpisodeHead, Tree
from hub.domain.partner import Partner
from hub.domain.practitioner import Assertion
from hub.errors import Code, Withheld
from hub.services.standing import people_at

Vouched = Callable[[str, str], Assertion | None]
"""(organisation, reference of a practitioner) to what is vouched for."""
Earlier = Callable[[str], int]
"""Name of a partner to the number of episodes that it was in before this one."""

IMPERSONAL: Final = frozenset({"N2", "N3", "N4", "N10", "N13", "N14"})
"""What goes to a service whoever works there: who leads now, the end, recalls, statutory duty."""


def nobody(_organisation: str, _ref: str) -> Assertion | None:
    """Vouch for nobody: what a case without a record knows of people."""
    return None


def countless(_partner: str) -> int:
    """Return more episodes than any pilot takes: what a case without a record knows of pilots."""
    return sys.maxsize


def check_admitted(
    partner: Partner,
    service: str,
    message_type: str,
    at: datetime,
    head: EpisodeHead,
    newest: Tree,
    vouched: Vouched,
    earlier: Earlier,
) -> None:
    """Raise `Withheld` where organisation, pilot or people do not let *service* take this in now.

    *newest* is the episode as it stands, *at* the moment of sending.
    """
    home = head.home_authority
    if message_type == "N11":  # an offer is made under the receiving authority's protocol
        home = (head.facts or {}).get("receiving_authority", home)
    if not partner.accredited_in(home, at.date()):
        raise Withheld(
            Code.ORG_NOT_ACCREDITED, "no protocol of the recipient covers this authority today"
        )
    if not partner.pilots(service, earlier):
        raise Withheld(Code.ORG_NOT_ACCREDITED, "the recipient's pilot does not reach this episode")
    if message_type not in IMPERSONAL:
        _check_people(partner, service, at, head, newest, vouched)


def _check_people(
    partner: Partner,
    service: str,
    at: datetime,
    head: EpisodeHead,
    newest: Tree,
    vouched: Vouched,
) -> None:
    """Whoever leads decides for the lead's service; elsewhere one eligible person of those named
    on the episode is enough, and where nobody is named it is the system that receives.
    """
    leading = service == head.lead_service
    if leading and head.lead == "VACANT":
        raise Withheld(Code.USER_NOT_ELIGIBLE, "nobody leads at this service until ACTING is set")
    if not partner.vouches:
        return
    there = people_at(newest, service)
    leads = newest.get("responsible_practitioner")
    if leading and leads is not None:
        there = (str(leads.get("practitioner_id")),)
    known = [vouched(partner.organisation, ref) for ref in there]
    if there and not any(one and one.eligible(at.date(), "receive") for one in known):
        raise Withheld(Code.USER_NOT_ELIGIBLE, "nobody at this service may receive it today")
