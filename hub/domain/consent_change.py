"""What a new decision changes: which event it is, and which services gained or lost what.

N7 goes to who gained and N10 to who lost, and to nobody else (`domain.md` T19, T20), so the change
is computed cell by cell rather than believed from the record's own word for itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.domain.circumstances import NOTHING_KNOWN, Circumstances
from hub.domain.consent import LISTED, Agreements, Ask
from hub.domain.decision import DEFAULT_PURPOSES, PURPOSES, SAYS_NOTHING, SHAREABLE, next_decision
from hub.domain.events import Event
from hub.domain.exchange import Decision, Tree
from hub.domain.lapse import sharing

_CELLS = (LISTED, *sorted(SHAREABLE))


@dataclass(frozen=True, slots=True)
class Effect:
    """Sections by service; `LISTED` stands for the basic leaves.  A section may be in both.

    Sensitive leaves of a section gained or lost count as the section.
    """

    gained: Mapping[str, frozenset[str]]
    lost: Mapping[str, frozenset[str]]


def effect(
    before: Agreements,
    after: Agreements,
    services: Iterable[str],
    at: datetime,
    purposes: Iterable[str] = DEFAULT_PURPOSES,
) -> Effect:
    """Return what each of *services* gained and lost for *purposes*, about anybody."""
    persons = sorted(before.persons() | after.persons())
    asks = [Ask(service, purpose, at) for service in sorted(services) for purpose in purposes]
    gained: dict[str, set[str]] = {}
    lost: dict[str, set[str]] = {}
    for ask in asks:
        for person in persons:
            for name in _CELLS:
                was, now = _sees(before, person, name, ask), _sees(after, person, name, ask)
                if now > was:
                    gained.setdefault(ask.service, set()).add(name)
                elif now < was:
                    lost.setdefault(ask.service, set()).add(name)
    return Effect(
        {service: frozenset(names) for service, names in gained.items()},
        {service: frozenset(names) for service, names in lost.items()},
    )


def _sees(agreements: Agreements, person: str, name: str, ask: Ask) -> int:
    """Return 0 for nothing, 1 for ordinary leaves, 2 for sensitive ones too."""
    cell = (
        agreements.listed(person, ask) if name == LISTED else agreements.section(person, name, ask)
    )
    return cell.permitted + cell.sensitive  # nothing sensitive without the section


def classify(
    record: Tree,
    earlier: Sequence[Decision],
    at: datetime,
    known: Circumstances = NOTHING_KNOWN,
) -> Event:
    """Return which event *record* is, given every *earlier* decision of the episode.

    By its effect, because the word on the record may not fit: a "widening" after everything was
    withdrawn is consent given afresh, and withdrawing one service of three narrows.  An adult's
    decision about themselves never opens, pauses or closes an episode.
    """
    if record.get("state") in SAYS_NOTHING:
        return Event.CONSENT_REQUESTED
    if record.get("state") == "REFUSED" and list(record.get("purpose", ())) == ["TRANSFER"]:
        return Event.TRANSFER_CONSENT_REFUSED
    decision = next_decision(record, earlier)
    before = Agreements(earlier, (), (), known=known)
    after = Agreements([*earlier, decision], (), (), known=known)
    children = {d.data_subject for d in (*earlier, decision) if not _adult(d.record)}
    shared_before = sharing(before, children, at)
    if not _adult(record):
        stored_before, stored_after = (
            any(agreements.may_store(child, at) for child in children)
            for agreements in (before, after)
        )
        if not stored_after:
            # A "no" after storing has lapsed takes it back all the same.
            stored = any(_stores(one.record) for one in earlier)
            return Event.CONSENT_WITHDRAWN if stored else Event.CONSENT_REFUSED
        if not stored_before:
            return Event.CONSENT_GIVEN
        if shared_before and not sharing(after, children, at):
            return Event.CONSENT_WITHDRAWN
    services = before.services(at) | after.services(at)
    change = effect(before, after, services, at, PURPOSES)
    if change.gained:
        return Event.CONSENT_WIDENED if shared_before else Event.CONSENT_GIVEN
    cuts = record.get("state") in {"NARROWED", "WITHDRAWN", "REFUSED"}
    return Event.CONSENT_NARROWED if change.lost or cuts else Event.CONSENT_GIVEN


def _adult(record: Tree) -> bool:
    return record.get("given_by_basis") == "ADULT_SELF"


def _stores(record: Tree) -> bool:
    return record.get("store_decision") == "yes" and not _adult(record)
