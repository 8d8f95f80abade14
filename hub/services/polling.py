"""Polling: every open episode of an external register is asked about before its lease runs out.

So a family's no is learnt within a lease even where nothing is to be sent, and what is to be sent
finds a fresh copy.  One round after the other, each episode on its own; what fails is said by
`CopiedRegister` and tried again in the next round.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.domain.exchange import Watch
from hub.errors import HubError
from hub.ports import Needs, Session, Store
from hub.services.copying import CopiedRegister
from hub.services.registers import Registers

log = logging.getLogger("hub.polling")

PAGE: Final = 100
AT_ONCE: Final = 8
SHARE: Final = 0.5
"""The part of a lease after which a round begins again."""


@dataclass(frozen=True, slots=True)
class Poller:
    """Asks every register of *registers* that is somebody else's."""

    store: Store
    registers: Registers
    every_seconds: float

    async def forever(self) -> None:
        """Go round until cancelled."""
        while True:
            try:
                await self.round()
            except HubError as fault:
                log.warning("polling failed", extra={"code": fault.code.value})
            except Exception:  # ours: the next round comes
                log.exception("polling failed")
            await asyncio.sleep(self.every_seconds)

    async def round(self) -> int:
        """Ask about every open episode once; return how many were asked about."""
        asked, after = 0, ""
        while True:
            page = await self.store.watched(Watch.OPEN, after, PAGE)
            for start in range(0, len(page), AT_ONCE):
                asked += sum(await asyncio.gather(*map(self._ask, page[start : start + AT_ONCE])))
            if len(page) < PAGE:
                return asked
            after = page[-1]

    async def _ask(self, episode_id: str) -> bool:
        def unit(session: Session) -> str | None:
            head = session.episode(episode_id)
            return None if head is None else head.home_authority or ""

        authority = await self.store.run(unit, Needs(episodes=(episode_id,)))
        register = self.registers.at(authority)
        if authority is None or not isinstance(register, CopiedRegister):
            return False
        await register.refresh(episode_id, early=True)
        return True


def every(leases: Sequence[float]) -> float:
    """Return how many seconds lie between two rounds, by the shortest lease."""
    return max(min(leases) * SHARE, 0.2)
