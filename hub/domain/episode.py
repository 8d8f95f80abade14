"""The canonical episode: one CAF from consent to closure (`domain.md` 2.1-2.15)."""

from dataclasses import dataclass

from hub.domain.assessment import AssessmentInformation, Checklist, Conclusions
from hub.domain.contacts import Practitioner
from hub.domain.fields import group, leaf
from hub.domain.people import FamilyAndHome, ParentOrCarer, Services, Subject
from hub.domain.plan import Closure, Plan, Review


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEpisodeId:
    """What one connected system calls the episode."""

    system: str = leaf(length=64, key=True, required=True)
    value: str = leaf(length=64, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeguardingException:
    """One disclosure under an exception to consent (`domain.md` 2.15); travels by N13 only."""

    exception_id: str = leaf("ref", key=True, required=True)
    basis: str = leaf("code", codes="CL-21f", required=True)
    concern_summary: str | None = leaf("text")
    decided_by: Practitioner | None = group()
    decided_at: str | None = leaf("datetime")
    manager_consulted: bool | None = leaf("bool")
    family_informed: str | None = leaf("code", codes="CL-21g")
    disclosed_to: str | None = leaf("service")
    disclosed_sections: tuple[str, ...] = leaf("code", codes="sections", many=True)
    message_ids: tuple[str, ...] = leaf("ref", many=True)
    consent_state_at_time: str | None = leaf("code", codes="CL-21a")


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One CAF of one family, whole or in part; each leaf knows its section and whose data it is."""

    episode_id: str = leaf("ref", "ADM", required=True, source="P37")
    unique_ref_no: str | None = leaf(length=30, sensitivity="ADM", source="P2")
    local_episode_ids: tuple[LocalEpisodeId, ...] = group(sensitivity="ADM", many=True)
    episode_type: str | None = leaf("code", "IDX", codes="CL-18b")
    form_profile: str | None = leaf(length=40, sensitivity="ADM", source="B")
    form_version_no: int | None = leaf("int", "ADM", source="P47")
    status: str | None = leaf("code", "IDX", codes="CL-18")
    home_authority: str | None = leaf("code", "IDX", codes="CL-29", source="P15")
    other_authorities: tuple[str, ...] = leaf("code", "BAS", codes="CL-29", many=True)
    previous_episode_id: str | None = leaf("ref", "ADM")
    linked_episode_ids: tuple[str, ...] = leaf("ref", "THP", about="unknown", many=True)
    index_checked_at: str | None = leaf("datetime", "LOC", source="P47 B")
    index_check_result: str | None = leaf("code", "LOC", codes="CL-23b")
    assessment_started_on: str | None = leaf("date", "BAS", source="P3 P11")
    assessment_completed_on: str | None = leaf("date", "BAS", source="P5")
    opened_at: str | None = leaf("datetime", "IDX")
    closed_at: str | None = leaf("datetime", "IDX")
    responsible_practitioner: Practitioner | None = group(sensitivity="IDX", about="practitioner")
    checklists: tuple[Checklist, ...] = group("sec.checklist", "LOC", many=True)
    subjects: tuple[Subject, ...] = group("sec.identity", about="child", many=True)
    assessment: AssessmentInformation | None = group("sec.assess_meta")
    parents_carers: tuple[ParentOrCarer, ...] = group("sec.family", about="adult", many=True)
    family: FamilyAndHome | None = group("sec.family")
    services: Services | None = group("sec.services")
    conclusions: Conclusions | None = group("sec.conclusions", "ADD")
    plan: Plan | None = group("sec.plan", "ADD")
    reviews: tuple[Review, ...] = group("sec.review", "ADD", many=True)
    closure: Closure | None = group("sec.closure", "ADD")
    safeguarding: tuple[SafeguardingException, ...] = group(
        "sec.safeguarding", "RES", about="unknown", many=True
    )
