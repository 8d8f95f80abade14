"""What somebody at work on an episode may know of its decisions: their own scope, and its changes.

`domain.md` 5.3: a team member reads consent "own scope only"; 4.4: when somebody else is narrowed,
the other recipients are not told.  A decision record holds the scope of everybody, and its state
says what became of the whole.  So a record that leaves the caller's own part as it was is neither
shown nor cited, and of one that changes it the state says what became of that part.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from hub.domain.exchange import Decision, Tree

SHARING: Final = frozenset({"SHARE", "NARROWED", "WIDENED"})
"""States of a record by which something may be shared."""


class Own(NamedTuple):
    """A caller's part of one decision, and what stood for the same person before it."""

    decision: Decision
    includes: Sequence[Tree]
    before: Sequence[Tree]
    cited_as: str
    """The decision by which the part has stood unchanged; its own id where it changes something."""


def own_decisions(decisions: Iterable[Decision], services: Collection[str]) -> list[Tree]:
    """Return the parts of *decisions*, oldest first, that are about *services*, each where it
    changes what stood before.
    """
    shown: list[Tree] = []
    for own in _parts(decisions, services):
        record = own.decision.record
        if own.cited_as != own.decision.decision_id:
            continue
        state = record.get("state")
        shown.append(
            {
                "consent_decision_id": record.get("consent_decision_id"),
                "episode_id": record.get("episode_id"),
                "state": _became(own.before, own.includes) if state in SHARING else state,
                "scope_includes": own.includes,
                "signed_at": record.get("signed_at"),
                "expires_at": record.get("expires_at"),
            }
        )
    return shown


def cited(
    decisions: Iterable[Decision], services: Collection[str], used: Sequence[str]
) -> list[str]:
    """Return the decisions *used* as a message to one of *services* names them."""
    known = {own.decision.decision_id: own.cited_as for own in _parts(decisions, services)}
    return list(dict.fromkeys(known.get(one, one) for one in used))


def _parts(decisions: Iterable[Decision], services: Collection[str]) -> Iterator[Own]:
    """Yield the part of each decision that names one of *services*, oldest first."""
    stood: dict[str, tuple[Sequence[Tree], object, str]] = {}
    for decision in decisions:
        record, person = decision.record, decision.data_subject
        before = stood.get(person, ((), None, ""))
        mine = [one for one in record.get("scope_includes", ()) if one.get("service") in services]
        cut = any(one.get("service") in services for one in record.get("scope_excludes", ()))
        if record.get("state") not in SHARING or cut:
            stood.pop(person, None)
            if mine:
                yield Own(decision, mine, before[0], decision.decision_id)
        elif mine:
            last, same = record.get("expires_at"), before[2]
            if not same or (mine, last) != before[:2]:
                same = decision.decision_id
            stood[person] = (mine, last, same)
            yield Own(decision, mine, before[0], same)


def _became(before: Iterable[Any], after: Iterable[Any]) -> str:
    """Return the state of the part alone.

    >>> _became([], ["a"]), _became(["a", "b"], ["a"])
    ('SHARE', 'NARROWED')
    >>> _became(["a"], ["b", "a"]), _became(["a"], ["a"])
    ('WIDENED', 'SHARE')
    """
    was, now = ({json.dumps(one, sort_keys=True) for one in part} for part in (before, after))
    if was and now < was:
        return "NARROWED"
    return "WIDENED" if was and now > was else "SHARE"
