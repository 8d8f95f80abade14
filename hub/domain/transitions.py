"""The transition table: T1-T36 of `domain.md` 1.2 as data.

A row with a letter behind its number is the hub's own: a case that the table leaves open, with the
reason in *note*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from hub.domain.events import Event
from hub.domain.regions import (
    ANY_OPEN,
    BEFORE,
    CONTENT_LEAVES,
    INVOLVED,
    LIVE,
    Lead,
    Process,
    Role,
)


class Move(Enum):
    """A target that depends on where the episode is."""

    SAME = "same"
    RESUME = "resume"
    """Back to where it was when it was paused."""
    BY_FACTS = "by facts"
    """Lead region: ACTING if somebody only acts, else APPOINTED; a bare episode says it itself."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One row.

    *when*: facts that choose this row over a later one for the same state and event.  *guards*:
    facts that must hold, each with its remedy in `GUARDS`.  *raised*: notifications, and
    *raised_if* those that need a fact (or ``content_leaves``, ``offer_due``: see
    `hub.domain.lifecycle`).  *covers*: derived notifications that these make superfluous.
    """

    id: str
    sources: frozenset[Process]
    event: Event
    target: Process | Move = Move.SAME
    who: frozenset[Role] = frozenset({Role.ANY})
    guards: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()
    raised_if: tuple[tuple[str, str], ...] = ()
    covers: frozenset[str] = frozenset()
    lead: Lead | Move = Move.SAME
    closure_reason: str | None = None
    note: str = ""


def _at(*states: Process) -> frozenset[Process]:
    return frozenset(states)


def _by(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


# The table below is read by column: id, from, event, to, then what is particular to the row.
E, P, R = Event, Process, Role
_LEAD = _by(Role.LEAD)
_FAMILY = _by(Role.CONSENT_GIVER_SYSTEM)
_CONTENT = frozenset({"N6", "N9"})
_LEADING = frozenset({"N3"})

# fmt: off
TRANSITIONS: Final = (
    Transition("T1", _at(P.NONE), E.CONCERN_RAISED, P.CONCERN),
    Transition("T2", _at(P.NONE, P.CONCERN), E.INDEX_CHECKED, P.CHECKED, guards=("purpose_given",),
               note="Also from nothing: the concern itself is local and may never reach the hub."),
    Transition("T2a", _at(P.CHECKED), E.EXISTING_EPISODE_FOUND, who=_by(R.HUB),
               guards=("match_confirmed_by_person",), raised=("N12",)),
    Transition("T3", _at(P.CHECKED), E.CHECKLIST_COMPLETED, P.PRE_ASSESSED),
    Transition("T4", BEFORE, E.CONSENT_REQUESTED, P.CONSENT_SOUGHT, guards=("reasons_explained",),
               note="Also from nothing, as T2."),
    Transition("T4a", BEFORE | {P.CONSENT_SOUGHT}, E.CONSENT_GIVEN, P.CONSENT_SOUGHT, who=_FAMILY,
               note="The decision to store reaches the hub before the episode that it allows."),
    Transition("T4b", LIVE | {P.CONSENT_SOUGHT}, E.CONSENT_REQUESTED,
               guards=("reasons_explained",),
               note="Asked again, as with the written assessment (P36)."),
    Transition("T5", _at(P.NONE, P.CONSENT_SOUGHT), E.CONSENT_REFUSED, P.DECLINED, who=_FAMILY),
    Transition("T5a", _at(P.CONSENT_SOUGHT), E.CONSENT_WITHDRAWN, P.DECLINED, who=_FAMILY,
               note="Thought better of before anything was opened."),
    Transition("T6", _at(P.NONE, P.CONSENT_SOUGHT), E.EPISODE_OPENED, P.ASSESSING,
               guards=("storage_consent_given", "index_consent_recorded", "authority_known"),
               raised_if=(("N1", "index_consented"),), lead=Lead.ACTING,
               note="From nothing too: what matters is that the decision to store is recorded."),
    Transition("T6b", _at(P.NONE, P.CONSENT_SOUGHT), E.EPISODE_IMPORTED, P.CLOSED,
               when=("ended_before",),
               guards=("storage_consent_given", "authority_known", "closure_reason_present"),
               raised_if=(("N1", "index_consented"), ("N2", "index_consented")),
               note="Of paper or a legacy system (B10), over before it came: told to the index"
                    " alone, where the family agreed, so that it answers PREVIOUS (CL-23b)."),
    Transition("T6a", _at(P.NONE, P.CONSENT_SOUGHT), E.EPISODE_IMPORTED, P.ASSESSING,
               guards=("storage_consent_given", "index_consent_recorded", "authority_known"),
               raised_if=(("N1", "index_consented"),), lead=Lead.ACTING,
               note="As T6, with the dates that it has always had."),
    Transition("T7", _at(P.ASSESSING), E.ASSESSMENT_UPDATED, who=INVOLVED, raised=("N6",)),
    Transition("T7a", LIVE - {P.ASSESSING}, E.ASSESSMENT_UPDATED, who=INVOLVED,
               raised_if=(("N6", "content_leaves"),),
               note="An assessment goes on living; where content may not leave, it is only kept."),
    Transition("T7b", LIVE, E.EPISODE_UPDATED,
               who=INVOLVED | {R.EMPLOYING_ORGANISATION, R.RECEIVING_AUTHORITY},
               lead=Move.BY_FACTS,
               note="A bare episode: what follows is read from the difference (`DERIVED`)."),
    Transition("T8", _at(P.ASSESSING), E.ASSESSMENT_COMPLETED, P.ASSESSED, who=_by(R.ASSESSOR),
               guards=("conclusions_present", "comments_asked_for", "sharing_decided"),
               raised=("N7",), covers=_CONTENT),
    Transition("T9", _at(P.ASSESSED), E.TEAM_CALLED, P.TEAM_FORMING, who=_by(R.ASSESSOR, R.LEAD),
               guards=("more_than_one_service_needed", "invitees_within_consent"), raised=("N8",)),
    Transition("T10", _at(P.TEAM_FORMING), E.LEAD_PROFESSIONAL_APPOINTED, who=INVOLVED,
               guards=("appointee_accepts", "appointee_accredited", "appointee_on_team"),
               raised=("N3",), lead=Lead.APPOINTED),
    Transition("T11", _at(P.TEAM_FORMING, P.ASSESSED), E.PLAN_AGREED, P.PLAN_ACTIVE, who=_LEAD,
               guards=("plan_has_outcome_and_action_with_owner_and_date", "review_date_set"),
               raised=("N9",)),
    Transition("T12", ANY_OPEN, E.PARTICIPANT_JOINED, who=_LEAD,
               guards=("joiner_named_in_consent",), raised=("N8",),
               raised_if=(("N7", "content_leaves"),)),
    Transition("T13", _at(P.PLAN_ACTIVE), E.ACTION_UPDATED, who=_by(R.ACTION_OWNER),
               raised=("N9",)),
    Transition("T14", _at(P.PLAN_ACTIVE), E.REVIEW_OPENED, P.IN_REVIEW, who=_LEAD,
               guards=("review_has_date_and_people",), raised=("N8",)),
    Transition("T15", _at(P.IN_REVIEW), E.REVIEW_COMPLETED, P.PLAN_ACTIVE, who=_LEAD,
               guards=("review_or_closure_decided",), raised=("N9",)),
    Transition("T16", LIVE, E.PRACTITIONER_CONTACT_CHANGED, who=_by(R.EMPLOYING_ORGANISATION),
               raised=("N4",)),
    Transition("T17", LIVE | {P.CLOSED}, E.DEMOGRAPHICS_CHANGED,
               who=INVOLVED | {R.ORIGINATOR, R.RECEIVING_AUTHORITY}, raised=("N5",)),
    Transition("T17a", _at(P.CLOSED), E.EPISODE_UPDATED,
               who=INVOLVED | {R.ORIGINATOR, R.EMPLOYING_ORGANISATION},
               guards=("only_contact_or_demographics_changed",), note="As T7b, after the end."),
    Transition("T18b", LIVE, E.LEAD_PROFESSIONAL_CHANGED, who=_by(R.HUB), when=("access_ended",),
               lead=Lead.VACANT, covers=_LEADING,
               note="Access ended and nobody follows yet (1.4); N3 goes when somebody does."),
    Transition("T18a", LIVE, E.LEAD_PROFESSIONAL_CHANGED, who=INVOLVED | {R.RECEIVING_AUTHORITY},
               when=("handover_proposed",), lead=Lead.HANDOVER_PENDING, covers=_LEADING,
               note=("Named and not yet accepted: the old one stays responsible, so nobody is told "
                     "(1.4).")),
    Transition("T18", LIVE, E.LEAD_PROFESSIONAL_CHANGED,
               who=INVOLVED | {R.RECEIVING_AUTHORITY, R.HUB},
               guards=("appointee_accepts_or_acting",), raised=("N3",), lead=Move.BY_FACTS),
    Transition("T19", LIVE | {P.CLOSED}, E.CONSENT_NARROWED, who=_FAMILY,
               guards=("scope_is_narrower",), raised=("N10",),
               note="After closure too: copies are still held."),
    Transition("T19a", _at(P.CONSENT_SOUGHT), E.CONSENT_NARROWED, who=_FAMILY,
               note="Nothing was shared yet."),
    Transition("T20", ANY_OPEN, E.CONSENT_WIDENED, who=_FAMILY,
               guards=("decision_names_a_service",),
               raised_if=(("N7", "content_leaves"), ("N10", "consent_cut"), ("N11", "offer_due")),
               note=("A fresh decision may also cut; in TRANSFER_PENDING it may make the offer due "
                     "(S1 9).")),
    Transition("T20a", _at(P.CONSENT_SOUGHT), E.CONSENT_WIDENED, who=_FAMILY,
               note="Shared when the assessment is complete, not before."),
    Transition("T20b", ANY_OPEN, E.CONSENT_GIVEN, who=_FAMILY,
               raised_if=(("N7", "content_leaves"), ("N10", "consent_cut"), ("N11", "offer_due")),
               note="The second of the two decisions (F4), or a renewal."),
    Transition("T24", LIVE, E.CONSENT_WITHDRAWN, P.CLOSED, who=_FAMILY,
               when=("storage_withdrawn",), raised=("N2", "N10"),
               closure_reason="CONSENT_WITHDRAWN",
               note=("A legal hold decides what is erased afterwards, never whether the withdrawal "
                     "counts.")),
    Transition("T24a", _at(P.CLOSED), E.CONSENT_WITHDRAWN, who=_FAMILY, raised=("N10",),
               note="After closure nothing is left to close; copies are still held."),
    Transition("T21a", _at(P.PAUSED), E.CONSENT_WITHDRAWN, who=_FAMILY, raised=("N10",),
               note="Said again: stays paused."),
    Transition("T21", ANY_OPEN, E.CONSENT_WITHDRAWN, P.PAUSED, who=_FAMILY, raised=("N10",)),
    Transition("T21b", ANY_OPEN, E.CONSENT_EXPIRED, P.PAUSED, who=_by(R.HUB),
               guards=("consent_lapsed",), raised=("N10",),
               note="Lapsed, not withdrawn (1.1): found by the hub as time passes."),
    Transition("T22", _at(P.PAUSED), E.CONSENT_GIVEN, Move.RESUME, who=_FAMILY,
               when=("something_shared",), raised_if=(("N7", "content_leaves"),), covers=_CONTENT),
    Transition("T22a", _at(P.PAUSED), E.CONSENT_GIVEN, who=_FAMILY,
               note="A decision that still shares nothing, such as storing renewed."),
    Transition("T30c", LIVE, E.EPISODE_CLOSED, P.CLOSED, who=_by(R.COORDINATOR),
               when=("administrative",), guards=("closure_reason_administrative",), raised=("N2",),
               note=("The authority's co-ordinator, of what was opened twice or in error (5.3): "
                     "about the record, so nobody is asked for views.")),
    Transition("T30b", LIVE, E.EPISODE_CLOSED, P.CLOSED, who=_by(R.ASSESSOR, R.LEAD),
               when=("life_ended",), guards=("closure_reason_present",), raised=("N2",),
               note=("A child died or a pregnancy ended (S5): from any state; nobody is asked for "
                     "views.")),
    Transition("T23", _at(P.PAUSED), E.EPISODE_CLOSED, P.CLOSED, who=_LEAD,
               guards=("closure_reason_disengaged_or_withdrawn",), raised=("N2",)),
    Transition("T25", ANY_OPEN, E.FAMILY_MOVED, P.TRANSFER_PENDING, who=_LEAD,
               guards=("receiving_authority_named",), raised=("N5",),
               raised_if=(("N11", "transfer_consented"),)),
    Transition("T26", _at(P.TRANSFER_PENDING), E.TRANSFER_ACCEPTED, P.PLAN_ACTIVE,
               who=_by(R.RECEIVING_AUTHORITY),
               guards=("receiving_authority_named_in_consent", "receiving_practitioner_accredited"),
               raised=("N11", "N7"), covers=_CONTENT,
               note=("N3 and N4 follow from the difference: S1 10 keeps the lead until B's own "
                     "meeting. N7: content waited for the acceptance (S1 10).")),
    Transition("T27", _at(P.TRANSFER_PENDING), E.TRANSFER_CONSENT_REFUSED, P.CLOSED,
               who=_by(R.CONSENT_GIVER_SYSTEM, R.LEAD), raised=("N2",),
               closure_reason="MOVED_NO_CONSENT"),
    Transition("T28", LIVE, E.SOCIAL_CARE_REFERRED, guards=("referral_basis_named",),
               raised=("N13",)),
    Transition("T29", LIVE, E.SOCIAL_CARE_DECISION, P.CLOSED, who=_by(R.CHILDREN_SOCIAL_CARE),
               guards=("social_care_decision_recorded",), raised=("N2",),
               closure_reason="STEPPED_UP"),
    Transition("T30", _at(P.IN_REVIEW, P.PLAN_ACTIVE), E.EPISODE_CLOSED, P.CLOSED, who=_LEAD,
               guards=("closure_reason_present", "closing_comments_asked_for"), raised=("N2",)),
    Transition("T30a", _at(P.ASSESSED), E.EPISODE_CLOSED, P.CLOSED, who=_LEAD,
               guards=("closure_reason_present",), raised=("N2",),
               note="One service meets the need, or none is needed (1.1, below the table)."),
    Transition("T31", _at(P.NONE, P.CONSENT_SOUGHT), E.EPISODE_REOPENED, P.ASSESSING,
               guards=("previous_episode_closed", "storage_consent_given",
                   "index_consent_recorded", "authority_known"),
               raised_if=(("N1", "index_consented"),), lead=Lead.ACTING,
               note="On the new episode; the closed one is never revived."),
    Transition("T32", LIVE | {P.CONSENT_SOUGHT, P.CLOSED, P.ARCHIVED}, E.EPISODE_VOIDED, P.VOID,
               who=_by(R.ORIGINATOR), guards=("void_reason_given", "second_approver"),
               raised=("N14",)),
    Transition("T33", _at(P.CLOSED), E.RETENTION_EXPIRED, P.ARCHIVED, who=_by(R.HUB),
               guards=("no_legal_hold",), raised=("N15",)),
    Transition("T33a", _at(P.ARCHIVED), E.RETENTION_EXPIRED, P.PURGED, who=_by(R.HUB),
               guards=("no_legal_hold",), raised=("N15",), note="The second half of T33."),
    Transition("T34", _at(P.PLAN_ACTIVE), E.SERVICE_REQUESTED, who=_LEAD,
               guards=("request_in_plan", "service_consented_for_request"), raised=("N16",)),
    Transition("T35", _at(P.PLAN_ACTIVE), E.SERVICE_ANSWERED, who=_by(R.REQUESTED_SERVICE),
               guards=("request_open", "answer_known"), raised=("N16", "N9")),
    Transition("T36", _at(P.PLAN_ACTIVE), E.SERVICE_REQUEST_WITHDRAWN, who=_LEAD,
               guards=("request_open",), raised=("N16",)),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Derivation:
    """The event that a difference between versions stands for, and where it is told."""

    events: tuple[Event, ...]
    states: frozenset[Process]


DERIVED: Final[Mapping[str, Derivation]] = MappingProxyType(
    {
        "N1": Derivation((Event.EPISODE_OPENED,), LIVE),
        "N3": Derivation((Event.LEAD_PROFESSIONAL_CHANGED,), LIVE),
        "N4": Derivation((Event.PRACTITIONER_CONTACT_CHANGED,), LIVE | {Process.CLOSED}),
        "N5": Derivation((Event.DEMOGRAPHICS_CHANGED,), LIVE | {Process.CLOSED}),
        "N6": Derivation((Event.ASSESSMENT_UPDATED,), CONTENT_LEAVES | {Process.ASSESSING}),
        "N8": Derivation((Event.PARTICIPANT_JOINED, Event.PARTICIPANT_LEFT), LIVE),
        "N9": Derivation(
            (Event.ACTION_UPDATED,), frozenset({Process.PLAN_ACTIVE, Process.IN_REVIEW})
        ),
    }
)
"""What a difference means where (`design.md` 2.3): the state is the one after the step.

Elsewhere the change is kept and nobody is told: a plan before it is agreed, content while paused.
N1 is another child in an open episode; a closure that appears is the event ``episode.closed``
itself.
"""
