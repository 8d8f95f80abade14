"""What MESH says of messages that it took: collected, or not to be delivered."""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from adapters.mesh.mailbox import Gone, Mailbox
from hub.domain.exchange import Delivery
from hub.domain.partner import MeshRoute, Registry
from hub.services.carried import CARRIER, Carried

_CODE: Final = re.compile(r"[A-Za-z0-9-]{1,20}", re.ASCII)


class Knowing(Protocol):
    """What is asked of the hub here."""

    @property
    def registry(self) -> Registry:
        """The active partners."""
        ...


class Tracking:
    """Asks MESH about what is not known to have been collected, some of it in each round."""

    def __init__(self, mailbox: Mailbox, hub: Knowing, carried: Carried, most: int) -> None:
        """Ask by *mailbox*, about at most *most* messages a round."""
        self._mailbox, self._hub, self._carried, self._most = mailbox, hub, carried, most
        self._from = 0

    async def round(self) -> None:
        """Ask once; what there was no time for comes first in the next round."""
        waiting = [
            (partner.name, route, one)
            for partner in self._hub.registry.partners.values()
            if (route := partner.delivering.mesh) is not None
            for one in await self._carried.uncollected(partner.name)
        ]
        if self._from >= len(waiting):
            self._from = 0
        some = waiting[self._from : self._from + self._most]
        self._from += len(some)
        for partner, route, one in some:
            await self._ask(partner, route, one)

    async def _ask(self, partner: str, route: MeshRoute, one: Delivery) -> None:
        """Ask about one; only what MESH says of that very message counts."""
        carrier_id = str((one.evidence or {})[CARRIER])
        try:
            told = await self._mailbox.track(carrier_id)
        except Gone:
            return
        if told.get("message_id") != carrier_id:
            return
        if told.get("local_id") not in (None, "", one.delivery_id):
            return
        match _status(told):
            case "acknowledged":
                enough = route.delivered == "collected"
                await self._carried.collected(partner, one.delivery_id, carrier_id, enough=enough)
            case "error" | "undeliverable":
                code = coded(told.get("status_code"))
                await self._carried.came_back(partner, one.delivery_id, carrier_id, code)
            case _:
                return


def _status(told: Mapping[str, Any]) -> str:
    """Return what MESH says became of it; nothing where it contradicts itself."""
    said = str(told.get("status") or "").lower()
    return "" if said == "acknowledged" and told.get("status_success") is False else said


def coded(found: object) -> str:
    """Return a code of MESH, or a dash for what is none.

    >>> coded("14"), coded("EPL-151"), coded("see log"), coded(None)
    ('14', 'EPL-151', '-', '-')
    """
    return found if isinstance(found, str) and _CODE.fullmatch(found) else "-"
