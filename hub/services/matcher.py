"""Matching notices to children, in a worker, after their senders were answered.

An attempt is counted before the work, so that one which ends the process is counted too; what
fails is tried later, what failed every time is set aside for a person with an alert, and none of
it keeps another notice waiting (`reliability.md` P8).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from hub.domain.exchange import SET_ASIDE, UNMATCHED, WAITING, Delivery, Taken
from hub.domain.partner import Registry
from hub.errors import Unavailable
from hub.ports import Clock, Digester, Handover, Needs, Session, Store
from hub.services.alerts import alert
from hub.services.audit import row
from hub.services.notify import KEPT
from hub.services.pass_on import PassOn, settled
from hub.services.whose import NO_MATCH, UNCERTAIN, candidates, certain

log = logging.getLogger("hub.services.matcher")

BEAT_SECONDS: Final = 0.5
"""Between two looks for what was recorded.  Nobody wakes the matcher, so that when a notice is
matched does not hang on when its sender asks again."""
PAGE: Final = 200
WAITS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0)
"""Seconds from one attempt to the next; as many attempts are made as there are waits."""
FAILED: Final = "notice.set_aside"


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
        """Match a page of what waits, oldest first; return how many were tried."""
        page = await self.store.take_notices(PAGE, WAITS)
        # Submitted in order, they run in order and share a commit.
        answers = await asyncio.gather(
            *(self.store.run(self._unit(one), Needs()) for one in page), return_exceptions=True
        )
        for one, answer in zip(page, answers, strict=True):
            if isinstance(answer, Unavailable):
                raise answer
            if isinstance(answer, BaseException):  # ours; the other notices are not lost by it
                log.error("notice not matched", exc_info=answer, extra={"attempt": one.attempt})
                if one.attempt >= len(WAITS):
                    reason = type(answer).__name__
                    await self.store.run(partial(self._set_aside, one, reason), Needs())
                continue
            self.handover.offer(answer)
        return len(page)

    def _unit(self, one: Taken) -> Callable[[Session], tuple[str, ...]]:
        if one.attempt > len(WAITS):  # whoever made the last attempt did not live to say so
            return partial(self._set_aside, one, "UNFINISHED")
        return partial(self._settle, one.partner, one.key)

    def _settle(self, name: str, key: str, session: Session) -> tuple[str, ...]:
        """Match one notice, if nobody has meanwhile; return the deliveries that it led to."""
        notice = session.notice(name, key)
        if notice is None or notice.state != UNMATCHED:
            return ()
        now, body = self.clock.now(), notice.body or {}
        known = name in self.registry.partners
        found = certain(session, self.digester, body) if known else None
        made: Sequence[Delivery] = ()
        if found is not None:
            made = PassOn(self.registry).route(session, notice, body, found, now)
        elif known:
            like = bool(candidates(session, self.digester, body))
            notice = replace(notice, reason=UNCERTAIN if like else NO_MATCH)
        # A matched one that nobody is to get needs no keeping either.
        state = "routed" if made else WAITING if found is None else "nobody"
        episode_id = found[0].episode_id if found else None
        kept = body if found is None else None
        session.put_notice(replace(notice, body=kept, episode_id=episode_id, state=state))
        settled(session, notice, state.upper(), name, episode_id, now)
        return tuple(delivery.delivery_id for delivery in made)

    def _set_aside(self, one: Taken, reason: str, session: Session) -> tuple[str, ...]:
        """Stop trying, and say so; its day begins again, so that somebody can look into it."""
        notice = session.sealed_notice(one.notice_id)
        if notice is None or notice.state != UNMATCHED:
            return ()
        now = self.clock.now()
        until = max(notice.expires_at, now + KEPT)
        session.change_notice(replace(notice, state=SET_ASIDE, reason=reason, expires_at=until))
        facts = {"kind": one.kind, "notice": one.notice_id, "reason": reason}
        session.add_audit(
            row("notice.set_aside", at=now, actor=one.partner, code="SET_ASIDE", facts=facts)
        )
        facts |= {"from": one.partner, "attempts": str(notice.attempts)}
        session.add_alert(
            alert(FAILED, "operator", one.notice_id, at=now, due_at=until, facts=facts)
        )
        return ()
