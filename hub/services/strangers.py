"""Strangers: who has nothing to do with an episode, told without opening it.

To a stranger an episode that exists, is shielded or is led by a sensitive service answers as one
that does not (`domain.md` CL-32, `reliability.md` P25), down to the statements that the record is
asked: so the question is answered from the head and the relationships alone, which are read of an
unknown episode alike.
"""

from collections.abc import Sequence
from typing import Any, Final

from hub.domain.exchange import EpisodeHead, Involvement, Tree
from hub.domain.partner import Partner
from hub.errors import Code, Missing

REGISTER: Final = "register"
"""The role and operation of a register of consent; no profile can have it (`OPERATIONS`)."""
AT_WORK: Final = "at_work"
"""The head's fact that names the organisations whose people are in the episode, or were asked."""


UNTOLD: Final = frozenset({Code.NO_RELATIONSHIP, Code.SHIELDED, Code.SENSITIVE})
"""Refusals of the gate that a caller is told as one (`domain.md` 4.4, CL-32): `hidden`."""


def hidden() -> Missing:
    """Return the one answer for unknown, shielded and unrelated, on every way to an episode."""
    return Missing(Code.NO_RELATIONSHIP, "no episode of this reference has a relationship to you")


def at_work(tree: Tree) -> list[str]:
    """Return the organisations of assessors, lead and requested services, for the head."""
    services, plan = tree.get("services", {}), tree.get("plan", {})
    blocks: list[Any] = [*services.get("assessor", ()), services.get("lead_professional") or {}]
    found = {str(block.get("organisation", "")) for block in blocks}
    found |= {
        str(request.get("requested_service", "")).partition("/")[0]
        for request in plan.get("service_request", ())
    }
    return sorted(found - {""})


def stranger(
    partner: Partner, head: EpisodeHead | None, involvements: Sequence[Involvement]
) -> bool:
    """Return whether *partner* never had anything to do with the episode, if there is one."""
    if head is None:
        return True
    if REGISTER in partner.operations:
        return False
    facts = head.facts or {}
    if head.version and AT_WORK not in facts:
        return False
    named = {head.owner, facts.get("receiving"), *facts.get("seen", {})}
    return not (
        partner.name in named
        or partner.organisation in facts.get(AT_WORK, ())
        or any(partner.serves(held.service) for held in involvements)
    )
