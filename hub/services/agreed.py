"""Whether a family agreed, where an exception to consent rests on it, and whether anybody can tell.

Children's social care may be told of a child in need only with agreement (s17, `domain.md` 4.6):
the recorded decisions are asked, section by section.  For every other basis the decisions are only
looked at, so that the record says how things stood; what cannot be read is said, and stops nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements, Ask
from hub.domain.decision import readable
from hub.domain.exchange import Decision, Tree
from hub.ports import Session
from hub.services.lawful import people_of
from hub.services.registers import Registers, Unsure, heard
from hub.services.rights import Rights

AGREED_FOR: Final = ("ASSESS", "PLAN", "REQUEST_SERVICE", "PULL_THROUGH")
"""Purposes under which a decision that names children's social care is an agreement to tell it."""


@dataclass(frozen=True, slots=True)
class Stood:
    """How consent stood when the decision was taken; *verified*: the decisions could be read.

    *states* are the CL-21a states of the named children towards the recipient, in their order.
    """

    states: tuple[str, ...]
    verified: bool


UNREAD: Final = Stood((), verified=False)


def stood(session: Session, record: Tree, now: datetime, registers: Registers) -> Stood | Unsure:
    """Return how the family's consent stands now towards the recipient of a disclosure.

    Doubt is said, not guessed: a decision with a code or a field that this hub does not know, or
    fewer decisions than were recorded, is not verified; a register that is to be asked first is
    returned.  Raises whatever reading raises.
    """
    episode_id = record.get("episode_id")
    head = session.episode(str(episode_id)) if episode_id else None
    if head is None:
        return Stood((), verified=True)
    said = heard(registers, session, head)
    if said.unsure is not None:
        return Unsure(registers.of(head), head.episode_id)
    decisions = said.decisions
    content = session.version(head.episode_id, head.version) if head.version else None
    tree = content.tree if content else {}
    children, adults = people_of(tree)
    known = all(readable(one) for one in decisions)
    agreements = Agreements(decisions, children, adults, known=circumstances(tree))
    states = tuple(
        agreements.state(str(child), str(record["disclosed_to"]), now)
        for child in record.get("subject_ids", ())
    )
    return Stood(states, verified=known)


def agreed_rights(
    decisions: Sequence[Decision], tree: Tree, record: Tree, service: str, now: datetime
) -> Rights | None:
    """Return what the family agreed that *service* may see; None if it is listed for no child."""
    children, adults = people_of(tree)
    agreements = Agreements(decisions, children, adults, known=circumstances(tree))
    for purpose in AGREED_FOR:
        ask = Ask(service, purpose, now)
        if all(agreements.listed(str(child), ask).permitted for child in record["subject_ids"]):
            return Rights(agreements, ask)
    return None
