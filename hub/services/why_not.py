"""Why something did not arrive: the first thing that stops, and the command that mends it.

Asked in the order in which it would stop: is there such an episode, is anybody connected, what does
the gate say now (`domain.md` 4.4), and then what happened to the deliveries, by their lane.
Codes, ids and dates; never a value of the family.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from hub.domain.accreditation import WORKING, protocol_for
from hub.domain.exchange import Delivery, EpisodeHead, State, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Unavailable, Withheld
from hub.ports import Session
from hub.services.case import ask_gate, coordinator, load_case
from hub.services.consent_matrix import load
from hub.services.gate import Request, purpose_of, release
from hub.services.lane import holds
from hub.services.registers import Registers
from hub.services.share import INDEX_SERVICE
from hub.services.trace import at

RESUME: Final = "curl -X POST --unix-socket $ECAF_OPERATOR_SOCKET http://hub/admin/resume"
RESTED: Final = "rested"
"""What the circuit breaker's word is known by (`adapters.destinations.breaker`)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What stops: a stable *code*, one sentence, what it is *about* (ids), and what mends it."""

    code: str
    what: str
    mend: str
    about: Mapping[str, Any] = field(default_factory=dict)


def why_not(
    session: Session,
    registry: Registry,
    registers: Registers,
    episode_id: str,
    service: str,
    now: datetime,
    *,
    paused: bool = False,
) -> Tree:
    """Return the first thing that keeps *service* from what is new of the episode, if anything."""
    head = session.episode(episode_id)
    partner = registry.by_service(service)
    index = registry.index_partner if service == INDEX_SERVICE else None
    if head is None:
        stopped: Cause | None = Cause(
            Code.NOT_FOUND.value,
            "the hub holds no episode of this reference: its first message never came, or was "
            "refused at the door",
            "ask the sender for the answer that it got; with its key: "
            "ecaf messages search --from PARTNER --key KEY",
        )
        return _answer(episode_id, service, stopped, None)
    theirs = partner or index
    if theirs is None:
        stopped = Cause(
            "NO_PARTNER",
            "no connected partner serves this service, which is ORGANISATION/TYPE, such as "
            "HOU-A/HOUS",
            "give it as ecaf consent matrix shows it; or connect its partner: name the service in "
            "partners/NAME.yaml (adapters/README.md), ecaf config check, ecaf config activate",
        )
        return _answer(episode_id, service, stopped, None)
    mine = [one for one in session.deliveries(episode_id) if one.service == service]
    waiting = [one for one in session.unsettled(episode_id, theirs.name) if one.service == service]
    asked = next((one for one in waiting if one.state is not State.HANDED_OVER), None)
    stopped = _gate(session, registry, registers, head, theirs, service, asked, now)
    if stopped is None:
        stopped = _lane(session, registry, theirs, waiting, now, paused=paused)
    if stopped is None and not waiting:
        stopped = _ended(session, episode_id, service, mine)
    return _answer(episode_id, service, stopped, mine[-1] if mine else None)


def _answer(episode_id: str, service: str, stopped: Cause | None, last: Delivery | None) -> Tree:
    if stopped and last and last.state is State.SUPPRESSED and "because" in stopped.about:
        # What a lapse stopped has ended: mending the profile alone sends nothing of it.
        stopped = replace(stopped, mend=f"{stopped.mend}; then ecaf replay {last.delivery_id}")
    return {
        "episode_id": episode_id,
        "service": service,
        "stopped_by": None if stopped is None else asdict(stopped),
        "last": None
        if last is None
        else {
            "delivery_id": last.delivery_id,
            "message_type": last.message_type,
            "state": last.state.value,
            "reason": last.reason,
            "at": at(last.settled_at or last.created_at),
            "acknowledged": (last.evidence or {}).get("acknowledged"),
        },
    }


# The gate


def _gate(
    session: Session,
    registry: Registry,
    registers: Registers,
    head: EpisodeHead,
    partner: Partner,
    service: str,
    asked: Delivery | None,
    now: datetime,
) -> Cause | None:
    """Return what the gate says no with: to what waits, else to content as it stands."""
    try:
        if asked is not None:
            case = load_case(session, asked, registers)
            if case is None:
                return Cause("ERASED", "its content is gone", f"ecaf trace {asked.delivery_id}")
            ask_gate(case, asked, partner, registry, now)
        elif service != INDEX_SERVICE:
            case = load(session, head.episode_id, registers)
            purpose = purpose_of("N6", head)
            request = Request(partner, service, "N6", (), {}, purpose, now)
            release(case, request, coordinator=coordinator(registry, head))
    except Withheld as no:
        return _no(session, head, partner, service, no, now)
    except Unavailable as unsure:
        return Cause(
            unsure.code.value,
            "the register of consent for this episode's authority cannot vouch for it now",
            "mend the server that consent.yaml names; what waits goes by itself",
        )
    return None


def _no(
    session: Session, head: EpisodeHead, partner: Partner, service: str, no: Withheld, now: datetime
) -> Cause:
    ref, code = head.episode_id, no.code
    if code is Code.ORG_NOT_ACCREDITED:
        return _accreditation(head, partner, no, now)
    if code is Code.NO_RELATIONSHIP:
        held = [one for one in session.involvements(ref) if one.service == service]
        left = max((one.until for one in held if one.until is not None), default=None)
        return Cause(
            code.value,
            "the service has no relationship to the episode: no decision names it"
            if not held
            else "the service's relationship to the episode has ended",
            f"ecaf consent matrix {ref} --service {service}; a decision that names it comes from "
            "the assessor's or lead's system: POST /episodes/{ref}/consents",
            {} if left is None else {"ended_at": at(left)},
        )
    if code is Code.SHIELDED:
        return Cause(
            code.value,
            "somebody in this episode is shielded in full",
            "only who answers for the episode lifts it; for one view in danger: "
            "POST /episodes/{ref}/override",
        )
    if code is Code.USER_NOT_ELIGIBLE:
        return Cause(
            code.value,
            "nobody at this service may receive it today, or nobody leads there",
            "have the organisation vouch: PUT /practitioners/{ref}; ecaf alerts list",
            {"organisation": partner.organisation},
        )
    if code is Code.STATE:
        return Cause(
            code.value,
            "no content leaves where this episode now is",
            "the episode must move: the assessor's or lead's system sends the event",
            {"state": head.process},
        )
    field_ = "conclusions" if code is Code.CONSENT_SCOPE else "subjects"
    return Cause(
        code.value,
        no.detail,
        f"ecaf consent why {ref} {service} {field_}; ecaf consent show {ref}",
        {"state": head.process},
    )


def _accreditation(head: EpisodeHead, partner: Partner, no: Withheld, now: datetime) -> Cause:
    """Return which of the conditions of accreditation fails today."""
    on, profile = now.date(), f"partners/{partner.name}.yaml"
    then = "ecaf config activate"
    about: dict[str, Any] = {"organisation": partner.organisation}
    home = (head.facts or {}).get("receiving_authority", head.home_authority)
    protocol = protocol_for(partner.protocols, home)
    if partner.stage not in WORKING:
        code, what = "STAGE", f"the connection stands at the stage {partner.stage}"
        mend = f"{profile}: stage: live (or pilot); {then}"
    elif not partner.accredited_from <= on <= partner.accredited_until:
        code, what = "ACCREDITATION_OVER", "the organisation is not accredited today"
        about |= {"from": str(partner.accredited_from), "until": str(partner.accredited_until)}
        mend = f"{profile}: accredited: renew it; {then}"
    elif protocol is None:
        code, what = "NO_PROTOCOL", "no protocol covers the episode's home authority"
        about["authority"] = home
        mend = f"{profile}: protocols: add the one that was signed; {then}"
    elif protocol.expires_on < on:
        code, what = "PROTOCOL_LAPSED", "the protocol with the episode's home authority has lapsed"
        about |= {"protocol": protocol.reference, "expired_on": str(protocol.expires_on)}
        mend = f"{profile}: protocols: renew it; {then}"
    else:
        code, what = "PILOT", no.detail
        mend = f"{profile}: pilot: widen its scope; {then}"
    return Cause(no.code.value, what, mend, {"because": code, **about})


# The lane


def _lane(
    session: Session,
    registry: Registry,
    partner: Partner,
    waiting: Sequence[Delivery],
    now: datetime,
    *,
    paused: bool,
) -> Cause | None:
    """Return what became of the first that waits for the service; None if none waits."""
    if not waiting:
        return None
    lane = session.unsettled(waiting[0].episode_id, partner.name)
    one = next((each for each in waiting if each.state is not State.HANDED_OVER), waiting[0])
    about: dict[str, Any] = {"delivery": one.delivery_id, "message_type": one.message_type}
    behind = next((other for other in lane if holds(other, one)), None)
    if one.state is State.PENDING and behind is not None:
        return _held(behind, partner, about)
    if one.state is State.QUARANTINED:
        return Cause(
            "QUARANTINED",
            f"set aside: {one.reason}",
            f"ecaf quarantine show {one.delivery_id}",
            {**about, "reason": one.reason},
        )
    if one.state is State.HANDED_OVER:
        return _handed_over(registry, partner, one, about, now)
    if one.state is State.SENDING:
        return Cause(
            "SENDING",
            "it is on the wire; if its worker died, it goes again when the lease is over",
            f"ecaf trace {one.delivery_id}",
            {**about, "lease_until": None if one.lease_until is None else at(one.lease_until)},
        )
    return _pending(session, partner, one, about, now, paused=paused)


def _held(behind: Delivery, partner: Partner, about: Mapping[str, Any]) -> Cause:
    told = {**about, "held_by": behind.delivery_id, "state": behind.state.value}
    if behind.state is State.QUARANTINED:
        return Cause(
            "HELD",
            f"its lane is held by a delivery in quarantine: {behind.reason}",
            f"ecaf quarantine show {behind.delivery_id}",
            {**told, "reason": behind.reason},
        )
    if behind.state is State.HANDED_OVER:
        return Cause(
            "RECALL_UNACKNOWLEDGED",
            "content waits until the recipient acknowledges the change of consent (N10)",
            f"the recipient: POST /deliveries/{behind.delivery_id}/ack; "
            f"its support: {partner.support_contact}; ecaf alerts list",
            told,
        )
    return Cause(
        "HELD",
        f"an earlier delivery of its lane is still {behind.state.value}: {behind.reason or 'due'}",
        f"ecaf trace {behind.delivery_id}",
        {**told, "reason": behind.reason},
    )


def _handed_over(
    registry: Registry, partner: Partner, one: Delivery, about: dict[str, Any], now: datetime
) -> Cause:
    evidence = one.evidence or {}
    keys = registry.credentials.get(partner.name)
    held = keys.api_keys if keys is not None and not keys.keys else ()
    fetched = bool(evidence.get("fetched") or evidence.get("carried"))
    about["channel"] = partner.delivering.channel
    if not fetched and held and all(key.expires_on < now.date() for key in held):
        return Cause(
            "KEY_EXPIRED",
            "it waits to be fetched, and every key of the partner has expired",
            f"ecaf keys init --partner {partner.name} shows how keys are made; "
            f"partners/{partner.name}.yaml: credentials; ecaf config activate",
            {**about, "expired_on": str(max(key.expires_on for key in held))},
        )
    if not fetched:
        return Cause(
            "NOT_FETCHED",
            "the recipient was told and has not fetched it yet",
            f"the recipient: GET /inbox, then GET /deliveries/{one.delivery_id}; "
            f"its support: {partner.support_contact}",
            about,
        )
    return Cause(
        "NOT_ACKNOWLEDGED",
        "the recipient has it and has not acknowledged it yet",
        f"the recipient: POST /deliveries/{one.delivery_id}/ack; "
        f"its support: {partner.support_contact}",
        about,
    )


def _pending(
    session: Session,
    partner: Partner,
    one: Delivery,
    about: dict[str, Any],
    now: datetime,
    *,
    paused: bool,
) -> Cause:
    due = one.next_attempt_at
    about |= {"attempts": one.attempts, "next": None if due is None else at(due)}
    if partner.suspended is not None:
        return Cause(
            "SUSPENDED",
            f"the partner is suspended ({partner.suspended.reason}); what waits for it is kept",
            f"ecaf partners resume {partner.name}",
            {**about, "since": at(partner.suspended.since)},
        )
    if one.reason in {Code.UNAVAILABLE.value, Code.OUTCOME_UNKNOWN.value, Code.TOPOLOGY.value}:
        last = [
            str(row.facts.get("said", ""))
            for row in session.audit(one.episode_id)
            if row.delivery_id == one.delivery_id and row.kind == "delivery.retry"
        ]
        said = last[-1] if last else one.reason
        return Cause(
            "BREAKER_OPEN" if RESTED in said else "RETRYING",
            f"the destination does not answer: {said}",
            f"mend {partner.name} (support: {partner.support_contact}); it goes again by itself; "
            f"at once: ecaf quarantine release {one.delivery_id}",
            {**about, "reason": one.reason},
        )
    if paused:
        return Cause("PAUSED", "dispatch is paused: nothing new is sent", RESUME, about)
    if due is not None and now < due:
        return Cause(
            one.reason or "WAITING",
            f"it waits: {one.reason or 'not due yet'}",
            f"ecaf trace {one.delivery_id}",
            about,
        )
    return Cause(
        "DUE",
        "it is due now, and no worker has taken it yet",
        "see that a worker runs: ecaf top --once; ecaf serve --role worker",
        about,
    )


# What has ended


def _ended(
    session: Session, episode_id: str, service: str, mine: Sequence[Delivery]
) -> Cause | None:
    """Return why nothing waits, where that is not simply because it was delivered."""
    if not mine:
        unrouted = [
            row
            for row in session.audit(episode_id)
            if row.kind == "delivery.unroutable" and row.service == service
        ]
        if unrouted:
            return Cause(
                "NO_PARTNER_THEN",
                "when there was something to tell, no connected partner served this service",
                "the next version reaches it; the sender may send the episode again",
                {"at": at(unrouted[-1].at)},
            )
        return Cause(
            "NOTHING_TOLD",
            "nothing was addressed to this service since it may be told: what it sends itself "
            "does not come back to it",
            "the next version or decision reaches it; ecaf consent matrix shows what it may see",
        )
    last = mine[-1]
    if last.state is State.DELIVERED or last.reason == "UNCHANGED":
        return None
    return Cause(
        last.reason or last.state.value,
        f"the last thing for it ended {last.state.value}: {last.reason}; it could go now",
        f"ecaf replay {last.delivery_id}",
        {"delivery": last.delivery_id, "at": at(last.settled_at or last.created_at)},
    )
