"""What must agree with what inside one thing: a child, an address, an identifier, a pair of
dates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hub.domain.assessment import Checklist
from hub.domain.contacts import Address, Identifier, Practitioner
from hub.domain.dates import after
from hub.domain.disclosure import NAMEABLE, Disclosure, lacking
from hub.domain.episode import Episode
from hub.domain.exchange import Tree
from hub.domain.identifiers import check_identifier
from hub.domain.messages import Acknowledgement, Header, NotificationIdentifier, ScopeItem
from hub.domain.people import OtherService, Relationship, Services, Subject
from hub.domain.plan import Review, ServiceRequest, TeamMember
from hub.errors import Code, Fault

Where = tuple[str | int, ...]


def pointer(where: Where) -> str:
    """Return the JSON pointer of a place; every name in it is a name of the dictionary."""
    return "".join(f"/{step}" for step in where)


@dataclass(slots=True)
class Findings:
    """What was found: faults, failed identifiers (a sender may insist), flags (no harm)."""

    faults: list[Fault] = field(default_factory=list)
    identifiers: list[Fault] = field(default_factory=list)
    flags: list[Fault] = field(default_factory=list)

    def rule(self, where: Where, remedy: str) -> None:
        """Note a broken rule."""
        self.faults.append(Fault(Code.RULE, pointer(where), remedy))


Rule = Callable[[Tree, Where, Findings], None]

_IN_ORDER: Final[Mapping[type, tuple[tuple[str, str], ...]]] = {
    Episode: (("assessment_started_on", "assessment_completed_on"), ("opened_at", "closed_at")),
    Subject: (("date_of_birth", "date_of_death"),),
    Address: (("address_valid_from", "address_valid_to"),),
    Identifier: (("valid_from", "valid_to"),),
    Services: (("lp_from", "lp_to"),),
    OtherService: (("from", "to"),),
    TeamMember: (("joined", "left"),),
    ServiceRequest: (("requested_at", "responded_at"),),
    Review: (("review_date", "next_review_date"),),
    Header: (("sent_at", "expires_at"),),
    Acknowledgement: (("received_at", "applied_at"),),
    ScopeItem: (("from", "to"),),
}


def _order(pairs: tuple[tuple[str, str], ...]) -> Rule:
    def rule(item: Tree, where: Where, found: Findings) -> None:
        for first, second in pairs:
            start, end = item.get(first), item.get(second)
            if start is not None and end is not None and after(start, end):
                found.rule((*where, second), f"not before {first}")

    return rule


def _identifier(item: Tree, where: Where, found: Findings) -> None:
    system, value = item.get("system"), item.get("value")
    if system is None or value is None:
        return
    reason = check_identifier(system, value)
    if reason is not None:
        remedy = f"{reason}: correct it, or say message.accept_failed_identifiers"
        found.identifiers.append(Fault(Code.IDENTIFIER_CHECK, pointer((*where, "value")), remedy))


def _lines(item: Tree, where: Where, found: Findings) -> None:
    lines = item.get("address_lines")
    if lines and not 2 <= len(lines) <= 5:
        found.rule((*where, "address_lines"), "two to five lines")


def _subject(item: Tree, where: Where, found: Findings) -> None:
    born, due, unborn = (
        item.get("date_of_birth"),
        item.get("expected_date_of_delivery"),
        item.get("is_unborn"),
    )
    if born is not None and due is not None:
        found.rule(
            (*where, "expected_date_of_delivery"),
            "a date of birth or an expected date of delivery, never both",
        )
    accuracy = item.get("date_accuracy")
    if born is not None and accuracy is not None and "A" in accuracy[: (10 - len(born)) // 3]:
        found.rule((*where, "date_accuracy"), "no accuracy for a part that is not given")
    if unborn is False and due is not None:
        found.rule((*where, "expected_date_of_delivery"), "only for an unborn child")
    if unborn is True:
        for name in ("date_of_birth", "date_of_death"):
            if item.get(name) is not None:
                found.rule((*where, name), "not for an unborn child")
        for place, identifier in enumerate(item.get("identifiers") or ()):
            if identifier.get("system") in ("nhs-number", "upn", "uln"):
                found.rule((*where, "identifiers", place, "system"), "not for an unborn child")
        if (item.get("characteristics") or {}).get("disability_types"):
            found.rule(
                (*where, "characteristics", "disability_types"), "leave blank for an unborn child"
            )


def _relationship(item: Tree, where: Where, found: Findings) -> None:
    if item.get("pr_basis") is not None and item.get("has_parental_responsibility") == "N":
        found.rule((*where, "pr_basis"), "only where parental responsibility is Y or U")


def _checklist(item: Tree, where: Where, found: Findings) -> None:
    if len(item.get("answer_notes") or ()) > 5:
        found.rule((*where, "answer_notes"), "at most one note for each of the five questions")


def _disclosure(item: Tree, where: Where, found: Findings) -> None:
    for name, remedy in lacking(item).items():
        found.faults.append(Fault(Code.REQUIRED, pointer((*where, name)), remedy))
    for place, section in enumerate(item.get("disclosed_sections") or ()):
        if section not in NAMEABLE:
            found.rule((*where, "disclosed_sections", place), "no exception opens this section")


_RULES: Final[Mapping[type, tuple[Rule, ...]]] = {
    Identifier: (_identifier,),
    NotificationIdentifier: (_identifier,),
    Address: (_lines,),
    Practitioner: (_lines,),
    Subject: (_subject,),
    Relationship: (_relationship,),
    Checklist: (_checklist,),
    Disclosure: (_disclosure,),
}


def rules_for(kind: type | None) -> tuple[Rule, ...]:
    """Return the rules on a thing of this class of the dictionary."""
    if kind is None:
        return ()
    order = (_order(_IN_ORDER[kind]),) if kind in _IN_ORDER else ()
    return _RULES.get(kind, ()) + order
