"""What the operator asks of the exchange: each question one unit of work over the record.

Ids, codes, places and times only (`domain.md` 5.3: the operator never sees content).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from hub.domain.exchange import Delivery, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Missing, Unavailable, Withheld
from hub.ports import Clock, Digester, Handover, Needs, Renderer, Session, Store
from hub.services.alerts import Alerts
from hub.services.audited import audited
from hub.services.case import ask_gate, load_case
from hub.services.doctor import examination
from hub.services.gate import address
from hub.services.glance import glance
from hub.services.known import known
from hub.services.lanes import PAGE as STANDING
from hub.services.lanes import lanes
from hub.services.quarantine import Action, act, listed, read_action, show
from hub.services.registers import OWN_ALONE, Registers
from hub.services.released import Released
from hub.services.replay import Replay
from hub.services.search import PAGE, by_key, search
from hub.services.settle import envelope, format_of
from hub.services.trace import trace
from hub.services.why_not import why_not

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Operations:
    """Answers in JSON types; raises `Missing` for what is not there, `InvalidContent` for what
    nobody could mean.  *renderer* is asked for only where something is rendered.
    """

    store: Store
    registry: Registry
    clock: Clock
    renderer: Callable[[], Renderer]
    handover: Handover
    registers: Registers = OWN_ALONE
    digester: Digester | None = None

    async def trace(self, message_id: str) -> Tree:
        """Return the whole way of one message (`hub.services.trace`)."""
        return await self._run(lambda session: trace(session, message_id))

    async def why_not(self, episode_id: str, service: str, *, paused: bool = False) -> Tree:
        """Return the first thing that stops, and what mends it (`hub.services.why_not`)."""
        now = self.clock.now()

        def unit(session: Session) -> Tree:
            parts = (session, self.registry, self.registers)
            return why_not(*parts, episode_id, service, now, paused=paused)

        return await self._run(unit, episode_id)

    async def lanes(self, partner: str | None = None, limit: int = STANDING) -> Tree:
        """Return the lanes that stand longest (`hub.services.lanes`); of who is no partner any
        more what is left, and of who never was one `Missing`.
        """
        found = await lanes(self.store, partner, limit)
        if partner is not None and partner not in self.registry.partners and not found["lanes"]:
            raise Missing(Code.NOT_FOUND, "no partner has this name: ecaf partners list")
        return found

    async def search(self, given: Mapping[str, str], after: int = 0, limit: int = PAGE) -> Tree:
        """Return one page of deliveries (`hub.services.search`)."""
        return await search(self.store, given, after, limit)

    async def by_key(self, partner: str, key: str) -> Tree:
        """Return the message that a partner sent under its own key."""
        return await self._run(lambda session: by_key(session, partner, key))

    async def quarantine(
        self, partner: str | None = None, after: int = 0, limit: int = PAGE
    ) -> Tree:
        """Return a page of what was set aside (`hub.services.quarantine`)."""
        return await listed(self.store, partner, after, limit)

    async def quarantined(self, delivery_id: str) -> Tree:
        """Return one delivery that was set aside, with its evidence and what can be done."""
        return await self._run(lambda session: show(session, delivery_id))

    async def act(self, delivery_id: str, body: Mapping[str, Any]) -> Tree:
        """Do what *body* says (action, reason, by, ticket) about a delivery in quarantine."""
        action, ground = read_action(body)
        now = self.clock.now()
        if action is Action.FIX:
            await self._try(delivery_id, now)

        def unit(session: Session) -> tuple[Tree, tuple[str, ...]]:
            return act(session, delivery_id, action, ground, now)

        told, offers = await self.store.run(unit, Needs(deliveries=(delivery_id,)))
        self.handover.offer(offers)
        return told

    async def alerts(self, audience: str | None, *, everything: bool, after: int) -> Tree:
        """Return a page of alerts, whoever they are for (`hub.services.alerts`)."""
        alerts = Alerts(self.store, self.clock)
        return await alerts.list(
            partner=None, audience=audience, everything=everything, after=after
        )

    async def acknowledge_alert(self, alert_id: str) -> Tree:
        """Note that somebody has seen an alert; raises `Missing` where there is none."""
        return await Alerts(self.store, self.clock).acknowledge(alert_id, partner=None)

    async def _try(self, delivery_id: str, now: datetime) -> None:
        """Render a delivery as it would go today and throw the bytes away; raises `Rejected`."""

        def unit(session: Session) -> tuple[Partner, Delivery, Released] | None:
            one = session.delivery(delivery_id)
            partner = self.registry.partners.get(one.partner) if one is not None else None
            case = load_case(session, one, self.registers) if one and partner else None
            if one is None or partner is None or case is None:
                return None
            try:
                released = ask_gate(case, one, partner, self.registry, now)
            except (Withheld, Unavailable):
                return None  # the gate will say so when it is released
            message = envelope(one, released, self.registry.hub, one.created_at, case.decisions)
            return partner, one, address(released, message)

        found = await self.store.run(unit, Needs(deliveries=(delivery_id,)))
        if found is not None:
            partner, one, released = found
            name = format_of(partner, one.message_type, released.tree)
            self.renderer().render(name, released, partner=partner.name)

    async def known(self, episode_id: str, service: str, at: datetime) -> Tree:
        """Return what a service had been given by a moment (`hub.services.known`)."""
        seal = self.digester
        return await self._run(lambda s: known(s, episode_id, service, at, seal), episode_id)

    async def replay(self, body: Mapping[str, Any]) -> Tree:
        """Return what a replay would send; with *confirm*, send that (`hub.services.replay`)."""
        parts = (self.store, self.registry, self.registers, self.clock, self.handover)
        return await Replay(*parts)(body)

    async def audited(self, after: int = 0, limit: int = 500) -> Tree:
        """Return a page of the audit, in its order (`hub.services.audited`)."""
        return await audited(self.store, self.registry.hub, after, limit)

    async def doctor(self, after: str = "") -> Tree:
        """Return what a few seconds of going through the record found (`hub.services.doctor`)."""
        return await examination(self.store, after)

    async def top(self) -> Tree:
        """Return what a glance needs: counts, what is due, the oldest, quarantine and alerts."""
        return await glance(self.store, self.clock.now())

    async def _run(self, unit: Callable[[Session], T], episode_id: str | None = None) -> T:
        needs = Needs(episodes=(episode_id,) if episode_id is not None else ())
        return await self.store.run(unit, needs)
