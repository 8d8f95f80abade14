"""Consent: who may see what, until when (`domain.md` section 4).

A CAF is voluntary, so nothing in this module can grant permission.  It answers one question, and
every door out of the hub asks it first: given what the family has decided, may this service see
this section about this person, for this purpose, now?  Doubt is answered with no.

How the decisions about one person are weighed, cell by cell (a cell: service, section, purpose):

1. A competent young person is heard before a parent; of the same voice, the newer before the older.
2. The first decision that speaks about the cell decides it.  Within one decision, an exclusion
   beats an inclusion.
3. SHARE and NARROWED state all that a service they list may see; WIDENED adds to what stood.
   WITHDRAWN and REFUSED say no to what they cover; a "no" has no end date, and ends only by a newer
   decision.
4. A "yes" counts only inside its period [from, to), before it expires (at most a year after it was
   signed), until the episode closes, while storing is agreed to, and unless it was superseded.
5. A listed service gets basic leaves; every further section is named, sensitive leaves as
   sensitive. "All that may be shared" never includes the checklist or safeguarding.  Sharing
   onwards does not exist.

Everything here is pure and total: any input gives an answer, and no exception.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

from hub.domain.cells import LISTED, NOT_NAMED, Ask, Cell, Heard, Layer
from hub.domain.decision import (
    ALL,
    GIVING_STATES,
    PURPOSES,
    SHAREABLE,
    Hearing,
    Reading,
    moment,
)
from hub.domain.exchange import Decision
from hub.domain.scope_items import NAMEABLE, item_doubt, meant
from hub.errors import Code

__all__ = ["LISTED", "Agreements", "Ask", "Cell", "Heard", "IndexConsent"]

IndexConsent = Literal["yes", "no", "no_sensitive"]


class Agreements:
    """What was decided about every person of an episode; built once, asked often.

    *children* and *adults* are the subject and parent-or-carer ids that the tree knows: nobody else
    may decide for a known adult, and no adult's own decision counts for a known child.  After
    *closed_at* nothing is shared any more (ask with the moment of closure for what goes with it).
    """

    __slots__ = ("_answers", "_closed_at", "_readings", "_stored")

    def __init__(
        self,
        decisions: Sequence[Decision],
        children: Collection[str],
        adults: Collection[str],
        *,
        closed_at: datetime | None = None,
    ) -> None:
        about: dict[str, list[Decision]] = {}
        for decision in decisions:
            about.setdefault(decision.data_subject, []).append(decision)
        self._readings = {
            person: Hearing(
                theirs, adult=person in adults if person in adults or person in children else None
            )
            for person, theirs in about.items()
        }
        self._closed_at = closed_at
        self._stored: dict[tuple[str, datetime], Cell] = {}
        self._answers: dict[tuple[str, Ask], Heard] = {}

    def heard(self, person: str, ask: Ask) -> Heard:
        """Return what *person*'s decisions answer, ready to be asked section by section."""
        found = self._answers.get((person, ask))
        if found is None:
            store = self._store(person, ask.at)
            if store.permitted:
                readings = self._readings.get(person, ())
                found = Heard(*_answer(readings, ask, self._closed_at))
            else:
                found = Heard(Layer(rest=store), Layer(rest=store))
            self._answers[person, ask] = found
        return found

    def listed(self, person: str, ask: Ask) -> Cell:
        """Return whether the service may see basic leaves of *person*."""
        return self.heard(person, ask).listed()

    def section(self, person: str, section: str, ask: Ask) -> Cell:
        """Return whether the service may see *section* of *person*, and its sensitive leaves."""
        return self.heard(person, ask).section(section)

    def basic(self, person: str, section: str, ask: Ask) -> Cell:
        """Return whether basic leaves of *section* may be seen: listed, and not excluded."""
        return self.heard(person, ask).basic(section)

    def located(self, person: str, ask: Ask) -> bool:
        """Return whether the service may know where *person* is, although they are shielded.

        Only the decision that lets it see their identity can say so, by a ``locate`` of its own.
        """
        cell = self.section(person, "sec.identity", ask)
        return cell.permitted and any(
            item.get("service") == ask.service
            and item.get("action") == "locate"
            and item.get("section") == "sec.identity"
            and item.get("sensitive") is True
            and meant(item, ask)
            and item_doubt(item, ask) is None
            for reading in self._readings.get(person, ())
            if reading.decision_id == cell.decision_id
            for item in reading.includes
        )

    def may_store(self, person: str, at: datetime) -> bool:
        """Return whether somebody entitled has agreed to storing, and it has not ended."""
        return self._store(person, at).permitted

    def index(self, person: str, at: datetime) -> IndexConsent:
        """Return whether the child index may know of the episode; silence is no."""
        for reading in self._readings.get(person, ()):
            if reading.index is not None:
                if at >= reading.ends or reading.index == "no":
                    return "no"
                return "no_sensitive" if reading.index == "no_sensitive" else "yes"
        return "no"

    def state(self, person: str, service: str, at: datetime) -> str:
        """Return the state of the consent region of *person* and *service* (CL-21a)."""
        readings = self._readings.get(person)
        if readings is None:
            return "NOT_ASKED"
        states = {reading.decision_id: reading.state for reading in readings}
        if not states:
            return "ASKED"
        store = self._store(person, at)
        if not store.permitted:
            said = states.get(store.decision_id or "", "NOT_ASKED")
            expired = store.reason is Code.CONSENT_EXPIRED
            return "EXPIRED" if expired else "REFUSED" if said in GIVING_STATES else said
        cells = [self.listed(person, Ask(service, purpose, at)) for purpose in ("ASSESS", "PLAN")]
        for cell in sorted(cells, key=lambda cell: not cell.permitted):
            if cell.reason is Code.CONSENT_EXPIRED:
                return "EXPIRED"
            if cell.decision_id is not None:
                return states[cell.decision_id]
        return "STORE_ONLY"

    def services(self, at: datetime, purposes: Iterable[str] = PURPOSES) -> frozenset[str]:
        """Return every service that some person's decisions list now, for any of *purposes*."""
        asked = tuple(purposes)
        return frozenset(
            service
            for person, readings in self._readings.items()
            for service in _named(readings)
            if any(self.listed(person, Ask(service, purpose, at)).permitted for purpose in asked)
        )

    def decided(self, person: str, section: str, ask: Ask) -> bool:
        """Return whether any decision speaks about this cell, be it yes or no, in force or over."""
        if self._store(person, ask.at).reason is Code.CONSENT_NONE:
            return person in self._readings
        plain, _ = _answer(self._readings.get(person, ()), ask, None)
        return plain.rest is not None or section in plain.cells

    def persons(self) -> frozenset[str]:
        """Return everybody about whom something was decided or asked."""
        return frozenset(self._readings)

    def _store(self, person: str, at: datetime) -> Cell:
        known = self._stored.get((person, at))
        if known is None:
            known = self._stored[person, at] = _storing(self._readings.get(person, ()), at)
        return known


# `domain.md` S4: sharing withdrawn while storing stands is "not in scope", not "nobody asked".
_REFUSED_REASON: Final = {"REFUSED": Code.CONSENT_NONE, "EXPIRED": Code.CONSENT_EXPIRED}


def _named(readings: Iterable[Reading]) -> frozenset[str]:
    return frozenset(
        service
        for reading in readings
        if reading.gives
        for item in reading.includes
        if isinstance(service := item.get("service"), str)
    )


def _storing(readings: Iterable[Reading], at: datetime) -> Cell:
    """Weigh whether the episode may be stored at all; without that nothing else is asked."""
    for reading in readings:
        if reading.store is None:
            continue
        if not reading.store:
            break
        if at >= reading.ends:
            return Cell(
                permitted=False, decision_id=reading.decision_id, reason=Code.CONSENT_EXPIRED
            )
        return Cell(permitted=True, decision_id=reading.decision_id)
    else:
        return Cell(permitted=False, reason=Code.CONSENT_NONE)
    return Cell(permitted=False, decision_id=reading.decision_id, reason=Code.CONSENT_NONE)


def _answer(
    readings: Iterable[Reading], ask: Ask, closed_at: datetime | None
) -> tuple[Layer, Layer]:
    """Weigh what is said about one service and purpose: its ordinary and its sensitive cells."""
    plain, sensitive = Layer(), Layer()
    for reading in readings:
        if reading.refuses_all(ask.purpose):
            refused = _refusal(reading)
            plain.say_all(refused)
            sensitive.say_all(refused)
            break
        if reading.excludes:
            _exclude(reading, ask, plain, sensitive)
        if reading.includes:
            _include(reading, ask, closed_at, plain, sensitive)
        if plain.rest is not None and sensitive.rest is not None:
            break
    return plain, sensitive


def _refusal(reading: Reading) -> Cell:
    reason = _REFUSED_REASON.get(reading.state, Code.CONSENT_SCOPE)
    # Who agreed to storing alone excluded nothing: a later widening lists as a first sharing would.
    excluded = reading.state != "STORE_ONLY"
    return Cell(permitted=False, decision_id=reading.decision_id, reason=reason, excluded=excluded)


def _exclude(reading: Reading, ask: Ask, plain: Layer, sensitive: Layer) -> None:
    refused = _refusal(reading)
    for item in reading.excludes:
        service = item.get("service")
        if service != ask.service and isinstance(service, str):
            continue
        purpose = item.get("purpose")
        if isinstance(purpose, str) and purpose != ask.purpose and purpose in PURPOSES:
            continue
        begins = moment(item.get("from"))
        if begins is not None and ask.at < begins:
            continue
        section = item.get("section")
        fine_only = item.get("sensitive") is True
        # A section that we cannot read is read as all of them: this is a "no".
        every = reading.whole_services or section == ALL
        if every or not isinstance(section, str) or section not in SHAREABLE:
            if not fine_only or reading.whole_services:
                plain.say_all(refused)
            sensitive.say_all(refused)
        else:
            if not fine_only:
                plain.say(section, refused)
            sensitive.say(section, refused)


def _include(
    reading: Reading, ask: Ask, closed_at: datetime | None, plain: Layer, sensitive: Layer
) -> None:
    named, fine = _Named(), _Named()
    doubt = _doubt(reading, ask, closed_at)
    answers: dict[tuple[Code | None, bool], Cell] = {}
    listed = False
    for item in reading.includes:
        if item.get("service") != ask.service:
            continue
        # A narrowing that lists a service says all that it may still see, for whatever purpose.
        listed = listed or reading.narrows
        if not meant(item, ask):
            continue
        listed = True
        reason = doubt or item_doubt(item, ask)
        key = reason, item.get("action") == "contribute" and reason is None
        cell = answers.get(key)
        if cell is None:
            cell = answers[key] = Cell(
                permitted=reason is None,
                decision_id=reading.decision_id,
                reason=reason,
                contribute=key[1],
            )
        named.add(LISTED, cell)
        section = item.get("section")
        if isinstance(section, str) and section in NAMEABLE:
            named.add(section, cell)
            if item.get("sensitive") is True:
                fine.add(section, cell)
    named.tell(plain)
    fine.tell(sensitive)
    if listed and reading.restates:
        plain.say_all(
            Cell(permitted=False, decision_id=reading.decision_id, reason=Code.CONSENT_SCOPE)
        )
        sensitive.say_all(NOT_NAMED)


class _Named(dict[str, Cell]):
    """What one decision says of its service's sections: the best of all its items for each."""

    def add(self, section: str, cell: Cell) -> None:
        known = self.get(section)
        if known is None or cell.permitted > known.permitted or cell.contribute:
            self[section] = cell

    def tell(self, layer: Layer) -> None:
        every = self.pop(ALL, None)
        if every is not None and every.permitted:
            layer.say_all(every)
        for section, cell in self.items():
            layer.say(section, cell)
        if every is not None:
            layer.say_all(every)


def _doubt(reading: Reading, ask: Ask, closed_at: datetime | None) -> Code | None:
    """Return why nothing that this decision includes is permitted, or ``None``."""
    if not reading.gives or reading.superseded or ask.purpose not in reading.purposes:
        return Code.CONSENT_SCOPE
    if ask.at >= reading.ends or (closed_at is not None and ask.at > closed_at):
        return Code.CONSENT_EXPIRED
    return None
