"""The difference between two versions: what a bare episode says without naming an event.

A sender that can only send whole episodes must still trigger the right notifications (`design.md`
2.3), and one that names an event may have changed more than the event says.  So N1-N5 and the team,
plan and content changes are read off the trees; `together` joins them with what the event raised,
each code once. Trees are whole (already merged): a leaf that is absent has been deleted or never
was.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hub.domain.exchange import Tree
from hub.domain.notifications import in_order
from hub.domain.regions import Lead, Regions

DEMOGRAPHIC: Final = (
    "given_names",
    "family_name",
    "preferred_name",
    "aka_previous_names",
    "gender",
    "is_unborn",
    "date_of_birth",
    "expected_date_of_delivery",
    "date_accuracy",
    "address",
    "no_fixed_or_known_address",
    "ordinarily_resident_authority",
    "contact_tel",
    "email",
    "identifiers",
)
DEMOGRAPHIC_CHARACTERISTICS: Final = (
    "child_first_language",
    "special_requirements",
    "interpreter_required",
    "interpreter_arranged",
)
"""Told to the team, never to the index (`domain.md` 1.5, N5)."""
CONTACT_BLOCK: Final = (
    "name",
    "role",
    "organisation",
    "service_type",
    "contact_tel",
    "email",
    "address_lines",
    "postcode",
)

_CONTENT = ("assessment", "conclusions", "family", "parents_carers", "services")
_TOLD_ELSEWHERE: Final[Mapping[str, frozenset[str]]] = {
    "services": frozenset(
        {"lead_professional", "lp_state", "lp_from", "lp_to", "lp_change_reason"}
    ),
    "characteristics": frozenset(DEMOGRAPHIC_CHARACTERISTICS),
}
"""What N3 and N5 tell of these parts."""


@dataclass(frozen=True, slots=True)
class Derived:
    """One thing to tell: its N-code, the paths that it is about, and its small facts.

    Paths name list items by key: ``subjects[subject_id=s1].family_name``.
    """

    code: str
    paths: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def lead_state(tree: Tree) -> str:
    """Return the lead professional state that a tree shows, for senders that do not name it."""
    services = tree.get("services", {})
    if "lp_state" in services:
        return str(services["lp_state"])
    if "lead_professional" in services:
        return Lead.APPOINTED
    return Lead.ACTING if services.get("assessor") else Lead.NONE


def acting_lead(services: Tree) -> Tree | None:
    """Return who was named to act as lead professional until one is appointed, if anybody was."""
    lead: Tree | None = services.get("lead_professional")
    return lead if services.get("lp_state") == Lead.ACTING else None


def responsible_practitioner(tree: Tree | None, regions: Regions | None = None) -> Tree | None:
    """Return who is responsible: the lead professional if appointed, else who acts (1.4): whoever
    was named for it, or the assessor.

    While a handover is pending the old one stays; without *regions* the tree's own state counts.
    """
    if tree is None:
        return None
    services = tree.get("services", {})
    state = lead_state(tree) if regions is None else regions.lead
    lead: Tree | None = services.get("lead_professional")
    if state in {Lead.HANDOVER_PENDING, Lead.VACANT} and "responsible_practitioner" in tree:
        # The tree may already name the successor: what the hub last derived stays true.
        kept: Tree = tree["responsible_practitioner"]
        if lead is not None and lead.get("practitioner_id") == kept.get("practitioner_id"):
            return lead  # the same person, perhaps with a new number
        return kept
    if lead is not None and state in {Lead.APPOINTED, Lead.HANDOVER_PENDING}:
        return lead
    if state == Lead.ACTING and acting_lead(services) is not None:
        return lead
    assessors: Sequence[Tree] = services.get("assessor", ())
    return assessors[0] if assessors else None


def derive(
    before: Tree | None,
    after: Tree,
    *,
    was: Regions | None = None,
    now: Regions | None = None,
) -> Sequence[Derived]:
    """Return what changed from *before* to *after*, at most one of each code.

    *was* and *now* are the regions before and after the step; without them the trees' own lead
    professional states count.  The first version is only N1: everything in it is new.
    """
    if before is None:
        return (Derived("N1", _subject_paths(after.get("subjects", ()))),)
    found = (
        _new_children(before, after),
        _closure(before, after),
        _responsible(before, after, was, now),
        _contacts(before, after),
        _demographics(before, after),
        _content(before, after),
        _team(before, after),
        _plan(before, after),
    )
    return tuple(derived for derived in found if derived is not None)


def led(
    changes: Sequence[Derived], before: Tree | None, after: Tree, was: Regions, now: Regions
) -> Sequence[Derived]:
    """Return *changes* with N3 as the regions before and after the step say it: of all that is
    derived, only who is responsible depends on them.
    """
    if before is None:
        return changes
    lead = _responsible(before, after, was, now)
    others = tuple(change for change in changes if change.code != "N3")
    return others if lead is None else (*others, lead)


def together(raised: Iterable[str], derived: Iterable[Derived]) -> Sequence[Derived]:
    """Join what a step raised with what the difference shows: each code once, most urgent first.

    *raised* decides which codes are told (`Step.notifications` holds the derived ones that count);
    the difference brings paths and facts to those that it knows.

    >>> [d.code for d in together(("N5", "N11"), (Derived("N5", ("x",)), Derived("N9")))]
    ['N5', 'N11']
    """
    known = {item.code: item for item in derived}
    return tuple(known.get(code) or Derived(code) for code in in_order(set(raised)))


def _by_key(items: Iterable[Tree], key: str) -> dict[str, Tree]:
    return {str(item.get(key)): item for item in items}


def _subject_paths(subjects: Iterable[Tree]) -> tuple[str, ...]:
    return tuple(f"subjects[subject_id={subject.get('subject_id')}]" for subject in subjects)


def _new_children(before: Tree, after: Tree) -> Derived | None:
    known = _by_key(before.get("subjects", ()), "subject_id")
    new = [s for s in after.get("subjects", ()) if s.get("subject_id") not in known]
    return Derived("N1", _subject_paths(new)) if new else None


def _closure(before: Tree, after: Tree) -> Derived | None:
    if "closure" in before or "closure" not in after:
        return None
    return Derived("N2", ("closure",), {"closed_on": after["closure"].get("closed_on")})


def _responsible(
    before: Tree, after: Tree, was: Regions | None, now: Regions | None
) -> Derived | None:
    old, new = responsible_practitioner(before, was), responsible_practitioner(after, now)
    if new is None or (old or {}).get("practitioner_id") == new.get("practitioner_id"):
        return None
    state = lead_state(before) if was is None else was.lead
    services = after.get("services", {})
    appointed = new is services.get("lead_professional")
    facts = {"was_acting": state == Lead.ACTING}
    if "lp_from" in services:
        facts["effective_on"] = services["lp_from"]
    place = "services.lead_professional" if appointed else "services.assessor"
    return Derived("N3", (place,), facts)


def _practitioners(tree: Tree) -> Iterator[Tree]:
    """Yield every copy of every practitioner who works with the family."""
    services, plan = tree.get("services", {}), tree.get("plan", {})
    yield from services.get("assessor", ())
    holders = [services.get("lead_professional")]
    holders += [service.get("practitioner") for service in services.get("other_service", ())]
    holders += [member.get("practitioner") for member in plan.get("team_member", ())]
    holders += [
        action.get("action_owner", {}).get("practitioner") for action in plan.get("action", ())
    ]
    yield from (holder for holder in holders if holder is not None)


def _contact_values(copies: Iterable[Tree]) -> dict[str, dict[str, set[str]]]:
    """Return what is said of each practitioner, field by field, over all copies."""
    said: dict[str, dict[str, set[str]]] = {}
    for practitioner in copies:
        fields = said.setdefault(str(practitioner.get("practitioner_id")), {})
        for name in CONTACT_BLOCK:
            if name in practitioner:
                fields.setdefault(name, set()).add(repr(practitioner[name]))
    return said


def _contacts(before: Tree, after: Tree) -> Derived | None:
    copies = list(_practitioners(before)), list(_practitioners(after))
    if copies[0] == copies[1]:
        return None
    old, new = _contact_values(copies[0]), _contact_values(copies[1])
    changed = sorted(
        person for person in old.keys() & new.keys() if _differs(old[person], new[person])
    )
    return Derived("N4", (), {"practitioners": tuple(changed)}) if changed else None


def _differs(old: Mapping[str, set[str]], new: Mapping[str, set[str]]) -> bool:
    # A further copy that says less, or the same, is no change of contact details.
    return any(
        new.get(name, set()) - old.get(name, set()) or (name in old and name not in new)
        for name in CONTACT_BLOCK
    )


def _demographics(before: Tree, after: Tree) -> Derived | None:
    known = _by_key(before.get("subjects", ()), "subject_id")
    paths = []
    for subject in after.get("subjects", ()):
        old = known.get(str(subject.get("subject_id")))
        if old is None:
            continue
        (place,) = _subject_paths([subject])
        paths += [f"{place}.{n}" for n in DEMOGRAPHIC if old.get(n) != subject.get(n)]
        were, are = old.get("characteristics", {}), subject.get("characteristics", {})
        paths += [
            f"{place}.characteristics.{n}"
            for n in DEMOGRAPHIC_CHARACTERISTICS
            if were.get(n) != are.get(n)
        ]
    return Derived("N5", tuple(paths)) if paths else None


def _differ(old: Any, new: Any) -> bool:
    """Compare content; how to reach a practitioner is N4's to tell, so only who it is counts."""
    return bool(old != new) and _people_by_id(old) != _people_by_id(new)


def _people_by_id(value: Any) -> Any:
    if isinstance(value, dict):
        if "practitioner_id" in value:
            return value["practitioner_id"]
        return {name: _people_by_id(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_people_by_id(inner) for inner in value]
    return value


def _without(tree: Tree, dropped: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name not in dropped}


def _content(before: Tree, after: Tree) -> Derived | None:
    """Find changed assessment content; what N3, N4 and N5 tell is left to them."""
    paths = [name for name in _CONTENT if _part_differs(name, before.get(name), after.get(name))]
    known = _by_key(before.get("subjects", ()), "subject_id")
    for subject in after.get("subjects", ()):
        old = known.get(str(subject.get("subject_id")), {})
        names = [
            name
            for name in old.keys() | subject.keys()
            if name not in DEMOGRAPHIC and _part_differs(name, old.get(name), subject.get(name))
        ]
        paths += [
            f"{place}.{name}" for place in _subject_paths([subject]) for name in sorted(names)
        ]
    return Derived("N6", tuple(paths)) if paths else None


def _part_differs(name: str, old: Any, new: Any) -> bool:
    if old == new:
        return False
    told_elsewhere = _TOLD_ELSEWHERE.get(name)
    if told_elsewhere is not None:
        old, new = _without(old or {}, told_elsewhere), _without(new or {}, told_elsewhere)
    return _differ(old, new)


def _members(tree: Tree) -> set[str]:
    return {
        f"{member.get('organisation')}/{member.get('service_type')}"
        for member in tree.get("plan", {}).get("team_member", ())
        if "left" not in member
    }


def _team(before: Tree, after: Tree) -> Derived | None:
    were, are = _members(before), _members(after)
    if were == are:
        return None
    facts = {"joined": tuple(sorted(are - were)), "left": tuple(sorted(were - are))}
    return Derived("N8", ("plan.team_member",), facts)


def _plan(before: Tree, after: Tree) -> Derived | None:
    """Find changes of plan and reviews; who is on the team is N8's to tell."""
    paths = []
    old, new = before.get("plan", {}), after.get("plan", {})
    names = sorted((old.keys() | new.keys()) - {"team_member"})
    paths += [f"plan.{name}" for name in names if _differ(old.get(name), new.get(name))]
    if _differ(before.get("reviews"), after.get("reviews")):
        paths.append("reviews")
    return Derived("N9", tuple(paths)) if paths else None
