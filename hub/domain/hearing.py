"""The order in which the decisions about one person are heard, and which of them still give."""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from hub.domain.decision import (
    QUIET_BASES,
    Reading,
    Voice,
    parent_of,
    read,
    readable,
    voice_of,
)
from hub.domain.exchange import Decision


class Hearing:
    """The decisions about one person in the order in which they are heard.

    A young person's come before a parent's, and newer before older.  A superseded one gives nothing
    any more and still refuses what it refused, so that replacing a decision can never open what
    neither allows; a parent cannot supersede a young person's.  Only a "yes" that holds settles
    what parents disagree about: no "no", and no record that decides nothing, may open anything
    (P26).  Most questions are settled by the first that is heard, so the rest are not even read.
    """

    __slots__ = ("_adult", "_limit", "_queue", "_read", "_replaced", "parents")

    def __init__(
        self,
        decisions: Sequence[Decision],
        *,
        adult: bool | None,
        limit: Callable[[Decision, Reading], None] | None = None,
    ) -> None:
        """Hear *decisions*; *limit* takes from a reading what life has taken from its giver."""
        self._adult = adult
        self._limit = limit
        self.parents = len({parent_of(decision.record) for decision in decisions} - {None})
        self._replaced: dict[str, list[tuple[Voice, Decision]]] = {}
        queue = []
        for decision in decisions:
            voice = heard_as(decision, adult=adult)
            by = decision.record.get("supersedes")
            if isinstance(by, str):
                self._replaced.setdefault(by, []).append((voice, decision))
            queue.append((voice, decision.sequence, decision))
        queue.sort(key=itemgetter(0, 1), reverse=True)
        self._queue = queue
        self._read: list[Reading | None] = []

    def __iter__(self) -> Iterator[Reading]:
        """Yield what decides something, the first heard in front."""
        for position, (voice, sequence, decision) in enumerate(self._queue):
            if position == len(self._read):
                reading = self._heard(decision)
                if reading is not None:
                    later = [
                        by
                        for louder, by in self._replaced.get(decision.decision_id, ())
                        if louder >= voice and by.sequence > sequence
                    ]
                    reading.superseded = bool(later)
                    reading.settled = any(self._says_yes(by) for by in later)
                self._read.append(reading)
            if (known := self._read[position]) is not None:
                yield known

    def _heard(self, decision: Decision) -> Reading | None:
        reading = read(decision, adult=self._adult)
        if reading is not None and self._limit is not None:
            self._limit(decision, reading)
        return reading

    def _says_yes(self, decision: Decision) -> bool:
        reading = self._heard(decision)
        return reading is not None and reading.gives and not reading.held and bool(reading.includes)


def heard_as(decision: Decision, *, adult: bool | None) -> Voice:
    """Return whose word a decision counts as, also where it cannot be understood."""
    basis = decision.record.get("given_by_basis")
    if isinstance(basis, str) and basis in QUIET_BASES:
        return Voice.PARENT
    if not readable(decision):
        return Voice.YOUNG_PERSON  # it may have been theirs, and a no
    return voice_of(decision.record, adult=adult)
