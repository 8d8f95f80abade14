"""What somebody at work on an episode may know of its decisions: their own scope, and its changes.

`domain.md` 5.3: a team member reads consent "own scope only"; 4.4: when somebody else is narrowed,
the other recipients are not told.  A decision record holds the scope of everybody, and its state
says what became of the whole.  So a record that leaves the caller's own part as it was is not
shown, and of one that changes it the state says what became of that part.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hub.domain.exchange import Decision, Tree
from hub.domain.partner import Partner

SHARING: Final = frozenset({"SHARE", "NARROWED", "WIDENED"})
"""States of a record by which something may be shared."""

Part = tuple[frozenset[str], object]
"""A caller's own scope and its last day."""


def own_decisions(decisions: Iterable[Decision], partner: Partner) -> list[Tree]:
    """Return the parts of *decisions*, oldest first, that are about services of *partner*, each
    where it changes what stood before for the same person.
    """
    shown: list[Tree] = []
    stood: dict[str, Part] = {}
    for decision in decisions:
        record = decision.record
        includes = [one for one in record.get("scope_includes", ()) if _own(one, partner)]
        if not includes:
            continue
        scope = frozenset(json.dumps(one, sort_keys=True) for one in includes)
        part = (scope, record.get("expires_at"))
        before, state = stood.get(decision.data_subject), record.get("state")
        if state in SHARING:
            if part == before:
                continue
            stood[decision.data_subject] = part
            state = _became(before[0] if before else frozenset(), scope)
        shown.append(
            {
                "consent_decision_id": record.get("consent_decision_id"),
                "episode_id": record.get("episode_id"),
                "state": state,
                "scope_includes": includes,
                "signed_at": record.get("signed_at"),
                "expires_at": record.get("expires_at"),
            }
        )
    return shown


def _own(item: Mapping[str, Any], partner: Partner) -> bool:
    return partner.serves(str(item.get("service", "")))


def _became(before: frozenset[str], after: frozenset[str]) -> str:
    """Return the state of the part alone.

    >>> _became(frozenset(), frozenset("a")), _became(frozenset("ab"), frozenset("a"))
    ('SHARE', 'NARROWED')
    >>> _became(frozenset("a"), frozenset("ab")), _became(frozenset("a"), frozenset("a"))
    ('WIDENED', 'SHARE')
    """
    if before and after < before:
        return "NARROWED"
    return "WIDENED" if before and after > before else "SHARE"
