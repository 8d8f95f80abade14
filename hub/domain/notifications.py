"""Notifications N1-N16: what each may ever show, to whom, and how urgent it is (`domain.md` 1.5).

Table 1.5's "payload, complete list" as data.  A path that is not named here cannot be in that
notification, whatever a caller asks; consent can only take away from it.
N1-N5 carry no assessment content (fact sheet), so the paths of the index and the facts are lists of
leaves; content goes by section and through the gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hub.domain.exchange import Priority


class Audience(StrEnum):
    """Who may be told; the router turns each into services, and the gate asks consent again."""

    INDEX = "index"
    """The child index, under index consent."""
    TEAM = "team"
    """Services with an open relationship and a live sharing cell."""
    SHARING = "sharing"
    """Every service that a live decision lists."""
    ALREADY_SHARING = "already_sharing"
    """Those of `SHARING` that content has gone to before."""
    GAINED = "gained"
    """Services that the change of consent gave something, and no other."""
    LOST = "lost"
    """Services that the change of consent cut, and no other."""
    JOINED = "joined"
    """The service that joined."""
    LEFT = "left"
    """The service that left: the fact of leaving, nothing more."""
    LEAD = "lead"
    """The lead professional's system."""
    RESPONSIBLE = "responsible"
    """The responsible practitioner's system, or the co-ordinator who stands in."""
    RECEIVING_AUTHORITY = "receiving_authority"
    SENDING_AUTHORITY = "sending_authority"
    REQUESTED_SERVICE = "requested_service"
    SOCIAL_CARE = "social_care"
    """The named recipients of a statutory disclosure."""
    RECEIVED = "received"
    """Everyone who ever received N1-N9 of this episode."""
    HOLDERS = "holders"
    """Everyone who still holds copies, at the end of their retention."""


class Basis(StrEnum):
    """What allows a notification out."""

    INDEX = "INDEX"
    SHARING = "SHARING"
    TRANSFER = "TRANSFER"
    REQUEST_SERVICE = "REQUEST_SERVICE"
    RECEIPT = "RECEIPT"
    """The recipient was told something before, and must be told what became of it."""
    CONTACT = "CONTACT"
    """One practitioner asks another to ring back; no content either way."""
    EXCEPTION = "EXCEPTION"
    """`domain.md` 4.6: consent does not decide, everything else does."""


ALL_SECTIONS: Final = frozenset({"*"})
"""Every section that consent permits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One row of table 1.5.

    *facts* are the names that the small facts of the notification may have.  *index_paths* and
    *team_paths* are the only leaves (paths of the data dictionary) that it may show to each, and
    *content* the sections (`ALL_SECTIONS`: any) that go with it through the gate; empty means none.
    *coarse* names leaves that the index gets only as year and month.
    """

    code: str
    name: str
    audience: frozenset[Audience]
    bases: frozenset[Basis]
    facts: frozenset[str]
    priority: Priority = Priority.CONTENT
    index_paths: frozenset[str] = frozenset()
    team_paths: frozenset[str] = frozenset()
    content: frozenset[str] = frozenset()
    coarse: frozenset[str] = frozenset()
    never: str = ""

    @property
    def carries_content(self) -> bool:
        """Whether sections of the episode may travel with it."""
        return bool(self.content)


def _under(prefix: str, *names: str) -> frozenset[str]:
    return frozenset(f"{prefix}.{name}" for name in names)


_REFERENCE = frozenset({"episode_id", "subjects[].subject_id"})
_PRACTITIONER = _under(
    "responsible_practitioner",
    "practitioner_id",
    "name",
    "role",
    "organisation",
    "contact_tel",
    "email",
)
_NAMES = _under("subjects[]", "given_names[]", "family_name")
_OTHER_NAMES = _under(
    "subjects[]", "preferred_name", "aka_previous_names[].name", "aka_previous_names[].use"
)
_BORN = _under("subjects[]", "gender", "date_of_birth", "expected_date_of_delivery")
_IDENTIFIERS = _under("subjects[]", "identifiers[].system", "identifiers[].value")
_ADDRESS = _under(
    "subjects[]",
    "address[].address_lines[]",
    "address[].postcode",
    "address[].uprn",
    "address[].use",
    "address[].address_valid_from",
    "address[].address_valid_to",
    "no_fixed_or_known_address",
)
_EDD = frozenset({"subjects[].expected_date_of_delivery"})

N5_INDEX_PATHS: Final = _NAMES | _OTHER_NAMES | _BORN | _IDENTIFIERS | _ADDRESS
N5_TEAM_PATHS: Final = (
    N5_INDEX_PATHS
    | _under(
        "subjects[]",
        "is_unborn",
        "date_accuracy",
        "identifiers[].verified",
        "identifiers[].valid_from",
        "identifiers[].valid_to",
        "contact_tel[]",
        "email[]",
        "ordinarily_resident_authority",
    )
    | _under(
        "subjects[].characteristics",
        "child_first_language",
        "special_requirements",
        "interpreter_required",
        "interpreter_arranged",
    )
)

_TABLE = (
    Notification(
        code="N1",
        name="CAF_CREATED",
        audience=frozenset({Audience.INDEX}),
        bases=frozenset({Basis.INDEX}),
        facts=frozenset({"mediated"}),
        index_paths=_REFERENCE
        | _NAMES
        | _BORN
        | _IDENTIFIERS
        | _PRACTITIONER
        | frozenset({"subjects[].address[].postcode", "opened_at", "status", "home_authority"}),
        coarse=_EDD,
        never="reason, concern, needs, services list, ethnicity, religion, health, family members",
    ),
    Notification(
        code="N2",
        name="EPISODE_CLOSED",
        priority=Priority.CLOSURE,
        audience=frozenset({Audience.INDEX, Audience.TEAM}),
        bases=frozenset({Basis.INDEX, Basis.SHARING}),
        facts=frozenset({"closed_on"}),
        index_paths=_REFERENCE | _PRACTITIONER | frozenset({"closed_at", "closure.closed_on"}),
        team_paths=_REFERENCE | _PRACTITIONER | frozenset({"closed_at", "closure.closed_on"}),
        # S1 step 13: the team gets "N2 plus closure within scope"; the index only the row above.
        content=frozenset({"sec.closure"}),
        never="to the index: closure reason, outcomes",
    ),
    Notification(
        code="N3",
        name="LEAD_PROFESSIONAL_CHANGED",
        audience=frozenset({Audience.INDEX, Audience.TEAM}),
        bases=frozenset({Basis.INDEX, Basis.SHARING}),
        facts=frozenset({"effective_on", "was_acting", "mediated"}),
        index_paths=_REFERENCE | _PRACTITIONER,
        team_paths=_REFERENCE | _PRACTITIONER,
        never="why it changed",
    ),
    Notification(
        code="N4",
        name="CONTACT_DETAILS_CHANGED",
        audience=frozenset({Audience.INDEX, Audience.TEAM}),
        bases=frozenset({Basis.INDEX, Basis.SHARING}),
        facts=frozenset({"practitioners", "effective_on", "mediated"}),
        index_paths=frozenset({"episode_id"}) | _PRACTITIONER,
        team_paths=frozenset({"episode_id"}) | _PRACTITIONER,
        never="anything about the child",
    ),
    Notification(
        code="N5",
        name="DEMOGRAPHICS_CHANGED",
        audience=frozenset({Audience.INDEX, Audience.TEAM}),
        bases=frozenset({Basis.INDEX, Basis.SHARING}),
        facts=frozenset({"changed", "effective_on", "source"}),
        index_paths=_REFERENCE | N5_INDEX_PATHS,
        team_paths=_REFERENCE | N5_TEAM_PATHS,
        coarse=_EDD,
        never="to the index: ethnicity, religion, immigration, disability; any shielded address",
    ),
    Notification(
        code="N6",
        name="ASSESSMENT_VERSION",
        audience=frozenset({Audience.ALREADY_SHARING}),
        bases=frozenset({Basis.SHARING}),
        facts=frozenset({"sections"}),
        content=ALL_SECTIONS,
        never="sections outside scope",
    ),
    Notification(
        code="N7",
        name="CONTENT_SHARED",
        audience=frozenset({Audience.SHARING, Audience.GAINED, Audience.JOINED}),
        bases=frozenset({Basis.SHARING}),
        facts=frozenset({"sections"}),
        content=ALL_SECTIONS,
        never="sections outside scope",
    ),
    Notification(
        code="N8",
        name="TEAM_EVENT",
        audience=frozenset({Audience.TEAM, Audience.JOINED, Audience.LEFT}),
        bases=frozenset({Basis.SHARING, Basis.RECEIPT}),
        facts=frozenset({"meeting", "meeting_on", "joined", "left", "you_have_left"}),
        team_paths=_REFERENCE,
        never="minutes to non-attendees outside scope",
    ),
    Notification(
        code="N9",
        name="PLAN_EVENT",
        audience=frozenset({Audience.TEAM}),
        bases=frozenset({Basis.SHARING}),
        facts=frozenset({"sections"}),
        content=frozenset({"sec.plan", "sec.review"}),
        never="actions owned by a sensitive service, unless consented",
    ),
    Notification(
        code="N10",
        name="CONSENT_CHANGED",
        priority=Priority.CONSENT,
        audience=frozenset({Audience.LOST}),
        bases=frozenset({Basis.RECEIPT}),
        facts=frozenset({"stop", "scope", "copies", "acknowledge_by", "subject_id"}),
        team_paths=frozenset({"episode_id"}),
        never="who else is affected; reasons",
    ),
    Notification(
        code="N11",
        name="TRANSFER",
        audience=frozenset({Audience.RECEIVING_AUTHORITY, Audience.SENDING_AUTHORITY}),
        bases=frozenset({Basis.TRANSFER, Basis.RECEIPT}),
        facts=frozenset({"kind", "receiving_authority"}),
        team_paths=_REFERENCE | _NAMES | _BORN | _IDENTIFIERS | _ADDRESS | _PRACTITIONER,
        never="content before acceptance",
    ),
    Notification(
        code="N12",
        name="CONTACT_REQUEST",
        audience=frozenset({Audience.RESPONSIBLE}),
        bases=frozenset({Basis.CONTACT}),
        facts=frozenset({"asker", "purpose", "call_back", "episode_ref"}),
        team_paths=frozenset({"episode_id"}),
        never="the existence of sensitive services",
    ),
    Notification(
        code="N13",
        name="STATUTORY",
        priority=Priority.STATUTORY,
        audience=frozenset({Audience.SOCIAL_CARE}),
        bases=frozenset({Basis.EXCEPTION}),
        facts=frozenset(
            {
                "exception_id",
                "basis",
                "concern_summary",
                "decided_by",
                "decided_at",
                "family_informed",
                "sections",
                "consent_unverified",
            }
        ),
        content=ALL_SECTIONS,
        never="sections that the disclosure does not name",
    ),
    Notification(
        code="N14",
        name="CORRECTION",
        priority=Priority.VOID,
        audience=frozenset({Audience.RECEIVED}),
        bases=frozenset({Basis.RECEIPT}),
        facts=frozenset({"disregard", "copies"}),
        index_paths=frozenset({"episode_id"}),
        team_paths=frozenset({"episode_id"}),
        never="the wrong person's data again",
    ),
    Notification(
        code="N15",
        name="RETENTION",
        audience=frozenset({Audience.HOLDERS}),
        bases=frozenset({Basis.RECEIPT}),
        facts=frozenset({"action", "on"}),
        index_paths=frozenset({"episode_id"}),
        team_paths=frozenset({"episode_id"}),
    ),
    Notification(
        code="N16",
        name="SERVICE_REQUEST",
        audience=frozenset({Audience.REQUESTED_SERVICE, Audience.LEAD}),
        bases=frozenset({Basis.REQUEST_SERVICE, Basis.RECEIPT}),
        facts=frozenset({"request_id", "requested_service", "kind", "answer", "answered_on"}),
        content=ALL_SECTIONS,
        never="anything outside the requested service's scope; that other services were asked",
    ),
)

NOTIFICATIONS: Final[Mapping[str, Notification]] = MappingProxyType(
    {row.code: row for row in _TABLE}
)
"""Table 1.5 by code."""

RECEIVED_CODES: Final = frozenset(f"N{number}" for number in range(1, 10))
"""Whoever received one of these is told when the episode turns out to be void (T32)."""


def in_order(codes: frozenset[str] | set[str]) -> tuple[str, ...]:
    """Return *codes* once each, most urgent first, then by number.

    >>> in_order({"N2", "N10", "N3"})
    ('N10', 'N2', 'N3')
    """
    return tuple(sorted(codes, key=lambda code: (NOTIFICATIONS[code].priority, int(code[1:]))))
