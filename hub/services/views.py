"""What each notification shows: which part of an episode it is about, before the gate cuts it.

The lists of `domain.md` 1.5 ("payload, complete list") as selections of the canonical tree.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from hub.domain.exchange import Tree

ENVELOPE: Final = ("episode_id",)
CONTACT: Final = ("episode_id", "responsible_practitioner")
PLAN: Final = ("episode_id", "status", "responsible_practitioner", "plan", "reviews")
NEVER: Final = frozenset({"checklists", "safeguarding"})

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
INDEX_CONTACT: Final = ("name", "role", "organisation", "contact_tel", "email")


def take(tree: Tree, names: Iterable[str]) -> dict[str, Any]:
    """Return the named members of *tree* that it has."""
    return {name: tree[name] for name in names if name in tree}


def _content(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name not in NEVER}


def _contact(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return take(tree, CONTACT)


def _envelope(tree: Tree, _focus: tuple[str, ...]) -> dict[str, Any]:
    return take(tree, ENVELOPE)


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
    "N4": _contact,
    "N5": _demographics,
    "N6": _content,
    "N7": _content,
    "N8": _team,
    "N9": _plan,
    "N10": _envelope,
    "N11": _offer,
    "N14": _envelope,
    "N16": _content,
    "NOTICE": _contact,
    "VIEW": _content,
}

CONTENT: Final = frozenset({"N6", "N7", "N9", "VIEW"})
"""The types that say nothing but content: with nothing new to see, nothing is sent."""


def view(message_type: str, tree: Tree, focus: tuple[str, ...]) -> dict[str, Any]:
    """Return what a message of this type is about; an unknown type shows the reference alone."""
    return VIEWS.get(message_type, _envelope)(tree, focus)


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
    changed = changed_fields(focus, subject["subject_id"])
    names = [
        name
        for name in INDEX_SUBJECT
        if name not in {"subject_id", "is_unborn"} and (message_type == "N1" or name in changed)
    ]
    shown = take(subject, names)
    if "expected_date_of_delivery" in shown:
        shown["expected_date_of_delivery"] = str(shown["expected_date_of_delivery"])[:7]
    if "expected_date_of_delivery" in changed and "expected_date_of_delivery" not in subject:
        shown["expected_date_of_delivery"] = None
    if "address" in shown:
        shown["address"] = [
            take(address, ("address_lines", "postcode"))
            for address in subject["address"]
            if address.get("use") not in {"refuge", "old"}
        ]
    return shown
