"""What becomes due about people: assertions that run out, and lead professionals who may not go on.

Source: `domain.md` 1.4, 4.4 and scenario S8.  The gate and the door compare dates themselves; these
duties tell the organisation in time, and let a place fall vacant that nobody may fill any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from hub.domain.exchange import Alert, Watch
from hub.domain.partner import Registry
from hub.domain.practitioner import Assertion, ends_soon
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.scheduler import Due
from hub.services.vacancy import end_of_next_working_day, vacate

PAGE: Final = 500


def warnings(said: Assertion, now: datetime) -> list[Alert]:
    """Return what the organisation's administrator is told of one practitioner now: 28, 14 and 3
    days before a fact runs out, and once that the person may do nothing any more.
    """
    today, audience = now.date(), f"administrator:{said.organisation}"
    if said.last_day < today:
        last = said.last_day.isoformat()
        facts = {"practitioner": said.ref, "last_day": last}
        return [alert("practitioner.expired", audience, said.ref, last, at=now, facts=facts)]
    found = []
    for fact, days in ends_soon(said, today):
        until = said.record[fact]["expires"]
        facts = {"practitioner": said.ref, "fact": fact, "expires_on": until, "days": str(days)}
        about = (said.ref, fact, until, days)
        found.append(alert("practitioner.expiring", audience, *about, at=now, facts=facts))
    return found


@dataclass(slots=True)
class ExpiringPractitioners:
    """Goes through everybody who is vouched for once a day, some in every round."""

    name: str = "practitioner.expiring"
    watch: Watch | None = None
    _day: date | None = None
    _asked: datetime | None = None
    _after: tuple[str, str] | None = None
    _next: tuple[str, str] | None = None

    def due(self, session: Session, _episode_id: str, now: datetime) -> Due:
        """Return the warnings about the next page of practitioners."""
        if now != self._asked:  # asked again for the same moment, a unit is only being repeated
            self._after = ("", "") if self._day != now.date() else self._next
            self._day, self._asked = now.date(), now
        if self._after is None:
            return Due()
        page: Sequence[Assertion] = session.practitioners(self._after, PAGE)
        self._next = (page[-1].organisation, page[-1].ref) if len(page) == PAGE else None
        return Due([one for said in page for one in warnings(said, now)])


@dataclass(frozen=True, slots=True)
class VacantLeads:
    """Lets the lead's place fall vacant where the lead's access ended, and says so until it is
    filled: at once to the organisation, after a working day to the owner of its protocol.
    """

    registry: Registry
    name: str = "lead.vacant"
    watch: Watch | None = Watch.OPEN

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Return the alerts about one episode."""
        head = vacate(session, self.registry, episode_id, now) or session.episode(episode_id)
        if head is None or head.lead != "VACANT":
            return Due()
        since = str((head.facts or {}).get("vacant_since") or head.changed_at.isoformat())
        by = end_of_next_working_day(datetime.fromisoformat(since))
        organisation = (head.lead_service or "-").partition("/")[0]
        facts = {"authority": head.home_authority or "-"}
        told = [("lead.vacant", f"administrator:{organisation}"), ("lead.vacant", "operator")]
        mediator = self.registry.coordinators.get(head.home_authority or "")
        if mediator is not None and mediator.service is not None:
            told.append(("lead.vacant", f"lead:{mediator.service}"))
        if now >= by:
            told.append(("lead.vacant.overdue", f"protocol-owner:{organisation}"))
        return Due(
            [
                alert(
                    kind, audience, since, at=now, episode_id=episode_id,
                    service=head.lead_service, due_at=by, facts=facts,
                )
                for kind, audience in told
            ]
        )  # fmt: skip
