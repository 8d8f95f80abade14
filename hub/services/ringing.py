"""Telling people that there is an alert, and nothing of it.

The words are "You have a new message in <system>. Ref 1234." (`standards.md` section 7).  What
leaves is made of two things, the name of a system from the site's file and the number of an alert,
so that there is no place where anything of a child could stand; who is told looks into
``ecaf alerts``.  Once for each alert and person; again only where a process died in between.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from hub.domain.exchange import Alert
from hub.errors import Rejected, Unavailable
from hub.ports import Clock, Needs, Session, Store
from hub.services.alerts import alert

log = logging.getLogger("hub.services.ringing")

TURN: Final = "ringing"
TURN_SECONDS: Final = 150.0
EVERY_SECONDS: Final = 30.0
PAGE: Final = 200
REMEMBERED: Final = timedelta(days=400)
UNREACHED: Final = "people.unreached"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is rung for which audience, at one address; *name* is its place in the site's file."""

    name: str
    audience: str
    email: str | None = None
    phone: str | None = None


class Bell(Protocol):
    """What reaches people."""

    async def ring(self, person: Person, reference: int) -> None:
        """Say that there is a message; raises `Unavailable` (later) or `Rejected` (never)."""
        ...


class _Unrung(Exception):
    """Takes back the note that was only made to see whether there was one."""


@dataclass(slots=True)
class Ringer:
    """Looks for new alerts and rings who is named for their audience, one process at a time."""

    store: Store
    clock: Clock
    people: Sequence[Person]
    bell: Bell
    owner: str
    _after: int = field(default=0, init=False)

    async def forever(self) -> None:
        """Look every half minute."""
        while True:
            try:
                await self.round()
            except Unavailable as fault:
                log.warning("ringing failed", extra={"code": fault.code.value})
            except Exception:  # ours: the next round is soon
                log.exception("ringing failed")
            await asyncio.sleep(EVERY_SECONDS)

    async def round(self) -> int:
        """Ring for what nobody was rung for; return how many rings there were.

        A person with many new alerts is rung once.  What could not be said is said later.
        """
        if not await self.store.take_turn(TURN, self.owner, TURN_SECONDS):
            return 0
        audiences = {person.audience for person in self.people}
        rung = 0
        while found := await self.store.alerts(self._after, PAGE, audiences=audiences):
            for person in self.people:
                rung += await self._ring(person, [one for one in found if self._for(person, one)])
            self._after = found[-1][0]
        return rung

    def _for(self, person: Person, one: tuple[int, Alert]) -> bool:
        return one[1].audience == person.audience

    async def _ring(self, person: Person, found: Sequence[tuple[int, Alert]]) -> int:
        new = [(number, one) for number, one in found if not await self._knows(person, one)]
        if not new:
            return 0
        refused = False
        try:
            await self.bell.ring(person, new[0][0])
        except Rejected as fault:
            refused = True
            log.warning("person not rung", extra={"code": fault.code.value})

        def note(session: Session) -> None:
            for _number, one in new:
                self._noted(session, person, one)
            if refused:
                facts = {"person": person.name, "audience": person.audience}
                day = self.clock.now().date().isoformat()
                session.add_alert(
                    alert(UNREACHED, "operator", person.name, day, at=self.clock.now(), facts=facts)
                )

        await self.store.run(note, Needs())
        return 0 if refused else 1

    async def _knows(self, person: Person, one: Alert) -> bool:
        def look(session: Session) -> None:
            if self._noted(session, person, one):
                raise _Unrung

        try:
            await self.store.run(look, Needs())
        except _Unrung:
            return False
        return True

    def _noted(self, session: Session, person: Person, one: Alert) -> bool:
        until = session.clock() + REMEMBERED
        return session.use_token(f"{TURN}:{person.name}", one.alert_id, until)
