"""Looking up consent, for the operator: each question one unit of work that changes nothing.

Ids, codes, dates and counts only (`domain.md` 5.3: the operator never sees content).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeVar

from hub.domain.decision import PURPOSES
from hub.domain.exchange import Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, InvalidContent
from hub.ports import Clock, Needs, Session, Store
from hub.services.access_report import access_report
from hub.services.consent_matrix import decisions_shown, load, matrix
from hub.services.consent_preview import preview
from hub.services.consent_why import why
from hub.services.kin import kin_of
from hub.services.registers import OWN_ALONE, Registers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConsentLook:
    """Answers in JSON types; raises `Missing` for an episode that is not there, `InvalidContent`
    for what nobody could mean.
    """

    store: Store
    registry: Registry
    clock: Clock
    registers: Registers = OWN_ALONE

    async def decisions(self, episode_id: str, at: datetime | None = None) -> Tree:
        """Return every decision, what it says and whether anything still rests on it."""

        def unit(session: Session) -> Tree:
            shown = decisions_shown(
                load(session, episode_id, self.registers), at or self.clock.now()
            )
            return {"episode_id": episode_id, "decisions": list(shown)}

        return await self._run(unit, episode_id)

    async def matrix(
        self, episode_id: str, service: str | None = None, at: datetime | None = None
    ) -> Tree:
        """Return who may see what, cell by cell; of one *service* where it is named."""

        def unit(session: Session) -> Tree:
            rows = matrix(load(session, episode_id, self.registers), at or self.clock.now())
            cells = [asdict(row) for row in rows if service in {None, row.service}]
            return {"episode_id": episode_id, "cells": cells}

        return await self._run(unit, episode_id)

    async def why(
        self, episode_id: str, service: str, field: str, purpose: str, at: datetime | None = None
    ) -> Tree:
        """Return why *service* would be shown *field*, or not: the gate's tests, then each leaf."""
        partner = self._partner(service)
        if purpose not in PURPOSES:
            fault = Fault(
                Code.PURPOSE, "purpose", "say for what", "CL-21b", tuple(sorted(PURPOSES))
            )
            raise InvalidContent(Code.PURPOSE, "there is no such purpose", (fault,))

        def unit(session: Session) -> Tree:
            case = load(session, episode_id, self.registers)
            return asdict(why(case, partner, service, field, purpose, at or self.clock.now()))

        return await self._run(unit, episode_id)

    async def preview(self, record: Tree) -> Tree:
        """Return what recording *record* would change; nothing is recorded."""
        episode_id = str(record["episode_id"])

        def unit(session: Session) -> Tree:
            case, waiting = (
                load(session, episode_id, self.registers),
                session.deliveries(episode_id),
            )
            return preview(case, record, waiting, self.clock.now()).as_json()

        return await self._run(unit, episode_id)

    async def report(self, episode_id: str, person: str | None = None) -> Tree:
        """Return who received what; with *person*, as that member of the family may know it."""

        def unit(session: Session) -> Tree:
            case = load(session, episode_id, self.registers)
            kin = kin_of(case.tree, case.decisions, person) if person else None
            lines = access_report(session, self.registry, episode_id, kin)
            told = [{**asdict(line), "at": line.at.isoformat()} for line in lines]
            return {"episode_id": episode_id, "disclosures": told}

        return await self._run(unit, episode_id)

    def _partner(self, service: str) -> Partner:
        partner = self.registry.by_service(service)
        if partner is None:
            served = (own.ref for one in self.registry.partners.values() for own in one.services)
            fault = Fault(
                Code.REFERENCE, "service", "name a connected service", None, tuple(sorted(served))
            )
            raise InvalidContent(Code.REFERENCE, "no connected partner serves this", (fault,))
        return partner

    async def _run(self, unit: Callable[[Session], T], episode_id: str) -> T:
        return await self.store.run(unit, Needs(episodes=(episode_id,)))
