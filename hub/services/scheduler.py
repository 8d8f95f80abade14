"""The scheduler: what becomes due because time passes, and because nobody said anything.

A *duty* looks at one episode (or, without *watch*, at the hub) and says what is due now::

    class Expiring:
        name = "consent.expiring"
        watch = Watch.OPEN

        def due(self, session: Session, episode_id: str, now: datetime) -> Due:
            return Due(alerts=[alert(..., at=now)])

It is registered in `hub.services.duties`.  *session* is a unit of work under the head's lock: a
duty may write through it (put a delivery, append a version) and names what it wants offered to the
workers in `Due.offers`.  Duties are asked again and again: an alert whose id is known is dropped,
so make ids with `hub.services.alerts.alert`.  *now* is the business clock.

A worker runs a round once a minute, and at once when a scenario moves the clock; of several workers
one at a time (a turn of the store, by the database's clock).  A round is bounded: recalls are few
and looked at in every round; the open and ended episodes are gone through in passes of at most
`LIMIT` a round, a new pass a quarter of an hour after the last one began at the earliest.  Nothing
is enforced here: an expired consent is no consent at the gate, whether or not a round has run.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from hub.domain.exchange import Alert, Watch
from hub.errors import Code, Unavailable
from hub.ports import Clock, Handover, Needs, Session, Store

log = logging.getLogger("hub.services.scheduler")

TURN: Final = "scheduler"
TURN_SECONDS: Final = 150.0
"""How long a worker that died keeps others from its turn."""
EVERY: Final = timedelta(minutes=1)
PASS: Final = timedelta(minutes=15)
LIMIT: Final = 2_000
PAGE: Final = 20
TICK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Due:
    """What a duty found: alerts to keep, and deliveries that it has put and wants offered."""

    alerts: Sequence[Alert] = ()
    offers: Sequence[str] = ()


class Duty(Protocol):
    """Something to look at as time passes; see the module's own words."""

    @property
    def name(self) -> str:
        """What it is called in logs."""
        ...

    @property
    def watch(self) -> Watch | None:
        """Which episodes it looks at; ``None``: none, it is asked once a round with ``""``."""
        ...

    def due(self, session: Session, episode_id: str, now: datetime) -> Due:
        """Return what is due now; the same again when nothing has changed."""
        ...


@dataclass(slots=True)
class _Pass:
    """How far the going through of one kind of episodes has come."""

    began: datetime | None = None
    after: str | None = None

    def wanted(self, now: datetime, every: timedelta) -> bool:
        """Start again where a new pass is due; return whether there is anything to go through."""
        if self.after is None and (
            self.began is None or now - self.began >= every or now < self.began
        ):
            self.began, self.after = now, ""
        return self.after is not None


@dataclass(slots=True)
class Scheduler:
    """Runs the duties; *owner* names this process and *told* hears of every new alert once.

    *told* is also told, at the start, what nobody has acknowledged yet.
    """

    store: Store
    clock: Clock
    handover: Handover
    duties: Sequence[Duty]
    owner: str
    told: Callable[[Alert], None]
    _passes: dict[Watch, _Pass] = field(default_factory=dict)
    _position: int = 0
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def forever(self) -> None:
        """Run a round a minute, and at once when the business clock has jumped."""
        loop = asyncio.get_running_loop()
        ran, at = None, loop.time()
        while True:
            now = self.clock.now()
            if ran is None or not timedelta() <= now - ran < EVERY or loop.time() - at >= 60:
                ran, at = now, loop.time()
                try:
                    await self.round()
                except Unavailable as fault:
                    log.warning("round failed", extra={"code": fault.code.value})
                except Exception:  # ours: the next round is in a minute
                    log.exception("round failed")
            await asyncio.sleep(TICK_SECONDS)

    async def round(self, *, whole: bool = False) -> int:
        """Run one round if it is this process's turn; return how many alerts are new.

        *whole*: go through every episode now, however many there are (an operator, or a scenario,
        has asked for it), whosever turn it is: a process that died has its own for minutes, and
        what two find at once is recorded once.
        """
        async with self._busy:
            if not await self.store.take_turn(TURN, self.owner, TURN_SECONDS) and not whole:
                return 0
            now = self.clock.now()
            new = await self._ask([""], [d for d in self.duties if d.watch is None], now)
            for watch in Watch:
                duties = [duty for duty in self.duties if duty.watch is watch]
                if duties:
                    new += await self._go_through(watch, duties, now, whole=whole)
            await self._tell()
            return new

    async def _go_through(
        self, watch: Watch, duties: Sequence[Duty], now: datetime, *, whole: bool
    ) -> int:
        every = timedelta() if whole or watch is Watch.RECALLED else PASS
        going = self._passes.setdefault(watch, _Pass())
        if whole:
            going.after = None
        new = seen = 0
        if not going.wanted(now, every):
            return new
        while going.after is not None and (whole or seen < LIMIT):
            page = await self.store.watched(watch, going.after, PAGE)
            new += await self._ask(page, duties, now)
            seen += len(page)
            going.after = page[-1] if len(page) == PAGE else None
            if seen % 1_000 < PAGE:
                await self.store.take_turn(TURN, self.owner, TURN_SECONDS)
        return new

    async def _ask(self, episodes: Sequence[str], duties: Sequence[Duty], now: datetime) -> int:
        """Ask every duty about every one of *episodes*, each in a unit of its own."""
        asked = [(episode_id, duty) for episode_id in episodes for duty in duties]
        answers = await asyncio.gather(
            *(
                self.store.run(
                    partial(_unit, duty, episode_id, now),
                    Needs(episodes=(episode_id,) if episode_id else ()),
                )
                for episode_id, duty in asked
            ),
            return_exceptions=True,
        )
        new = 0
        for (_, duty), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Unavailable) and answer.code != Code.VAULT:
                raise answer
            if isinstance(answer, BaseException):
                # Ours, or a row of this one that was altered: the others' due is not lost by it.
                log.error("duty failed", exc_info=answer, extra={"code": duty.name})
                continue
            count, offers = answer
            new += count
            self.handover.offer(offers)
        return new

    async def _tell(self) -> None:
        while found := await self.store.alerts(self._position, PAGE):
            for _, alert in found:
                self.told(alert)
            self._position = found[-1][0]


def _unit(
    duty: Duty, episode_id: str, now: datetime, session: Session
) -> tuple[int, Sequence[str]]:
    due = duty.due(session, episode_id, now)
    return sum(session.add_alert(one) for one in due.alerts), tuple(due.offers)
