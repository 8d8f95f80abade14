"""What each notification shows: which part of an episode it is about, before the gate cuts it.

The lists of `domain.md` 1.5 ("payload, complete list") as selections of the canonical tree.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from hub.domain.difference import DEMOGRAPHIC, DEMOGRAPHIC_CHARACTERISTICS
from hub.domain.exchange import Tree
from hub.services.masking import restricted_codes

ENVELOPE: Final = ("episode_id",)
CONTACT: Final = ("episode_id", "responsible_practitioner")
PLAN: Final = ("episode_id", "status", "responsible_practitioner", "plan", "reviews")
PLAN_IDS: Final = ("plan_id", "plan_version", "plan_date")
SETTLED: Final = ("lead_professional", "lp_state", "lp_from", "lp_to", "lp_change_reason")
NEVER: Final = frozenset({"checklists", "safeguarding"})
MEMBERS: Final[Mapping[str, str]] = {
    "parents_carers": "sec.family",
    "family": "sec.family",
    "services": "sec.services",
    "assessment": "sec.assess_meta",
    "conclusions": "sec.conclusions",
    "plan": "sec.plan",
    "reviews": "sec.review",
    "closure": "sec.closure",
}
"""Where the sections are, besides in a child; nothing of the episode's own state is among them."""

INDEX_SUBJECT: Final = (
    "subject_id",
    "is_unborn",
    "identifiers",
    "given_names",
    "family_name",
    "gender",
    "date_of_birth",
    "expected_date_of_delivery",
    "address",
    "aka_previous_names",
)
MATCHED: Final = frozenset(INDEX_SUBJECT) - {"subject_id", "is_unborn"}
UNTOLD: Final = restricted_codes("CL-28") | {"old"}
INDEX_IDENTIFIERS: Final = frozenset({"nhs-number", "upn"})
INDEX_CONTACT: Final = ("name", "role", "organisation", "contact_tel", "email")


def take(tree: Tree, names: Iterable[str]) -> dict[str, Any]:
    """Return the named members of *tree* that it has."""
    return {name: tree[name] for name in names if name in tree}


def _content(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name not in NEVER}


def _contact(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return take(tree, CONTACT)


def _contacts(tree: Tree, focus: tuple[str, ...]) -> dict[str, Any]:
    """The contact blocks of the practitioners whom *focus* names, wherever they work; nothing of
    the child (N4).
    """

    def of(block: Tree | None) -> bool:
        return block is not None and block.get("practitioner_id") in focus

    shown = take(tree, ENVELOPE)
    services = tree.get("services", {})
    found: dict[str, Any] = {}
    if of(tree.get("responsible_practitioner")):
        shown["responsible_practitioner"] = tree["responsible_practitioner"]
    if of(services.get("lead_professional")):
        found["lead_professional"] = services["lead_professional"]
    for name, block in (("assessor", None), ("other_service", "practitioner")):
        items = [
            item
            for item in services.get(name, ())
            if of(item if block is None else item.get(block))
        ]
        if items:
            found[name] = items
    if found:
        shown["services"] = found
    members = [
        member
        for member in tree.get("plan", {}).get("team_member", ())
        if of(member.get("practitioner"))
    ]
    return {**shown, "plan": {"team_member": members}} if members else shown


def _request(tree: Tree, focus: tuple[str, ...]) -> dict[str, Any]:
    """The content for one request for services, and no other request (N16)."""
    shown = _content(tree, focus)
    plan = shown.get("plan", {})
    if "service_request" in plan:
        asked = [item for item in plan["service_request"] if item.get("id") in focus[1:]]
        shown["plan"] = {**plan, "service_request": asked}
    return shown


def _envelope(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return take(tree, ENVELOPE)


def of_sections(tree: Tree, named: Collection[str]) -> dict[str, Any]:
    """Return the part of an episode that the sections *named* can be cut from: the children, and
    not even who works with the family where that section is not named.
    """
    open_to = (name for name, section in MEMBERS.items() if section in named)
    return take(tree, ("episode_id", "subjects", *open_to))


def _plan(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return take(tree, PLAN)


def _closure(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return take(tree, (*CONTACT, "status", "closed_at", "closure"))


def _team(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    members = tree.get("plan", {}).get("team_member")
    shown = take(tree, (*CONTACT, "status"))
    return {**shown, "plan": {"team_member": members}} if members else shown


def _offer(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    """The child's identity and whom to ring; no content before acceptance (N11)."""
    identity = [
        "subject_id",
        "is_unborn",
        "identifiers",
        "given_names",
        "family_name",
        "preferred_name",
        "gender",
        "date_of_birth",
        "date_accuracy",
        "address",
        "no_fixed_or_known_address",
        "contact_tel",
        "email",
    ]
    return {
        **take(tree, CONTACT),
        "subjects": [take(subject, identity) for subject in tree.get("subjects", ())],
    }


def changed_fields(focus: tuple[str, ...], subject_id: str) -> list[str]:
    """Return the fields of one child that *focus* names, relative to the child."""
    prefix = f"subjects[subject_id={subject_id}]."
    return sorted(path.removeprefix(prefix) for path in focus if path.startswith(prefix))


def _demographics(tree: Tree, focus: tuple[str, ...]) -> dict[str, Any]:
    """The changed fields only: *focus* names them as ``subjects[subject_id=…].field``."""
    subjects = []
    for subject in tree.get("subjects", ()):
        changed = changed_fields(focus, subject["subject_id"])
        direct = [name for name in changed if "." not in name]
        characteristics = [name.partition(".")[2] for name in changed if "." in name]
        shown = take(subject, ("subject_id", *direct))
        if characteristics and "characteristics" in subject:
            shown["characteristics"] = take(subject["characteristics"], characteristics)
        subjects.append(shown)
    return {**take(tree, ENVELOPE), "subjects": subjects}


VIEWS: Final[Mapping[str, Callable[[Tree, tuple[str, ...]], dict[str, Any]]]] = {
    "N2": _closure,
    "N3": _contact,
    "N4": _contacts,
    "N5": _demographics,
    "N6": _content,
    "N7": _content,
    "N8": _team,
    "N9": _plan,
    "N10": _envelope,
    "N11": _offer,
    "N14": _envelope,
    "N16": _request,
    "NOTICE": _contact,
    "PULL": of_sections,
    "VIEW": _content,
}

CONTENT: Final = frozenset({"N6", "N7", "N9", "VIEW"})
"""The types that say nothing but content: with nothing new to see, nothing is sent."""


def view(message_type: str, tree: Tree, focus: tuple[str, ...]) -> dict[str, Any]:
    """Return what a message of this type is about; an unknown type shows the reference alone."""
    return VIEWS.get(message_type, _envelope)(tree, focus)


def news_view(message_type: str, tree: Tree) -> dict[str, Any]:
    """Return the part of an episode whose change a message of this type tells: what N3, N4, N5 and
    N8 tell is theirs.
    """
    if message_type == "N9":
        plan = _without(tree.get("plan", {}), ("team_member", *PLAN_IDS))
        return {**take(tree, ("reviews",)), "plan": plan}
    shown = take(tree, ("assessment", "parents_carers", "family", "services", "conclusions"))
    if "services" in shown:
        shown["services"] = _without(shown["services"], SETTLED)
    shown["subjects"] = [
        {
            **_without(subject, DEMOGRAPHIC),
            "characteristics": _without(
                subject.get("characteristics", {}), DEMOGRAPHIC_CHARACTERISTICS
            ),
        }
        for subject in tree.get("subjects", ())
    ]
    return shown


def _without(tree: Tree, names: Iterable[str]) -> dict[str, Any]:
    dropped = frozenset(names)
    return {name: value for name, value in tree.items() if name not in dropped}


def index_view(
    message_type: str, tree: Tree, subject_id: str, focus: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the child index may hold of one child, and nothing else (`domain.md` 1.5, 5.4).

    The expected date of delivery goes as year and month; never a shielded address, a reason, a
    service list or ethnicity.
    """
    shown: dict[str, Any] = {}
    if message_type in {"N1", "N3", "N4", "N2"}:
        contact = tree.get("responsible_practitioner")
        if contact:
            shown["responsible_practitioner"] = take(contact, INDEX_CONTACT)
    if message_type == "N1":
        shown.update(take(tree, ("status", "opened_at", "home_authority")))
    if message_type == "N2":
        shown.update(take(tree, ("closed_at",)))
    if message_type in {"N1", "N5"}:
        for subject in tree.get("subjects", ()):
            if subject.get("subject_id") == subject_id:
                shown["subject"] = _index_subject(subject, message_type, focus)
    return shown


def _index_subject(subject: Tree, message_type: str, focus: tuple[str, ...]) -> dict[str, Any]:
    """Return the match set of one child, or what changed of it: None for what is gone.

    An address that may not be told, and one that is no longer there, look the same.
    """
    told: dict[str, Any] = {
        name: value for name in INDEX_SUBJECT if name in MATCHED and (value := _told(subject, name))
    }
    if message_type == "N1":
        return told
    changed = changed_fields(focus, subject["subject_id"])
    return {name: told.get(name) for name in INDEX_SUBJECT if name in changed and name in MATCHED}


def _told(subject: Tree, name: str) -> Any:
    value = subject.get(name)
    match name:
        case "expected_date_of_delivery":
            return str(value)[:7] if value else None
        case "identifiers":
            return [
                take(held, ("system", "value"))
                for held in value or ()
                if held.get("system") in INDEX_IDENTIFIERS
            ]
        case "address":
            return [
                take(held, ("address_lines", "postcode"))
                for held in value or ()
                if held.get("use") not in UNTOLD
            ]
    return value
