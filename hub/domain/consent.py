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
5. What one parent refused, another's "yes" does not open: the practitioner records a resolution, a
   decision that supersedes the refusal (`hub.domain.disputes`).  A parent's "yes" neither outlives
   the child's eighteenth birthday nor opens anything new from the sixteenth on, and is held while
   the episode shows that its giver has no parental responsibility (`hub.domain.circumstances`).
6. A listed service gets basic leaves; every further section is named, sensitive leaves as
   sensitive. "All that may be shared" never includes the checklist or safeguarding.  Sharing
   onwards does not exist.

Everything here is pure and total: any input gives an answer, and no exception.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal

from hub.domain.cells import LISTED, Ask, Cell, Heard, Layer
from hub.domain.circumstances import NOTHING_KNOWN, Circumstances
from hub.domain.decision import GIVING_STATES, PURPOSES, Reading, moment, period
from hub.domain.disputes import hold_disputed
from hub.domain.exchange import Decision
from hub.domain.hearing import Hearing
from hub.domain.scope_items import item_doubt, meant
from hub.domain.weighing import weigh
from hub.errors import Code

__all__ = ["LISTED", "Agreements", "Ask", "Cell", "Heard", "IndexConsent"]

IndexConsent = Literal["yes", "no", "no_sensitive"]


class Agreements:
    """What was decided about every person of an episode; built once, asked often.

    *children* and *adults* are the subject and parent-or-carer ids that the tree knows: nobody else
    may decide for a known adult, and no adult's own decision counts for a known child.  *known* is
    what else the newest tree tells of givers and children (`hub.domain.circumstances`).  After
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
        known: Circumstances = NOTHING_KNOWN,
    ) -> None:
        about: dict[str, list[Decision]] = {}
        for decision in decisions:
            about.setdefault(decision.data_subject, []).append(decision)
        limit = known.limit if known else None
        self._readings = {
            person: Hearing(
                theirs,
                adult=person in adults if person in adults or person in children else None,
                limit=limit,
            )
            for person, theirs in about.items()
        }
        self._closed_at = closed_at
        self._stored: dict[tuple[str, datetime], Cell] = {}
        self._answers: dict[tuple[str, Ask], Heard] = {}

    def heard(self, person: str, ask: Ask) -> Heard:
        """Return what *person*'s decisions answer, ready to be asked section by section."""
        key = person, ask
        found = self._answers.get(key)
        if found is None:
            store = self._store(person, ask.at)
            if store.permitted:
                found = Heard(*self._weighed(person, ask))
            else:
                found = Heard(Layer(rest=store), Layer(rest=store))
            self._answers[key] = found
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
        """Return whether the child index may know of the episode; silence is no, and so is an
        episode that may not be stored.
        """
        if not self.may_store(person, at):
            return "no"
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

    def named(self) -> frozenset[str]:
        """Return every service that anybody's decision has ever named to share with."""
        return frozenset(one for readings in self._readings.values() for one in _named(readings))

    def moments(self, person: str) -> frozenset[datetime]:
        """Return when the passing of time changes anything of what *person* has agreed to."""
        found = {reading.ends for reading in self._readings.get(person, ())}
        for reading in self._readings.get(person, ()):
            found |= {moment(item.get("from")) for item in reading.excludes} - {None}  # type: ignore[arg-type]
            for item in reading.includes:
                found |= {*(period(item) or ())}
        return frozenset(found)

    def decided(self, person: str, section: str, ask: Ask) -> bool:
        """Return whether any decision speaks about this cell, be it yes or no, in force or over."""
        if self._store(person, ask.at).reason is Code.CONSENT_NONE:
            return person in self._readings
        plain, _ = weigh(self._readings.get(person, ()), ask, None)
        return plain.rest is not None or section in plain.cells

    def ends(self, person: str) -> dict[str, datetime]:
        """Return when each "yes" about *person* is over, by decision id."""
        return {
            reading.decision_id: reading.ends
            for reading in self._readings.get(person, ())
            if (reading.gives and not (reading.superseded or reading.held)) or reading.store
        }

    def storing(self, person: str, at: datetime) -> Cell:
        """Return by which decision the episode may be stored, or why not."""
        return self._store(person, at)

    def disputed(self, person: str, ask: Ask) -> str | None:
        """Return the refusal of one parent that holds back what another gave, or ``None``."""
        hearing = self._readings.get(person)
        if hearing is None or not self._store(person, ask.at).permitted:
            return None
        plain, sensitive = weigh(hearing, ask, self._closed_at)
        return hold_disputed(hearing, ask, self._closed_at, plain, sensitive)

    def persons(self) -> frozenset[str]:
        """Return everybody about whom something was decided or asked."""
        return frozenset(self._readings)

    def _weighed(self, person: str, ask: Ask) -> tuple[Layer, Layer]:
        """Weigh one person's decisions, and hold back what their parents do not agree about."""
        hearing = self._readings.get(person)
        if hearing is None:
            return Layer(), Layer()
        plain, sensitive = weigh(hearing, ask, self._closed_at)
        if hearing.may_differ():
            hold_disputed(hearing, ask, self._closed_at, plain, sensitive)
        return plain, sensitive

    def _store(self, person: str, at: datetime) -> Cell:
        known = self._stored.get((person, at))
        if known is None:
            known = self._stored[person, at] = _storing(self._readings.get(person, ()), at)
        return known


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
            return Cell(False, reading.decision_id, Code.CONSENT_EXPIRED)
        return Cell(True, reading.decision_id)
    else:
        return Cell(False, None, Code.CONSENT_NONE)
    return Cell(False, reading.decision_id, Code.CONSENT_NONE)
