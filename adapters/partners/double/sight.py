"""What do I see?  Tells which sections of a CAF a received body holds, by reading the bytes alone.

Small readers, for canonical JSON, FHIR bundles and HL7 v2, written from the data dictionary and not
from the hub's code.  A section is ``basic`` when only what a listed service always gets is there
(names, dates, whom to ring), ``full`` when there is more.  What cannot be placed is reported as
``unknown:...``, so that a new way to leak does not look like nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ELEMENT_SECTIONS = {
    "1.1": "sec.child.health",
    "1.2": "sec.child.health",
    "1.3": "sec.child.speech",
    "1.4": "sec.child.emotional",
    "1.5": "sec.child.behaviour",
    "1.6": "sec.child.identity",
    "1.7": "sec.child.relationships",
    "1.8": "sec.child.selfcare",
    "1.9": "sec.child.learning",
    "1.10": "sec.child.learning",
    "1.11": "sec.child.learning",
    "1.12": "sec.child.learning",
    "2.1": "sec.parenting",
    "2.2": "sec.parenting",
    "2.3": "sec.parenting",
    "3.1": "sec.env.family",
    "3.2": "sec.env.family",
    "3.3": "sec.env.housing",
    "3.4": "sec.env.community",
}
"""The 19 elements of the form and the section that each belongs to (CL-14)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a body turned out to be; *codes* are the assessment elements with something in them."""

    message_type: str | None
    sections: Mapping[str, str]
    codes: tuple[str, ...]


def look(body: bytes) -> Seen:
    """Return what *body* holds; bytes of no format that is known hold nothing that can be named."""
    if body.startswith(b"MSH"):
        from adapters.partners.double.sight_hl7v2 import look_at_segments  # noqa: PLC0415

        return look_at_segments(body)
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return Seen(None, {"unknown:not-json": "full"}, ())
    if not isinstance(tree, dict):
        return Seen(None, {"unknown:not-an-object": "full"}, ())
    if tree.get("resourceType") == "Bundle":
        from adapters.partners.double.sight_fhir import look_at_bundle  # noqa: PLC0415

        return look_at_bundle(tree)
    return look_at_message(tree)


def add(found: dict[str, str], section: str, weight: str) -> None:
    """Note *section*; ``full`` is never taken back."""
    if found.get(section) != "full":
        found[section] = weight


def holds(value: Any) -> bool:
    """Tell whether there is anything in *value*."""
    return value not in (None, "", [], {})


def look_at_message(tree: Mapping[str, Any]) -> Seen:
    """Read the canonical wire message, or a bare episode (the answer of a view)."""
    message = tree.get("message")
    message_type = message.get("message_type") if isinstance(message, dict) else None
    episode = tree.get("episode") if isinstance(tree.get("episode"), dict) else None
    if episode is None and "episode_id" in tree and "subjects" in tree:
        episode = tree
    found: dict[str, str] = {}
    codes: list[str] = []
    if holds(tree.get("disclosure")):
        add(found, "sec.safeguarding", "full")  # the concern, and who decided
    for section, weight in _episode(episode or {}, codes):
        add(found, section, weight)
    return Seen(message_type, found, tuple(codes))


WHOLE = {
    "checklists": "sec.checklist",
    "assessment": "sec.assess_meta",
    "reviews": "sec.review",
    "safeguarding": "sec.safeguarding",
}
ENVELOPE = {
    "episode_id",
    "unique_ref_no",
    "local_episode_ids",
    "episode_type",
    "form_profile",
    "form_version_no",
    "status",
    "home_authority",
    "other_authorities",
    "previous_episode_id",
    "assessment_started_on",
    "assessment_completed_on",
    "opened_at",
    "closed_at",
    "responsible_practitioner",
}


def _episode(episode: Mapping[str, Any], codes: list[str]) -> Iterator[tuple[str, str]]:
    for key, value in episode.items():
        if not holds(value):
            continue
        if key in ENVELOPE:
            yield "sec.admin", "basic"
        elif key in ("index_checked_at", "index_check_result", "linked_episode_ids"):
            yield "sec.admin", "full"
        elif key in WHOLE:
            yield WHOLE[key], "full"
        elif key == "subjects":
            for subject in value:
                yield from _subject(subject, codes)
        elif key in PARTS:
            for part in value if isinstance(value, list) else [value]:
                yield from _part(PARTS[key], part)
        else:
            yield f"unknown:{key}", "full"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the episode: its section, and which keys are basic or only references."""

    section: str
    basic: frozenset[str]
    references: frozenset[str]


PARTS = {
    "parents_carers": Part(
        "sec.family",
        frozenset({"name", "aka"}),
        frozenset({"parent_carer_id", "is_consent_giver"}),
    ),
    "family": Part("sec.family", frozenset(), frozenset({"family_id"})),
    "services": Part(
        "sec.services",
        frozenset(
            {"assessor", "lead_professional", "lp_state", "lp_from", "lp_to", "universal_service"}
        ),
        frozenset(),
    ),
    "conclusions": Part("sec.conclusions", frozenset(), frozenset()),
    "plan": Part("sec.plan", frozenset(), frozenset({"plan_id", "plan_version", "plan_date"})),
    "closure": Part(
        "sec.closure",
        frozenset({"closed_on", "receiving_authority"}),
        frozenset({"closed_by", "retention_until", "legal_hold"}),
    ),
}


def _part(part: Part, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if not holds(inner) or key in part.references:
            continue
        if key == "relationships":
            beyond = {"has_parental_responsibility", "pr_basis", "lives_with_child"}
            yield part.section, "full" if any(beyond & one.keys() for one in inner) else "basic"
        else:
            yield part.section, "basic" if key in part.basic else "full"


def _subject(subject: Mapping[str, Any], codes: list[str]) -> Iterator[tuple[str, str]]:
    sensitive = {"is_unborn", "expected_date_of_delivery", "date_of_death", "shielding"}
    for key, value in subject.items():
        if not holds(value) or key == "subject_id":
            continue
        if key == "characteristics":
            for name, inner in value.items():
                if holds(inner):
                    basic = name == "child_first_language"
                    yield "sec.characteristics", "basic" if basic else "full"
        elif key == "elements":
            for element in value:
                code = element.get("element", "")
                codes.append(code)
                yield ELEMENT_SECTIONS.get(code, f"unknown:element {code}"), "full"
        else:
            yield "sec.identity", "full" if key in sensitive else "basic"
