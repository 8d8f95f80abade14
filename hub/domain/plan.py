"""The delivery plan, its reviews and the closure (`domain.md` 2.12, 2.13, 2.14)."""

from dataclasses import dataclass

from hub.domain.assessment import ChildComment, ParentComment, PersonPresent
from hub.domain.contacts import Organisation, Practitioner
from hub.domain.fields import group, leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMember:
    """A member of the team around the family: the dated need to know (`domain.md` A2)."""

    practitioner: Practitioner | None = group(about="practitioner")
    organisation: str = leaf(length=40, required=True)
    service_type: str = leaf("code", codes="CL-11", required=True)
    role_in_team: str | None = leaf("code", codes="CL-12")
    joined: str | None = leaf("partial_date")
    left: str | None = leaf("partial_date")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredOutcome:
    """What should become better, and which aim of Every Child Matters it serves."""

    id: str = leaf("ref", key=True, required=True)
    text: str = leaf("text", required=True)
    agreed_with_family: bool | None = leaf("bool")
    ecm_aim: tuple[str, ...] = leaf("code", codes="CL-13", many=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOwner:
    """Who does it: a practitioner of *service*, or a member of the family by *person_id*."""

    practitioner: Practitioner | None = group(about="practitioner")
    service: str | None = leaf("service")
    person_id: str | None = leaf("ref", "ADM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something agreed to be done; only its owner may update it (T13)."""

    id: str = leaf("ref", key=True, required=True)
    outcome_id: str | None = leaf("ref")
    text: str = leaf("text", required=True)
    action_owner: ActionOwner = group(required=True)
    action_due: str = leaf("date", required=True)
    action_status: str = leaf("code", codes="CL-22", required=True)
    progress_comment: tuple[str, ...] = leaf("text", many=True)
    action_closed_on: str | None = leaf("date")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """A request for services, which lives inside a plan and nowhere else (`domain.md` A22)."""

    id: str = leaf("ref", key=True, required=True)
    requested_service: str = leaf("service", required=True)
    requested_at: str | None = leaf("datetime")
    response: str | None = leaf("code", codes="CL-22b")
    responded_at: str | None = leaf("datetime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The delivery (action) plan (`domain.md` 2.12)."""

    plan_id: str = leaf("ref", "ADM", required=True)
    plan_version: int | None = leaf("int", "ADM")
    plan_date: str | None = leaf("date", "ADM")
    team_member: tuple[TeamMember, ...] = group(many=True, sensitive_by="service_type")
    desired_outcome: tuple[DesiredOutcome, ...] = group(many=True, source="P10b")
    action: tuple[Action, ...] = group(many=True, source="P10b B")
    service_request: tuple[ServiceRequest, ...] = group(
        many=True, sensitive_by="requested_service", source="A"
    )
    agreed_review_date: str | None = leaf("date", source="P10b")
    parent_comment: tuple[ParentComment, ...] = group(about="item", many=True)
    child_comment: tuple[ChildComment, ...] = group(about="item", many=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeProgress:
    """How far one desired outcome has come."""

    outcome_id: str = leaf("ref", key=True, required=True)
    progress: str = leaf("code", codes="CL-22c", required=True)
    comment: str | None = leaf("text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review meeting of the team (`domain.md` 2.13)."""

    review_id: str = leaf("ref", "ADM", key=True, required=True)
    review_date: str = leaf("date", "ADM", required=True)
    people_present: tuple[PersonPresent, ...] = group(sensitivity="THP", about="item", many=True)
    apologies: tuple[PersonPresent, ...] = group(sensitivity="THP", about="item", many=True)
    review_notes: str | None = leaf("text")
    outcome_progress: tuple[OutcomeProgress, ...] = group(many=True)
    next_steps: str | None = leaf("text")
    review_decision: str | None = leaf("code", codes="CL-22d")
    next_review_date: str | None = leaf("date")
    child_comment: tuple[ChildComment, ...] = group(about="item", many=True)
    parent_comment: tuple[ParentComment, ...] = group(about="item", many=True)
    consent_reconfirmed: bool | None = leaf("bool", "ADM")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeAchieved:
    """What became of one desired outcome."""

    outcome_id: str = leaf("ref", key=True, required=True)
    achieved: str = leaf("code", codes="CL-22c", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """How the episode ended (`domain.md` 2.14); the reason never reaches the index."""

    closed_on: str = leaf("date", "IDX", required=True)
    closure_reason: str = leaf("code", "ADD", codes="CL-19", required=True)
    closure_summary: str | None = leaf("text")
    outcomes_achieved: tuple[OutcomeAchieved, ...] = group(many=True)
    step_to: Organisation | None = group(sensitivity="RES")
    receiving_authority: str | None = leaf("code", "BAS", codes="CL-29")
    child_view: tuple[ChildComment, ...] = group(about="item", many=True)
    parent_view: tuple[ParentComment, ...] = group(about="item", many=True)
    closed_by: Practitioner | None = group(sensitivity="ADM", about="practitioner")
    retention_until: str | None = leaf("date", "ADM")
    legal_hold: bool | None = leaf("bool", "ADM")
