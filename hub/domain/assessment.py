"""The assessment: checklist, reasons, the 19 elements, conclusions (`domain.md` 2.2, 2.5, 2.9,
2.10).
"""

from dataclasses import dataclass

from hub.domain.contacts import Address, Practitioner
from hub.domain.fields import group, leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """The pre-assessment checklist: local to the system that wrote it (`domain.md` F5)."""

    checklist_id: str = leaf("ref", key=True, required=True)
    completed_on: str = leaf("partial_date", required=True)
    subject_name: str | None = leaf(length=70)
    aka: str | None = leaf(length=70)
    date_of_birth_or_edd: str | None = leaf("partial_date")
    gender: str | None = leaf("code", codes="CL-01")
    address: Address | None = group()
    contact_tel: str | None = leaf(length=35)
    completed_by: Practitioner | None = group()
    trigger: tuple[str, ...] = leaf("code", codes="CL-17b", many=True)
    concern_source: str | None = leaf("code", codes="CL-17")
    is_healthy: str | None = leaf("code", codes="CL-00")
    is_safe_from_harm: str | None = leaf("code", codes="CL-00")
    is_learning_and_developing_well: str | None = leaf("code", codes="CL-00")
    has_positive_impact_on_others: str | None = leaf("code", codes="CL-00")
    is_free_from_effects_of_poverty: str | None = leaf("code", codes="CL-00")
    answer_notes: tuple[str, ...] = leaf("text", many=True)
    needs_clear: str | None = leaf("code", codes="CL-00")
    own_service_can_meet: str | None = leaf("code", codes="CL-00")
    additional_services_needed: str | None = leaf("text")
    decision: str | None = leaf("code", codes="CL-17c")
    previous_or_current_caf_known: str | None = leaf("code", codes="CL-00")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPresent:
    """Somebody who was there; a name leaves only if *person_id* names somebody who decided."""

    name: str = leaf(length=70, required=True)
    person_id: str | None = leaf("ref", "ADM")
    role_or_relationship: str | None = leaf(length=70)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentInformation:
    """Why and with whom the assessment was made (`domain.md` 2.5)."""

    people_present: tuple[PersonPresent, ...] = group(
        sensitivity="THP", about="item", many=True, source="P1"
    )
    reason_for_assessment: str | None = leaf("text", "ADD", source="P1")
    trigger: tuple[str, ...] = leaf("code", "ADD", codes="CL-17b", many=True)
    concern_source: tuple[str, ...] = leaf("code", "ADD", codes="CL-17", many=True)
    caf_requested_by_family: bool | None = leaf("bool", "ADD", source="A")


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceOfView:
    """Who saw it otherwise, and how."""

    holder: str = leaf(length=70, required=True)
    text: str = leaf("text", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One of the 19 elements (CL-14); its code fixes its section and sensitivity."""

    element: str = leaf("code", codes="CL-14", key=True, required=True)
    commentary: str | None = leaf("text")
    kind: str | None = leaf("code", codes="CL-15")
    evidence_source: str | None = leaf("text")
    difference_of_view: tuple[DifferenceOfView, ...] = group(many=True)
    author: Practitioner | None = group(sensitivity="ADM", about="practitioner")
    authored_at: str | None = leaf("datetime", "ADM")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentComment:
    """What a parent or carer said, never summarised."""

    parent_carer_id: str = leaf("ref", "ADM", required=True)
    text: str = leaf("text", "THP", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildComment:
    """What a child or young person said, never summarised."""

    subject_id: str = leaf("ref", "ADM", required=True)
    text: str = leaf("text", "ADD", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusions:
    """Conclusions, solutions and actions (`domain.md` 2.10)."""

    conclusions: str | None = leaf("text", "ADD", source="P10b")
    need_level: str | None = leaf("code", "ADD", codes="CL-16")
    what_needs_to_change: str | None = leaf("text", "ADD")
    goals: tuple[str, ...] = leaf("text", "ADD", many=True, source="P1")
    child_comment: tuple[ChildComment, ...] = group(about="item", many=True, source="P10b")
    parent_comment: tuple[ParentComment, ...] = group(about="item", many=True)
    comment_declined_reason: str | None = leaf("text", "ADD")
