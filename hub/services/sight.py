"""Nobody changes what they may not see: what a sender was given of an episode, and what it may
contribute.

Who opened the episode wrote it, and sees it whole.  Everybody else, the lead professional too, was
given a cut of it.  What they send about the rest neither replaces nor removes it, and they are
answered as if it had: a refusal would tell that there is something, and whether a guess was right
(D-57).  What one wrote oneself is no secret, even where one may not see it any more.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements, Ask, Cell
from hub.domain.dictionary import Leaf
from hub.domain.exchange import Alert, EpisodeHead, Tree
from hub.domain.partner import Partner, Registry
from hub.ports import Session
from hub.services.accept import Incoming
from hub.services.alerts import alert
from hub.services.consents import Standing
from hub.services.contribute import not_yours
from hub.services.gate import people
from hub.services.given import given
from hub.services.masking import element_rules

WROTE_ALL: Final = frozenset({"originator", "assessor"})
"""Who sees the whole episode, because it is their own record of the family."""
KEEPS: Final = WROTE_ALL | {"lead", "receiving_authority"}
TOLD: Final = ("/services/lead_professional/", "/services/lp_")
"""What the whole team is told of whoever leads (N3): the next lead takes the last one's place."""
WHY: Final = "/services/lp_change_reason"
"""Of these what N3 never says: who writes it takes its place, too, and nobody else guesses it."""
GOVERNS: Final = ("/shielding", "/contact_restriction")
"""What nobody is shown, and who answers for the episode sets and lifts (`domain.md` A10)."""
REMEMBERED: Final = 200
"""How many versions back one's own writing counts as one's own."""
KIND: Final = "content.untouched"
PURPOSES: Final = ("ASSESS", "PLAN")


def sight(
    session: Session,
    found: Standing,
    incoming: Incoming,
    held: frozenset[str],
    writes: Callable[[Leaf], bool],
) -> Callable[[Leaf, str], bool] | None:
    """Return whether a sender with these roles, who *writes* these leaves, knows a stored one, by
    its JSON pointer in the stored episode; None for those who know it all.
    """
    if held & WROTE_ALL or found.head is None or not found.head.version:
        return None
    services = [service.ref for service in incoming.partner.services]
    was_given = given(found.tree, _agreements(found), services, incoming.now)
    wrote = _Wrote(session, found.head, found.tree, incoming.partner.name)

    keeps = bool(held & KEEPS)

    def known(leaf: Leaf, pointer: str) -> bool:
        if pointer.startswith(TOLD) and (pointer != WHY or writes(leaf)):
            return True
        if keeps and _governs(leaf, pointer):
            return True
        return was_given(leaf, pointer) or wrote(pointer)

    return known


def _governs(leaf: Leaf, pointer: str) -> bool:
    """Tell whether a leaf is about the episode and not about the family, or a shield."""
    about_it = leaf.section == "sec.admin" and leaf.about != "unknown"
    return pointer.endswith(GOVERNS) or (about_it and "LOC" not in leaf.sensitivity)


def check_element(
    found: Standing, contribution: Tree, incoming: Incoming, held: frozenset[str]
) -> None:
    """Refuse an element of a section that the sender may not see, or only see: whether somebody
    else has written it already is not the sender's to learn, and the family says who writes.
    """
    element = contribution.get("element")
    if element is None or held & WROTE_ALL:
        return
    leads = bool(held & KEEPS)
    agreements = _agreements(found)
    section, _ = element_rules().get(str(element.get("element")), ("", frozenset()))
    child = str(element.get("subject_id"))
    if child not in people(found.tree)[0] or not any(
        _writes(
            agreements.section(child, section, Ask(service.ref, purpose, incoming.now)), leads=leads
        )
        for service in incoming.partner.services
        for purpose in PURPOSES
    ):
        raise not_yours("/contribution/element")


def untouched(
    head: EpisodeHead,
    registry: Registry,
    partner: Partner,
    message_id: str,
    paths: Sequence[str],
    now: datetime,
) -> Alert | None:
    """Return what tells who keeps the record that a sender meant to change what it may not see:
    which fields and in which message, never a value.
    """
    if not paths:
        return None
    owner = registry.partners.get(head.owner)
    handed_on = (head.facts or {}).get("handed_on")
    audience = "operator" if owner is None or handed_on else f"administrator:{owner.organisation}"
    facts = {"message": message_id, "from": partner.name, "fields": sorted(set(paths))[:20]}
    return alert(KIND, audience, message_id, at=now, episode_id=head.episode_id, facts=facts)


def _agreements(found: Standing) -> Agreements:
    return Agreements(found.decisions, *people(found.tree), known=circumstances(found.tree))


def _writes(cell: Cell, *, leads: bool) -> bool:
    """Tell whether the family lets the service write there, not only see it (4.2, action); who
    leads writes what they see.
    """
    return cell.permitted and (leads or cell.contribute)


class _Wrote:
    """Whether what stands at a place is what this partner put there itself."""

    def __init__(self, session: Session, head: EpisodeHead, tree: Tree, partner: str) -> None:
        self._session, self._head, self._tree, self._partner = session, head, tree, partner

    def __call__(self, pointer: str) -> bool:
        steps = pointer.split("/")[1:]
        stands = _at(self._tree, steps)
        pattern = re.sub(r"/\d+(?=/|$)", "/*", pointer).split("/")[1:]
        newer = self._session.version(self._head.episode_id, self._head.version)
        for number in range(self._head.version - 1, max(-1, self._head.version - REMEMBERED), -1):
            older = self._session.version(self._head.episode_id, number) if number else None
            before = _all(older.tree if older else {}, pattern)
            if stands not in before:
                # Put there by this version: nobody's place moves a value into one's own hands.
                return newer is not None and newer.sender == self._partner
            newer = older
        return False


def _at(tree: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        tree = tree[int(step)] if isinstance(tree, list | tuple) else tree[step]
    return tree


def _all(value: Any, pattern: Sequence[str]) -> list[Any]:
    """Return what stands at every place that *pattern* names, ``*`` being any item."""
    if not pattern:
        return [value]
    step, rest = pattern[0], pattern[1:]
    if step == "*":
        items = value if isinstance(value, list | tuple) else ()
        return [found for item in items for found in _all(item, rest)]
    return _all(value[step], rest) if isinstance(value, dict) and step in value else []
