"""Where a sender stands to an episode: its roles, and what it may write.

Roles are read off the episode itself, never off the message: who opened it, who assesses, who
leads, who is on the team, who was asked for a service (`domain.md` 5.2, 5.3).
"""

from collections.abc import Callable, Sequence
from typing import Final

from hub.domain.dictionary import Leaf
from hub.domain.difference import CONTACT_BLOCK, acting_lead
from hub.domain.exchange import EpisodeHead, Involvement, Tree
from hub.domain.partner import Partner
from hub.errors import Code, Conflict, Fault
from hub.services.strangers import REGISTER

DEMOGRAPHIC_SECTIONS: Final = frozenset({"sec.identity"})
SHARED_CHARACTERISTICS: Final = (
    "subjects[].characteristics.child_first_language",
    "subjects[].characteristics.parent_first_language",
    "subjects[].characteristics.special_requirements",
    "subjects[].characteristics.interpreter_required",
    "subjects[].characteristics.interpreter_arranged",
)
OWN_ACTION: Final = ("action_status", "progress_comment", "action_closed_on")
OWN_ANSWER: Final = ("response", "responded_at")
WRITES_ALL: Final = frozenset({"originator", "assessor", "lead", "receiving_authority"})


def service_of(practitioner: Tree | None) -> str | None:
    """Return the service ref of a practitioner's contact block, if it names one."""
    if not practitioner:
        return None
    organisation, kind = practitioner.get("organisation"), practitioner.get("service_type")
    return f"{organisation}/{kind}" if organisation and kind else None


def people_at(tree: Tree, service: str) -> tuple[str, ...]:
    """Return the references of the practitioners of *service* who work on the episode: who leads
    or assesses, and who is on the team and has not left.
    """
    services = tree.get("services", {})
    blocks = [*services.get("assessor", ()), services.get("lead_professional")]
    blocks += [
        {**(member.get("practitioner") or {}), **_place(member)}
        for member in tree.get("plan", {}).get("team_member", ())
        if "left" not in member
    ]
    found = (block.get("practitioner_id") for block in blocks if service_of(block) == service)
    return tuple(dict.fromkeys(str(ref) for ref in found if ref))


def _place(member: Tree) -> Tree:
    return {k: member[k] for k in ("organisation", "service_type") if k in member}


def responsible(head: EpisodeHead) -> str | None:
    """Return the service of the responsible practitioner: the lead professional's, else the
    assessor's (`domain.md` 1.4).
    """
    return head.lead_service or head.assessor_service


def employs(partner: Partner, practitioner: Tree | None) -> bool:
    """Return whether *practitioner* works for the partner's organisation."""
    return bool(practitioner) and practitioner.get("organisation") == partner.organisation  # type: ignore[union-attr]


def roles(
    partner: Partner,
    head: EpisodeHead | None,
    tree: Tree | None,
    involvements: Sequence[Involvement],
) -> frozenset[str]:
    """Return every role that *partner* has in the episode now; empty for a stranger."""
    if head is None:
        return frozenset()
    if REGISTER in partner.operations:
        return frozenset({REGISTER})
    held = set()
    facts = head.facts or {}
    services = (tree or {}).get("services", {})
    if head.owner == partner.name and not facts.get("handed_on"):
        held.add("originator")
    if any(employs(partner, assessor) for assessor in services.get("assessor", ())):
        held.add("participant")
        if not facts.get("handed_on") and head.owner == partner.name:
            held.add("assessor")
    lead = services.get("lead_professional")
    if head.lead in {"APPOINTED", "HANDOVER_PENDING"} and employs(partner, lead):
        held.add("lead")
    if head.lead == "ACTING" and (
        employs(partner, acting_lead(services)) or held & {"assessor", "originator"}
    ):
        held.add("lead")
    if any(partner.serves(held_by.service) and held_by.is_open for held_by in involvements):
        held.add("participant")
    if facts.get("receiving") == partner.name:
        held.add("receiving_authority")
    for request in (tree or {}).get("plan", {}).get("service_request", ()):
        if partner.serves(request.get("requested_service", "")):
            held.add("requested_service")
    if held:
        held.add("employing_organisation")
    if "lead" in held or "assessor" in held or "originator" in held:
        held.add("participant")
    return frozenset(held)


def deciding(partner: Partner, head: EpisodeHead | None, event: object) -> frozenset[str]:
    """Return the role of children's social care that was told of the episode by law and reports its
    decision (T29): it may say that, and see nothing for it.
    """
    told = (head.facts or {}).get("statutory", ()) if head is not None else ()
    mine = (ref for ref in told if str(ref).endswith("/CSC") and partner.serves(str(ref)))
    if event != "social_care.decision" or not any(mine):
        return frozenset()
    return frozenset({"children_social_care"})


TEAM_EVENTS: Final = frozenset(
    {"team.called", "lead_professional.appointed", "lead_professional.changed"}
)
TEAM_LEAVES: Final = ("services.lead_professional.", "services.lp_", "plan.team_member[]")
CONTACT_EVENT: Final = "practitioner.contact_changed"
LEAD_CONTACT: Final = frozenset(f"services.lead_professional.{name}" for name in CONTACT_BLOCK)
"""How to reach whoever leads: the employer's to change (T16), also while nobody may lead."""
PLAN_ENVELOPE: Final = frozenset({"plan.plan_id", "plan.plan_version", "plan.plan_date"})


def writable(held: frozenset[str], event: str | None) -> Callable[[Leaf], bool]:
    """Return which leaves a sender with these roles may write with this event.

    Any participant may record what the team's meeting agreed about the team itself (T10, T18).
    """
    if held & WRITES_ALL:
        return lambda _leaf: True

    def participant(leaf: Leaf) -> bool:
        if event in TEAM_EVENTS and (
            leaf.path.startswith(TEAM_LEAVES) or leaf.path in PLAN_ENVELOPE
        ):
            return True
        if leaf.path == "subjects[].shielding":
            return False  # set and lifted by who answers for the episode (`domain.md` A10)
        if event == CONTACT_EVENT and leaf.path in LEAD_CONTACT:
            return True
        if leaf.path.startswith("subjects[]."):
            return leaf.section in DEMOGRAPHIC_SECTIONS or leaf.path.startswith(
                SHARED_CHARACTERISTICS
            )
        if leaf.path.startswith("plan.action[]."):
            return leaf.path.removeprefix("plan.action[].").removesuffix("[]") in OWN_ACTION
        if leaf.path.startswith("plan.service_request[]."):
            return leaf.path.removeprefix("plan.service_request[].") in OWN_ANSWER
        # The contact block of one's own practitioners; whose it is, is checked item by item.
        return ".practitioner." in leaf.path or leaf.path.startswith("services.assessor[].")

    return participant


def check_own(partner: Partner, held: frozenset[str], before: Tree, after: Tree) -> None:
    """Refuse changes to other people's actions, answers and contact blocks with ``E_NOT_OWNER``.

    Each updates "their own actions" (`domain.md` B22, T13); the lead may make and reword actions,
    and even the lead may not report on somebody else's.
    """
    faults = [
        *_foreign(partner, before, after, "action", OWN_ACTION, _owner),
        *_foreign(
            partner,
            before,
            after,
            "service_request",
            OWN_ANSWER,
            lambda item: item.get("requested_service"),
            # Who asked may take the request back (T36), and say nothing else in the other's stead.
            lambda item: "lead" in held and item.get("response") == "WITHDRAWN",
        ),
    ]
    if not held & WRITES_ALL:
        faults.extend(_foreign_contacts(partner, before, after))
    if faults:
        raise Conflict(Code.NOT_OWNER, "somebody else's to change", tuple(faults))


def _owner(action: Tree) -> str | None:
    owner = action.get("action_owner", {})
    return owner.get("service") or service_of(owner.get("practitioner"))


def _foreign(
    partner: Partner,
    before: Tree,
    after: Tree,
    name: str,
    fields: Sequence[str],
    owner: Callable[[Tree], str | None],
    free: Callable[[Tree], bool] = lambda _item: False,
) -> list[Fault]:
    faults: list[Fault] = []
    old = {item["id"]: item for item in before.get("plan", {}).get(name, ())}
    for item in after.get("plan", {}).get(name, ()):
        known = old.get(item["id"])
        if known is None:
            continue
        service = owner(known)
        # An action without an owning service (a family member's) is the lead's to report on.
        if service is None or partner.serves(service) or free(item):
            continue
        faults.extend(
            Fault(Code.NOT_OWNER, f"plan.{name}[id].{field}", "leave it to its owner")
            for field in fields
            if known.get(field) != item.get(field)
        )
    return faults


def _foreign_contacts(partner: Partner, before: Tree, after: Tree) -> list[Fault]:
    faults: list[Fault] = []
    for path, old in contact_blocks(before):
        for other, new in contact_blocks(after):
            if (
                path == other
                and old.get("practitioner_id") == new.get("practitioner_id")
                and old != new
                and old.get("organisation") != partner.organisation
            ):
                faults.append(Fault(Code.NOT_OWNER, path, "leave it to the employing organisation"))
    return faults


def contact_blocks(tree: Tree) -> Sequence[tuple[str, Tree]]:
    """Return (path, practitioner) of every contact block of the people doing the work."""
    services = tree.get("services", {})
    blocks = [("services.assessor[]", block) for block in services.get("assessor", ())]
    if services.get("lead_professional"):
        blocks.append(("services.lead_professional", services["lead_professional"]))
    blocks.extend(
        ("plan.team_member[].practitioner", member["practitioner"])
        for member in tree.get("plan", {}).get("team_member", ())
        if member.get("practitioner")
    )
    return blocks
