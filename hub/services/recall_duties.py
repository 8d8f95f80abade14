"""Recalls that nobody acknowledges: escalated after a day and after three (`domain.md` 7.1).

A recall (N10) is delivered when its recipient says so; until then later content to it is held
(`hub.services.lane`), however often it was tried, and whether it was refused or set aside.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.domain.exchange import Watch
from hub.domain.partner import Registry
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.scheduler import Due

STEPS: Final = (
    (timedelta(hours=24), "administrator"),
    (timedelta(hours=72), "protocol-owner"),
)
"""After how long who is told."""


@dataclass(frozen=True, slots=True)
class RecallDuty:
    """Tells the recipient's administrator, and then the owner of its protocol."""

    registry: Registry
    name: str = "recall"
    watch: Watch | None = Watch.RECALLED

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Return an alert for every step that a waiting recall of the episode has passed."""
        alerts = []
        for recall in session.unsettled(episode_id):
            if recall.message_type != "N10":
                continue
            partner = self.registry.partners.get(recall.partner)
            organisation = partner.organisation if partner else recall.partner
            for after, audience in STEPS:
                if now - recall.created_at < after:
                    continue
                alerts.append(
                    alert(
                        "recall.unacknowledged",
                        f"{audience}:{organisation}",
                        recall.delivery_id,
                        at=now,
                        episode_id=episode_id,
                        service=recall.service,
                        delivery_id=recall.delivery_id,
                        due_at=recall.created_at + after,
                        facts={
                            "hours": int(after / timedelta(hours=1)),
                            "state": recall.state.value,
                            "attempts": recall.attempts,
                        },
                    )
                )
        return Due(alerts)
