"""Reviews that do not come: the plan's day has passed and nobody has met (`domain.md` 6, A13).

The day is the one that the family was last given: in the plan when it was agreed (T11), or at the
review before (T15).  The lead is told on the day after, and again when four weeks have gone
without one; practice reviews every four to twelve weeks (`domain.md` T15 [P14]).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from hub.domain.exchange import Tree, Watch
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.scheduler import Due
from hub.services.standing import responsible

TOLD: Final = (timedelta(days=1), timedelta(weeks=4))
"""How long after the day of the review the lead is told that there was none."""


@dataclass(frozen=True, slots=True)
class ReviewDuty:
    """Tells whoever leads an agreed plan that its review is overdue."""

    name: str = "review"
    watch: Watch | None = Watch.OPEN

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Return an alert for every step that a missing review has passed."""
        head = session.episode(episode_id)
        if head is None or head.process != "PLAN_ACTIVE":
            return Due()
        content = session.version(episode_id, head.version)
        day = review_awaited(content.tree) if content is not None else None
        if day is None:
            return Due()
        expected = datetime.combine(day, time(), UTC)
        service = responsible(head)
        return Due(
            [
                alert(
                    "review.overdue",
                    f"lead:{service}" if service else "operator",
                    day.isoformat(),
                    step.days,
                    at=now,
                    episode_id=episode_id,
                    service=service,
                    due_at=expected,
                    facts={"review_date": day.isoformat(), "days": step.days},
                )
                for step in TOLD
                if now >= expected + step
            ]
        )


def review_awaited(tree: Tree) -> date | None:
    """Return the day of the review that the family still waits for, if there is one.

    >>> review_awaited({"plan": {"agreed_review_date": "2026-10-20"}})
    datetime.date(2026, 10, 20)
    >>> review_awaited({"reviews": [{"review_date": "2026-10-21"}]})
    """
    reviews = tree.get("reviews", ())
    given = {one.get("next_review_date") for one in reviews}
    given.add(tree.get("plan", {}).get("agreed_review_date"))
    named = [day for day in given if day]
    last = max(named, default=None)
    if last is None or any(str(one.get("review_date", "")) >= last for one in reviews):
        return None
    return date.fromisoformat(last)
