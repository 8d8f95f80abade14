"""Events: what can happen to an episode, by the names that go over the wire (`domain.md` 1.2).

A sender names one of `WIRE`, or none: a bare episode means "derive what changed".
"""

from enum import StrEnum


class Event(StrEnum):
    """Every event; past tense: the hub is told what happened, and decides whether it could."""

    CONCERN_RAISED = "concern.raised"
    INDEX_CHECKED = "index.checked"
    EXISTING_EPISODE_FOUND = "existing.episode.found"
    CHECKLIST_COMPLETED = "checklist.completed"
    CONSENT_REQUESTED = "consent.requested"
    CONSENT_REFUSED = "consent.refused"
    EPISODE_OPENED = "episode.opened"
    ASSESSMENT_UPDATED = "assessment.updated"
    ASSESSMENT_COMPLETED = "assessment.completed"
    TEAM_CALLED = "team.called"
    LEAD_PROFESSIONAL_APPOINTED = "lead_professional.appointed"
    PLAN_AGREED = "plan.agreed"
    PARTICIPANT_JOINED = "participant.joined"
    ACTION_UPDATED = "action.updated"
    REVIEW_OPENED = "review.opened"
    REVIEW_COMPLETED = "review.completed"
    PRACTITIONER_CONTACT_CHANGED = "practitioner.contact_changed"
    DEMOGRAPHICS_CHANGED = "demographics.changed"
    LEAD_PROFESSIONAL_CHANGED = "lead_professional.changed"
    CONSENT_NARROWED = "consent.narrowed"
    CONSENT_WIDENED = "consent.widened"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_GIVEN = "consent.given"
    EPISODE_CLOSED = "episode.closed"
    FAMILY_MOVED = "family.moved"
    TRANSFER_ACCEPTED = "transfer.accepted"
    TRANSFER_CONSENT_REFUSED = "transfer.consent_refused"
    SOCIAL_CARE_REFERRED = "social_care.referred"
    SOCIAL_CARE_DECISION = "social_care.decision"
    EPISODE_REOPENED = "episode.reopened"
    EPISODE_IMPORTED = "episode.imported"
    EPISODE_VOIDED = "episode.voided"
    RETENTION_EXPIRED = "retention.expired"
    SERVICE_REQUESTED = "service.requested"
    SERVICE_ANSWERED = "service.answered"
    SERVICE_REQUEST_WITHDRAWN = "service.request_withdrawn"

    # The hub's own: nobody sends these.
    EPISODE_UPDATED = "episode.updated"
    """A bare episode arrived; what it means is read from the difference."""
    PARTICIPANT_LEFT = "participant.left"
    """A team member got a leaving date."""
    CONSENT_EXPIRED = "consent.expired"
    """Everything that was agreed to has run out, and nobody said anything."""


INTERNAL = frozenset({Event.EPISODE_UPDATED, Event.PARTICIPANT_LEFT, Event.CONSENT_EXPIRED})
WIRE = frozenset(Event) - INTERNAL
"""The names that a message may carry."""

CONSENT_EVENTS = frozenset(
    {
        Event.CONSENT_REQUESTED,
        Event.CONSENT_REFUSED,
        Event.CONSENT_GIVEN,
        Event.CONSENT_WIDENED,
        Event.CONSENT_NARROWED,
        Event.CONSENT_WITHDRAWN,
        Event.TRANSFER_CONSENT_REFUSED,
    }
)
"""The events that a recorded decision stands for; each comes with its full record."""
