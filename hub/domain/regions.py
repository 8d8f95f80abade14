"""The regions of an episode, who may act in them, and the facts that a step is judged by.

`domain.md` 1.1 and 1.4.  The regions move independently; there is no single status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Process(StrEnum):
    """The process region (CL-18), and `NONE` for an episode that the hub has never heard of."""

    NONE = "NONE"
    CONCERN = "CONCERN"
    CHECKED = "CHECKED"
    PRE_ASSESSED = "PRE_ASSESSED"
    CONSENT_SOUGHT = "CONSENT_SOUGHT"
    DECLINED = "DECLINED"
    ASSESSING = "ASSESSING"
    ASSESSED = "ASSESSED"
    TEAM_FORMING = "TEAM_FORMING"
    PLAN_ACTIVE = "PLAN_ACTIVE"
    IN_REVIEW = "IN_REVIEW"
    TRANSFER_PENDING = "TRANSFER_PENDING"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"
    ARCHIVED = "ARCHIVED"
    PURGED = "PURGED"
    VOID = "VOID"


BEFORE: Final = frozenset({Process.NONE, Process.CHECKED, Process.PRE_ASSESSED})
CONTENT_LEAVES: Final = frozenset(
    {Process.ASSESSED, Process.TEAM_FORMING, Process.PLAN_ACTIVE, Process.IN_REVIEW}
)
"""Where content may leave its own system at all (`domain.md` 1.1, last column)."""
ANY_OPEN: Final = CONTENT_LEAVES | {Process.ASSESSING, Process.TRANSFER_PENDING}
LIVE: Final = ANY_OPEN | {Process.PAUSED}
"""Where an episode exists and has not ended; its content may change."""


class Lead(StrEnum):
    """The lead professional region (`domain.md` 1.4)."""

    NONE = "NONE"
    ACTING = "ACTING"
    APPOINTED = "APPOINTED"
    HANDOVER_PENDING = "HANDOVER_PENDING"
    VACANT = "VACANT"


class Index(StrEnum):
    """What the child index has been told: nothing, that an episode is open, or that one existed."""

    NONE = "NONE"
    OPEN = "OPEN"
    PREVIOUS = "PREVIOUS"


@dataclass(frozen=True, slots=True)
class Regions:
    """Where an episode is; *resume_to* is where PAUSED goes back to, and ``None`` elsewhere."""

    process: str = Process.NONE
    resume_to: str | None = None
    lead: str = Lead.NONE
    index: str = Index.NONE


class Role(StrEnum):
    """What the sending organisation is to this episode; a sender may have several."""

    ANY = "any"
    ASSESSOR = "assessor"
    LEAD = "lead"
    """Serves whoever is responsible now; the assessor counts until somebody is appointed."""
    ACTION_OWNER = "action_owner"
    CONSENT_GIVER_SYSTEM = "consent_giver_system"
    """The assessor's, the lead's or a consent register's system, with a full decision record."""
    EMPLOYING_ORGANISATION = "employing_organisation"
    PARTICIPANT = "participant"
    """Has an open relationship to the episode."""
    RECEIVING_AUTHORITY = "receiving_authority"
    REQUESTED_SERVICE = "requested_service"
    CHILDREN_SOCIAL_CARE = "children_social_care"
    ORIGINATOR = "originator"
    COORDINATOR = "coordinator"
    """Brokers for the authority where the child lives; no member of the episode."""
    HUB = "hub"


INVOLVED: Final = frozenset({Role.ASSESSOR, Role.LEAD, Role.PARTICIPANT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is true at a step, found by the services in tree, agreements and sender; else false.

    The yes-or-no facts named in `GUARDS` are the guards of `domain.md` table 1.2.  *changed* holds
    the codes that `hub.domain.difference` derived, *lead_in_tree* the lead professional state that
    the new tree shows.
    """

    roles: frozenset[Role] = frozenset()
    changed: frozenset[str] = frozenset()
    lead_in_tree: str | None = None

    # Guards.
    purpose_given: bool = False
    match_confirmed_by_person: bool = False
    reasons_explained: bool = False
    storage_consent_given: bool = False
    index_consent_recorded: bool = False
    authority_known: bool = False
    conclusions_present: bool = False
    comments_asked_for: bool = False
    sharing_decided: bool = False
    more_than_one_service_needed: bool = False
    invitees_within_consent: bool = False
    appointee_accepts: bool = False
    appointee_accredited: bool = False
    appointee_on_team: bool = False
    plan_has_outcome_and_action_with_owner_and_date: bool = False
    review_date_set: bool = False
    joiner_named_in_consent: bool = False
    review_has_date_and_people: bool = False
    review_or_closure_decided: bool = False
    decision_names_a_service: bool = False
    closure_reason_present: bool = False
    closure_reason_disengaged_or_withdrawn: bool = False
    closure_reason_administrative: bool = False
    closing_comments_asked_for: bool = False
    receiving_authority_named: bool = False
    receiving_authority_named_in_consent: bool = False
    receiving_practitioner_accredited: bool = False
    referral_basis_named: bool = False
    social_care_decision_recorded: bool = False
    previous_episode_closed: bool = False
    void_reason_given: bool = False
    second_approver: bool = False
    no_legal_hold: bool = False
    request_in_plan: bool = False
    service_consented_for_request: bool = False
    request_open: bool = False
    answer_known: bool = False
    consent_lapsed: bool = False

    # Which of several rows, and which conditional notifications.
    acting: bool = False
    handover_proposed: bool = False
    access_ended: bool = False
    administrative: bool = False
    life_ended: bool = False
    ended_before: bool = False
    storage_withdrawn: bool = False
    something_shared: bool = False
    index_consented: bool = False
    consent_gained: bool = False
    consent_cut: bool = False
    transfer_consented: bool = False
    transfer_consent_gained: bool = False

    @property
    def appointee_accepts_or_acting(self) -> bool:
        """T18: the new one accepts, or somebody acts meanwhile."""
        return self.appointee_accepts or self.acting

    @property
    def scope_is_narrower(self) -> bool:
        """T19: nobody gains anything."""
        return not self.consent_gained

    @property
    def only_contact_or_demographics_changed(self) -> bool:
        """After closure nothing else may change."""
        return self.changed <= {"N4", "N5"}


GUARDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "purpose_given": "say what the index is asked for",
        "match_confirmed_by_person": "a person must confirm that it is the same child",
        "reasons_explained": "explain first why information would be shared",
        "storage_consent_given": "record an informed decision to store, by somebody entitled",
        "index_consent_recorded": "record whether the index may know",
        "authority_known": "give the authority where the child is ordinarily resident",
        "conclusions_present": "complete the conclusions",
        "comments_asked_for": "record the child's and a parent's comments, or why there are none",
        "sharing_decided": "record the family's decision about sharing, per service",
        "more_than_one_service_needed": "name at least two services that are needed",
        "invitees_within_consent": "invite only services that the family's decision names",
        "appointee_accepts": "the appointed person must accept",
        "appointee_accredited": "the appointed person's organisation must be accredited",
        "appointee_on_team": "the appointed person must be on the team",
        "plan_has_outcome_and_action_with_owner_and_date": (
            "agree at least one outcome and one action with owner and date"
        ),
        "review_date_set": "set the date of the review",
        "joiner_named_in_consent": "record a decision that names the new service",
        "review_has_date_and_people": "give the date of the review and who was there",
        "review_or_closure_decided": "give the next review's date, or a reason for closure",
        "appointee_accepts_or_acting": "the new person must accept, or somebody must act meanwhile",
        "scope_is_narrower": "a narrowing gives nobody anything; record a widening instead",
        "decision_names_a_service": "name the services in a fresh decision",
        "closure_reason_present": "give the reason for closure",
        "closure_reason_disengaged_or_withdrawn": "the reason is DISENGAGED or CONSENT_WITHDRAWN",
        "closure_reason_administrative": "the reason is DUPLICATE or ERROR",
        "closing_comments_asked_for": "record the child's and a parent's views of the closure",
        "receiving_authority_named": "name the authority that the family moved to",
        "receiving_authority_named_in_consent": "the family's decision must name this authority",
        "receiving_practitioner_accredited": "the receiving organisation must be accredited",
        "referral_basis_named": "name the basis of the referral (CL-21f)",
        "social_care_decision_recorded": "record the decision: CIN, CP or LAC",
        "previous_episode_closed": "name the closed episode in previous_episode_id",
        "void_reason_given": "say what was wrong: error, duplicate or wrong person",
        "second_approver": "a second person must approve",
        "no_legal_hold": "lift the legal hold first",
        "request_in_plan": "the request must be part of the agreed plan",
        "service_consented_for_request": (
            "the family's decision must name this service for REQUEST_SERVICE"
        ),
        "request_open": "there must be an open request to this service",
        "answer_known": "answer with a code of CL-22b",
        "consent_lapsed": "record a withdrawal; what still holds has not run out",
        "only_contact_or_demographics_changed": (
            "after closure only contact details and demographics change"
        ),
    }
)
"""Every guard with its remedy; each is a fact of `Facts` by the same name."""
