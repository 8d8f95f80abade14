"""Notices from schools and health systems: recorded, and matched to a child afterwards.

The sender learns nothing: the answer is the same whether the child has a CAF or not, and so is all
that is done before it (one read and one record); what the notice leads to begins in a worker, once
the sender has its answer.  One that matches nobody for certain is kept encrypted for at most 24
hours and then destroyed (`domain.md` F6, S1.7).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from hub.domain.exchange import UNMATCHED, Delivery, EpisodeHead, Notice, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Conflict, HubError, Unavailable
from hub.ports import Clock, Digester, Handover, Needs, Session, Store
from hub.services.audit import row
from hub.services.contact import ask_for_contact
from hub.services.index import STRONG, dates_agree, match_values
from hub.services.receipt import Receipt
from hub.services.share import Occasion, Telling, tell
from hub.services.standing import responsible

log = logging.getLogger("hub.services.notify")

KEPT: Final = timedelta(hours=24)
BEAT_SECONDS: Final = 0.5
"""Between two looks for what was recorded.  Nobody wakes the matcher, so that when a notice is
matched does not hang on when its sender asks again."""
PAGE: Final = 200

SECTIONS: Final[Mapping[str, str]] = {
    "attendance_concern": "sec.child.learning",
    "exclusion": "sec.child.learning",
    "change_of_school": "sec.identity",
    "demographic_change": "sec.identity",
    "emergency_attendance": "sec.child.health",
    "admission": "sec.child.health",
    "discharge": "sec.child.health",
    "appointment": "sec.child.health",
    "cancelled_appointment": "sec.child.health",
    "missed_appointment": "sec.child.health",
    "service_response": "sec.plan",
}
"""The section whose consent decides whether a notice of this kind may be passed on."""
CONTACT: Final = "contact_request"
"""The one kind that is no notice but a wish to be rung (N12)."""

OPEN: Final = frozenset({"ASSESSING", "ASSESSED", "TEAM_FORMING", "PLAN_ACTIVE", "IN_REVIEW"})


@dataclass(frozen=True, slots=True)
class Notifier:
    """Records notices; `Matcher` passes them on."""

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


@dataclass(slots=True)
class Matcher:
    """Passes each recorded notice to the one system that should have it, or to nobody.

    The record is the truth: what a dead process left unmatched is found again, by whichever worker
    looks first, and matching ends what was recorded in the same transaction as it puts deliveries,
    under the notice's row lock, so that none is matched twice.  Notices are matched in the order in
    which they came.
    """

    store: Store
    registry: Registry
    digester: Digester
    clock: Clock
    handover: Handover
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to look for notices, every half second."""
        self._task = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        """Look no more; what is not matched stays recorded."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _forever(self) -> None:
        while True:
            try:
                while await self.round():
                    pass
            except Unavailable as fault:
                log.warning("matching failed", extra={"code": fault.code.value})
            except Exception:  # ours: the notices stay recorded and are found again
                log.exception("matching failed")
            await asyncio.sleep(BEAT_SECONDS)

    async def round(self) -> int:
        """Match a page of what waits, oldest first; return for how many that is now done."""
        names = await self.store.unmatched(PAGE)
        # Submitted in order, they run in order and share a commit.
        answers = await asyncio.gather(
            *(self.store.run(partial(self._settle, *name), Needs()) for name in names),
            return_exceptions=True,
        )
        done = 0
        for answer in answers:
            if isinstance(answer, Unavailable):
                raise answer
            if isinstance(answer, BaseException):  # ours; the other notices are not lost by it
                log.error("notice not matched", exc_info=answer)
                continue
            self.handover.offer(answer)
            done += 1
        return done

    def _settle(self, name: str, key: str, session: Session) -> tuple[str, ...]:
        """Match one notice, if nobody has meanwhile; return the deliveries that it led to."""
        notice = session.notice(name, key)
        if notice is None or notice.state != UNMATCHED:
            return ()
        body = notice.body or {}
        partner = self.registry.partners.get(name)  # who has left is nobody's word any more
        found = self._match(session, body) if partner is not None else None
        made: Sequence[Delivery] = ()
        if partner is not None and found is not None:
            made = self._route(session, partner, notice.notice_id, found, body)
        # A matched one that nobody is to get needs no keeping either.
        state = "ROUTED" if made else "WAITING" if found is None else "NOBODY"
        episode_id = found[0].episode_id if found else None
        session.put_notice(
            replace(
                notice,
                body=body if found is None else None,
                episode_id=episode_id,
                state=state.lower(),
            )
        )
        session.add_audit(
            row(
                "notice.matched",
                at=self.clock.now(),
                actor=name,
                code=state,
                episode_id=episode_id,
                facts={"kind": notice.kind, "notice": notice.notice_id},
            )
        )
        return tuple(delivery.delivery_id for delivery in made)

    def _match(self, session: Session, body: Tree) -> tuple[EpisodeHead, str] | None:
        """Return the one open episode and child that identifier and date of birth agree on."""
        asked = body.get("subject", {})
        tokens = tuple(
            self.digester.token(kind, value)
            for kind, value in match_values(asked)
            if kind in STRONG
        )
        if not tokens:
            return None
        matches = {}
        for episode_id, subject_id, _token in session.subject_episodes(tokens):
            head = session.episode(episode_id)
            content = session.version(episode_id, head.version) if head and head.version else None
            if head is None or content is None or head.process not in OPEN:
                continue
            for subject in content.tree.get("subjects", ()):
                if subject["subject_id"] == subject_id and dates_agree(subject, asked):
                    matches[episode_id, subject_id] = head
        if len(matches) != 1:
            return None
        ((_episode, subject_id), head) = next(iter(matches.items()))
        return head, subject_id

    def _route(
        self,
        session: Session,
        partner: Partner,
        notice_id: str,
        found: tuple[EpisodeHead, str],
        body: Tree,
    ) -> Sequence[Delivery]:
        head, subject_id = found
        occasion = Occasion(
            head=head,
            sender=partner.name,
            sender_services=frozenset(service.ref for service in partner.services),
            message_id=notice_id,
            correlation_id=notice_id,
            now=self.clock.now(),
            registry=self.registry,
        )
        if body["kind"] == CONTACT:
            return ask_for_contact(session, self.registry, occasion, partner, subject_id, body)
        service = responsible(head)
        if service is None:
            return ()
        facts = {
            "kind": body["kind"],
            "subject_id": subject_id,
            "section": SECTIONS.get(str(body["kind"]), "sec.safeguarding"),
            "from": partner.organisation,
            "notice": {k: v for k, v in body.items() if k != "subject"},
        }
        return tell(session, occasion, [Telling("NOTICE", facts=facts, to=(service,))], (), ())
