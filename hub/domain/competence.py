"""Competence: a practitioner's judgement about this child, and what it leaves to be asked.

It is recorded and never computed (`domain.md` 4.1).
"""

from collections.abc import Mapping, Sequence

from hub.domain.decision import SAYS_NOTHING, Voice, voice_of
from hub.domain.exchange import Decision, Tree


def outcome_of(record: Tree) -> str | None:
    """Return how the judgement on this record went, if there is one."""
    judged = record.get("competence_judgement")
    outcome = judged.get("outcome") if isinstance(judged, Mapping) else None
    return outcome if isinstance(outcome, str) else None


def awaits_own_decision(earlier: Sequence[Decision], person: str) -> bool:
    """Tell whether a practitioner has judged *person* competent and they have not decided since.

    The judgement comes on a record of its own that decides nothing (ASKED) or on the young person's
    last decision; the newest judgement counts, whichever way it went.
    """
    waiting = False
    for decision in earlier:
        if decision.data_subject != person:
            continue
        outcome = outcome_of(decision.record)
        decides = decision.record.get("state") not in SAYS_NOTHING
        if outcome is not None:
            waiting = outcome == "COMPETENT" and not decides
        elif decides and voice_of(decision.record, adult=None) is Voice.YOUNG_PERSON:
            waiting = False
    return waiting
