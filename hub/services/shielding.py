"""A shield set, raised or lowered where others know of the episode already (`domain.md` CL-24).

What was given before is recalled like anything else that a service may no longer hold: by N10,
acknowledged, without saying why.  From the child index the place goes, or the whole entry, by the
ways in which entries change or end anyway.  Lowered, everything flows again by the ordinary rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from hub.domain.consent import Agreements, Ask
from hub.domain.exchange import Delivery, EpisodeHead, State, Tree
from hub.domain.partner import Registry
from hub.ports import Session
from hub.services.gate import people
from hub.services.holding import holders
from hub.services.indexing import HOLDING, OPEN, SHARING, references
from hub.services.scope import sections_of
from hub.services.share import INDEX_SERVICE, Telling
from hub.services.shelter import REWRITE, may_locate, shield_of, shields_of

RANK: Final = {"none": 0, "whereabouts": 1}
"""How much a shield hides; a code that is not here hides everything."""
FULL: Final = 2
HIDDEN: Final = ("address", "identifiers", "aka_previous_names")
"""What of a child's match set a shield of whereabouts takes off the index."""
PURPOSES: Final = ("ASSESS", "PLAN")
ANSWERING: Final = timedelta(seconds=30)
"""How long the answer to a request may take to arrive (`reliability.md` P23)."""


@dataclass(frozen=True, slots=True)
class Shielding:
    """What a change of shield leaves behind: the head, what services are told, what the index is.

    *entries* are the (child, reference) that each of the index's tellings is about; *in_flight* is
    what was on its way to who is recalled.
    """

    head: EpisodeHead
    tellings: tuple[Telling, ...] = ()
    index: tuple[tuple[Telling, tuple[tuple[str, str], ...]], ...] = ()
    in_flight: tuple[dict[str, str], ...] = ()


def shield_change(
    session: Session,
    registry: Registry,
    head: EpisodeHead,
    before: Tree,
    after: Tree,
    agreements: Agreements,
    services: Sequence[str],
    now: datetime,
) -> Shielding:
    """Return what follows if a message changed who is shielded, and how; *services* are all that
    were ever related.
    """
    was, is_ = shields_of(before), shields_of(after)
    raised = any(_rank(held) > _rank(was.get(person, "none")) for person, held in is_.items())
    old, new = _rank(shield_of(before)), _rank(shield_of(after))
    if not was or head.process not in HOLDING or (not raised and new >= old):
        return Shielding(head)  # nobody knows of it yet, or nothing changed
    found = Shielding(head)
    if raised:
        found = recall(session, head, after, agreements, services, now)
    head, index = _index(session, registry, head, after, agreements, old, new, now)
    tellings = list(found.tellings)
    if new < old and head.process in SHARING:
        tellings.append(Telling("N7", to=tuple(sorted(agreements.services(now)))))
    return replace(found, head=head, tellings=tuple(tellings), index=index)


def recall(
    session: Session,
    head: EpisodeHead,
    tree: Tree,
    agreements: Agreements,
    services: Sequence[str],
    now: datetime,
) -> Shielding:
    """Return the recall of what *services* hold and may not know any more under today's shield."""
    full = _rank(shield_of(tree)) == FULL
    had = holders(session, head.episode_id, [one for one in services if one != INDEX_SERVICE])
    tellings, in_flight = [], []
    for service in sorted(had):
        if not full and knows(tree, agreements, service, now):
            continue
        scope = [] if full else sections_of(agreements, service, people(tree)[0], now)
        facts = {"stop": not scope, "scope": scope, "copies": "LOCK"}
        tellings.append(Telling("N10", facts=facts, to=(service,)))
        in_flight += on_the_way(session, head.episode_id, service, had[service], now)
    return Shielding(head, tuple(tellings), in_flight=tuple(in_flight))


def knows(tree: Tree, agreements: Agreements, service: str, now: datetime) -> bool:
    """Return whether a service may know where the family is, for assessing or for planning."""
    return any(
        may_locate((tree,), agreements, Ask(service, purpose, now))
        and any(agreements.listed(c, Ask(service, purpose, now)).permitted for c in people(tree)[0])
        for purpose in PURPOSES
    )


def relocated(
    tree: Tree, before: Agreements, after: Agreements, services: Sequence[str], now: datetime
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Return which services a decision puts on the allow-list of a shield, and takes off it, each
    with the section that it gained or lost by that.
    """
    section = frozenset({"sec.identity"})
    if shield_of(tree) != "whereabouts":
        return {}, {}
    was = {one for one in services if knows(tree, before, one, now)}
    is_ = {one for one in services if knows(tree, after, one, now)}
    return dict.fromkeys(is_ - was, section), dict.fromkeys(was - is_, section)


def on_the_way(
    session: Session, episode_id: str, service: str, deliveries: Sequence[Delivery], now: datetime
) -> list[dict[str, str]]:
    """Return what may still arrive at *service* after this: those of *deliveries* that are being
    sent, or were fetched and not acknowledged, and a view whose answer may be on its way.
    """
    found = [
        sent.delivery_id
        for sent in deliveries
        if sent.state is State.SENDING
        or (sent.state is State.HANDED_OVER and (sent.evidence or {}).get("fetched"))
    ]
    found += [
        view.delivery_id
        for view in session.last_released(episode_id, service)
        if view.message_type == "VIEW" and now - view.released_at < ANSWERING
    ]
    return [{"service": service, "delivery_id": one} for one in found]


def _rank(held: str) -> int:
    return RANK.get(held, FULL)


def _index(
    session: Session,
    registry: Registry,
    head: EpisodeHead,
    tree: Tree,
    agreements: Agreements,
    old: int,
    new: int,
    now: datetime,
) -> tuple[EpisodeHead, tuple[tuple[Telling, tuple[tuple[str, str], ...]], ...]]:
    """Return the head with the references that are left, and what the index is told."""
    known = dict(references(head))
    mediator = registry.coordinators.get(head.home_authority or "")
    if new > old and (new == FULL or mediator is None):
        # Nobody to ring in the responsible practitioner's stead: then not even that it exists.
        gone = tuple(known.items())
        head = replace(head, facts={**(head.facts or {}), "index": {}})
        return head, ((Telling("N14"), gone),) if gone else ()
    if old == new:
        return head, ()
    told: list[tuple[Telling, tuple[tuple[str, str], ...]]] = []
    fresh: list[tuple[str, str]] = []
    changed: list[tuple[str, str]] = []
    for child in people(tree)[0]:
        if agreements.index(child, now) == "no":
            continue
        reference = known.setdefault(child, str(uuid4()))
        there = _entered(session, head.episode_id, reference)
        (changed if there else fresh).append((child, reference))
    if fresh and new < old and head.process in OPEN | {"CLOSED"}:
        # Of a closed one N1 says so, and the index answers PREVIOUS as it did before (CL-23b).
        told.append((Telling("N1"), tuple(fresh)))
        head = replace(head, facts={**(head.facts or {}), "index": known})
    for child, reference in changed:
        focus = tuple(f"subjects[subject_id={child}].{name}" for name in HIDDEN)
        entry = ((child, reference),)
        told.append((Telling("N5", focus, {REWRITE: True}), entry))
        told.append((Telling("N3"), entry))
    return head, tuple(told)


def _entered(session: Session, episode_id: str, reference: str) -> bool:
    """Return whether the index was told of the entry, or is about to be."""
    ended = {State.SUPPRESSED, State.EXPIRED, State.ERASED}
    return any(
        one.message_type == "N1"
        and one.state not in ended
        and one.facts.get("reference") == reference
        for one in session.deliveries(episode_id)
    )
