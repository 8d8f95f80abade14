"""Which children the child index may know, by which opaque reference."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.consent import Agreements
from hub.domain.exchange import EpisodeHead
from hub.services.share import Telling

SHARING: Final = frozenset({"ASSESSED", "TEAM_FORMING", "PLAN_ACTIVE", "IN_REVIEW"})
OPEN: Final = SHARING | {"ASSESSING", "TRANSFER_PENDING", "PAUSED"}
HOLDING: Final = OPEN | {"CLOSED", "ARCHIVED"}
"""Where recipients may still hold copies."""


def references(head: EpisodeHead) -> Mapping[str, str]:
    """Return the opaque index reference of each child that the index was told of."""
    facts = head.facts or {}
    found: Mapping[str, str] = facts.get("index", {})
    return found


def index_change(
    head: EpisodeHead,
    after: Agreements,
    children: Sequence[str],
    now: datetime,
) -> tuple[list[tuple[str, str]], list[Telling], EpisodeHead]:
    """Return whom to show on the index (N1) or to take off it (N14) after a change of index
    consent.
    """
    if head.process not in OPEN or head.version == 0:
        return [], [], head
    known = dict(references(head))
    shown, hidden = [], []
    for child in children:
        agreed = after.index(child, now) != "no"
        if agreed and child not in known:
            known[child] = str(uuid4())
            shown.append((child, known[child]))
        elif not agreed and child in known:
            hidden.append((child, known.pop(child)))
    if not shown and not hidden:
        return [], [], head
    head = replace(head, facts={**(head.facts or {}), "index": known})
    if shown:
        return shown, [Telling("N1")], head
    return hidden, [Telling("N14", to=None)], head
