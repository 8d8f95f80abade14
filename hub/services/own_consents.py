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


class Scope(NamedTuple):
    """A caller's part of one decision: what it includes and excludes, and its last day."""

    includes: Sequence[Tree] = ()
    excludes: Sequence[Tree] = ()
    until: object = None


class Own(NamedTuple):
    """The same beside what stood for the person before it."""

    decision: Decision
    scope: Scope
    before: Scope
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
                "state": _became(own.before, own.scope) if state in SHARING else state,
                "scope_includes": own.scope.includes,
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
    stood: dict[str, tuple[Scope, str]] = {}
    for decision in decisions:
        record, person = decision.record, decision.data_subject
        before, same = stood.get(person, (Scope(), ""))
        scope = Scope(
            [one for one in record.get("scope_includes", ()) if one.get("service") in services],
            [one for one in record.get("scope_excludes", ()) if one.get("service") in services],
            record.get("expires_at"),
        )
        if record.get("state") not in SHARING:
            stood.pop(person, None)
            same = decision.decision_id
        elif scope.includes or scope.excludes:
            same = same if scope == before else decision.decision_id
            stood[person] = scope, same
        if scope.includes:
            yield Own(decision, scope, before, same)


def _became(before: Scope, after: Scope) -> str:
    """Return the state of the part alone.

    >>> one, two = Scope(["a"]), Scope(["a", "b"])
    >>> _became(Scope(), two), _became(two, one), _became(one, two), _became(one, one)
    ('SHARE', 'NARROWED', 'WIDENED', 'SHARE')
    >>> _became(one, Scope(["a"], ["x"])), _became(Scope(["a"], ["x"]), one)
    ('NARROWED', 'WIDENED')
    """
    if not before.includes:
        return "SHARE"
    more, fewer = _beyond(after, before), _beyond(before, after)
    return "SHARE" if more == fewer else "WIDENED" if more else "NARROWED"


def _beyond(one: Scope, other: Scope) -> bool:
    """Return whether *one* opens something that *other* does not."""
    included = _words(one.includes) - _words(other.includes)
    return bool(included or _words(other.excludes) - _words(one.excludes))


def _words(items: Iterable[Any]) -> set[str]:
    return {json.dumps(one, sort_keys=True) for one in items}
