"""Notices from schools and health systems: recorded, and matched to a child afterwards.

The sender learns nothing: the answer is the same whether the child has a CAF or not, and so is all
that is done before it (one read and one record); what the notice leads to begins in a worker, once
the sender has its answer.  One that matches nobody for certain is kept encrypted for at most 24
hours and then destroyed (`domain.md` F6, S1.7).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

from hub.domain.exchange import UNMATCHED, Notice, Tree
from hub.domain.partner import Partner
from hub.errors import Code, Conflict, HubError
from hub.ports import Clock, Digester, Needs, Session, Store
from hub.services.audit import row
from hub.services.receipt import Receipt

KEPT: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Notifier:
    """Records notices; `hub.services.matcher` passes them on."""

    store: Store
    digester: Digester
    clock: Clock

    async def notice(self, partner: Partner, raw: bytes, key: str, body: Tree) -> Receipt:
        """Record one notice and answer 202, always the same; *body* is the checked notification.

        Raises `Conflict` (``E_IDEMPOTENCY``) if the key came before with other content.
        """
        digest = self.digester.digest(raw)
        now = self.clock.now()
        notice = Notice(
            notice_id=str(uuid4()),
            partner=partner.name,
            key=key,
            digest=digest,
            kind=str(body["kind"]),
            body=body,
            received_at=now,
            expires_at=now + KEPT,
            episode_id=None,
            state=UNMATCHED,
        )

        def unit(session: Session) -> HubError | None:
            prior = session.notice(partner.name, key)
            if prior is not None:
                if prior.digest != digest:
                    return Conflict(Code.IDEMPOTENCY, "this key came before with other content")
                return None
            session.put_notice(notice)
            facts = {"kind": notice.kind, "notice": notice.notice_id}
            session.add_audit(
                row("notice.received", at=now, actor=partner.name, code="ACCEPTED", facts=facts)
            )
            return None

        refused = await self.store.run(unit, Needs())
        if refused is not None:
            raise refused
        return Receipt(202, {"status": "accepted"})
