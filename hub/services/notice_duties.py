"""Erasing the bodies of notices that belong to nobody, when their day is over (`domain.md` F6).

What stays of one is enough to know it again when it is sent again; that it was erased is in the
audit.  While a named person decides, their time counts (`hub.services.matches`).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hub.domain.exchange import ERASED, Alert, Watch
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.audit import row
from hub.services.scheduler import Due

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class NoticeErasure:
    """Erases, once a round, what is past its time; says so where somebody was to decide."""

    name: str = "notice.erased"
    watch: Watch | None = None

    def due(self, session: Session, _episode_id: str, now: datetime) -> Due:
        """Erase a page; return the alerts to whom it may concern."""
        alerts: list[Alert] = []
        for one in session.expired_notices(now, PAGE):
            session.change_notice(replace(one, state=ERASED), erase=True)
            facts = {"kind": one.kind, "notice": one.notice_id}
            session.add_audit(
                row(self.name, at=now, actor="hub", code=one.state.upper(), facts=facts)
            )
            if one.decider is not None:
                facts |= {"decider": one.decider}
                alerts.append(
                    alert("notice.undecided", "operator", one.notice_id, at=now, facts=facts)
                )
        return Due(alerts=alerts)
