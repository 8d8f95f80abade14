"""Tests of partners that are under way: what waits to be fetched, and what was said of it.

Only in the memory of the process that was asked: a test leaves nothing but its audit row.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from hub.domain.exchange import Tree
from hub.domain.partner import Partner
from hub.ports import Rendered
from hub.services.receipt import Receipt

MOST: Final = 16
"""Tests that are remembered; what is older has ended long ago."""


@dataclass
class Probe:
    """One test: for whom, its bytes, and what has become of it."""

    delivery_id: str
    partner: str
    service: str
    episode_id: str
    made_at: str
    rendered: Rendered
    fetched: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    code: str | None = None


@dataclass
class Probes:
    """The tests of one process, by delivery id."""

    _known: dict[str, Probe] = field(default_factory=dict)

    def begin(self, probe: Probe) -> None:
        """Let its partner find it."""
        while len(self._known) >= MOST:
            self._known.pop(next(iter(self._known)))
        self._known[probe.delivery_id] = probe

    def end(self, probe: Probe) -> None:
        """Let nobody find it any more."""
        self._known.pop(probe.delivery_id, None)

    def waiting(self, partner: Partner) -> list[Tree]:
        """Return what waits for *partner*, as its inbox shows deliveries."""
        return [
            {
                "delivery_id": one.delivery_id,
                "message_type": "N7",
                "episode_id": one.episode_id,
                "service": one.service,
                "sequence": 1,
                "created_at": one.made_at,
            }
            for one in self._known.values()
            if one.partner == partner.name and not one.acknowledged.is_set()
        ]

    def fetch(self, partner: Partner, delivery_id: str) -> Rendered | None:
        """Return the bytes of a test of *partner*'s; ``None`` where this is none."""
        one = self._of(partner, delivery_id)
        if one is None:
            return None
        one.fetched.set()
        return one.rendered

    def acknowledge(self, partner: Partner, delivery_id: str, code: str) -> Receipt | None:
        """Take the partner's word on a test; ``None`` where this is none."""
        one = self._of(partner, delivery_id)
        if one is None:
            return None
        one.code = code[:32]
        one.acknowledged.set()
        return Receipt(200, {"delivery_id": delivery_id, "acknowledged": code})

    def _of(self, partner: Partner, delivery_id: str) -> Probe | None:
        one = self._known.get(delivery_id)
        return one if one is not None and one.partner == partner.name else None
