"""The life cycle: what may happen next to an episode, and who hears of it.

Four regions move independently: process, lead professional and index here, consent in
`hub.domain.consent`, which reaches this module only as facts. What is not in the table of
`hub.domain.transitions` cannot happen.  It is refused with ``E_STATE``, naming the state, the event
and what would be allowed now; a step that is not the sender's to take is ``E_NOT_OWNER``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.domain.events import CONSENT_EVENTS, INTERNAL, Event
from hub.domain.notifications import in_order
from hub.domain.regions import (
    CONTENT_LEAVES,
    GUARDS,
    LIVE,
    Facts,
    Index,
    Lead,
    Process,
    Regions,
    Role,
)
from hub.domain.transitions import DERIVED, TRANSITIONS, Move, Transition
from hub.errors import Code, Conflict, Fault

__all__ = [
    "DERIVED",
    "GUARDS",
    "TRANSITIONS",
    "Facts",
    "Index",
    "Lead",
    "Process",
    "Regions",
    "Role",
    "Step",
    "Transition",
    "allowed",
    "implied_event",
    "step",
]


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: new regions, which row, and the notifications to raise, most urgent first.

    *events* is the event with those that the difference stands for, each once.  *closure_reason* is
    set where the table fixes it (CL-19).
    """

    regions: Regions
    transition: Transition
    notifications: tuple[str, ...]
    events: tuple[Event, ...]
    closure_reason: str | None = None


def allowed(regions: Regions) -> tuple[str, ...]:
    """Return the events that a message could bring about from here, whoever sends it.

    >>> allowed(Regions("ARCHIVED"))
    ('episode.voided', 'retention.expired')
    """
    events = {row.event for row in TRANSITIONS if regions.process in row.sources}
    return tuple(sorted(event.value for event in events - INTERNAL))


def implied_event(regions: Regions, changed: frozenset[str]) -> Event:
    """Return what a bare episode means: the first one opens, one with a new closure closes."""
    if regions.process in {Process.NONE, Process.CONSENT_SOUGHT}:
        return Event.EPISODE_OPENED
    return Event.EPISODE_CLOSED if "N2" in changed else Event.EPISODE_UPDATED


def step(regions: Regions, event: str | None, facts: Facts) -> Step:
    """Take one step, or raise `Conflict`; *event* ``None`` is a bare episode.

    Notifications that the event raises and those that the difference shows (`Facts.changed`) come
    in one list, each code once.
    """
    happened = implied_event(regions, facts.changed) if event is None else event
    row = _row(regions, happened, facts)
    _check_sender(regions, row, facts)
    _check_guards(regions, row, facts)
    process, resume_to = _process(regions, row)
    after = Regions(process, resume_to, _lead(regions, row, facts), Index.NONE)
    index = _index(regions, after, row, facts)
    after = Regions(process, resume_to, after.lead, index)
    codes = _raised(regions, after, row, facts)
    told = {
        code: DERIVED[code].events
        for code in facts.changed & DERIVED.keys()
        if process in DERIVED[code].states and (code != "N1" or index == Index.OPEN)
    }
    codes |= told.keys() - row.covers
    events = (row.event, *(e for code in sorted(told) for e in told[code] if e is not row.event))
    return Step(after, row, in_order(codes), events, row.closure_reason)


def _conflict(code: Code, detail: str, faults: Sequence[Fault]) -> Conflict:
    return Conflict(code, detail, faults)


def _row(regions: Regions, event: str, facts: Facts) -> Transition:
    rows = [r for r in TRANSITIONS if r.event == event and regions.process in r.sources]
    for row in rows:
        if all(getattr(facts, name) for name in row.when):
            return row
    now = allowed(regions)
    remedy = "send what is allowed now"
    if regions.process in {Process.CLOSED, Process.ARCHIVED}:
        remedy = "a closed episode is never revived: open a new one with previous_episode_id"
    # An unknown event name may be anybody's text, so only names of ours are repeated.
    name = event if event in set(Event) else "this event"
    raise _conflict(
        Code.STATE,
        f"{name} cannot happen in {regions.process}; allowed now: {', '.join(now) or 'nothing'}",
        [Fault(Code.STATE, "/event", remedy, allowed=now)],
    )


def _check_sender(regions: Regions, row: Transition, facts: Facts) -> None:
    roles = facts.roles | {Role.ANY}
    # Whoever completes the CAF holds the baton until another is appointed (`domain.md` 1.4).
    if Role.ASSESSOR in roles and regions.lead in {Lead.NONE, Lead.ACTING}:
        roles |= {Role.LEAD}
    if not roles & row.who:
        who = tuple(sorted(row.who))
        raise _conflict(
            Code.NOT_OWNER,
            f"{row.event} ({row.id}) is for {', '.join(who)}",
            [Fault(Code.NOT_OWNER, "/event", "ask who may take this step", allowed=who)],
        )


def _check_guards(regions: Regions, row: Transition, facts: Facts) -> None:
    failed = [name for name in row.guards if not getattr(facts, name)]
    if failed:
        now = allowed(regions)
        raise _conflict(
            Code.STATE,
            f"{row.event} ({row.id}) in {regions.process} needs: {', '.join(failed)}",
            [Fault(Code.STATE, f"/event#{name}", GUARDS[name], allowed=now) for name in failed],
        )


def _process(regions: Regions, row: Transition) -> tuple[str, str | None]:
    if isinstance(row.target, Process):
        return row.target, regions.process if row.target is Process.PAUSED else None
    if row.target is Move.RESUME:
        # A paused episode always knows; if a broken head did not, assessing shares nothing.
        return regions.resume_to or Process.ASSESSING, None
    return regions.process, regions.resume_to


def _lead(regions: Regions, row: Transition, facts: Facts) -> str:
    if isinstance(row.lead, Lead):
        return row.lead
    if row.lead is Move.BY_FACTS and row.event is not Event.EPISODE_UPDATED:
        return Lead.ACTING if facts.acting and not facts.appointee_accepts else Lead.APPOINTED
    if row.lead is Move.BY_FACTS and "N3" in facts.changed:
        # An open episode always has somebody: a tree that shows nobody leaves the region alone.
        shown = facts.lead_in_tree
        return shown if shown in {Lead.ACTING, Lead.APPOINTED} else regions.lead
    return regions.lead


def _index(regions: Regions, after: Regions, row: Transition, facts: Facts) -> str:
    if after.process not in LIVE:
        if after.process in {Process.CLOSED, Process.ARCHIVED}:
            told = regions.index == Index.OPEN
            over = row.event == Event.EPISODE_IMPORTED and facts.index_consented
            return Index.PREVIOUS if told or over else regions.index
        return Index.NONE
    if regions.process not in LIVE or row.event in CONSENT_EVENTS:
        return Index.OPEN if facts.index_consented else Index.NONE
    return regions.index


def _raised(regions: Regions, after: Regions, row: Transition, facts: Facts) -> set[str]:
    conditions = {
        "content_leaves": after.process in CONTENT_LEAVES,
        "offer_due": after.process == Process.TRANSFER_PENDING and facts.transfer_consent_gained,
    }
    codes = set(row.raised)
    for code, condition in row.raised_if:
        if conditions[condition] if condition in conditions else getattr(facts, condition):
            codes.add(code)
    if regions.process in LIVE and after.process in LIVE and regions.index != after.index:
        # Index consent came late, or went: the index learns, or is told to forget.
        codes.add("N1" if after.index == Index.OPEN else "N10")
    return codes
