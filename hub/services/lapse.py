"""Consent that runs out pauses the episode as a withdrawal does, without anybody saying so (T21b).

A duty of the scheduler.  Whoever holds data of the family is told to stop (N10), as the table has
it for `PAUSED`; the lead professional has been warned, and hears of it as an alert
(`hub.services.consent_duties`).  A renewal brings the episode back to where it was (T22).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements
from hub.domain.events import Event
from hub.domain.exchange import EpisodeHead, Tree, Version, Watch
from hub.domain.lapse import lapsed
from hub.domain.lifecycle import step
from hub.domain.partner import Registry
from hub.domain.regions import ANY_OPEN, Facts, Regions, Role
from hub.ports import Session
from hub.services.audit import row
from hub.services.gate import people
from hub.services.holding import FAMILY, holders
from hub.services.scheduler import Due
from hub.services.share import INDEX_SERVICE, Occasion, Telling, tell
from hub.services.standing import responsible

HUB: Final = "hub"
RECALL: Final = "N10"


@dataclass(frozen=True, slots=True)
class LapseDuty:
    """Pauses every open episode of which nothing is agreed to any more."""

    registry: Registry
    name: str = "consent.lapsed"
    watch: Watch | None = Watch.OPEN

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Pause the episode if its consent has lapsed; return what is to be sent then."""
        head = session.episode(episode_id)
        if head is None or head.process not in ANY_OPEN:
            return Due()
        content = session.version(episode_id, head.version)
        if content is None:
            return Due()
        children, adults = people(content.tree)
        decisions, known = session.decisions(episode_id), circumstances(content.tree)
        agreements = Agreements(decisions, children, adults, known=known)
        if not lapsed(agreements, children, now):
            return Due()
        return Due(offers=self._paused(session, head, content.tree, now))

    def _paused(
        self, session: Session, head: EpisodeHead, tree: Tree, now: datetime
    ) -> tuple[str, ...]:
        was = Regions(head.process, head.resume_to, head.lead, head.index)
        facts = Facts(roles=frozenset({Role.HUB}), consent_lapsed=True)
        taken = step(was, Event.CONSENT_EXPIRED, facts)
        message_id = str(uuid4())
        paused = replace(
            head,
            process=taken.regions.process,
            resume_to=taken.regions.resume_to,
            version=head.version + 1,
            changed_at=now,
        )
        session.put_episode(paused)
        session.add_version(
            Version(
                episode_id=head.episode_id,
                version=paused.version,
                tree={**tree, "status": str(paused.process)},
                event=str(Event.CONSENT_EXPIRED),
                sender=HUB,
                message_id=message_id,
                recorded_at=now,
            )
        )
        session.add_audit(row("consent.lapsed", at=now, actor=HUB, episode_id=head.episode_id))
        stop = {"stop": True, "scope": [], "copies": "LOCK"}
        telling = Telling(RECALL, facts=stop, to=self._told(session, head))
        occasion = Occasion(
            head=paused,
            sender=HUB,
            sender_services=frozenset(),
            message_id=message_id,
            correlation_id=message_id,
            now=now,
            registry=self.registry,
        )
        return tuple(one.delivery_id for one in tell(session, occasion, [telling], (), ()))

    @staticmethod
    def _told(session: Session, head: EpisodeHead) -> tuple[str, ...]:
        """Return who holds data of the family and has not been told to stop already; not the system
        of the responsible practitioner, which keeps the record and is told by an alert.
        """
        episode_id = head.episode_id
        ever = {held.service for held in session.involvements(episode_id)}
        ever -= {INDEX_SERVICE, responsible(head)}
        held = holders(session, episode_id, sorted(ever))
        return tuple(one for one in sorted(held) if not _stopped(session, episode_id, one))


def _stopped(session: Session, episode_id: str, service: str) -> bool:
    """Return whether the last that *service* was told is to stop: to be told so again would tell
    it of something that is not about it any more.
    """
    last = [
        one
        for one in session.deliveries(episode_id)
        if one.service == service and one.message_type in FAMILY | {RECALL}
    ]
    return bool(last) and last[-1].message_type == RECALL and last[-1].facts.get("stop") is True
