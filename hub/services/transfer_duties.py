"""Moves that hang: an offer that nobody accepts, and a first review that does not come (T25, T26).

The receiving authority reviews and updates within four weeks (`domain.md` T26 [P15]).  How long an
offer may wait is nowhere said; the lead, who stays responsible, is told after two weeks and after
four.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.domain.exchange import Alert, EpisodeHead, Tree, Watch
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.scheduler import Due
from hub.services.standing import responsible

MOVED: Final = "moved_at"
ACCEPTED: Final = "accepted_at"
WAITING: Final = (timedelta(weeks=2), timedelta(weeks=4))
REVIEW: Final = timedelta(weeks=4)
WARNED: Final = (REVIEW - timedelta(weeks=1), REVIEW)


def noted(facts: Mapping[str, Any], event: str | None, now: datetime) -> dict[str, Any]:
    """Return what the head remembers of a move after *event*: since when it waits, and for what."""
    kept = dict(facts)
    if event == "family.moved":
        kept[MOVED] = now.isoformat()
    elif event == "transfer.accepted":
        kept.pop(MOVED, None)
        kept[ACCEPTED] = now.isoformat()
    return kept


@dataclass(frozen=True, slots=True)
class TransferDuty:
    """Tells whoever leads the episode."""

    name: str = "transfer"
    watch: Watch | None = Watch.OPEN

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Return an alert for every step that a hanging move has passed."""
        head = session.episode(episode_id)
        facts = (head.facts or {}) if head is not None else {}
        if head is None or not {MOVED, ACCEPTED} & facts.keys():
            return Due()
        alerts: list[Alert] = []
        if MOVED in facts and head.process == "TRANSFER_PENDING":
            since = datetime.fromisoformat(facts[MOVED])
            kind = "transfer.unanswered"
            alerts += [
                _told(head, kind, since, step, now) for step in WAITING if now >= since + step
            ]
        elif ACCEPTED in facts:
            since = datetime.fromisoformat(facts[ACCEPTED])
            content = session.version(episode_id, head.version)
            if content is not None and not _reviewed(content.tree, since):
                kind = "transfer.review"
                alerts += [
                    _told(head, kind, since, step, now, REVIEW)
                    for step in WARNED
                    if now >= since + step
                ]
        return Due(alerts)


def _reviewed(tree: Tree, since: datetime) -> bool:
    """Return whether the receiving authority has held its review."""
    day = since.date().isoformat()
    return any(str(one.get("review_date", "")) >= day for one in tree.get("reviews", ()))


def _told(
    head: EpisodeHead,
    kind: str,
    since: datetime,
    step: timedelta,
    now: datetime,
    due: timedelta | None = None,
) -> Alert:
    service = responsible(head)
    return alert(
        kind,
        f"lead:{service}" if service else "operator",
        since.isoformat(),
        step.days,
        at=now,
        episode_id=head.episode_id,
        service=service,
        due_at=since + (due or step),
        facts={"days": step.days, "since": since.date().isoformat()},
    )
