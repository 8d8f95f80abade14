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

    __slots__ = ("_adult", "_limit", "_next", "_queue", "_read", "_replaced")

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
        self._next = 0
        self._read: list[Reading] = []

    def __iter__(self) -> Iterator[Reading]:
        """Yield what decides something, the first heard in front."""
        position = 0
        while position < len(self._read) or self._read_on():
            yield self._read[position]
            position += 1

    def may_differ(self) -> bool:
        """Tell whether more than one person speaks here as a parent."""
        if len(self._queue) == 1:
            return False
        return len({parent_of(decision.record) for _, _, decision in self._queue} - {None}) > 1

    def _read_on(self) -> bool:
        """Read up to the next that decides something; tell whether there is one.

        What could not be read is not passed over: whoever asks again fails again.
        """
        while self._next < len(self._queue):
            voice, sequence, decision = self._queue[self._next]
            reading = self._heard(decision)
            replaced = self._replaced.get(decision.decision_id)
            if reading is not None and replaced is not None:
                later = [
                    by for louder, by in replaced if louder >= voice and by.sequence > sequence
                ]
                reading.superseded = bool(later)
                reading.settled = any(self._says_yes(by) for by in later)
            self._next += 1
            if reading is not None:
                self._read.append(reading)
                return True
        return False

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
