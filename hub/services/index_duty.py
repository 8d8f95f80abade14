"""The child index forgets an episode of which the family's agreement to be shown has run out.

A duty of the scheduler.  Index consent is part of a decision and ends with it (`domain.md` 4.3:
`expires_at`; 4.4: "treat as no consent", no grace), and where it may be shown no longer the answer
is NONE, as if it had been refused.  Sharing that lapses while that decision stands changes nothing
here (4.4), and what was closed before stays PREVIOUS (1.1).  A renewal makes a new entry (N1).
Whoever leads is warned that duplicates cannot be caught (4.4, index consent refused).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements
from hub.domain.exchange import Alert, EpisodeHead, Watch
from hub.domain.partner import Registry
from hub.domain.regions import Index
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.audit import row
from hub.services.gate import people
from hub.services.indexing import index_change, references
from hub.services.scheduler import Due
from hub.services.share import Occasion, tell
from hub.services.standing import responsible

HUB: Final = "hub"


@dataclass(frozen=True, slots=True)
class IndexDuty:
    """Takes open episodes off the index that nobody agrees to show there any more."""

    registry: Registry
    name: str = "index"
    watch: Watch | None = Watch.OPEN

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Take off the index what may not be shown; return what is to be sent then (N14), and the
        warning for each child whom the index may not know.
        """
        head = session.episode(episode_id)
        content = session.version(episode_id, head.version) if head and head.version else None
        if head is None or content is None:
            return Due()
        children, adults = people(content.tree)
        decisions, known = session.decisions(episode_id), circumstances(content.tree)
        agreements = Agreements(decisions, children, adults, known=known)
        without = [child for child in children if agreements.index(child, now) == "no"]
        warned = self._warned(head, without, now)
        # Whoever may be shown and is not is nothing that time has changed: only these are asked.
        gone, tellings, head = index_change(head, agreements, tuple(references(head)), now)
        if not gone:
            return Due(warned)
        head = head if references(head) else replace(head, index=Index.NONE)
        session.put_episode(head)
        facts = {"subjects": [child for child, _ in gone]}
        session.add_audit(
            row("index.lapsed", at=now, actor=HUB, episode_id=episode_id, facts=facts)
        )
        message_id = str(uuid4())
        occasion = Occasion(
            head=head,
            sender=HUB,
            sender_services=frozenset(),
            message_id=message_id,
            correlation_id=message_id,
            now=now,
            registry=self.registry,
        )
        made = tell(session, occasion, tellings, (), gone)
        return Due(warned, tuple(one.delivery_id for one in made))

    def _warned(self, head: EpisodeHead, children: Sequence[str], now: datetime) -> Sequence[Alert]:
        owner, lead = self.registry.partners.get(head.owner), responsible(head)
        nobody = f"administrator:{owner.organisation if owner else '-'}"
        audience = f"lead:{lead}" if lead else nobody
        return [
            alert(
                "index.without",
                audience,
                child,
                at=now,
                episode_id=head.episode_id,
                facts={"subject_id": child},
            )
            for child in children
        ]
