"""The facts that a step is judged by, from the tree, the agreements and who sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.consent import Agreements, Ask
from hub.domain.exchange import Tree
from hub.domain.partner import Partner, Registry
from hub.domain.regions import Facts, Role
from hub.services.brokering import OVERSEEING
from hub.services.standing import service_of

SOCIAL_CARE: Final = "CSC"
LIFE_ENDED: Final = "DIED"
ADMINISTRATIVE: Final = frozenset({"DUPLICATE", "ERROR"})
"""Reasons for closure that are about the record and not about the family (CL-19)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one message brings to its step."""

    partner: Partner
    registry: Registry
    roles: frozenset[str]
    before: Tree
    after: Tree
    agreements: Agreements
    children: Sequence[str]
    changed: frozenset[str]
    detail: Tree
    head_facts: Mapping[str, Any]
    now: datetime


def facts_of(evidence: Evidence) -> Facts:
    """Return everything that any guard may ask, from what is recorded and what was sent."""
    after, detail = evidence.after, evidence.detail
    agreements, now = evidence.agreements, evidence.now
    plan = after.get("plan", {})
    closure = after.get("closure", {})
    conclusions = after.get("conclusions", {})
    services = after.get("services", {})
    lead = services.get("lead_professional")
    shared = agreements.services(now)
    receiving = detail.get("receiving_authority") or evidence.head_facts.get("receiving_authority")
    reviews = after.get("reviews", ())
    requests = plan.get("service_request", ())
    asked = _requested(requests, detail)
    index = [agreements.index(child, now) for child in evidence.children]
    transfer = _transfer_agreed(evidence)
    return Facts(
        roles=_roles(evidence),
        changed=evidence.changed,
        lead_in_tree=services.get("lp_state"),
        purpose_given=True,
        reasons_explained=True,
        storage_consent_given=bool(evidence.children)
        and all(agreements.may_store(child, now) for child in evidence.children),
        index_consent_recorded=bool(evidence.children),
        authority_known=bool(after.get("home_authority")),
        conclusions_present=bool(conclusions.get("conclusions")),
        comments_asked_for=_commented(conclusions),
        sharing_decided=bool(shared) or _refused_sharing(agreements, evidence.children, now),
        more_than_one_service_needed=len(shared) > 1,
        invitees_within_consent=_within(plan.get("team_member", ()), shared, evidence),
        appointee_accepts=lead is not None and detail.get("acting") is not True,
        appointee_accredited=_accredited(evidence, lead),
        appointee_on_team=_on_team(plan.get("team_member", ()), lead),
        plan_has_outcome_and_action_with_owner_and_date=bool(plan.get("desired_outcome"))
        and any(a.get("action_owner") and a.get("action_due") for a in plan.get("action", ())),
        review_date_set=bool(plan.get("agreed_review_date")),
        joiner_named_in_consent=detail.get("service") in shared,
        review_has_date_and_people=bool(reviews) and _met(reviews[-1]),
        review_or_closure_decided=bool(reviews)
        and bool(reviews[-1].get("next_review_date") or closure.get("closure_reason")),
        decision_names_a_service=bool(shared),
        closure_reason_present=bool(closure.get("closure_reason")),
        closure_reason_disengaged_or_withdrawn=closure.get("closure_reason")
        in {"DISENGAGED", "CONSENT_WITHDRAWN"},
        closure_reason_administrative=closure.get("closure_reason") in ADMINISTRATIVE,
        closing_comments_asked_for=bool(
            closure.get("child_view")
            or closure.get("parent_view")
            or closure.get("closure_summary")
        ),
        receiving_authority_named=bool(receiving),
        receiving_authority_named_in_consent=transfer,
        receiving_practitioner_accredited=evidence.partner.accredited_in(receiving, now.date()),
        referral_basis_named=bool(detail.get("reason")),
        social_care_decision_recorded=detail.get("decision") in {"CIN", "CP", "LAC"},
        previous_episode_closed=bool(after.get("previous_episode_id")),
        void_reason_given=bool(detail.get("reason")),
        second_approver=bool(detail.get("approved_by")),
        no_legal_hold=not closure.get("legal_hold"),
        request_in_plan=bool(asked),
        service_consented_for_request=any(
            agreements.listed(
                child, Ask(str(request["requested_service"]), "REQUEST_SERVICE", now)
            ).permitted
            for request in asked
            for child in evidence.children
        ),
        request_open=bool(asked),
        answer_known=bool(detail.get("answer")) or any(r.get("response") for r in asked),
        acting=detail.get("acting") is True,
        administrative=evidence.roles == OVERSEEING,
        life_ended=closure.get("closure_reason") == LIFE_ENDED,
        ended_before=bool(after.get("closed_at")),
        something_shared=bool(shared),
        index_consented=any(answer != "no" for answer in index),
        transfer_consented=transfer,
    )


def _roles(evidence: Evidence) -> frozenset[Role]:
    """Return the sender's roles, with those that only this message shows."""
    held = set(evidence.roles)
    held.discard("any")
    if any(
        evidence.partner.serves(_owner(action))
        for action in evidence.after.get("plan", {}).get("action", ())
    ):
        held.add(Role.ACTION_OWNER)
    if any(service.ref.endswith(f"/{SOCIAL_CARE}") for service in evidence.partner.services):
        held.add(Role.CHILDREN_SOCIAL_CARE)
    receiving = evidence.head_facts.get("receiving_authority")
    if receiving is not None and evidence.partner.authority == receiving:
        held.add(Role.RECEIVING_AUTHORITY)
    return frozenset(Role(name) for name in held)


def _owner(action: Tree) -> str:
    owner = action.get("action_owner", {})
    return str(owner.get("service") or service_of(owner.get("practitioner")) or "")


def _commented(conclusions: Tree) -> bool:
    return bool(
        conclusions.get("comment_declined_reason")
        or (conclusions.get("child_comment") or conclusions.get("parent_comment"))
    )


def _refused_sharing(agreements: Agreements, children: Sequence[str], now: datetime) -> bool:
    """Return whether the family was asked about sharing and said no: also a decision."""
    return (
        bool(children)
        and all(agreements.may_store(child, now) for child in children)
        and any(agreements.state(child, "", now) in {"REFUSED", "WITHDRAWN"} for child in children)
    )


def _within(members: Sequence[Tree], shared: frozenset[str], evidence: Evidence) -> bool:
    """Return whether every team member still there is a service that the family named, or the
    sender.
    """
    invited = {
        f"{member.get('organisation')}/{member.get('service_type')}"
        for member in members
        if not member.get("left")
    }
    return all(ref in shared or evidence.partner.serves(ref) for ref in invited)


def _accredited(evidence: Evidence, lead: Tree | None) -> bool:
    service = service_of(lead)
    partner = evidence.registry.by_service(service) if service else None
    home = evidence.after.get("home_authority")
    return partner is not None and partner.accredited_in(home, evidence.now.date())


def _on_team(members: Sequence[Tree], lead: Tree | None) -> bool:
    """Return whether the appointed person, or their service, is on the team."""
    if lead is None:
        return False
    return any(
        (member.get("practitioner") or {}).get("practitioner_id") == lead.get("practitioner_id")
        or member.get("organisation") == lead.get("organisation")
        for member in members
        if not member.get("left")
    )


def _met(review: Tree) -> bool:
    return bool(review.get("review_date") and review.get("people_present"))


def _transfer_agreed(evidence: Evidence) -> bool:
    """Return whether a live decision lets this partner's authority be told of a transfer."""
    services = [service.ref for service in evidence.partner.services]
    return any(
        evidence.agreements.listed(child, Ask(service, "TRANSFER", evidence.now)).permitted
        for child in evidence.children
        for service in services
    )


def _requested(requests: Sequence[Tree], detail: Tree) -> list[Tree]:
    wanted = detail.get("request_id")
    return [r for r in requests if wanted is None or r.get("id") == wanted]
