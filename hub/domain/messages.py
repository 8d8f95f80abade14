"""The one wire message, and what it can carry besides an episode.

A message has metadata (`domain.md` 2.16), perhaps an event, and exactly one payload (`design.md`
section 4).  The classes here are the dictionary of all of that, with the same metadata as the
episode; the reader and the published schema are made from them.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from hub.domain.assessment import DifferenceOfView
from hub.domain.contacts import Practitioner
from hub.domain.dictionary import Node, build
from hub.domain.disclosure import Disclosure
from hub.domain.episode import Episode
from hub.domain.fields import Meta, group, leaf

CONTENT_TYPE: Final = "application/vnd.ecaf.message+json;version=1"
PAYLOADS: Final = (
    "episode",
    "consent_decision",
    "contribution",
    "acknowledgement",
    "notification",
    "disclosure",
)
ALONGSIDE: Final = "disclosure"
"""The one payload that an ``episode`` may go with: the sections that are disclosed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """What a sender says that it left out; the hub itself never says so of its own cuts."""

    section: str = leaf("code", codes="sections", required=True)
    reason: str | None = leaf(length=70)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Message metadata (`domain.md` 2.16); the door supplies what a sender leaves out."""

    message_id: str | None = leaf("ref")
    correlation_id: str | None = leaf("ref")
    causation_id: str | None = leaf("ref")
    message_type: str | None = leaf("code", codes="CL-23")
    schema_version: str | None = leaf(length=10)
    episode_id: str | None = leaf("ref")
    episode_seq: int | None = leaf("int")
    base_seq: int | None = leaf("int")
    sender_org: str | None = leaf(length=40)
    sender_system: str | None = leaf(length=64)
    sender_user_ref: str | None = leaf("ref")
    sent_at: str | None = leaf("datetime")
    recipients: tuple[str, ...] = leaf("service", many=True)
    purpose: str | None = leaf("code", codes="CL-21b")
    consent_decision_id: tuple[str, ...] = leaf("ref", many=True)
    consent_scope_hash: str | None = leaf(length=128)
    redactions: tuple[Redaction, ...] = group(many=True)
    supersedes: str | None = leaf("ref")
    expires_at: str | None = leaf("datetime")
    signature: str | None = leaf(length=4096)
    classification: str | None = leaf(length=35)
    accept_failed_identifiers: bool | None = leaf("bool")
    deletes: tuple[str, ...] = leaf(length=300, many=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail:
    """The facts of a step that the episode itself does not show."""

    reason: str | None = leaf(length=200)
    approved_by: str | None = leaf("ref")
    decision: str | None = leaf("code", codes="social-care-decisions")
    receiving_authority: str | None = leaf("code", codes="CL-29")
    service: str | None = leaf("service")
    request_id: str | None = leaf("ref")
    answer: str | None = leaf("code", codes="CL-22b")
    acting: bool | None = leaf("bool")
    effective_on: str | None = leaf("date")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetenceJudgement:
    """A practitioner's judgement of one child and one decision; never computed from an age."""

    judged_by: str = leaf("ref", required=True)
    judged_at: str = leaf("datetime", required=True)
    outcome: str = leaf("code", codes="competence-outcomes", required=True)
    notes: str | None = leaf("text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Informed:
    """What was explained before the decision, and how (B28 "informed and explicit")."""

    reasons_explained: bool = leaf("bool", required=True)
    leaflet_ref: str | None = leaf(length=70)
    language: str | None = leaf("code", codes="CL-04")
    interpreter: bool | None = leaf("bool")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeItem:
    """One cell of a consent scope: service, section, purpose, period, action."""

    service: str = leaf("service", required=True)
    section: str = leaf("code", codes="scope-sections", required=True)
    purpose: str | None = leaf("code", codes="CL-21b")
    from_: str | None = leaf("date")
    to: str | None = leaf("date")
    action: str | None = leaf("code", codes="scope-actions")
    sensitive: bool | None = leaf("bool")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentDecision:
    """One immutable consent decision (`domain.md` 4.3, with the form's notice of 2.11)."""

    consent_decision_id: str = leaf("ref", key=True, required=True)
    supersedes: str | None = leaf("ref")
    episode_id: str = leaf("ref", required=True)
    subject_id: str = leaf("ref", required=True)
    state: str = leaf("code", codes="CL-21a", required=True)
    purpose: tuple[str, ...] = leaf("code", codes="CL-21b", many=True, required=True)
    given_by_person: str = leaf("ref", required=True)
    given_by_basis: str = leaf("code", codes="CL-21c", required=True)
    pr_basis: str | None = leaf("code", codes="CL-06b")
    competence_judgement: CompetenceJudgement | None = group()
    informed: Informed = group(required=True)
    acknowledged_exceptions: bool | None = leaf("bool", source="P8")
    store_decision: str = leaf("code", codes="yes-no", required=True)
    share_decision: str = leaf("code", codes="yes-no", required=True)
    scope_includes: tuple[ScopeItem, ...] = group(many=True)
    scope_excludes: tuple[ScopeItem, ...] = group(many=True)
    index_consent: str = leaf("code", codes="index-consent", required=True)
    method: str = leaf("code", codes="CL-21d", required=True)
    signed_at: str = leaf("datetime", required=True)
    evidence_ref: str = leaf("ref", required=True)
    recorded_by: str = leaf("ref", required=True)
    recorded_at: str = leaf("datetime", required=True)
    review_by: str = leaf("date", required=True)
    expires_at: str = leaf("date", required=True)
    refusal_scope: str | None = leaf("code", codes="CL-21h")
    withdrawal_type: str | None = leaf("code", codes="CL-21e")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementContribution:
    """One element of one child, as a contributor adds to it."""

    subject_id: str = leaf("ref", required=True)
    element: str = leaf("code", codes="CL-14", required=True)
    commentary: str | None = leaf("text")
    kind: str | None = leaf("code", codes="CL-15")
    evidence_source: str | None = leaf("text")
    difference_of_view: tuple[DifferenceOfView, ...] = group(many=True)
    author: Practitioner | None = group(sensitivity="ADM", about="practitioner")
    authored_at: str | None = leaf("datetime", "ADM")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionContribution:
    """What an action's owner says of its progress (T13)."""

    id: str = leaf("ref", required=True)
    action_status: str | None = leaf("code", codes="CL-22")
    progress_comment: tuple[str, ...] = leaf("text", many=True)
    action_closed_on: str | None = leaf("date")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAnswer:
    """What a requested service answers (T35)."""

    request_id: str = leaf("ref", required=True)
    answer: str = leaf("code", codes="CL-22b", required=True)
    responded_at: str | None = leaf("datetime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """A patch to somebody else's episode: an element, an action, or an answer."""

    episode_id: str = leaf("ref", required=True)
    base_seq: int | None = leaf("int")
    element: ElementContribution | None = group("by element", about="child")
    action: ActionContribution | None = group("sec.plan", "ADD")
    service_answer: ServiceAnswer | None = group("sec.plan", "ADD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What a recipient says of a delivery (`domain.md` 2.16: received, applied, rejected)."""

    delivery_id: str = leaf("ref", required=True)
    code: str = leaf("code", codes="acknowledgement-codes", required=True)
    received_at: str | None = leaf("datetime")
    applied_at: str | None = leaf("datetime")
    rejected_reason: str | None = leaf(length=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationIdentifier:
    """An identifier by which a school or health system knows the child."""

    system: str = leaf("code", codes="CL-25", required=True)
    value: str = leaf(length=64, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedSubject:
    """Whom a notification is about, as far as its sender knows."""

    identifiers: tuple[NotificationIdentifier, ...] = group(many=True)
    given_names: tuple[str, ...] = leaf(length=35, many=True)
    family_name: str | None = leaf(length=35)
    date_of_birth: str | None = leaf("partial_date")
    postcode: str | None = leaf(length=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationCode:
    """A code of the sender's own world (attendance codes, SNOMED CT …), carried as it is."""

    system: str = leaf(length=200, required=True)
    code: str = leaf(length=64, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a school or health system noticed; matched, routed under consent, and else forgotten."""

    kind: str = leaf("code", codes="notification-kinds", required=True)
    subject: NotifiedSubject = group(sensitivity="BAS", about="child", required=True)
    occurred_on: str | None = leaf("date")
    codes: tuple[NotificationCode, ...] = group(sensitivity="ADD SEN", about="child", many=True)
    text: str | None = leaf("text", "ADD SEN", about="child")
    practitioner: Practitioner | None = group(about="practitioner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The wire message: metadata, perhaps an event, and one payload."""

    message: Header | None = group()
    event: str | None = leaf("code", codes="events")
    event_detail: EventDetail | None = group()
    disclosure: Disclosure | None = group("sec.safeguarding", "RES", about="unknown")
    episode: Episode | None = group(about="children")
    consent_decision: ConsentDecision | None = group("sec.consent", about="item")
    contribution: Contribution | None = group(about="children")
    acknowledgement: Acknowledgement | None = group()
    notification: Notification | None = group()


@cache
def message_tree() -> Mapping[str, Node]:
    """Return the nodes of the wire message by name; below ``episode`` they are the episode's."""
    inherited = Meta(section="sec.admin", sensitivity=frozenset({"ADM"}), about="practitioner")
    return types.MappingProxyType(build(Message, "", inherited))
