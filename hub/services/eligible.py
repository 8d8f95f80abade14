"""Who acts: messages and questions name a practitioner whom the organisation vouches for.

Source: `domain.md` 5.1 and 4.4 (accredited, then eligible).  The hub compares dates at that very
moment, so that who is stopped is stopped at once; the refusal is the same whatever the reason.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.domain.accreditation import Stage
from hub.domain.exchange import EpisodeHead, Tree
from hub.domain.partner import Partner, Registry
from hub.domain.practitioner import Doing
from hub.errors import Code, Fault, Forbidden
from hub.ports import Session
from hub.services.standing import CONTACT_EVENT, service_of


def user_of(partner: Partner, message: Mapping[str, Any]) -> str | None:
    """Return who acts: whom the message names, else whom the call names."""
    named = message.get("message", {}).get("sender_user_ref")
    return str(named) if named else partner.acting


def check_user(
    session: Session, partner: Partner, user: str | None, doing: Doing, now: datetime
) -> None:
    """Raise `Forbidden` (``E_USER_NOT_ELIGIBLE``) unless *user* may do that today.

    An organisation whose profile says that it vouches for nobody is asked nothing.
    """
    if not partner.vouches:
        return
    if user is None:
        raise _refused("name the practitioner who acts: message.sender_user_ref, or ECAF-User")
    said = session.practitioner(partner.organisation, user)
    if said is None or not said.eligible(now.date(), doing):
        raise _refused("have the organisation vouch for this practitioner: PUT /practitioners")


def check_author(
    session: Session, partner: Partner, user: str | None, event: str | None, now: datetime
) -> None:
    """Raise `Forbidden` unless *user* may send this; of an episode the administrator may send one
    event only: changed contact details (S8 step 6).
    """
    if user is not None and user == partner.administrator and event == CONTACT_EVENT:
        return
    check_user(session, partner, user, "author", now)


def is_administrator(partner: Partner, user: str | None) -> bool:
    """Return whether the organisation's accountable administrator acts."""
    return user is not None and user == partner.administrator


def check_covered(
    session: Session, partner: Partner, head: EpisodeHead, home: str | None, now: datetime
) -> None:
    """Raise `Forbidden` (``E_ORG_NOT_ACCREDITED``) where the sender's protocol with the episode's
    home authority, or its pilot, does not cover the episode today.
    """
    episode_id = head.episode_id
    within = partner.stage is not Stage.PILOT or any(
        partner.pilots(service.ref, lambda name: session.episodes_before(name, episode_id))
        for service in partner.services
    )
    if not within or not partner.accredited_in(home, now.date()):
        remedy = "have the protocol with the episode's home authority renewed"
        fault = Fault(Code.ORG_NOT_ACCREDITED, remedy=remedy)
        raise Forbidden(
            Code.ORG_NOT_ACCREDITED, "your accreditation does not cover this episode", [fault]
        )


def check_lead(
    session: Session, registry: Registry, before: Tree, after: Tree, now: datetime
) -> None:
    """Raise `Forbidden` where a new lead professional is not eligible today (T10, T18)."""
    was = before.get("services", {}).get("lead_professional") or {}
    lead = after.get("services", {}).get("lead_professional") or {}
    ref = lead.get("practitioner_id")
    partner = registry.by_service(service_of(lead) or "")
    if ref is None or ref == was.get("practitioner_id") or partner is None or not partner.vouches:
        return
    said = session.practitioner(partner.organisation, str(ref))
    if said is None or not said.eligible(now.date(), "receive"):
        raise _refused("appoint somebody whom the organisation vouches for")


def _refused(remedy: str) -> Forbidden:
    fault = Fault(Code.USER_NOT_ELIGIBLE, "message.sender_user_ref", remedy)
    return Forbidden(Code.USER_NOT_ELIGIBLE, "this practitioner may not do that today", [fault])
