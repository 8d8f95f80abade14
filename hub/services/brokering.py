"""The co-ordinator of an episode's authority, who brokers and is no member (`domain.md` 5.3).

Four things and no content: name who leads while nobody does ("W on vacancy", 1.4), end an episode
that was opened twice or in error ("W (admin)"), know how consent stands ("state only"), and look
over the audit ("authority", `hub.services.oversight`).  For all else the co-ordinator is a
stranger.  The last three are for episodes that the child index may
know, open and not shielded in full: who may not learn there that there is one does not learn it
here (CL-24, 4.4).  All of it is read off the head, so that a hidden episode answers as an absent
one, down to the statements.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from hub.domain.exchange import Decision, EpisodeHead, Tree
from hub.domain.partner import Partner, Registry
from hub.domain.regions import LIVE, Lead
from hub.services.indexing import references

FILLS: Final = "lead_professional.changed"
CLOSES: Final = "episode.closed"
LOOKS: Final = object()
"""Asking how consent stands, or for the audit; no message can name it as its event."""
FILLING: Final = frozenset({"coordinator", "participant"})
OVERSEEING: Final = frozenset({"coordinator"})
SHIELD: Final = "shield"
"""The head's fact that says the strongest shield of the newest content (CL-24)."""
OPEN_SHIELDS: Final = frozenset({"none", "whereabouts"})
"""Shields under which it may be known that there is an episode."""


def brokering(
    partner: Partner, head: EpisodeHead | None, event: object, registry: Registry | None
) -> frozenset[str]:
    """Return the roles in which *partner* may do *event* as the co-ordinator of the episode's own
    authority; none where it is not, or may not.
    """
    if head is None or registry is None:
        return frozenset()
    found = registry.coordinators.get(head.home_authority or "")
    if found is None or found.service is None or not partner.serves(found.service):
        return frozenset()
    if event == FILLS and head.lead == Lead.VACANT:
        return FILLING
    if (event == CLOSES or event is LOOKS) and _may_be_known(head):
        return OVERSEEING
    return frozenset()


def _may_be_known(head: EpisodeHead) -> bool:
    """Return whether the index may answer that there is this open episode; what the head does not
    say counts as hidden.
    """
    shield = (head.facts or {}).get(SHIELD)
    return bool(
        head.version and head.process in LIVE and shield in OPEN_SHIELDS and references(head)
    )


def oversteps(held: frozenset[str], message: Tree, sent: Tree) -> bool:
    """Tell whether a co-ordinator's message holds more than it may say in the roles *held*."""
    if "contribution" in message or message.get("message", {}).get("deletes"):
        return True
    if held == OVERSEEING:
        closure = sent.get("closure", {})
        return bool(sent.keys() - {"episode_id", "closure"} or closure.keys() - {"closure_reason"})
    services = sent.get("services", {})
    return not sent.keys() <= {"episode_id", "services"} or not all(
        name == "lead_professional" or name.startswith("lp_") for name in services
    )


def administrative(before: Tree, sent: Tree, today: date) -> Tree:
    """Return *before* ended by a co-ordinator: the reason that was sent, and today as its day."""
    said = sent.get("closure", {})
    if not said:
        return before
    closure = {**before.get("closure", {}), **said, "closed_on": today.isoformat()}
    return {**before, "closure": closure}


def states(decisions: Sequence[Decision], children: Sequence[str]) -> list[dict[str, str]]:
    """Return how consent stands: the state of each child's newest decision and its days, each once.

    No person, service, section or purpose, and no adult's decision about themself.
    """
    newest = {one.data_subject: one.record for one in decisions if one.data_subject in children}
    found = {
        (str(record["state"]), _day(record, "signed_at"), _day(record, "expires_at"))
        for record in newest.values()
    }
    return [
        {"state": state, "signed_on": signed, "expires_on": expires}
        for state, signed, expires in sorted(found)
    ]


def _day(record: Tree, name: str) -> str:
    return str(record.get(name, ""))[:10]
